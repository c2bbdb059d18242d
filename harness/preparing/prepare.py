"""Fill a mirror: look up what a plan wants, say how much it is, download what is missing, verify what is there.

A repository appears in the mirror as a whole: until its last file is there and checked it lies below `.partial`, where
the next call goes on. The commit that the manifest has stays, whatever the hub has meanwhile, until an update is asked
for.
"""

from __future__ import annotations

import fcntl
import fnmatch
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.bounded.files import sha256
from harness.bounded.limits import UnreadableError
from harness.catalog.manifest import FILE, Repository, manifest_text
from harness.catalog.mirror import Mirror, place_of
from harness.engines.provenance import versions
from harness.errors import HarnessError, MachineError
from harness.preparing.downloading import ANY_SIZE, Announce, downloaded
from harness.preparing.hub import HubError, HubRepository, look_up
from harness.preparing.wanted import Wanted
from harness.store.files import replace_file
from harness.wording import counted, file_size

PARTIAL = ".partial"
"""Folder of a mirror with what is not complete."""
_PACKAGES = ("huggingface_hub", "datasets", "transformers")


@dataclass(kw_only=True, slots=True)
class Prepared:
    """What came of it."""

    downloaded: list[Repository] = field(default_factory=list)
    """What was downloaded, in part or whole."""
    verified: list[Repository] = field(default_factory=list)
    """What was there already, each byte as the manifest has it."""
    kept: list[str] = field(default_factory=list)
    """Folders that are not in the manifest: somebody filled them, and they are left as they are."""
    failed: list[HarnessError] = field(default_factory=list)
    """Why the others are not there."""

    @property
    def can_be_mended(self) -> bool:
        """True when a failure is about what was asked for, rather than about the hub or the network."""
        return any(not getattr(error, "passing", False) for error in self.failed)


def fill_mirror(
    folder: Path,
    wanted: Sequence[Wanted],
    *,
    allow_pickle: bool = False,
    allow_code: bool = False,
    update: bool = False,
    told: Announce = lambda _: None,
) -> Prepared:
    """Download what a plan wants of the hub into a folder, and write its manifest after each repository.

    Args:
        folder: the mirror; made when it is not there.
        wanted: models and data sets, from `wanted_by`.
        allow_pickle: take weights that are pickles where a model has no others.
        allow_code: take Python files that come with models and tokenizers.
        update: ask the hub for the present commit of what is there, and download it where it is another.
        told: called with a line about what goes on.

    Raises:
        MachineError: the folder cannot be written, or the disk has too little room.
        CatalogError: the manifest of the folder cannot be read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, told):
            return _fill(folder, wanted, update=update, told=told, look=_asking(allow_pickle, allow_code))
    except OSError as error:
        raise MachineError(f"{folder}: cannot be written: {error.strerror or error}; give another --output") from error


_Look = Callable[[Wanted, str | None], HubRepository]


def _asking(allow_pickle: bool, allow_code: bool) -> _Look:
    def look(one: Wanted, commit: str | None) -> HubRepository:
        return look_up(one, allow_pickle=allow_pickle, allow_code=allow_code, commit=commit)

    return look


def _fill(folder: Path, wanted: Sequence[Wanted], *, update: bool, told: Announce, look: _Look) -> Prepared:
    mirror, came = Mirror.read(folder), Prepared()
    known = dict(mirror.prepared)
    missing: list[tuple[Wanted, HubRepository]] = []
    for one in wanted:
        place = place_of(one.kind, one.name, one.revision)
        entry = known.get(place)
        try:
            if entry is None and (mirror.folder / place).is_dir():
                came.kept.append(place)
                told(f"{one.label}: left as it is, since somebody filled {mirror.folder / place}")
            elif entry is not None and not update and _is_whole(mirror.folder, one, entry, told):
                came.verified.append(entry)
            else:
                missing.append((one, look(one, None if entry is None or update else entry.revision)))
        except HarnessError as error:
            came.failed.append(error)
            told(f"failed: {error}")
    _check_room(mirror.folder, missing, known, told)
    for one, repository in missing:
        try:
            entry = _take(mirror.folder, repository, known.get(place_of(one.kind, one.name, one.revision)), told)
        except HubError as error:
            came.failed.append(error)
            told(f"failed: {error}")
            continue
        known[entry.folder] = entry
        replace_file(mirror.folder / FILE, manifest_text(known.values()).encode())
        came.downloaded.append(entry)
        told(f"{one.label}: {counted(len(entry.files), 'file')}, at commit {entry.revision[:12]}")
    with suppress(OSError):
        (mirror.folder / PARTIAL).rmdir()  # stays where something is not complete
    return came


@contextmanager
def _alone(folder: Path, told: Announce) -> Iterator[None]:
    """Wait until no other call fills the same folder."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told(f"another `emergence prepare` fills {folder}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_whole(folder: Path, one: Wanted, entry: Repository, told: Announce) -> bool:
    """Whether every file of a repository is there, byte by byte, and it has every part that is wanted."""
    damaged = [file.path for file in entry.files if not _is_same(folder / entry.folder / file.path, file.sha256)]
    if damaged:
        told(f"{one.label}: {damaged[0]} is not as it was downloaded{_more(damaged)}: downloaded again")
        return False
    here = [file.path for file in entry.files]
    if set(one.parts) <= set(entry.parts) and all(fnmatch.filter(here, pattern) for pattern in one.files):
        told(f"{one.label}: verified, {counted(len(entry.files), 'file')}, at commit {entry.revision[:12]}")
        return True
    return False


def _more(some: Sequence[str]) -> str:
    return f", nor are {len(some) - 1} more" if len(some) > 1 else ""


def _is_same(path: Path, digest: str) -> bool:
    try:
        return sha256(path, ANY_SIZE).hex() == digest
    except UnreadableError:
        return False


def _check_room(
    folder: Path, missing: Sequence[tuple[Wanted, HubRepository]], known: dict[str, Repository], told: Announce
) -> None:
    """Say how much is to be downloaded.

    Raises:
        MachineError: the disk has less room.
    """
    if not missing:
        return
    total = sum(file.bytes for one, repository in missing for file in repository.files)
    free = shutil.disk_usage(folder).free
    what = counted(len(missing), "repository", "repositories")
    told(f"to download: {what}, {file_size(total)} at most, into {folder}, which has {file_size(free)} free")
    there = sum(path.stat().st_size for path in (folder / PARTIAL).rglob("*") if path.is_file())
    if total - there > free:
        raise MachineError(
            f"{folder}: has {file_size(free)} free, and {file_size(total)} are to be downloaded; give another --output"
        )


def _take(folder: Path, repository: HubRepository, entry: Repository | None, told: Announce) -> Repository:
    """Download a repository beside its place and move it there when it is complete."""
    one = repository.wanted
    place = place_of(one.kind, one.name, one.revision)
    same = entry is not None and entry.revision == repository.commit
    beside = folder / PARTIAL / f"{place.replace('/', '--')}@{repository.commit}"
    beside.mkdir(parents=True, exist_ok=True)
    wanted = [file for file in repository.files if not (same and _is_there(folder / place, file.path, entry))]
    files = tuple(downloaded(replace(repository, files=tuple(wanted)), beside, told))
    shutil.rmtree(beside / ".cache", ignore_errors=True)  # what huggingface_hub notes about its downloads
    target = folder / place
    if same:
        for file in files:
            (target / file.path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(beside / file.path, target / file.path)
        shutil.rmtree(beside, ignore_errors=True)
    else:
        _exchange(beside, target)
    new = {file.path for file in files}
    before = [file for file in entry.files if file.path not in new] if same and entry is not None else []
    return Repository(
        kind=one.kind,
        name=one.name,
        asked=one.revision,
        revision=repository.commit,
        folder=place,
        files=tuple(sorted((*before, *files), key=lambda file: file.path)),
        parts=tuple(dict.fromkeys((*(entry.parts if same and entry is not None else ()), *one.parts))),
        licence=repository.licence,
        prepared_at=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=dict(versions(_PACKAGES)),
    )


def _is_there(folder: Path, path: str, entry: Repository | None) -> bool:
    """Whether a file of the same commit has come before and is whole."""
    known = next((file for file in entry.files if file.path == path), None) if entry is not None else None
    return known is not None and _is_same(folder / path, known.sha256)


def _exchange(new: Path, target: Path) -> None:
    """Put a folder where another may be, which is deleted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = new.with_name(f"{new.name}.old")
    if target.exists():
        os.replace(target, old)
    os.replace(new, target)
    shutil.rmtree(old, ignore_errors=True)
