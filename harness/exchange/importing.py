"""Published results -> cells of the store, each with the file that it was read from.

A cell of another program never meets one that was evaluated here: its engine is `imported:TOOL`, and its task has a
digest of the tool, the task's version (or, where there is none, its prompt) and the options of generation. Results join
one curve only where all of these, the shots and the metric with its filter are equal.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from harness.errors import FaultsError, HarnessError
from harness.exchange.files import ResultFile, read_file, result_files
from harness.exchange.lm_eval_samples import options_of, samples_of
from harness.exchange.sizes import Sizes
from harness.exchange.tasks import KnownTasks, known_task
from harness.exchange.types import Published
from harness.plan import Cell, Place
from harness.plausible import is_share
from harness.records import CellResult, Provenance, Score, Source, implausible
from harness.specs import Kind
from harness.store import OutcomeWriter, Store
from harness.wording import counted

SUITE = "imported"
"""Suite of all imported cells."""
OTHER_KIND: Kind = "qa"
"""Kind of a task that nobody knows."""
_EXACT = 1e-3
"""How near to a whole number the documents come that follow from a share and its standard error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """What is to be imported, and what the files do not say."""

    sizes: Sizes
    """Finds the size of a model."""
    tasks: KnownTasks = field(default_factory=KnownTasks)
    """Finds the chance level of a task."""
    documents: Mapping[str, int] = field(default_factory=dict)
    """Task -> number of its documents, as the user says."""
    licence: str | None = None
    """Licence of the results."""


class Imported(NamedTuple):
    """What an import did."""

    written: int
    """Cells that were written."""
    there: int
    """Cells that were in the store already, and stayed as they were."""
    files: int
    """Files that held results."""
    notes: tuple[str, ...]
    """What people should know, a sentence each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _FromFile:
    """A published result, and where it stands."""

    result: Published
    file: ResultFile
    samples: Path | None

    @classmethod
    def of(cls, result: Published, file: ResultFile) -> _FromFile:
        """The result with the number of options that its documents have, where they alone say it."""
        samples = file.samples.get(result.task)
        if samples is not None and result.has_options and result.options is None:
            result = replace(result, options=options_of(samples))
        return cls(result=result, file=file, samples=samples)


def import_files(
    paths: Sequence[Path], store: Store, request: Import, told: Callable[[int, int], None] = lambda done, of: None
) -> Imported:
    """Write the results in files of other programs to the store. Nothing is written when anything is wrong.

    Args:
        paths: files, or folders of files.
        store: where cells go.
        request: what the files do not say.
        told: called with the number of cells done and of all cells, as they are written.

    Raises:
        HarnessError: a file cannot be read, a model's size is not known, or there is nothing to import.
    """
    found, notes = _found(paths, told)
    cells, more = _cells(found, request)
    done = {result.cell.place for result in store.results()}
    new = [place for place in cells if place not in done]
    _check(cells[place] for place in new)
    written = short = 0
    with OutcomeWriter(partial(store.write, to_disk=False)) as writer:
        for file in {one.file.sha256: one.file for one, _ in map(cells.__getitem__, new)}.values():
            store.write_source(file.sha256, file.content)
        for place in new:
            one, result = cells[place]
            whole = _with_samples(one, result)
            short += one.samples is not None and not whole.samples
            for _ in writer.write(whole, more=True):
                written += 1
                told(written, len(new))
        for _ in writer.rest():
            written += 1
            told(written, len(new))
    store.sync()
    files = len({one.file.sha256 for one, _ in cells.values()})
    if short:
        more.append(f"{counted(short, 'sample file')} left out, which did not have all documents of the result")
    return Imported(written, len(cells) - len(new), files, (*notes, *more))


def _found(paths: Sequence[Path], told: Callable[[int, int], None]) -> tuple[list[_FromFile], list[str]]:
    """Every result of the files, and how many files were no results."""
    found: list[_FromFile] = []
    others, means, faults = 0, 0, list[str]()
    for path, was_named in result_files(paths):
        try:
            file = read_file(path)
            if file.tool is None and was_named:
                raise HarnessError(f"{path}: is no result file of lm-eval; expected `results`, `versions` and `config`")
            if file.tool is None:
                others += 1
                continue
            found += [_FromFile.of(one, file) for one in file.published()]
            means += file.means
        except HarnessError as error:
            faults.append(str(error))
    if faults:
        raise FaultsError(faults)
    if not found:
        raise HarnessError(f"{', '.join(map(str, paths))}: no result file of lm-eval there; expected results_*.json")
    notes = [f"{counted(others, 'other JSON file')} left out"] if others else []
    if means:
        notes.append(f"{counted(means, 'row')} of groups left out, which are means over other rows")
    return found, notes


def _cells(found: Sequence[_FromFile], request: Import) -> tuple[dict[Place, tuple[_FromFile, CellResult]], list[str]]:
    """A cell for each result, the latest where several are of one cell; and what people should know of them."""
    unsized = sorted({one.result.model for one in found if request.sizes.model(one.result) is None})
    if unsized:
        first = ", ".join(unsized[:5]) + (f" and {len(unsized) - 5} more" if len(unsized) > 5 else "")
        raise HarnessError(
            f"parameters of {counted(len(unsized), 'model')} are not known: {first}; "
            f"expected --params {unsized[0]}=SIZE, or --family FILE with a family that names them"
        )
    numbers, cells = _Numbers(found, request), dict[Place, tuple[_FromFile, CellResult]]()
    beyond = {score.metric for one in found for score in one.result.scores if not 0 <= score.value <= 1}
    uncounted: set[str] = set()
    replaced = 0
    for one in found:
        n = numbers.of(one.result)
        if n is None:
            uncounted.add(one.result.task)
            continue
        result = _result(one, n, beyond, request)
        before = cells.get(result.cell.place)
        replaced += before is not None and before[1].scores != result.scores
        if before is None or _date(before[0]) <= _date(one):
            cells[result.cell.place] = one, result
    return cells, [*_notes(cells, request), *_left_out(uncounted), *_repeated(replaced)]


def _date(one: _FromFile) -> tuple[float, str]:
    return one.result.date.timestamp() if one.result.date else 0.0, one.file.path.name


def _left_out(uncounted: Iterable[str]) -> Iterator[str]:
    if names := sorted(uncounted):
        yield (
            f"{counted(len(names), 'task')} left out, whose number of documents no file says: {', '.join(names[:5])}; "
            f"--documents {names[0]}=N gives it"
        )


def _repeated(replaced: int) -> Iterator[str]:
    if replaced:
        yield f"{counted(replaced, 'result')} stood in several files with different scores: the latest was taken"


def _notes(cells: Mapping[Place, tuple[_FromFile, CellResult]], request: Import) -> Iterator[str]:
    texts: dict[str, set[str]] = defaultdict(set)
    guessed, unknown, undated = set(), set(), 0
    for one, result in cells.values():
        texts[result.cell.task].add(result.cell.task_digest)
        if request.tasks.kind(one.result) is None:
            unknown.add(result.cell.task)
        if request.tasks.chance(one.result) is None:
            guessed.add(result.cell.task)
        undated += one.result.date is None
    apart = sorted(task for task, digests in texts.items() if len(digests) > 1)
    if apart:
        yield (
            f"{counted(len(apart), 'task')} kept apart by version or prompt, which differ between the files: "
            f"{', '.join(apart[:5])}"
        )
    if guessed:
        names = sorted(guessed)
        yield (
            f"score of a guess not known for {counted(len(names), 'task')}: {', '.join(names[:5])}; "
            f"--chance {names[0]}=SCORE gives it"
        )
    if unknown:
        first = ", ".join(sorted(unknown)[:5])
        yield f"kind not known of {counted(len(unknown), 'task')}, filed under {OTHER_KIND}: {first}"
    if undated:
        yield f"{counted(undated, 'result')} without a date: the time of the file stands for it"


class _Numbers:
    """How many documents a result is of: as it says, else as follows from a share of right answers and its error."""

    def __init__(self, found: Iterable[_FromFile], request: Import) -> None:
        self._told = request.documents
        self._followed: dict[tuple[object, ...], int] = {}
        for one in found:
            if (n := one.result.n or _number(one.result)) is not None:
                self._followed.setdefault(_same(one.result), n)

    def of(self, result: Published) -> int | None:
        """The number; None where nobody knows it."""
        known = known_task(result.task)
        usual = known.n if known is not None and result.limit is None else None
        return result.n or self._told.get(result.task) or self._followed.get(_same(result)) or usual or result.limit


def _same(result: Published) -> tuple[object, ...]:
    return result.tool, result.task, result.version, result.limit


def _number(result: Published) -> int | None:
    """Documents n of a share p of right answers, whose standard error is sqrt(p (1 - p) / (n - 1))."""
    for score in result.scores:
        p, stderr = score.value, score.stderr
        if is_share(score.metric) and stderr and 0 < p < 1:
            n = p * (1 - p) / stderr**2 + 1
            whole = round(n)
            if abs(n - whole) < _EXACT * max(1.0, n / 100) and abs(p * whole - round(p * whole)) < _EXACT:
                return whole
    return None


def _result(one: _FromFile, n: int, beyond: Set[str], request: Import) -> CellResult:
    published = one.result
    model = request.sizes.model(published)
    assert model is not None
    cell = Cell(
        model=model,
        task=published.task,
        suite=SUITE,
        kind=request.tasks.kind(published) or OTHER_KIND,
        task_version=published.version or "not said",
        task_digest=_digest(published),
        metrics=request.tasks.metrics(published, beyond),
        shots=published.shots,
        seed=published.seed,
        limit=published.limit,
        chat=published.chat,
        system=published.system,
        engine=f"imported:{published.tool}",
    )
    values = {score.metric: score for score in published.scores}
    made = published.date or datetime.fromtimestamp(one.file.modified, UTC)
    source = Source(
        tool=published.tool,
        tool_version=published.tool_version,
        file=one.file.path.name,
        sha256=one.file.sha256,
        imported_at=datetime.now(UTC),
        licence=request.licence,
    )
    return CellResult(
        cell=cell,
        scores=tuple(
            Score(metric=m.name, value=values[m.name].value, stderr=values[m.name].stderr, n=n) for m in cell.metrics
        ),
        samples=(),
        shots_effective=published.shots,
        n_expected=n,
        provenance=Provenance(
            started_at=made,
            seconds=published.seconds,
            versions={published.tool: published.tool_version} if published.tool_version else {},
            device="not said",
            source=source,
        ),
    )


def _digest(published: Published) -> str:
    """12 hex digits of what decides the score of a published result, besides what a cell says itself."""
    asked = json.dumps(published.asked, sort_keys=True, ensure_ascii=True, default=str)
    text = json.dumps([published.tool, published.task, published.version, asked])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _check(cells: Iterable[tuple[_FromFile, CellResult]]) -> None:
    """Refuse results that cannot be, as those of the store are refused when they are read.

    Raises:
        FaultsError: there is one.
    """
    faults = [
        f"{one.file.path}: {result.cell.task}: {problem}"
        for one, result in cells
        if (problem := implausible(result)) is not None
    ]
    if faults:
        raise FaultsError(faults[:10])


def _with_samples(one: _FromFile, result: CellResult) -> CellResult:
    """The result with its documents, where a file has all of them."""
    samples = () if one.samples is None else samples_of(one.samples)
    return replace(result, samples=samples) if len(samples) == result.n_expected else result
