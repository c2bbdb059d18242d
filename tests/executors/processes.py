"""The processes and the folder of a Ray that a test has started."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil


def processes(folder: Path) -> dict[int, str]:
    """Every process but this one that was started in `folder`: Ray's daemons, its workers, and their children."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and Path(process.cwd()) == folder:
                found[process.pid] = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
            continue
    return found


def private_folder(folder: Path) -> Path:
    """Where the Ray that was started in `folder` keeps its files."""
    commands = processes(folder).values()
    assert len(commands) > 4, "the test does not see Ray's processes"
    [found] = {match[0] for command in commands if (match := re.search(r"/[\w/]*/emergence-\w+", command))}
    assert Path(found).exists()
    return Path(found)
