"""The process that renders templates and applies regular expressions of other people: `limited` starts and asks it.

It closes the fence of `limited_fence` around itself, limits its memory, and starts a timer for each item. The timer
ends the process, even inside a loop of C code, where no handler of Python's would run. Requests are pickles, since they
come from the harness; replies are JSON.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pickle
import re
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from harness.scoring.guest import guard_of

SIZE = struct.Struct(">Q")
"""Number of bytes of a message, sent before it."""

Reply = dict[str, Any]
"""One of: `text`, with `literal` where it was asked for; `done`; `error`; `long`, the characters of a text of too many;
`at`, the item that a filter works on; `loading`, a library; `memory`, when it ran out; `seconds`, the last reply."""


class RequestWork:
    """A request being worked on: its timer, which ends the process, and its messages on the way."""

    def __init__(self, item: float, total: float) -> None:
        """`item`: seconds on the processor for one item; `total`: seconds for all of them."""
        self._item, self._began = item, time.process_time()
        self._end = self._began + total

    def start(self) -> None:
        """Begin the next item."""
        left = self._end - time.process_time()
        signal.setitimer(signal.ITIMER_PROF, max(0.001, min(self._item, left)))

    def stop(self) -> float:
        """End the last item, and return the seconds of all items."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        return time.process_time() - self._began

    def tell(self, reply: Reply) -> None:
        """Send a reply before the last one of an item."""
        send(reply)

    def library(self, name: str) -> Any:
        """A module, imported without a limit on the memory that it takes; what comes after it is limited again."""
        if name not in sys.modules:
            send({"loading": name})
            _allow(None)
            importlib.import_module(name)
            limit_memory()
        return sys.modules[name]

    def allow_memory(self, memory: int) -> None:
        """Allow so many bytes beyond what the process has now, until the end of the request."""
        limit_memory(memory)


def render_all(
    work: RequestWork, templates: Sequence[tuple[str, bool]], docs: Sequence[bytes], most: int
) -> Iterator[Reply]:
    """The text of each template for each document.

    Args:
        work: started for each text.
        templates: each with True when the value that the text writes as Python is asked for.
        docs: the documents, pickled.
        most: largest number of characters of a text.
    """
    from harness.errors import HarnessError
    from harness.scoring.rendering import rendered, written_value

    for pickled in docs:
        doc = pickle.loads(pickled)
        for template, is_literal in templates:
            work.start()
            try:
                text = rendered(template, doc)
            except HarnessError as error:
                yield {"error": str(error)}
                continue
            if len(text) > most:
                yield {"long": len(text)}
            elif is_literal or text[:1] == "[":
                yield {"text": text, "literal": _plain(written_value(text))}
            else:
                yield {"text": text}


def compiled(work: RequestWork, pattern: str) -> Iterator[Reply]:
    """Why a pattern is no regular expression; None for one."""
    from harness.scoring.rendering import wrong_pattern

    work.start()
    yield {"done": wrong_pattern(pattern)}


def without_matches(work: RequestWork, patterns: Sequence[str], texts: Sequence[str]) -> Iterator[Reply]:
    """Each text without what the patterns match."""
    for text in texts:
        work.start()
        yield {"done": functools.reduce(lambda kept, pattern: re.sub(pattern, "", kept), patterns, text)}


OPERATIONS: Mapping[str, str] = {
    "render": f"{__name__}:render_all",
    "compiled": f"{__name__}:compiled",
    "without": f"{__name__}:without_matches",
    "filtered": "harness.engines.limited_work:lm_eval_filtered",
    "chat": "harness.engines.limited_work:chat_text",
    "tokenizer": "harness.engines.limited_work:tokenizer_loaded",
    "tokens": "harness.engines.limited_work:tokenizer_used",
}
"""Name of an operation -> `module:function` of a generator of its replies; imported when it is first asked for."""


def operation(name: str) -> Callable[..., Iterator[Reply]]:
    """The function behind a name of `OPERATIONS`."""
    module, function = OPERATIONS[name].split(":")
    found: Callable[..., Iterator[Reply]] = getattr(importlib.import_module(module), function)
    return found


def _plain(value: Any) -> Any:
    """The value if JSON can hold it, else None."""
    try:
        json.dumps(value)
        return value
    except (TypeError, ValueError, RecursionError):
        return None


def receive(source: BinaryIO) -> bytes | None:
    """The next message; None at the end of the connection."""
    head = source.read(SIZE.size)
    return source.read(*SIZE.unpack(head)) if len(head) == SIZE.size else None


def send(reply: Reply) -> None:
    """Send one reply."""
    message = json.dumps(reply).encode()
    _replies.write(SIZE.pack(len(message)) + message)
    _replies.flush()


def limit_memory(memory: int | None = None) -> None:
    """Allow this process so many bytes beyond what it has now; None for as many as the harness said."""
    pages = int(os.pread(_statistics, 200, 0).split()[0]) if _statistics is not None else 0
    _allow(pages * resource.getpagesize() + (_memory if memory is None else memory))


def _allow(memory: int | None) -> None:
    """Allow this process so many bytes of addresses, but no more than its user has; None for as many as these."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    is_bounded = hard != resource.RLIM_INFINITY
    most = hard if memory is None else min(memory, hard) if is_bounded else memory
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def main() -> None:
    """Answer requests until the harness closes the connection."""
    import harness.scoring.rendering

    harness.scoring.rendering.environment()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # whoever started the harness may have had the timer's signal ignored or held back
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    guard_of(*_asked)()
    limit_memory()
    send({"done": os.getpid()})
    while (request := receive(sys.stdin.buffer)) is not None:
        work = RequestWork(0, 0)
        try:
            name, arguments, item, total = pickle.loads(request)
            work = RequestWork(item, total)
            limit_memory()
            for reply in operation(name)(work, *arguments):
                send(reply)
        except MemoryError:
            send({"memory": True})
            return
        except RecursionError:
            send({"error": "it is nested too deep"})
        except Exception as error:  # whatever a filter or a chat template raises is told, not shown as a traceback
            send({"error": f"{type(error).__name__}: {error}"[:2000]})
        send({"seconds": work.stop()})


if __name__ == "__main__":
    _memory = int(sys.argv[1])
    _asked = bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3]), sys.argv[4:]
    # opened before the fence closes: no later name leads there
    _statistics = os.open("/proc/self/statm", os.O_RDONLY) if os.path.exists("/proc/self/statm") else None
    # libraries may print: what they print must not get among the replies
    _replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    main()
