"""Published results -> cells of the store, each with the file that it was read from.

A cell of another program never meets one that was evaluated here: its engine is `imported:TOOL`, and its task has a
digest of the tool, the task's version (or, where there is none, its prompt) and the options of generation. Results join
one curve only where all of these, the shots and the metric with its filter are equal.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any, NamedTuple

from harness.errors import HarnessError
from harness.exchange.sizes import IMPORTED, Sizes, short
from harness.exchange.tasks import KnownTasks, known_task
from harness.exchange.types import ForeignFile, Published
from harness.plan import Cell, Place
from harness.plausible import SMOOTH, words_of
from harness.records import CellResult, Provenance, Score, Source
from harness.specs import Kind
from harness.wording import counted, cut, quoted

SUITE = "imported"
"""Suite of all imported cells."""
OTHER_KIND: Kind = "qa"
"""Kind of a task that nobody knows."""
_NAMED = 5
"""Names of models or tasks that stand in a message."""
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
    """Licence of the results; None for what the files say."""
    models: tuple[str, ...] = ()
    """Names of the models whose results are imported, with `*` for any text; empty for all."""


class FromFile(NamedTuple):
    """A published result, and where it stands."""

    result: Published
    """The result."""
    file: ForeignFile
    """The file."""
    name: str
    """What the file is called in tables."""


class ImportedCell(NamedTuple):
    """A cell, and what it was made of."""

    source: FromFile
    """The published result."""
    result: CellResult
    """The cell, without its documents."""


def imported_cells(found: Sequence[FromFile], request: Import) -> tuple[dict[Place, ImportedCell], list[str]]:
    """A cell for each result, the latest where several are of one cell; and what people should know of them."""
    found, others = _chosen(found, request.models)
    unsized = sorted({one.result.model for one in found if request.sizes.model(one.result) is None})
    if unsized:
        raise HarnessError(
            f"parameters of {counted(len(unsized), 'model')} are not known: {_listed(unsized)}{_more(unsized)}; "
            f"expected --params {cut(unsized[0])}=SIZE, or --family FILE with a family that names them"
        )
    numbers, cells = _Numbers(found, request), dict[Place, ImportedCell]()
    beyond = {score.metric for one in found for score in one.result.scores if not 0 <= score.value <= 1}
    uncounted: set[str] = set()
    replaced, making = 0, _Making(beyond, request)
    for one in found:
        n = numbers.of(one.result)
        if n is None:
            uncounted.add(one.result.task)
            continue
        result = making.result(one, n)
        place = result.cell.place  # its key takes time
        before = cells.get(place)
        replaced += before is not None and before.result.scores != result.scores
        if before is None or _date(before.source) <= _date(one):
            cells[place] = ImportedCell(one, result)
    if uncounted and not cells:
        raise HarnessError(f"nothing to import: {next(_left_out(uncounted))}")
    notes = (_notes(cells, request), _strangers(cells), _left_out(uncounted), _repeated(replaced))
    return cells, [*others, *chain.from_iterable(notes)]


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""


def _listed(names: Sequence[str]) -> str:
    """The first of some names, each cut to what a line bears."""
    return ", ".join(map(cut, names[:_NAMED]))


def _date(one: FromFile) -> tuple[float, str]:
    return one.result.date.timestamp() if one.result.date else 0.0, one.name


def _chosen(found: Sequence[FromFile], names: Sequence[str]) -> tuple[list[FromFile], list[str]]:
    """The results of the models that are asked for, and how many others there are.

    Raises:
        HarnessError: none is of such a model.
    """

    def fits(name: str) -> bool:
        return any(fnmatchcase(name, pattern) or fnmatchcase(short(name), pattern) for pattern in names)

    if not names:
        return list(found), []
    kept = [one for one in found if fits(one.result.model)]
    if not kept:
        there = sorted({one.result.model for one in found})
        raise HarnessError(f"no result of {', '.join(map(quoted, names))}; there are {_listed(there)}{_more(there)}")
    left = len(found) - len(kept)
    return kept, [f"{counted(left, 'result')} of other models left out"] if left else []


def _strangers(cells: Mapping[Place, ImportedCell]) -> Iterator[str]:
    """Curves join the models of a family, and those of no family are one."""
    names = sorted({one.result.cell.model.name for one in cells.values() if one.result.cell.model.family == IMPORTED})
    if len(names) > 1:
        yield (
            f"{counted(len(names), 'model')} that no family names are filed under {IMPORTED}, as if trained alike: "
            f"{_listed(names)}{_more(names)}; --family FILE names families, --model NAME chooses"
        )


def _left_out(uncounted: Iterable[str]) -> Iterator[str]:
    if names := sorted(uncounted):
        yield (
            f"{counted(len(names), 'task')} left out, whose number of documents no file says: {_listed(names)}; "
            f"--documents {cut(names[0])}=N gives it"
        )


def _repeated(replaced: int) -> Iterator[str]:
    if replaced:
        yield f"{counted(replaced, 'result')} stood in several files with different scores: the latest was taken"


def _notes(cells: Mapping[Place, ImportedCell], request: Import) -> Iterator[str]:
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
            f"{_listed(apart)}"
        )
    if guessed:
        names = sorted(guessed)
        yield (
            f"score of a guess not known for {counted(len(names), 'task')}: {_listed(names)}; "
            f"--chance {cut(names[0])}=SCORE gives it"
        )
    if unknown:
        yield f"kind not known of {counted(len(unknown), 'task')}, filed under {OTHER_KIND}: {_listed(sorted(unknown))}"
    if undated:
        yield f"{counted(undated, 'result')} without a date: the time of the file stands for it"


class _Numbers:
    """How many documents a result is of: as it says, else as follows from a share of right answers and its error."""

    def __init__(self, found: Iterable[FromFile], request: Import) -> None:
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
    """Documents n of a share p, whose standard error is sqrt(p (1 - p) / (n - 1)).

    Any metric whose error gives whole numbers of documents, and of those that count, is such a share.
    """
    for score in result.scores:
        p, stderr = score.value, score.stderr
        if not words_of(score.metric) & SMOOTH and stderr and 0 < p < 1:
            n = p * (1 - p) / stderr**2 + 1
            whole = round(n)
            if abs(n - whole) < _EXACT * max(1.0, n / 100) and abs(p * whole - round(p * whole)) < _EXACT:
                return whole
    return None


class _Making:
    """Makes cells; what many have in common is made once, which saves time and memory wherever they go."""

    def __init__(self, beyond: Set[str], request: Import) -> None:
        self._beyond, self._request = beyond, request
        self._now = datetime.now(UTC)
        self._provenances: dict[tuple[object, ...], Provenance] = {}
        self._alike: dict[Any, Any] = {}

    def result(self, one: FromFile, n: int) -> CellResult:
        """The cell of a published result, which has `n` documents."""
        cell = self._cell(one.result)
        values = {score.metric: score for score in one.result.scores}
        return CellResult(
            cell=cell,
            scores=tuple(
                Score(metric=m.name, value=values[m.name].value, stderr=values[m.name].stderr, n=values[m.name].n or n)
                for m in cell.metrics
                if m.name in values
            ),
            samples=(),
            shots_effective=cell.shots,
            n_expected=n,
            provenance=self._provenance(one),
        )

    def _provenance(self, one: FromFile) -> Provenance:
        published, file = one.result, one.file
        licence = self._request.licence or published.licence
        key = (
            file.sha256,
            one.name,
            published.tool,
            published.tool_version,
            published.date,
            published.seconds,
            licence,
        )
        if key not in self._provenances:
            source = Source(
                tool=published.tool,
                tool_version=published.tool_version,
                file=one.name,
                sha256=file.sha256,
                imported_at=self._now,
                licence=licence,
            )
            self._provenances[key] = Provenance(
                started_at=published.date or datetime.fromtimestamp(file.modified, UTC),
                seconds=published.seconds,
                versions={published.tool: published.tool_version} if published.tool_version else {},
                device="not said",
                source=source,
            )
        return self._provenances[key]

    def _cell(self, published: Published) -> Cell:
        engine = f"imported:{published.tool}"
        if published.cell is not None:
            return replace(published.cell, engine=engine)
        model = self._request.sizes.model(published)
        assert model is not None
        metrics = self._request.tasks.metrics(published, self._beyond)
        return Cell(
            model=self._alike.setdefault(model, model),
            task=published.task,
            suite=SUITE,
            kind=self._request.tasks.kind(published) or OTHER_KIND,
            task_version=published.version or "not said",
            task_digest=_digest(published),
            metrics=self._alike.setdefault(metrics, metrics),
            shots=published.shots,
            seed=published.seed,
            limit=published.limit,
            chat=published.chat,
            system=published.system,
            engine=engine,
        )


def _digest(published: Published) -> str:
    """12 hex digits of what decides the score of a published result, besides what a cell says itself."""
    asked = json.dumps(published.asked, sort_keys=True, ensure_ascii=True, default=str)
    text = json.dumps([published.tool, published.task, published.version, asked])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
