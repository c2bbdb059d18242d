"""Functions that other processes are asked to call."""

import os
import signal
import time
from pathlib import Path

from harness.errors import FaultsError


def each(number: int) -> list[tuple[int]]:
    """The arguments of so many calls, one number for each."""
    return [(one,) for one in range(number)]


def half(number: int) -> tuple[float, int]:
    """Half of a number, odd ones later than even ones, and the process that computed it."""
    time.sleep(0.02 * (number % 2))
    return number / 2, os.getpid()


def refuse(number: int) -> int:
    """The number, unless it is 3, of which two things are wrong."""
    if number == 3:
        raise FaultsError(["3 is odd", "3 is a prime"])
    return number


def divide(number: int) -> float:
    """A mistake in the program for 0."""
    return 1 / number


def look_up(number: int) -> int:
    """A mistake in the program from 3 on."""
    return (0, 1, 2)[number]


def die(number: int) -> int:
    """The number; 1 ends the process as the kernel does."""
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_elsewhere(number: int, home: int, died: Path) -> int:
    """The number; every process but that one leaves a file and ends as the kernel ends one."""
    if os.getpid() != home:
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number


def note(folder: Path, number: int) -> int:
    """Write a file, slowly."""
    path = folder / str(number)
    path.write_text("begun")
    time.sleep(0.05)
    path.write_text("whole")
    return number
