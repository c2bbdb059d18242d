"""Sandboxes without fences, programs in them, and what is left of these."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.scoring import server
from harness.scoring.sandbox import Execution, Sandbox

GOOD = "def f(x):\n    return (x + 3) * 2"
BARE = Sandbox(isolation="none", python=os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
"""A sandbox without namespaces: limits hold a program, and the rights that its process gives up."""
UNGUARDED = replace(BARE, guards=())
"""A sandbox where nothing but limits holds a program."""


def run(sandbox: Sandbox, program: str, argument: object = 0, **limits: float) -> Execution:
    """What becomes of the program's `f` of an argument, under these limits."""
    limited = replace(sandbox, limits=replace(sandbox.limits, **limits))  # type: ignore[arg-type]
    return limited.call(program, "f", [[argument]])


def carrying(token: str) -> int:
    """How many processes carry the token in their environment or command line."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += token.encode() in (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:  # ended, or not ours
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether the condition holds before the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def server_of(sandbox: Sandbox) -> int:
    """The process that this thread's programs are forked from."""
    assert run(sandbox, GOOD).status == "returned"
    pid: int = server._here.servers["program"]._process.pid
    return pid
