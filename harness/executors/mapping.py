"""Calls one function on many arguments, with the answers in order, in several processes where that saves time.

The processes are those of `harness.executors.process`, and not of `concurrent.futures`: these would run the script of
whoever uses the library once more, and would take the Ctrl-C of the terminal in the middle of their work.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from queue import SimpleQueue
from typing import Any, NamedTuple, Self, TypeVar

from harness.errors import HarnessError, MachineError
from harness.executors.child import ParentLine
from harness.executors.process import Process, ProcessEndedError

log = logging.getLogger(__name__)

MOST_PROCESSES = 4
"""Processes that are started unless a number is asked for, on however many cores."""
_LOOK_SECONDS = 1.0
"""Time after which it is estimated how long the rest takes."""
_WORTHWHILE_SECONDS = 4.0
"""Time that the rest must take for processes to save some: each needs about a second to start."""
_AHEAD = 2
"""Arguments for each process that are handed out before the answer is asked for."""

T = TypeVar("T")


class Refused(NamedTuple):
    """What a process sends in place of an answer."""

    error: HarnessError
    """The error that the function raised."""


def mapped(
    function: Callable[..., T], arguments: Sequence[tuple[Any, ...]], processes: int | None = None
) -> Generator[T, None, None]:
    """The answers of a function, in the order of its arguments.

    Whoever stops before the end closes the iterator; what was begun is finished first.

    Args:
        function: a function of a module of ours. Its arguments and answers can be pickled.
        arguments: those of each call.
        processes: how many processes share the calls, 1 for this one alone. None begins in this one, and starts as
            many as there are cores, at most `MOST_PROCESSES`, once the rest would take longer than they take to start.

    Raises:
        HarnessError: the function raised it; calls behind it may have been made all the same.
        MachineError: a process was ended from outside, such as for lack of memory.
    """
    most = min(_cores(), MOST_PROCESSES) if processes is None else processes
    shares_out = processes is not None and most > 1
    seconds = 0.0
    for done, one in enumerate(arguments):
        if shares_out or (most > 1 and _takes_long(seconds, done, len(arguments))):
            yield from _by_processes(function, arguments[done:], most)
            return
        began = time.monotonic()
        answer = function(*one)
        seconds += time.monotonic() - began
        yield answer


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _takes_long(seconds: float, done: int, of: int) -> bool:
    """Whether the rest will take long, as far as the calls so far tell; a single one is not shared out."""
    left = of - done
    return left > 1 and seconds > _LOOK_SECONDS and seconds / done * left > _WORTHWHILE_SECONDS


def _by_processes(
    function: Callable[..., T], arguments: Sequence[tuple[Any, ...]], most: int
) -> Generator[T, None, None]:
    name = _name(function)
    free, started = SimpleQueue[Process](), list[Process]()
    waiting: deque[Future[T]] = deque()
    threads = ThreadPoolExecutor(most, thread_name_prefix="mapping")  # each waits for the answer of one process
    try:
        for _ in range(min(most, len(arguments))):
            started.append(Process(f"{__name__}:serve_shares"))
            free.put(started[-1])
        for one in arguments:
            waiting.append(threads.submit(_asked, free, name, one))
            if len(waiting) == _AHEAD * most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
        for process in started:
            process.close()


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}:{function.__qualname__}"


def _answer(process: Process, name: str, *arguments: Any) -> Any:
    answer = process.ask(name, *arguments)
    if isinstance(answer, Refused):
        raise answer.error
    return answer


def _asked(free: SimpleQueue[Process], name: str, arguments: tuple[Any, ...]) -> Any:
    process = free.get()
    try:
        return _answer(process, name, *arguments)
    except ProcessEndedError as error:
        if error.ending.signal is None:
            raise RuntimeError("\n".join(error.ending.lines)) from error
        raise MachineError(f"the {error.ending.in_words()}") from error
    finally:
        free.put(process)


class Crew:
    """This process and helpers beside it, which share out call after call: whoever is free takes the next one.

    A helper takes most of a second to start, and longer where Python lies on a network. This process works meanwhile,
    and waits for none that is not ready. It also does what is left when a helper is ended from outside, or when none
    can be started.
    """

    def __init__(self, module: str, helpers: int | None = None) -> None:
        """Nothing is started yet.

        Args:
            module: what helpers import before they are ready.
            helpers: how many to start; None starts one for each further core, so that at most `MOST_PROCESSES` work.
        """
        self._module = module
        self._wanted = min(_cores(), MOST_PROCESSES) - 1 if helpers is None else helpers
        self._helpers = list[_Helper]()

    def __enter__(self) -> Self:
        """Start the helpers."""
        try:
            while len(self._helpers) < self._wanted:
                process = Process(f"{__name__}:serve_shares")
                thread = ThreadPoolExecutor(1, thread_name_prefix="crew")
                started = thread.submit(_answer, process, f"{__name__}:ready", self._module)
                self._helpers.append(_Helper(process, thread, started))
        except OSError as error:
            log.info("no helper could be started, and the work is done without: %s", error)
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._helpers:
            helper.process.kill()
            helper.thread.shutdown()

    @property
    def is_free(self) -> bool:
        """Whether every helper has started, is still there, and has answered all that it was asked."""
        return all(one.started.done() and not one.process.has_message() for one in self._helpers)

    def each(self, function: Callable[..., T], arguments: Sequence[tuple[Any, ...]], /) -> list[T]:
        """The answers of a function, in the order of its arguments.

        Args:
            function: a function of a module of ours. Its arguments and answers can be pickled.
            arguments: those of each call.

        Raises:
            HarnessError: the function raised it.
        """
        left, answers = deque(enumerate(arguments)), dict[int, T]()
        helpers = self._helpers if len(arguments) > 1 else []
        helping = [one.thread.submit(_help, one.process, function, left, answers) for one in helpers]
        try:
            _work(function, left, answers)
        except BaseException:
            left.clear()
            raise
        for one in helping:
            if not one.cancel():  # it has begun
                one.result()
        _work(function, left, answers)
        return [answers[place] for place in range(len(arguments))]


class StandingCrews:
    """Crews that stay for whoever asks next, so that helpers start once and not for every question."""

    def __init__(self, idle_seconds: float = 120.0) -> None:
        """There is none yet.

        Args:
            idle_seconds: a crew that nobody asks for so long is dismissed, and so are all when this process ends.
        """
        self._idle_seconds = idle_seconds
        self._waiting: dict[str, tuple[Crew, threading.Timer]] = {}
        atexit.register(self.dismiss)

    @contextmanager
    def lent(self, module: str) -> Generator[Crew, None, None]:
        """The crew of a module; while somebody has it, others get one of their own."""
        crew = self._taken(module) or Crew(module).__enter__()
        try:
            yield crew
        except BaseException:
            crew.__exit__()  # a helper may be busy with what nobody wants any more
            raise
        timer = threading.Timer(self._idle_seconds, self.dismiss, [module])
        timer.daemon = True
        mine = (crew, timer)
        if crew.is_free and self._waiting.setdefault(module, mine) is mine:
            timer.start()
        else:
            crew.__exit__()

    def dismiss(self, *modules: str) -> None:
        """End the helpers that wait for work, those of all modules unless some are named."""
        for module in modules or tuple(self._waiting):
            if crew := self._taken(module):
                crew.__exit__()

    def _taken(self, module: str) -> Crew | None:
        """The crew that waits, which then is nobody else's; None where none does, or a helper has gone."""
        crew, timer = self._waiting.pop(module, (None, None))
        if timer is not None:
            timer.cancel()
        if crew is not None and not crew.is_free:
            crew.__exit__()
            return None
        return crew


STANDING = StandingCrews()
"""Those of this process."""


class _Helper(NamedTuple):
    """One of a crew."""

    process: Process
    """The helper."""
    thread: ThreadPoolExecutor
    """One thread, which asks it and waits for its answers."""
    started: Future[None]
    """Is done when the helper has imported what it needs."""


def _work(call: Callable[..., T], left: deque[tuple[int, tuple[Any, ...]]], answers: dict[int, T]) -> None:
    """Make the calls that are left, as long as some are; others may do the same."""
    while left:
        try:
            place, arguments = left.popleft()
        except IndexError:  # somebody else took the last one
            return
        try:
            answers[place] = call(*arguments)
        except ProcessEndedError:
            left.append((place, arguments))
            raise


def _help(
    helper: Process, function: Callable[..., T], left: deque[tuple[int, tuple[Any, ...]]], answers: dict[int, T]
) -> None:
    """As `_work`, with the calls made in a helper."""
    try:
        _work(partial(_answer, helper, _name(function)), left, answers)
    except ProcessEndedError as error:
        log.info("a helper is gone, and its work is done without it: %s", error)


def ready(module: str) -> None:
    """Import what will be called, which takes a helper longer than a call."""
    import_module(module)


def serve_shares(line: ParentLine) -> None:
    """Answer calls until nobody asks any more; an error that nobody can fix ends the process with its traceback."""
    for name, arguments in line.requests():
        module, function = name.split(":")
        try:
            answer = getattr(import_module(module), function)(*arguments)
        except HarnessError as error:
            answer = Refused(error)
        line.send("answer", answer)
