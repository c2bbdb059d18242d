"""The records of runs in the results folder, which say how each run began, how far it is and how it ended."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.bounded.files import read_bytes
from harness.bounded.limits import RECORD_BYTES
from harness.runs import RunRecord, dumped, loaded
from harness.store.files import overwrite_file, replace_file, reported
from harness.store.headers import Problem
from harness.store.layout import RUNS, newest_records, path_part

MOST_RUNS = 100
"""Records of runs that are read: the ones written last, among which is every run that goes on."""


def write_record(root: Path, record: RunRecord) -> Path:
    """Write the record of one run, in place of an earlier one of the same run, and give its file.

    On a full disk it is written over the earlier one, in the end without its plan: how a run ended can be said
    where nothing else fits.

    Raises:
        StoreError: the disk is full, or the folder of the records belongs to somebody else.
    """
    path = root / RUNS / path_part(record.name)
    with reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            replace_file(path, dumped(record), to_disk=False)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not path.exists() or record.ending is None:
                raise
            try:
                overwrite_file(path, dumped(record))
            except OSError:
                overwrite_file(path, dumped(replace(record, plan=())))
    return path


def last_runs(root: Path) -> tuple[tuple[RunRecord, ...], tuple[Problem, ...]]:
    """The last runs into a folder, the newest first, and records that were skipped."""
    records: list[RunRecord] = []
    problems: list[Problem] = []
    for path in newest_records(root, MOST_RUNS):
        try:
            records.append(_record(path))
        except ValueError as error:
            problems.append(Problem(path=path, message=str(error)))
    return tuple(sorted(records, key=lambda r: r.started_at, reverse=True)), tuple(problems)


def _record(path: Path) -> RunRecord:
    """One run record; a run whose process on this machine is gone has ended as `lost`."""
    record = _by_this_clock(loaded(read_bytes(path, RECORD_BYTES)), path)
    gone = record.ending is None and _is_gone(record.host, record.pid)
    return replace(record, ending="lost") if gone else record


def _by_this_clock(record: RunRecord, path: Path) -> RunRecord:
    """The record with its times as the file system has them, where the clock of the run is ahead.

    Nobody has been heard of in the future: the file was written when the file system says.
    """
    now = datetime.now(UTC)
    if record.heard_at <= now + timedelta(minutes=1):
        return record
    with suppress(OSError, OverflowError):
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if written <= now + timedelta(minutes=1):
            ahead = record.heard_at - written
            return replace(record, heard_at=record.heard_at - ahead, started_at=record.started_at - ahead)
    return record


def _is_gone(host: str, pid: int) -> bool:
    """Whether a process of this machine exists no more; False when it is another machine's."""
    if host != socket.gethostname():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # somebody else's process, or a number that is none
        return False
    return False
