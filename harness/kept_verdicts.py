"""Verdicts of a results folder, judged once and kept: the dashboard, the command line and the report share them.

They depend on every point of every curve, the files with the scores of single documents, the options, and the code that
judges: all of these are in the stamp of their file, see `kept_files`. Verdicts stand there in the order of the curves.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache, cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import kept_files
from harness.analysis.curves import Curve, Scale, curves
from harness.analysis.verdict import Judged, Study, Verdict, judge, judged_rows
from harness.bounded.limits import UnreadableError
from harness.executors.crew import STANDING, Crew
from harness.plan import Cell
from harness.store import DocumentScores, Outcomes, ScoresReader, Store
from harness.store.index import collector_off

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_MANY = 500
"""Curves, of all metrics, that take long enough to judge for helpers to be started; each takes most of a second."""
_MOST_TEXT, _MOST_REASONS = 4000, 100
"""Characters of a sentence, and sentences of a verdict."""

DocumentReader = Callable[[Cell], DocumentScores | None]
"""Gives the scores of a cell's documents; None where they cannot be read."""


@collector_off()
def kept_study(
    store: Store,
    outcomes: Outcomes,
    *,
    scale: Scale = "params",
    items: DocumentReader | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Study:
    """As `verdict.study` of these outcomes; judged now only if nobody has judged them yet.

    Args:
        store: the results folder that the outcomes were read from.
        outcomes: what it holds.
        scale: the x axis.
        items: reads the scores of a cell's documents; None judges by the scores of cells alone, or by the documents
            all the same where that has been done before.
        tell: is told what is being done, in words.
    """
    done, failures, problems = outcomes
    drawn = curves(done, failures, scale=scale)
    asked = _Judging(store, drawn)
    found = asked.found(by_document=True)
    by_document = items is not None or found is not None
    if found is None:
        found = asked.judged(outcomes, items, tell)
    return Study(
        results=done,
        failures=failures,
        problems=problems,
        curves=drawn,
        judged=found,
        scale=scale,
        by_document=by_document,
    )


@collector_off()
def judged_once(
    store: Store,
    outcomes: Outcomes,
    drawn: Sequence[Curve],
    *,
    items: DocumentReader | None = None,
    run_sd: float | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[Judged, ...]:
    """As `verdict.judge` of all curves of a results folder; judged now only if nobody has judged them yet.

    Args:
        store: the results folder.
        outcomes: what it holds.
        drawn: its curves on one axis, all of them, without scores of documents.
        items: reads the scores of a cell's documents; None judges by the scores of cells alone.
        run_sd: as of `judge`.
        tell: as of `judge`.
    """
    return _Judging(store, drawn, run_sd).judged(outcomes, items, tell)


class _Judging:
    """The curves of a results folder on one axis, on which verdicts are asked for."""

    def __init__(self, store: Store, drawn: Sequence[Curve], run_sd: float | None = None) -> None:
        """All curves of the folder, without scores of documents."""
        self._store, self._drawn, self._run_sd = store, drawn, run_sd
        self._stamps: dict[bool, str] = {}

    def found(self, *, by_document: bool) -> tuple[Judged, ...] | None:
        """The judged curves, if somebody has judged just these before; None if not."""
        if not self._drawn:
            return ()
        if by_document and not kept_files.any_begins(self._store, self._without_documents(by_document=True)):
            return None
        headlines = [curve for curve in self._drawn if curve.rank == 0]
        verdicts = kept_files.found(
            self._store, self._stamp(by_document=by_document), lambda data: _verdicts(data, headlines)
        )
        return None if verdicts is None else judged_rows(self._drawn, verdicts)

    def judged(
        self, outcomes: Outcomes, items: DocumentReader | None, tell: Callable[[str], None]
    ) -> tuple[Judged, ...]:
        """The judged curves, which are kept if they were not there."""
        found = self.found(by_document=items is not None)
        if found is not None:
            return found
        unreadable = list[Cell]()
        module = judge.__module__
        with STANDING.lent(module) if len(self._drawn) >= _MANY else Crew(module, 0) as crew:
            drawn = self._drawn if items is None else self._with_documents(outcomes, items, unreadable, crew)
            verdicts = [row.verdict for row in judge(drawn, run_sd=self._run_sd, tell=tell, each=crew.each)]
        # Who reads a file that cannot be read is told so, and that happens only while judging.
        if not unreadable:
            kept_files.keep_conclusion(self._store, self._stamp(by_document=items is not None), verdicts)
        return judged_rows(self._drawn, verdicts)

    def _with_documents(
        self, outcomes: Outcomes, items: DocumentReader, unreadable: list[Cell], crew: Crew
    ) -> tuple[Curve, ...]:
        """The curves with the scores of documents; cells without these are added to `unreadable`."""

        def read(cell: Cell) -> DocumentScores | None:
            scores = items(cell)
            unreadable.extend([cell] if scores is None else [])
            return scores

        if isinstance(items, ScoresReader):
            items.read_ahead([result.cell for result in outcomes.results], crew.each)
        return curves(outcomes.results, outcomes.failures, scale=self._drawn[0].scale, items=read)

    def _stamp(self, *, by_document: bool) -> str:
        """A digest of everything that the verdicts depend on."""
        if by_document not in self._stamps:
            stamp = self._without_documents(by_document=by_document)
            self._stamps[by_document] = kept_files.stamp_on_documents(stamp, self._store) if by_document else stamp
        return self._stamps[by_document]

    def _without_documents(self, *, by_document: bool) -> str:
        """The part of a stamp that is found without looking at the files of documents, of which there are thousands."""
        return kept_files.stamp_of("verdicts", self._run_sd, by_document, self._curves)

    @cached_property
    def _curves(self) -> str:
        digest = hashlib.sha256()
        for part in _parts(self._drawn):
            digest.update(part)
        return digest.hexdigest()


def _parts(values: Sequence[Any]) -> Iterator[bytes]:
    """Bytes that two sequences of one kind have in common only if they are equal.

    There are hundreds of thousands of numbers, and to write one in digits takes longer than all else: things of one
    kind are taken apart, and what they have in each place is written together.
    """
    kinds = {*map(type, values)}
    kind: Any = next(iter(kinds)) if len(kinds) == 1 else None
    of_fields = is_dataclass(kind)
    yield f"{len(values)} {kind}".encode()
    if of_fields:
        values = [*map(_compared(kind), values)]
    if of_fields or hasattr(kind, "_fields"):
        for column in zip(*values, strict=True):
            yield from _parts(column)
    elif kind is tuple:
        yield np.array([len(value) for value in values]).tobytes()
        yield from _parts([one for value in values for one in value])
    elif kinds <= {int, float}:
        yield np.array(values, dtype=float).tobytes()
    else:
        yield json.dumps(values, default=_as_data).encode()


def _as_data(value: Any) -> Any:
    """What JSON has no word for; of a curve everything but the scores of documents, which its files stand for."""
    if is_dataclass(value):
        kind: Any = type(value)
        return _compared(kind)(value)
    return value.item() if isinstance(value, np.generic) else str(value)


@cache
def _compared(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Gives what two of a kind are compared by."""
    names = [field.name for field in fields(kind) if field.compare]
    return attrgetter(*names) if len(names) > 1 else lambda value: tuple(getattr(value, name) for name in names)


def _verdicts(data: Any, headlines: Sequence[Curve]) -> list[Verdict]:
    """The verdicts of a file.

    Raises:
        UnreadableError: they are none, or not on these curves.
    """
    from pydantic import ValidationError

    try:
        verdicts: list[Verdict] = _adapter().validate_python(data)
    except ValidationError as error:
        raise UnreadableError(f"is damaged: {error.error_count()} values are no such thing as a verdict has") from error
    if len(verdicts) != len(headlines) or not all(map(_fits, verdicts, headlines)):
        raise UnreadableError("was not written for these curves")
    return verdicts


@cache
def _adapter() -> TypeAdapter[list[Verdict]]:
    from pydantic import TypeAdapter

    return TypeAdapter(list[Verdict])


def _fits(verdict: Verdict, curve: Curve) -> bool:
    """Whether a verdict can be one on this curve: it names sizes of it, and has nothing that no page could show."""
    step, over_runs = verdict.largest_step, verdict.presence
    named = [flip.model for flip in verdict.flips] + ([step.below, step.above] if step else [])
    named += [size.model for size in over_runs.sizes] if over_runs else []
    named += [verdict.reliable_model] if verdict.reliable_model is not None else []
    texts = [*verdict.reasons, verdict.qualifier or ""]
    texts += [one.metric for one in (verdict.partner_trend, verdict.format_trend) if one]
    return (
        set(named) <= {*curve.names, *curve.models}
        and 0 < len(verdict.reasons) <= _MOST_REASONS
        and all(len(text) <= _MOST_TEXT for text in texts)
        and all(map(math.isfinite, _numbers(replace(verdict, evidence=None))))  # type: ignore[arg-type]
        and not any(map(math.isnan, _numbers(verdict.evidence)))
    )


def _numbers(value: Any) -> Iterator[float]:
    if is_dataclass(value):
        value = tuple(getattr(value, field.name) for field in fields(value))
    if isinstance(value, tuple):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, float):
        yield value
