"""Calls one function on many arguments, with the answers in order, in several processes where that saves time.

The processes are those of `harness.executors.process`, and not of `concurrent.futures`: these would run the script of
whoever uses the library once more, and would take the Ctrl-C of the terminal in the middle of their work.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from harness.errors import HarnessError, MachineError
from harness.executors.child import ParentLine
from harness.executors.process import Process, ProcessEndedError

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
    most = min(usable_cores(), MOST_PROCESSES) if processes is None else processes
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


def usable_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _takes_long(seconds: float, done: int, of: int) -> bool:
    """Whether the rest will take long, as far as the calls so far tell; a single one is not shared out."""
    left = of - done
    return left > 1 and seconds > _LOOK_SECONDS and seconds / done * left > _WORTHWHILE_SECONDS


def _by_processes(
    function: Callable[..., T], arguments: Sequence[tuple[Any, ...]], most: int
) -> Generator[T, None, None]:
    name = call_name(function)
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


def call_name(function: Callable[..., Any]) -> str:
    """What `serve_shares` calls a function."""
    return f"{function.__module__}:{function.__qualname__}"


def answer_of(process: Process, name: str, *arguments: Any) -> Any:
    """What a process that runs `serve_shares` answers to one call.

    Raises:
        HarnessError: the function raised it.
        ProcessEndedError: the process is no more.
    """
    answer = process.ask(name, *arguments)
    if isinstance(answer, Refused):
        raise answer.error
    return answer


def _asked(free: SimpleQueue[Process], name: str, arguments: tuple[Any, ...]) -> Any:
    process = free.get()
    try:
        return answer_of(process, name, *arguments)
    except ProcessEndedError as error:
        if error.ending.signal is None:
            raise RuntimeError("\n".join(error.ending.lines)) from error
        raise MachineError(f"the {error.ending.in_words()}") from error
    finally:
        free.put(process)


def serve_shares(line: ParentLine) -> None:
    """Answer calls until nobody asks any more; an error that nobody can fix ends the process with its traceback."""
    for name, arguments in line.requests():
        module, function = name.split(":")
        try:
            answer = getattr(import_module(module), function)(*arguments)
        except HarnessError as error:
            answer = Refused(error)
        line.send("answer", answer)
