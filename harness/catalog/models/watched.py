"""Folders in which checkpoints appear while a training goes on: which are complete, and which still being written.

A trainer writes a folder file by file, in no order that one could count on, and deletes old ones. A checkpoint is
complete when a loader would find everything whole and nothing has changed between two looks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.bounded.files import read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import MODEL_TEXT_BYTES, UnreadableError
from harness.catalog.models.folders import complete_folder
from harness.catalog.models.own_family import is_temporary
from harness.errors import ModelError

_Files = tuple[tuple[str, int, int], ...]
"""Name, size and time of each file of a folder."""
_CHANGES = "files are still changing"


class Look(NamedTuple):
    """What one look at the folders found."""

    ready: tuple[Path, ...]
    """Complete checkpoints that were not evaluated yet, in order."""
    waiting: dict[Path, str]
    """Folder -> why it is not complete, where that is another reason than at the look before."""
    gone: tuple[Path, ...]
    """Folders that were there at the look before."""


@dataclass(kw_only=True, slots=True)
class WatchedFolders:
    """Folders that are looked at again and again."""

    find: Callable[[], Iterable[Path]]
    """The folders that fit, now."""
    settled: dict[Path, _Files] = field(default_factory=dict)
    """Folder that was evaluated -> its files then."""
    seen: dict[Path, _Files] = field(default_factory=dict)
    """Folder -> its files at the last look."""
    known: dict[Path, str] = field(default_factory=dict)
    """Folder that was there at the last look -> why it was not complete; empty where it was."""

    def look(self, pause: Callable[[], None]) -> Look:
        """The folders that have come, go on or are gone since the last look.

        Args:
            pause: waits between the two glances that tell a folder which is being written from one that is not.
        """
        first = {folder: files_of(folder) for folder in self.find()}
        fresh = [folder for folder, files in first.items() if self.settled.get(folder) != files]
        if fresh:
            pause()
        reasons = {folder: _CHANGES if files_of(folder) != first[folder] else incomplete(folder) for folder in fresh}
        there = {folder: why for folder, why in reasons.items() if folder.exists()}
        gone = sorted(folder for folder in {*self.known, *fresh} if folder not in first or not folder.exists())
        waiting = {folder: why for folder, why in there.items() if why and self.known.get(folder) != why}
        self.known = {folder: there.get(folder) or "" for folder in first if folder.exists()}
        self.seen = first
        return Look(tuple(folder for folder, why in there.items() if not why), waiting, tuple(gone))

    def settle(self, folders: Iterable[Path]) -> None:
        """Look at these folders no more, as long as their files stay as they were at the last look."""
        self.settled |= {folder: self.seen[folder] for folder in folders}


def files_of(folder: Path) -> _Files:
    """Name, size and time of each file of a folder; nothing for a folder that is gone."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in found))


def incomplete(folder: Path) -> str | None:
    """Why a checkpoint cannot be evaluated yet; None when it can."""
    if is_temporary(folder.name):
        return "its name is a temporary one"
    if unfinished := [name for name, _, _ in files_of(folder) if is_temporary(name)]:
        return f"{unfinished[0]} is still being written"
    try:
        found = complete_folder(folder)
        found.parameters()
        for text in found.named("*.json"):
            parsed_json(read_bytes(text, MODEL_TEXT_BYTES))
    except ModelError as error:
        return str(error).removeprefix(f"{folder}: ").removeprefix(f"{folder}{os.sep}")
    except UnreadableError as error:
        return f"{text.name}: {error}"
    return None
