"""Kill the processes that a private Ray leaves behind, and delete its folder.

Run as a process of its own by `harness.executors.folder`: `python reaper.py FOLDER DRIVER_PID`. Its standard
input ends when the driver has finished or died; the kernel ensures this however the driver ends. Most of Ray's
processes end with their driver, but its agents stay for a minute, and nothing else would delete the folder. Processes
of the run are recognised by the files they have open: every daemon, worker and child of a worker writes its log in the
folder. This file uses the standard library only.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_SECONDS = 10.0
"""Time until the reaper gives up on processes that do not die and files that cannot be deleted."""


def users(folder: Path) -> frozenset[int]:
    """Ids of the processes that have a file below `folder` open; empty on machines without /proc."""
    return frozenset(int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _uses(entry, f"{folder}{os.sep}"))


def reap(folder: Path, spare: frozenset[int]) -> None:
    """Kill the users of `folder`, except `spare`, and delete it."""
    end = time.monotonic() + _SECONDS
    while folder.exists() and time.monotonic() < end:
        for pid in users(folder) - spare:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)


def _uses(process: Path, below: str) -> bool:
    try:
        return any(os.readlink(file).startswith(below) for file in (process / "fd").iterdir())
    except OSError:  # it has ended, or is another user's
        return False


if __name__ == "__main__":
    sys.stdin.read()
    reap(Path(sys.argv[1]), frozenset({os.getpid(), int(sys.argv[2])}))
