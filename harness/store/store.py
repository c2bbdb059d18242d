"""The results folder as an object. Nothing else writes below `results/`.

One process writes; merging two folders is copying them together. Files that cannot be read are reported and left alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from harness.bounded.files import read_bytes
from harness.bounded.limits import HEADER_BYTES, TABLE_BYTES, UnreadableError
from harness.plan import Cell, Place
from harness.records import CellFailure, CellResult, Outcome, Sample
from harness.runs import RunRecord
from harness.specs import ModelSpec
from harness.store.bucket import BUCKET_ADDRESS, Bucket
from harness.store.documents import DocumentScores, read_samples, read_scores, samples_bytes
from harness.store.files import (
    clear_leftovers,
    has_end,
    make_folder,
    replace_file,
    reported,
    temporary_beside,
)
from harness.store.headers import Problem, described_bytes, header_bytes, read_header
from harness.store.layout import (
    FAILURE,
    HEADER,
    SAMPLES,
    SOURCES,
    cell_files,
    cell_folder,
)
from harness.store.lease_files import BucketFiles, has_conditional_writes
from harness.store.leases import LeaseOwner, Leases
from harness.store.outcomes import Outcomes, found_outcomes
from harness.store.run_files import last_runs, write_record
from harness.store.stamps import stamp_of_cells, stamp_of_documents

_ENDING = re.compile(r"\.[A-Za-z0-9]{1,10}")
"""An ordinary end of the name of a file."""


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
        """Results, failures and problems from one look at the folder."""
        return found_outcomes(self.root)

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
        """Number of header and failure files, and a digest of them; equal when nothing changed."""
        return stamp_of_cells(self.root)

    def documents_stamp(self) -> str:
        """A digest of the files that hold the answers of cells; equal when none changed."""
        return stamp_of_documents(self.root)

    def listed(self) -> Iterator[tuple[str, str, str]]:
        """Family, model and task of each cell as its folders are called, in far less time than reading takes."""
        for entry, _ in cell_files(self.root):
            family, model, task, *_ = (
                *entry.path.removeprefix(os.fspath(self.root)).strip(os.sep).split(os.sep),
                "",
                "",
            )
            yield family, model, task

    def write_run(self, record: RunRecord) -> None:
        """Write the record of one run, in place of an earlier one of the same run; on a full disk over it.

        Raises:
            StoreError: the disk is full, or the folder of the records belongs to somebody else.
        """
        path = write_record(self.root, record)
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
        return last_runs(self.root)
