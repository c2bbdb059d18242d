"""Templates and regular expressions of other people, computed in a process with limits on time and memory.

A template can run without end, fill the memory, or hold a regular expression that needs years on one text. Python
cannot interrupt such a computation safely, so it is made in a process of its own, `limited_process`, which is ended
when it exceeds a limit, and which reaches no files, network and other processes (`limited_fence`). There is one for
each process of the harness. It starts when it is first needed, in about a tenth of a second, and computes many items
per request, so that tasks of others take hardly longer than the package's.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from harness.bounded.limits import HINT, PROMPTS, RENDER_MEMORY, RENDER_TIME, RENDERED, Limit
from harness.errors import ComputationError, HarnessError
from harness.scoring.limited_fence import fence_arguments
from harness.scoring.limited_process import SIZE, Reply
from harness.scoring.rendering import Rendering, RenderingHere, put_together
from harness.scoring.templates import mentioned, plain_parts
from harness.wording import count, cut, quoted

_SECONDS_FOR_EACH = 0.005
"""Processor time by which each further item extends the time for all; most take a hundredth of that."""
_PATIENCE = 30.0
"""Seconds that this process waits for a reply, for each second on the processor.

A computation without end is ended by its own timer long before, unless the machine is so busy that it hardly runs.
"""
_START_SECONDS = 60.0
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""Variables of the environment without which some interpreters do not start; no others are passed on."""
_SHORT = 10_000
"""Characters of a text that is always allowed: looking the setting up takes as long as putting a text together."""
_BATCH_BYTES, _BATCH_DOCS = 1_000_000, 500


def rendering_for(*, trusted: bool) -> Rendering:
    """What renders the templates of a task: this process for tasks of the package, one with limits for all others."""
    return RenderingHere() if trusted else LimitedRendering()


class LimitedRendering:
    """Renders the templates of one task; what was rendered is kept, as documents are asked for it again and again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], _Rendered | HarnessError] = {}
        self._docs: list[Mapping[str, Any]] = []  # kept, so that no other document gets the id of one of them
        self._allowance = Allowance()
        self._characters = 0
        self._was_stopped = False

    def learn(
        self, templates: Iterable[str], docs: Iterable[Mapping[str, Any]], *, literals: Iterable[str] = ()
    ) -> None:
        """Render in one go what will be asked for one by one, but for templates that need no jinja.

        Nothing more is rendered ahead once a template was stopped, since each attempt takes as long again.
        """
        if self._was_stopped:
            return
        self._render([template for template in templates if plain_parts(template) is None], docs, literals)

    def _render(self, templates: Iterable[str], docs: Iterable[Mapping[str, Any]], literals: Iterable[str]) -> None:
        asked = [(template, False) for template in dict.fromkeys(templates)]
        asked += [(template, True) for template in dict.fromkeys(literals)]
        if not asked:
            return
        for batch, pickled in _batches(docs, _fields([template for template, _ in asked])):
            items = [(template, id(doc)) for doc in batch for template, _ in asked]
            came = ask("render", asked, pickled, RENDERED.allowed, n=len(items), allowance=self._allowance)
            self._docs += batch
            for item, reply in zip(items, came.replies, strict=False):
                self._known[item] = self._taken(item[0], reply)
            if came.stopped is not None and len(came.replies) < len(items):
                item = items[len(came.replies)]
                self._known[item] = ComputationError(f"template {came.stopped}: {quoted(item[0])}")
                self._was_stopped = True
                return

    def text(self, template: str, doc: Mapping[str, Any]) -> str:
        """The text of a template for one document.

        Raises:
            ComputationError: it takes too long, too much memory, or is too long.
            HarnessError: it cannot be rendered.
        """
        text = put_together(template, doc)
        if text is None:
            return self._found(template, doc).text
        if len(text) > _SHORT and len(text) > RENDERED.allowed:
            raise _refused("template", template, {"long": len(text)})
        return text

    def value(self, template: str, doc: Mapping[str, Any]) -> Any:
        """The value that the text writes, as Python would read it; the text itself where it writes none.

        Raises:
            HarnessError: as for `text`.
        """
        found = self._found(template, doc)
        if not found.is_read:
            self._render((), [doc], [template])
            found = self._found(template, doc)
        return found.text if found.value is None else found.value

    def forget(self) -> None:
        """Drop what was rendered; what it took still counts."""
        self._known.clear()
        self._docs.clear()

    def _found(self, template: str, doc: Mapping[str, Any]) -> _Rendered:
        key = (template, id(doc))
        if key not in self._known:
            self._render([template], [doc], ())
        found = self._known[key]
        if isinstance(found, HarnessError):
            raise found
        return found

    def _taken(self, template: str, reply: Reply) -> _Rendered | HarnessError:
        if "text" not in reply:
            return _refused("template", template, reply)
        self._characters += len(reply["text"])
        if self._characters > PROMPTS.allowed:
            return ComputationError(f"templates give {_more(PROMPTS)} for the documents up to this one")
        return _Rendered(reply["text"], reply.get("literal"), "literal" in reply)


class _Rendered(NamedTuple):
    text: str
    value: Any
    """What the text writes; None for nothing, or where it was not read."""
    is_read: bool


class Allowance:
    """Processor time for the computations of one task: a while for one of them, and little for each of many."""

    def __init__(self, item: float | None = None) -> None:
        """`item`: seconds that one computation may take; None takes the limit for templates."""
        self.item = _seconds() if item is None else item
        self._left = self.item

    def grant(self, n: int) -> float:
        """Seconds for n items together."""
        self._left += n * _SECONDS_FOR_EACH
        return self._left

    def spend(self, seconds: float) -> None:
        """Take the seconds that they needed; what is left over does not pile up."""
        self._left = min(self._left - seconds, self.item)


def wrong_pattern_within_limits(pattern: str, allowance: Allowance) -> str | None:
    """Why a text is no regular expression; None for one.

    Raises:
        ComputationError: it takes too long or too much memory to find out.
    """
    came = ask("compiled", pattern, n=1, allowance=allowance)
    if came.stopped is not None:
        raise ComputationError(came.stopped)
    why: str | None = came.replies[0]["done"]
    return why


def filtered(
    steps: Sequence[tuple[str, Mapping[str, Any]]], answers: Sequence[Any], docs: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """The answers to each document after lm-eval's filters, which are given by name with their options.

    Raises:
        ComputationError: a filter takes too long or too much memory; `item` is the document's position.
        HarnessError: a filter fails.
    """
    came = ask("filtered", steps, answers, list(docs), n=len(answers), allowance=Allowance())
    last = came.replies[-1] if came.replies else {}
    if came.stopped is not None and "done" not in last:
        raise ComputationError(f"filter {came.stopped}", item=last.get("at"))
    if "error" in last:
        raise HarnessError(f"filter fails: {cut(last['error'])}")
    done: list[Any] = last["done"]
    return done


def without(patterns: Sequence[str], texts: Sequence[str], allowance: Allowance) -> list[str]:
    """Each text without what the patterns match.

    Raises:
        ComputationError: it takes too long or too much memory; `item` is the text's position.
        HarnessError: a pattern is wrong.
    """
    came = ask("without", patterns, texts, n=len(texts), allowance=allowance)
    shown = quoted(", ".join(patterns))
    if came.stopped is not None and len(came.replies) < len(texts):
        raise ComputationError(f"regexes_to_ignore {came.stopped}: {shown}", item=len(came.replies))
    if "error" in came.replies[-1]:
        raise HarnessError(f"regexes_to_ignore fails: {cut(came.replies[-1]['error'])}: {shown}")
    return [reply["done"] for reply in came.replies]


def chat(asked: Mapping[str, Any]) -> str:
    """The turns of a chat as transformers writes them; `asked` are arguments of its `render_jinja_template`.

    Raises:
        ComputationError: it takes too long, too much memory, or the text is too long.
        ValueError: the template refuses the turns.
    """
    plain = json.loads(json.dumps(dict(asked), default=str))
    came = ask("chat", plain, RENDERED.allowed, n=1, allowance=Allowance())
    if came.stopped is not None:
        raise ComputationError(f"chat template {came.stopped}")
    (reply,) = came.replies
    if "long" in reply:
        raise _refused("chat template", str(asked.get("chat_template")), reply)
    if "error" in reply:
        raise ValueError(reply["error"].partition(": ")[2] or reply["error"])
    text: str = reply["text"]
    return text


def _refused(what: str, template: str, reply: Reply) -> HarnessError:
    if "long" in reply:
        said = f"{what} gives {count(reply['long'])} characters; expected at most {count(RENDERED.allowed)}{HINT}"
        return ComputationError(f"{said}: {quoted(template)}")
    return HarnessError(reply["error"])


def _seconds() -> float:
    """Processor time for one item."""
    return RENDER_TIME.allowed / 1000


def _more(limit: Limit) -> str:
    return f"more than {count(limit.allowed)} {limit.unit}{HINT}"


def _fields(templates: Iterable[str]) -> Collection[str] | None:
    """Names of the fields that templates may look at; None for all."""
    names = [mentioned(template) for template in templates]
    return None if None in names else {name for each in names for name in each or ()}


def _batches(
    docs: Iterable[Mapping[str, Any]], fields: Collection[str] | None
) -> Iterator[tuple[list[Mapping[str, Any]], list[bytes]]]:
    """Some documents at a time, and their fields as they are sent; pictures and the like are mostly left out so."""
    batch: list[Mapping[str, Any]] = []
    pickled: list[bytes] = []
    size = 0
    for doc in docs:
        batch.append(doc)
        pickled.append(pickle.dumps({name: doc[name] for name in doc if fields is None or name in fields}))
        size += len(pickled[-1])
        if size > _BATCH_BYTES or len(batch) >= _BATCH_DOCS:
            yield batch, pickled
            batch, pickled, size = [], [], 0
    if batch:
        yield batch, pickled


# --- the process ----------------------------------------------------------------------------------------------------


class Came(NamedTuple):
    """What came back of a request."""

    replies: list[Reply]
    """One for each item, in order, up to the one that was stopped."""
    stopped: str | None
    """Which limit an item exceeded, to be read after its name; None when all were computed.

    The process can also be ended between the last item and its end; then all replies are here.
    """


def ask(operation: str, *arguments: Any, n: int, allowance: Allowance) -> Came:
    """The replies to a request.

    Args:
        operation: one of `limited_process.OPERATIONS`.
        arguments: its arguments.
        n: number of items.
        allowance: processor time that they may take; what they took is taken from it.
    """
    request = (operation, arguments, allowance.item, allowance.grant(n))
    with _lock:
        process = _Process.running()
        try:
            came = process.answer(pickle.dumps(request), allowance)
        except BaseException:  # also an interrupt: a later request must not get the replies to this one
            process.end()
            raise
        if came.stopped is not None:
            allowance.spend(0.0)
            process.end()
    return came


class _Process:
    """A process that computes, and the connection to it."""

    _current: _Process | None = None

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._memory = RENDER_MEMORY.allowed
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        folders = os.pathsep.join(os.path.abspath(folder) for folder in sys.path if folder)
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        with tempfile.TemporaryFile() as self._said:
            try:
                self._popen = subprocess.Popen(
                    [
                        sys.executable,
                        "-P",
                        "-m",
                        "harness.scoring.limited_process",
                        str(self._memory),
                        *fence_arguments(),
                    ],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._said,
                    cwd="/",
                    env={**kept, "PYTHONPATH": folders, "LC_ALL": "C.UTF-8", "HF_HUB_OFFLINE": "1", **one_thread},
                    start_new_session=True,
                )
            except OSError as error:
                raise HarnessError(f"the process that renders templates did not start: {error.strerror}") from error
            assert self._popen.stdin is not None
            assert self._popen.stdout is not None
            self._in, self._out = self._popen.stdin.fileno(), self._popen.stdout.fileno()
            self._buffer = b""
            if self._receive(_START_SECONDS) is None:
                self.end()
                self._said.seek(0)
                said = self._said.read()[-2000:].decode(errors="replace").strip().splitlines()
                raise HarnessError(f"the process that renders templates did not start: {cut(said[-1] if said else '')}")

    @classmethod
    def running(cls) -> _Process:
        """The process of this one; a new one where there is none yet, or where it was ended."""
        now = cls._current
        if now is None or now._owner != os.getpid() or now._popen.poll() is not None or not now._fits():
            cls._current = now = cls()
        return now

    def _fits(self) -> bool:
        return self._memory == RENDER_MEMORY.allowed

    def answer(self, request: bytes, allowance: Allowance) -> Came:
        """The replies to a request."""
        patience = wait = _PATIENCE * max(1.0, allowance.item)
        replies: list[Reply] = []
        try:
            self._send(request)
        except BrokenPipeError:
            return Came([], self._why(allowance))
        while True:
            message = self._receive(wait)
            wait = patience
            if message is None:
                return Came(replies, self._why(allowance))
            reply: Reply = json.loads(message)
            if "loading" in reply:
                wait = max(wait, _START_SECONDS)
                continue
            if "seconds" in reply:
                allowance.spend(reply["seconds"])
                return Came(replies, None)
            if "memory" in reply:
                return Came(replies, f"needs {_more(RENDER_MEMORY)}")
            replies.append(reply)

    def end(self) -> None:
        """Kill the process and close the connection."""
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                pipe.close()

    def _send(self, message: bytes) -> None:
        rest = memoryview(SIZE.pack(len(message)) + message)
        while rest:
            rest = rest[os.write(self._in, rest) :]

    def _receive(self, seconds: float) -> bytes | None:
        """The next message; None when the process ended, or said nothing for so long."""
        head = self._read(SIZE.size, seconds)
        return None if head is None else self._read(SIZE.unpack(head)[0], seconds)

    def _read(self, size: int, seconds: float) -> bytes | None:
        parts, missing = [self._buffer[:size]], size - len(self._buffer)
        self._buffer = self._buffer[size:]
        until = time.monotonic() + seconds
        while missing > 0:
            ready, *_ = select.select([self._out], [], [], max(0.0, until - time.monotonic()))
            came = os.read(self._out, max(65536, missing)) if ready else b""
            if not came:
                return None
            parts.append(came[:missing])
            self._buffer = came[missing:]
            missing -= len(came)
        return b"".join(parts)

    def _why(self, allowance: Allowance) -> str:
        """Why there is no reply."""
        try:
            code = self._popen.wait(0.5)
        except subprocess.TimeoutExpired:
            code = -signal.SIGPROF
        if code == -signal.SIGPROF:
            return f"takes more than {allowance.item:g} s{HINT}"
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        # most libraries that are not written in Python end so when memory is refused to them
        return f"ends the process that computes it ({how}): it is damaged, or takes too much memory{HINT}"


_lock = threading.Lock()


@atexit.register
def _end() -> None:
    if _Process._current is not None and _Process._current._owner == os.getpid():
        _Process._current.end()
