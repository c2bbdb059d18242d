"""The temporary folder of a private Ray: closed to other users, and gone when the run has ended, however it ended.

Ray gives every user of the machine the right to write in its folder, where its sockets and logs lie: whoever
replaces a socket can control the run, and logs show the prompts of models. So Ray's own folder lies below a closed one.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.executors import reaper

_LONGEST = 103
"""Maximum length in bytes of the path of a socket on macOS; Linux allows 107."""

_RESERVED = len("/emergence-12345678/ray/session_2026-01-31_23-59-59_123456_1234567/sockets/plasma_store")
"""Bytes that the longest such path adds to the temporary folder, with the largest process id of Linux."""


@contextmanager
def private_folder() -> Iterator[str]:
    """Path of a folder for Ray to create, inside a new folder of mode 0700.

    At the end the outer folder is deleted, and every process that still uses it is killed.
    """
    usual = tempfile.gettempdir()
    fits = len(os.fsencode(usual)) + _RESERVED <= _LONGEST and _kept_from_others(Path(usual))
    closed = tempfile.mkdtemp(prefix="emergence-", dir=usual if fits else "/tmp")
    watch = [sys.executable, "-I", reaper.__file__, closed, str(os.getpid())]
    # In a session of its own, so that Ctrl-C does not reach it.
    with subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True):
        yield os.path.join(closed, "ray")


def _kept_from_others(folder: Path) -> bool:
    """Whether only this user and root can replace what this user creates in `folder`."""
    resolved = folder.resolve()
    for each in (resolved, *resolved.parents):
        status = each.stat()
        open_to_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
        if open_to_others or status.st_uid not in (0, os.getuid()):
            return False
    return True
