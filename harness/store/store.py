"""The results folder: layout, atomic write, read. The only module that writes below `results/`.

    results/<family>/<org--model>@<revision>[+variant]/<task>/<shots>shot-<prompt>-seed<k>-<key8>/
        cell.json          self-describing header, written last: its presence means the cell is complete
        samples.parquet    one row per document
        failure.json       instead of both, when the cell failed
    results/.runs/         what each run planned and how far it came (see `runs.record`); no result, and never needed

One driver writes; merging two trees is copying them together. Files that cannot be read are reported and left alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import __version__
from harness.errors import StoreError
from harness.plan import DESCRIPTIVE_FIELDS, Cell, Place
from harness.records import CellFailure, CellResult, Outcome, Sample
from harness.runs import MOST_BYTES, RunRecord, dumped, loaded
from harness.specs import ModelSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydantic import TypeAdapter

SCHEMA = 1
"""Number of the header format. A reader refuses higher numbers and never rewrites lower ones."""

HEADER = "cell.json"
SAMPLES = "samples.parquet"
FAILURE = "failure.json"
RUNS = ".runs"
MOST_RUNS = 100
"""Records of runs that are looked at: those written last, and so every run that goes on."""
SCORE = "score:"
"""What a column of scores is called in the samples: this, then the metric's name."""
_TEMPORARY = ".writing-"
_END = b"PAR1"
"""Last bytes of every Parquet file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A file in the results folder that was skipped."""

    path: Path
    """Where it lies."""
    message: str
    """What is wrong with it, in one line."""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class Outcomes(NamedTuple):
    """What the results folder holds, from one look at it."""

    results: tuple[CellResult, ...]
    """Cells that were evaluated, without their samples."""
    failures: tuple[CellFailure, ...]
    """Cells that failed and have not been evaluated since."""
    problems: tuple[Problem, ...]
    """Files that were skipped."""


class DocumentScores(NamedTuple):
    """What each document of a cell scored, without what the model wrote."""

    doc_hash: tuple[str, ...]
    """Hash of each document, equal in every cell that asks it."""
    scores: Mapping[str, NDArray[np.float64]]
    """Metric name -> score of each document; metrics that only the whole cell has are left out."""


class Store:
    """Results below one folder. Reading looks at the folder anew each time: there is no state to get stale."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def path(self, cell: Cell) -> Path:
        """Folder of one cell."""
        model = f"{_safe(cell.model.name.replace('/', '--'))}@{_safe(cell.model.revision[:12])}"
        if cell.model.variant:
            model += f"+{_safe(cell.model.variant)}"
        name = f"{cell.shots}shot-{_safe(cell.prompt)}-seed{cell.seed}-{cell.key[:8]}"
        return self.root / _safe(cell.model.family) / model / _safe(cell.task) / name

    def check_writable(self) -> None:
        """Find out before hours of work whether results can be written.

        Raises:
            StoreError: the folder cannot be made or written.
        """
        with _reported(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f"{_TEMPORARY}{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()

    def write(self, outcome: Outcome) -> None:
        """Write one outcome; an interruption at any point leaves either all of it or nothing that counts.

        Raises:
            StoreError: the disk is full or read-only, or the folder is not a folder.
        """
        folder = self.path(outcome.cell)
        with _reported(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for stale in folder.glob(f"{_TEMPORARY}*"):
                stale.unlink()
            if isinstance(outcome, CellFailure):
                _replace(folder / FAILURE, _dump(outcome, outcome.cell.key))
                return
            if outcome.samples is None:
                raise ValueError("a result read without its samples cannot be written")
            self._put(folder, outcome, _parquet(outcome.samples, [m.name for m in outcome.cell.metrics]))

    def take_over(self, result: CellResult, cell: Cell) -> bool:
        """Give `cell` the answers of a stored result with the same key; False when they do not lie where they should.

        Raises:
            StoreError: they cannot be written.
        """
        folder = self.path(cell)
        try:
            samples = (self.path(result.cell) / SAMPLES).read_bytes()
        except OSError:
            return False
        with _reported(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._put(folder, replace(result, cell=cell), samples)
        return True

    def describe(self, outcome: Outcome, model: ModelSpec) -> bool:
        """Tell of a stored outcome's model what `model` tells, and leave all else; False when its file was moved.

        Raises:
            StoreError: the file cannot be written.
        """
        path = self.path(outcome.cell) / (FAILURE if isinstance(outcome, CellFailure) else HEADER)
        try:
            raw = json.loads(path.read_bytes())
        except OSError:
            return False
        raw["cell"]["model"].update({name: getattr(model, name) for name in DESCRIPTIVE_FIELDS})
        with _reported(path):
            _replace(path, _header(raw))
        return True

    @staticmethod
    def _put(folder: Path, result: CellResult, samples: bytes) -> None:
        _keep_unreadable(folder / HEADER)
        _replace(folder / SAMPLES, samples)
        _replace(folder / HEADER, _dump(replace(result, samples=None), result.cell.key))
        (folder / FAILURE).unlink(missing_ok=True)

    def done(self) -> frozenset[Place]:
        """Places of the cells that are complete."""
        return frozenset(r.cell.place for r in self.results())

    def failed(self) -> frozenset[Place]:
        """Places of the cells whose last attempt failed."""
        return frozenset(f.cell.place for f in self.failures())

    def results(self) -> tuple[CellResult, ...]:
        """Every complete cell, without its samples, ordered by path."""
        return tuple(o for o in self._read() if isinstance(o, CellResult))

    def failures(self) -> tuple[CellFailure, ...]:
        """Every cell that failed and has not been evaluated since, ordered by path."""
        return tuple(o for o in self._read() if isinstance(o, CellFailure))

    def problems(self) -> tuple[Problem, ...]:
        """Files that were skipped, each with the reason."""
        return tuple(o for o in self._read() if isinstance(o, Problem))

    def outcomes(self) -> Outcomes:
        """Results, failures and problems from one look at the folder."""
        seen = tuple(self._read())
        return Outcomes(
            results=tuple(o for o in seen if isinstance(o, CellResult)),
            failures=tuple(o for o in seen if isinstance(o, CellFailure)),
            problems=tuple(o for o in seen if isinstance(o, Problem)),
        )

    def samples(self, cell: Cell) -> tuple[Sample, ...]:
        """The answers of one complete cell.

        Raises:
            StoreError: the file is missing or damaged.
        """
        path = self.path(cell) / SAMPLES
        try:
            return tuple(sample(row) for row in _read_parquet(path).to_pylist())
        except ValueError as error:
            raise StoreError(f"{path}: is damaged: {error}") from error

    def scores(self, cell: Cell) -> DocumentScores:
        """What each document of one complete cell scored; reads these columns alone, a small part of the file.

        Raises:
            StoreError: the file is missing or damaged.
        """
        columns = _read_parquet(self.path(cell) / SAMPLES, only=("doc_hash", SCORE))
        scores = {
            name.removeprefix(SCORE): columns[name].to_numpy()
            for name in columns.column_names
            if name.startswith(SCORE) and not columns[name].null_count
        }
        return DocumentScores(tuple(columns["doc_hash"].to_pylist()), scores)

    def stamp(self) -> tuple[int, int]:
        """Number of header and failure files, and a digest of their paths, times and sizes; equal when nothing changed.

        The newest change alone would not do: files that are copied or restored keep the times they had elsewhere. Of
        samples the size is enough: a cell that is evaluated again has a new header, and a broken copy is shorter.
        """
        known: list[tuple[str, int, int, int | None]] = []
        for entry, samples in _files(self.root):
            with suppress(FileNotFoundError):  # a run going on takes a failure away when the cell goes well
                status = entry.stat()
                known.append((entry.path, status.st_mtime_ns, status.st_size, samples and samples.stat().st_size))
        return len(known), int.from_bytes(hashlib.sha256(repr(known).encode()).digest()[:8])

    def write_run(self, record: RunRecord) -> None:
        """Write what a run tells about itself, in place of what it told before.

        Raises:
            StoreError: the disk is full, or the folder of the records belongs to somebody else.
        """
        path = self.root / RUNS / _safe(record.name)
        with _reported(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, dumped(record), to_disk=False)

    def runs(self) -> tuple[tuple[RunRecord, ...], tuple[Problem, ...]]:
        """The last runs into this folder, the newest first, and records that were skipped."""
        records: list[RunRecord] = []
        problems: list[Problem] = []
        for path in _last_written(self.root / RUNS, MOST_RUNS):
            try:
                with path.open("rb") as file:
                    data = file.read(MOST_BYTES + 1)
                if len(data) > MOST_BYTES:
                    raise ValueError("is too large for the record of a run")
                record = loaded(data)
                gone = record.ending is None and _is_gone(record.host, record.pid)
                records.append(replace(record, ending="lost") if gone else record)
            except OSError as error:
                problems.append(Problem(path=path, message=f"cannot be read: {error.strerror}"))
            except ValueError as error:
                problems.append(Problem(path=path, message=str(error)))
        return tuple(sorted(records, key=lambda r: r.started_at, reverse=True)), tuple(problems)

    def _read(self) -> Iterator[CellResult | CellFailure | Problem]:
        for entry, samples in _files(self.root):
            path = Path(entry.path)
            read = _load(path)
            if not isinstance(read, CellResult) or (samples and _has_end(samples.path)):
                yield read
            else:
                wrong = "cannot be read to its end" if samples else "is missing"
                message = f"{SAMPLES} beside it {wrong}: run the cell again, or restore the file"
                yield Problem(path=path, message=message)


def _has_end(samples: str) -> bool:
    """Whether a Parquet file has its last bytes: a copy that broke off has not. Reads no more than these."""
    try:
        with open(samples, "rb", buffering=0) as file:
            file.seek(-len(_END), os.SEEK_END)
            return file.read(len(_END)) == _END
    except OSError:  # too short, or not to be read
        return False


def _files(folder: str | Path) -> Iterator[tuple[os.DirEntry[str], os.DirEntry[str] | None]]:
    """Header and failure files below a folder, ordered by path, each with the samples that lie beside it, if any.

    Not `os.walk`: the dashboard looks at each click whether anything changed, and this takes half the time.
    """
    try:
        with os.scandir(folder) as listing:
            entries = {entry.name: entry for entry in listing}
    except OSError:
        return
    for name in (HEADER, FAILURE):
        if name in entries:
            yield entries[name], entries.get(SAMPLES)
            break  # a header next to a failure means that a later attempt went well
    for name in sorted(entries):
        # no folder of a cell is hidden, and those that are hold the records of runs or are not ours
        if not name.startswith(".") and entries[name].is_dir(follow_symlinks=False):
            yield from _files(entries[name].path)


def _last_written(folder: Path, most: int) -> list[Path]:
    """The files of records in a folder that were written last, the newest first."""
    found: list[tuple[int, Path]] = []
    with suppress(OSError), os.scandir(folder) as listing:
        for entry in listing:
            if entry.name.endswith(".json") and not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    found.append((entry.stat().st_mtime_ns, Path(entry.path)))
    return [path for _, path in sorted(found, reverse=True)[:most]]


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


def _load(path: Path) -> CellResult | CellFailure | Problem:
    """One header or failure file, or why it was skipped."""
    from pydantic import ValidationError

    try:
        raw = json.loads(path.read_bytes())
    except OSError as error:
        return Problem(path=path, message=f"cannot be read: {error.strerror}")
    except ValueError:
        return Problem(path=path, message="is damaged: not JSON; evaluate the cell again or restore the file")
    if not isinstance(raw, dict) or not isinstance(raw.get("schema"), int) or "cell" not in raw:
        return Problem(path=path, message="is no result of this program: `schema` or `cell` is missing")
    if raw["schema"] > SCHEMA:
        return Problem(
            path=path,
            message=f"was written by a newer version (schema {raw['schema']}; this one reads {SCHEMA}): upgrade",
        )
    if raw["schema"] < SCHEMA:
        return Problem(path=path, message=f"is too old (schema {raw['schema']}; this one reads {SCHEMA}): run it again")
    key = raw.get("key")
    body = {k: v for k, v in raw.items() if k not in ("schema", "key", "harness_version")}
    try:
        outcome: CellResult | CellFailure = _adapter(path.name == FAILURE).validate_python(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return Problem(path=path, message=f"is damaged: {where}: {first['msg']}")
    if outcome.cell.key != key:
        return Problem(path=path, message=f"is damaged: key {key} does not belong to its cell ({outcome.cell.key})")
    return outcome


@cache
def _adapter(failure: bool) -> TypeAdapter[Any]:
    """Reader and writer of one record type; built once, since building costs more than using."""
    from pydantic import TypeAdapter

    return TypeAdapter(CellFailure if failure else CellResult)


def _dump(outcome: Outcome, key: str) -> bytes:
    body = _adapter(isinstance(outcome, CellFailure)).dump_python(outcome, mode="json")
    return _header({"schema": SCHEMA, "key": key, "harness_version": __version__, **body})


def _header(raw: Mapping[str, Any]) -> bytes:
    return (json.dumps(raw, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _parquet(samples: tuple[Sample, ...], metrics: list[str]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    columns: dict[str, Any] = {
        field.name: [getattr(s, field.name) for s in samples] for field in fields(Sample) if field.name != "scores"
    }
    names = list(dict.fromkeys([*metrics, *(name for s in samples for name in s.scores)]))
    for name in names:
        columns[SCORE + name] = pa.array([s.scores.get(name) for s in samples], pa.float64())
    for name in ("options", "outputs"):
        columns[name] = pa.array([list(getattr(s, name)) for s in samples], pa.list_(pa.string()))
    columns["option_loglikelihoods"] = pa.array(
        [list(s.option_loglikelihoods) for s in samples], pa.list_(pa.float64())
    )
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink, compression="zstd")
    return bytes(sink.getvalue())


def _read_parquet(path: Path, only: tuple[str, ...] = ("",)) -> Any:
    """The columns of a file whose names start with one of `only`, as a pyarrow table."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            return file.read(columns=[name for name in file.schema_arrow.names if name.startswith(only)])
    except (OSError, pyarrow.ArrowException) as error:
        raise StoreError(f"{path}: cannot be read: {_first_line(error)}") from error


def sample(row: Mapping[str, Any]) -> Sample:
    """One row of a file of samples.

    Raises:
        ValueError: a column is missing that every version wrote.
    """
    scores = {k.removeprefix(SCORE): v for k, v in row.items() if k.startswith(SCORE) and v is not None}
    # files from before a column was added leave its field at its default
    plain = {field.name: row[field.name] for field in fields(Sample) if row.get(field.name) is not None}
    for field in fields(Sample):
        if field.name != "scores" and field.name not in plain and field.default is MISSING:
            raise ValueError(f"column {field.name} is missing or empty")
    for name in ("options", "option_loglikelihoods", "outputs"):
        plain[name] = tuple(plain.get(name, ()))
    return Sample(scores=scores, **plain)


def _replace(path: Path, data: bytes, *, to_disk: bool = True) -> None:
    """Write beside the target, force to disk, then rename: readers see the old file or the new one, never half.

    Without `to_disk` that holds for everything but a power cut.
    """
    temporary = path.with_name(f"{_TEMPORARY}{os.getpid()}-{path.name}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if to_disk:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _keep_unreadable(header: Path) -> None:
    """A header we cannot read may be somebody's only copy: move it aside instead of writing over it."""
    if header.exists() and isinstance(_load(header), Problem):
        header.replace(header.with_name(f"{HEADER}.unreadable"))


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{error.filename or path}: cannot be written: {error.strerror or error}") from error


def _safe(name: str) -> str:
    """A name as one path component: no separators, no surprises."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "_", name).lstrip(".") or "_"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
