"""The results folder as an object. Nothing else writes below `results/`.

One process writes; merging two folders is copying them together. Files that cannot be read are reported and left alone.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.bounded.files import read_bytes
from harness.bounded.limits import FOLDERS, HEADER_BYTES, RECORD_BYTES, TABLE_BYTES, UnreadableError
from harness.plan import Cell, Place
from harness.records import CellFailure, CellResult, Outcome, Sample
from harness.runs import RunRecord, dumped, loaded
from harness.specs import ModelSpec
from harness.store.bucket import BUCKET_ADDRESS, Bucket
from harness.store.documents import DocumentScores, read_samples, read_scores, samples_bytes
from harness.store.files import (
    clear_leftovers,
    has_end,
    make_folder,
    overwrite_file,
    replace_file,
    reported,
    temporary_beside,
)
from harness.store.headers import Problem, described_bytes, header_bytes, read_header
from harness.store.index import WORTHWHILE, FileState, collector_off, file_state, read_index, write_index
from harness.store.layout import (
    FAILURE,
    HEADER,
    RUNS,
    SAMPLES,
    SOURCES,
    cell_files,
    cell_folder,
    newest_records,
    path_part,
)
from harness.store.lease_files import BucketFiles, has_conditional_writes
from harness.store.leases import LeaseOwner, Leases

MOST_RUNS = 100
"""Records of runs that are read: the ones written last, among which is every run that goes on."""
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,10}")
"""An ordinary end of the name of a file."""


class Outcomes(NamedTuple):
    """What the results folder holds, from one look at it."""

    results: tuple[CellResult, ...]
    """Cells that were evaluated, without their samples."""
    failures: tuple[CellFailure, ...]
    """Cells that failed and have not been evaluated since."""
    problems: tuple[Problem, ...]
    """Files that were skipped."""


class Store:
    """Results below one folder. Every call that reads looks at the folder anew, and nothing is kept in memory."""

    def __init__(self, root: Path) -> None:
        """Results below `root`: a folder, or the address of an object store, whose local copy is brought up to date.

        Raises:
            StoreError: the object store cannot be reached.
        """
        self._bucket: Bucket | None = None
        self.root = Path(root)
        if BUCKET_ADDRESS.match(str(root)):
            self._bucket = Bucket(str(root))
            self.root = self._bucket.local
            self._bucket.fetch()

    @property
    def is_remote(self) -> bool:
        """True for an object store."""
        return self._bucket is not None

    @property
    def place(self) -> str:
        """Where results lie, for people: the folder, or the address of the object store."""
        return str(self.root) if self._bucket is None else self._bucket.address

    def path(self, cell: Cell) -> Path:
        """Folder of one cell."""
        return cell_folder(self.root, cell)

    def check_writable(self) -> None:
        """Find out before hours of work whether results can be written.

        Raises:
            StoreError: the folder cannot be made or written.
        """
        with reported(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            probe = temporary_beside(self.root / "probe")
            probe.write_bytes(b"")
            probe.unlink()
        if self._bucket is not None:
            self._bucket.check_writable()
            self._bucket.send_rest()

    def new_owner(self) -> LeaseOwner | None:
        """The name under which a run of this process takes cells; None where leases cannot be kept.

        Some object stores have no conditional writes. Then runs below one address do not know of each other.
        """
        if self._bucket is None:
            return LeaseOwner.of_this_process(self.root.absolute())
        if not has_conditional_writes(BucketFiles(self._bucket)):
            return None
        return LeaseOwner.of_this_process(Path(self._bucket.address))

    def leases(self, owner: LeaseOwner) -> Leases:
        """The leases of one run into this place."""
        return Leases(owner, None if self._bucket is None else BucketFiles(self._bucket))

    def is_done(self, cell: Cell) -> bool:
        """Whether one cell is complete now."""
        header, samples = (self.path(cell) / name for name in (HEADER, SAMPLES))
        if self._bucket is not None:
            self._bucket.fetch_cell(header.parent)
        return header.exists() and isinstance(read_header(header), CellResult) and has_end(str(samples))

    def take(self, cell: Cell, leases: Leases) -> Literal["mine", "taken", "done"]:
        """Take a cell for a run, where others write to the same folder: `taken` by one that goes on, or `done` by one.

        Raises:
            StoreError: the folder cannot be written.
        """
        if leases.holds(cell.place):
            return "mine"
        if not leases.claim(cell.place):
            return "taken"
        if not self.is_done(cell):
            return "mine"
        leases.release(cell.place)
        return "done"

    def write(self, outcome: Outcome, *, to_disk: bool = True) -> None:
        """Write one outcome; an interruption at any point leaves either all of it or nothing that counts.

        Args:
            outcome: what to write.
            to_disk: False for many outcomes in a row that can be had again, which are safe from a power cut once `sync`
                was called.

        Raises:
            StoreError: the disk is full or read-only, or the folder is not a folder.
        """
        folder = self.path(outcome.cell)
        with reported(folder):
            is_new = make_folder(folder)
            if not is_new:
                clear_leftovers(folder)
            if isinstance(outcome, CellFailure):
                replace_file(folder / FAILURE, header_bytes(outcome), to_disk=to_disk)
            elif outcome.samples is None:
                raise ValueError("a result read without its samples cannot be written")
            else:
                samples = samples_bytes(outcome.samples, [m.name for m in outcome.cell.metrics])
                self._put(folder, outcome, samples, to_disk=to_disk, is_new=is_new)
        self._send(folder)

    @staticmethod
    def sync() -> None:
        """Wait until everything that was written lies on the disk."""
        os.sync()

    def take_over(self, result: CellResult, cell: Cell) -> bool:
        """Copy the answers of a stored result to `cell`, which has the same key in another family.

        Returns:
            False when the answers do not lie where they should, and nothing was copied.

        Raises:
            StoreError: they cannot be written.
        """
        folder = self.path(cell)
        try:
            samples = read_bytes(self.path(result.cell) / SAMPLES, TABLE_BYTES)
        except UnreadableError:
            return False
        with reported(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._put(folder, replace(result, cell=cell), samples)
        self._send(folder)
        return True

    def describe(self, outcome: Outcome, model: ModelSpec) -> bool:
        """Replace the description of a stored outcome's model (size, training tokens, loss) by that of `model`.

        Returns:
            False when the outcome's file does not lie where it should, and nothing was changed.

        Raises:
            StoreError: the file cannot be written.
        """
        path = self.path(outcome.cell) / (FAILURE if isinstance(outcome, CellFailure) else HEADER)
        try:
            header = read_bytes(path, HEADER_BYTES)
        except UnreadableError:
            return False
        found = read_header(path)
        if isinstance(found, Problem) or found.cell.place != outcome.cell.place:
            return False
        with reported(path):
            replace_file(path, described_bytes(header, model))
        self._send(path.parent)
        return True

    def _send(self, folder: Path) -> None:
        """Send on what was written, where results lie in an object store."""
        if self._bucket is not None:
            self._bucket.send(folder)

    @staticmethod
    def _put(folder: Path, result: CellResult, samples: bytes, *, to_disk: bool = True, is_new: bool = False) -> None:
        """Write a result; a folder that is new holds nothing to look after, which an import of thousands gains by."""
        header = folder / HEADER
        # a header that cannot be read may be somebody's only copy: it is moved aside and not written over
        if not is_new and header.exists() and isinstance(read_header(header), Problem):
            header.replace(header.with_name(f"{HEADER}.unreadable"))
        replace_file(folder / SAMPLES, samples, to_disk=to_disk)
        replace_file(header, header_bytes(result), to_disk=to_disk)
        if not is_new:
            (folder / FAILURE).unlink(missing_ok=True)

    def done(self) -> frozenset[Place]:
        """Places of the cells that are complete."""
        return frozenset(r.cell.place for r in self.results())

    def failed(self) -> frozenset[Place]:
        """Places of the cells whose last attempt failed."""
        return frozenset(f.cell.place for f in self.failures())

    def results(self) -> tuple[CellResult, ...]:
        """Every complete cell, without its samples, ordered by path."""
        return self.outcomes().results

    def failures(self) -> tuple[CellFailure, ...]:
        """Every cell that failed and has not been evaluated since, ordered by path."""
        return self.outcomes().failures

    def problems(self) -> tuple[Problem, ...]:
        """Files that were skipped, each with the reason."""
        return self.outcomes().problems

    def outcomes(self) -> Outcomes:
        """Results, failures and problems from one look at the folder.

        Of a large folder only what has changed since the last look is read, see `store.index`.
        """
        results: list[CellResult] = []
        failures: list[CellFailure] = []
        problems: list[Problem] = []
        with collector_off():
            for one in self._read():
                match one:
                    case CellResult():
                        results.append(one)
                    case CellFailure():
                        failures.append(one)
                    case Problem():
                        problems.append(one)
        return Outcomes(results=tuple(results), failures=tuple(failures), problems=tuple(problems))

    def samples(self, cell: Cell) -> tuple[Sample, ...]:
        """The answers of one complete cell.

        Raises:
            StoreError: the file is missing or damaged.
        """
        return read_samples(self.path(cell) / SAMPLES)

    def scores(self, cell: Cell) -> DocumentScores:
        """What each document of one complete cell scored; reads these columns alone, a small part of the file.

        Raises:
            StoreError: the file is missing or damaged.
        """
        return read_scores(self.path(cell) / SAMPLES)

    def stamp(self) -> tuple[int, int]:
        """Number of header and failure files, and a digest of their paths, times and sizes; equal when nothing changed.

        The time of the newest file would not be enough: files that are copied or restored keep the times they had
        elsewhere. Of samples the size is enough: a cell that is evaluated again has a new header, and a copy that
        broke off is shorter.
        """
        known: list[tuple[str, int, int, int | None]] = []
        for entry, samples in cell_files(self.root):
            with suppress(OSError):  # a run that goes on removes a failure when the cell goes well; links in a ring
                status = entry.stat()
                known.append((entry.path, status.st_mtime_ns, status.st_size, samples and samples.stat().st_size))
        return len(known), int.from_bytes(hashlib.sha256(repr(known).encode()).digest()[:8])

    def listed(self) -> Iterator[tuple[str, str, str]]:
        """Family, model and task of each cell as its folders are called, in far less time than reading takes."""
        for entry, _ in cell_files(self.root):
            family, model, task, *_ = (
                *entry.path.removeprefix(os.fspath(self.root)).strip(os.sep).split(os.sep),
                "",
                "",
            )
            yield family, model, task

    def documents_stamp(self) -> str:
        """A digest of which files hold the answers of cells, and of their sizes and times; equal when none changed.

        Paths count from the folder on, so that a copy that keeps the times has the same.
        """
        digest = hashlib.sha256()
        for entry, samples in cell_files(self.root):
            if samples is not None:
                with suppress(OSError):
                    status = samples.stat()
                    below = entry.path.removeprefix(os.fspath(self.root))
                    digest.update(f"{below}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def write_run(self, record: RunRecord) -> None:
        """Write the record of one run, in place of an earlier one of the same run.

        On a full disk it is written over the earlier one, in the end without its plan: how a run ended can be said
        where nothing else fits.

        Raises:
            StoreError: the disk is full, or the folder of the records belongs to somebody else.
        """
        path = self.root / RUNS / path_part(record.name)
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
        if self._bucket is not None:
            self._bucket.send_file(path)

    def write_source(self, sha256: str, content: bytes, ending: str = ".json", *, to_disk: bool = True) -> None:
        """Keep a copy of a file of another program, named by its hash; one that is there already stays.

        Args:
            sha256: its hash.
            content: its bytes.
            ending: how its name ends, from the dot on; left out where that is no ordinary one.
            to_disk: as of `write`.

        Raises:
            StoreError: the folder cannot be written.
        """
        path = self.root / SOURCES / (sha256 + (ending if _ENDING.fullmatch(ending) else ""))
        with reported(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                replace_file(path, content, to_disk=to_disk)
        if self._bucket is not None:
            self._bucket.send_file(path)

    def runs(self) -> tuple[tuple[RunRecord, ...], tuple[Problem, ...]]:
        """The last runs into this folder, the newest first, and records that were skipped."""
        records: list[RunRecord] = []
        problems: list[Problem] = []
        for path in newest_records(self.root, MOST_RUNS):
            try:
                records.append(_record(path))
            except ValueError as error:
                problems.append(Problem(path=path, message=str(error)))
        return tuple(sorted(records, key=lambda r: r.started_at, reverse=True)), tuple(problems)

    def _read(self) -> Iterator[CellResult | CellFailure | Problem]:
        found = [(header, samples, file_state(header, samples)) for header, samples in cell_files(self.root)]
        known = read_index(self.root) if len(found) >= WORTHWHILE else {}
        now: dict[str, tuple[FileState, Outcome]] = {}
        alike: dict[Any, Any] = {}
        news = 0
        for header, samples, state in found:
            before = known.get(header.path)
            if before is not None and before[0] == state:
                one: CellResult | CellFailure | Problem = before[1]
            else:
                one = _shared(_read_cell(header, samples), alike)
                news += 1
            if state is not None and not isinstance(one, Problem):
                now[header.path] = state, one
            yield one
        if len(found) >= WORTHWHILE and news > len(found) // 20:
            write_index(self.root, now)


def _read_cell(header: os.DirEntry[str], samples: os.DirEntry[str] | None) -> CellResult | CellFailure | Problem:
    """What one header or failure file says, and whether the samples beside it are whole."""
    path = Path(header.path)
    if header.name not in (HEADER, FAILURE):
        return Problem(path=path, message=str(FOLDERS.exceeded(where="lies too deep:")))
    read = read_header(path)
    if not isinstance(read, CellResult) or (samples and has_end(samples.path)):
        return read
    wrong = "cannot be read to its end" if samples else "is missing"
    return Problem(path=path, message=f"{SAMPLES} beside it {wrong}: run the cell again, or restore the file")


def _shared(one: CellResult | CellFailure | Problem, alike: dict[Any, Any]) -> CellResult | CellFailure | Problem:
    """The same outcome with parts that others have too, which saves memory: models, metrics, versions."""
    if isinstance(one, Problem):
        return one
    model, metrics = (alike.setdefault(part, part) for part in (one.cell.model, one.cell.metrics))
    cell = replace(one.cell, model=model, metrics=metrics)
    if isinstance(one, CellFailure):
        return replace(one, cell=cell)
    made = one.provenance
    versions = alike.setdefault(tuple(made.versions.items()), made.versions)
    return replace(one, cell=cell, provenance=replace(made, versions=versions))


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
