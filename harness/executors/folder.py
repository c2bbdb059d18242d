"""The temporary folder of a private Ray: closed to other users, and gone when the run has ended, however it ended.

Ray gives every user of the machine the right to write in its folder, where its sockets and logs lie: who replaces a
socket is obeyed by the run, and logs show what models were asked. So Ray's own folder lies below one that is closed.
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
"""Bytes that the path of a socket may have on macOS; Linux allows 107."""

_RESERVED = len("/emergence-12345678/ray/session_2026-01-31_23-59-59_123456_1234567/sockets/plasma_store")
"""Bytes of the longest such path that are not the temporary folder's, with the largest process id of Linux."""


@contextmanager
def private_folder() -> Iterator[str]:
    """A folder for Ray, not there yet, below one of mode 0700 that disappears with every process that still uses it."""
    usual = tempfile.gettempdir()
    fits = len(os.fsencode(usual)) + _RESERVED <= _LONGEST and _kept_from_others(Path(usual))
    closed = tempfile.mkdtemp(prefix="emergence-", dir=usual if fits else "/tmp")
    watch = [sys.executable, "-I", reaper.__file__, closed, str(os.getpid())]
    # In a session of its own, so that Ctrl-C does not reach it.
    with subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True):
        yield os.path.join(closed, "ray")


def _kept_from_others(folder: Path) -> bool:
    """Whether no other user but root can put something else in the place of what this user makes in `folder`."""
    resolved = folder.resolve()
    for each in (resolved, *resolved.parents):
        status = each.stat()
        open_to_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
        if open_to_others or status.st_uid not in (0, os.getuid()):
            return False
    return True
