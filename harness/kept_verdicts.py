"""Verdicts of a results folder, judged once and kept: the dashboard, the command line and the report share them.

    results/.judged/<stamp>.json

The stamp is a digest of all that verdicts depend on: every point of every curve, the files with the scores of single
documents, the options, and the code that judges. Whatever changes has another stamp, so that nothing kept is ever out
of date, and nothing has to be invalidated. Where the results folder cannot be written, the file lies in the user's
cache. Files can be deleted at any time, and the oldest are.

A file has two lines of JSON: its stamp with a digest of the second line, and the verdicts in the order of the curves.
One that is damaged, or was not written for these curves, is passed over and made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import harness.analysis
from harness.analysis.curves import Curve, Scale, curves
from harness.analysis.verdict import Judged, Study, Verdict, judge, judged_rows
from harness.bounded.files import read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import JUDGED_BYTES, UnreadableError
from harness.plan import Cell
from harness.store import JUDGED, DocumentScores, Outcomes, Store, keep_file
from harness.version import __version__

if TYPE_CHECKING:
    from pydantic import TypeAdapter

log = logging.getLogger(__name__)

FORMAT = 1
"""Number of the file's format; part of the stamp, so that no reader meets another one."""
MOST_KEPT = 24
"""Files that are kept in one place: those of six axes, under a few options."""
_MOST_TEXT, _MOST_REASONS = 4000, 100
"""Characters of a sentence, and sentences of a verdict."""

DocumentReader = Callable[[Cell], DocumentScores | None]
"""Gives the scores of a cell's documents; None where they cannot be read."""


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
        stamp = self._stamp(by_document=by_document)
        headlines = [curve for curve in self._drawn if curve.rank == 0]
        for folder in _places(self._store):
            path = folder / f"{stamp}.json"
            try:
                return judged_rows(self._drawn, _read(path, stamp, headlines))
            except UnreadableError as error:
                log.info("%s: is not used: %s", path, error)
        return None

    def judged(
        self, outcomes: Outcomes, items: DocumentReader | None, tell: Callable[[str], None]
    ) -> tuple[Judged, ...]:
        """The judged curves, which are kept if they were not there."""
        found = self.found(by_document=items is not None)
        if found is not None:
            return found
        drawn, unreadable = self._drawn, list[Cell]()

        def read(cell: Cell) -> DocumentScores | None:
            scores = items(cell) if items else None
            unreadable.extend([cell] if scores is None else [])
            return scores

        if items is not None:
            drawn = curves(outcomes.results, outcomes.failures, scale=drawn[0].scale, items=read)
        verdicts = [row.verdict for row in judge(drawn, run_sd=self._run_sd, tell=tell)]
        # Who reads a file that cannot be read is told so, and that happens only while judging.
        if not unreadable:
            _keep(self._store, self._stamp(by_document=items is not None), verdicts)
        return judged_rows(self._drawn, verdicts)

    def _stamp(self, *, by_document: bool) -> str:
        """A digest of everything that the verdicts depend on."""
        if by_document not in self._stamps:
            depends = (FORMAT, _code(), self._run_sd, self._store.documents_stamp() if by_document else None)
            text = f"{json.dumps(depends)} {self._curves}"
            self._stamps[by_document] = hashlib.sha256(text.encode()).hexdigest()[:32]
        return self._stamps[by_document]

    @cached_property
    def _curves(self) -> str:
        return hashlib.sha256(json.dumps(self._drawn, default=_as_data).encode()).hexdigest()


# --- what verdicts depend on ----------------------------------------------------------------------------------------


def _as_data(value: Any) -> Any:
    """What JSON has no word for; of a curve everything but the scores of documents, which its files stand for."""
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value) if field.compare]
    return value.item() if isinstance(value, np.generic) else str(value)


@cache
def _code() -> str:
    """A digest of the code that judges, which an editor may change without a new version, and of what it stands on."""
    digest = hashlib.sha256(f"{__version__} {version('numpy')} {version('scipy')}".encode())
    package = Path(harness.analysis.__path__[0])
    for path in sorted([*package.rglob("*.py"), package.with_name("wording.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


# --- files ----------------------------------------------------------------------------------------------------------


def _places(store: Store) -> Iterator[Path]:
    """Where verdicts may be kept: beside the results, and in the cache of the user."""
    if not store.is_remote:
        yield store.root / JUDGED
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    yield usual / "emergence" / "judged"


def _keep(store: Store, stamp: str, verdicts: Sequence[Verdict]) -> None:
    body = json.dumps([_plain(verdict) for verdict in verdicts], ensure_ascii=False, allow_nan=False).encode()
    content = json.dumps(_head(stamp, body)).encode() + b"\n" + body
    for folder in _places(store):
        try:
            keep_file(folder / f"{stamp}.json", content, most=MOST_KEPT)
        except OSError as error:
            log.info("%s: cannot be written: %s", folder, error)
        else:
            return


def _head(stamp: str, body: bytes) -> dict[str, Any]:
    return {"format": FORMAT, "stamp": stamp, "sha256": hashlib.sha256(body).hexdigest()}


def _plain(value: Any) -> Any:
    """The value as JSON has it, which knows no infinity and no tuples."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple):
        return [*map(_plain, value)]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _read(path: Path, stamp: str, headlines: Sequence[Curve]) -> list[Verdict]:
    """The verdicts of a file.

    Raises:
        UnreadableError: there is none, it is damaged, or it was not written for these curves.
    """
    from pydantic import ValidationError

    head, _, body = read_bytes(path, JUDGED_BYTES).partition(b"\n")
    if parsed_json(head) != _head(stamp, body):
        raise UnreadableError("is damaged, or stands under a wrong name")
    try:
        verdicts: list[Verdict] = _adapter().validate_python(parsed_json(body, finite=True))
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
