"""When a signal ends what this process does.

Batch systems send SIGTERM before they kill: a run ends as by Ctrl-C, and its record says so. What must not be left
half done is finished first.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C; Python would end without a message, and Ray with a crash report."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual or signal.SIG_DFL)


@contextmanager
def interrupted_afterwards() -> Iterator[None]:
    """Let Ctrl-C come when the block is over, so that nothing in it is left half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[Any, ...]] = []
    usual = signal.signal(signal.SIGINT, lambda *given: came.append(given))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual or signal.SIG_DFL)
        if came and callable(usual):
            usual(*came[0])
