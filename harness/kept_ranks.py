"""Ranks of the models of a results folder, compared once and kept: dashboard, command line and report share them.

Every pair of models is compared on every document that both answered, which takes as long as reading all of these.
Ranks depend on the results, the files with the scores of single documents, and the code: all of these are in the stamp
of their file, see `kept_files`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from harness import kept_files
from harness.analysis.compare import NoiseOf, Rank, RankModels, ReadDocuments, ranks
from harness.bounded.limits import UnreadableError
from harness.executors.crew import STANDING
from harness.plan import Cell
from harness.records import CellFailure, CellResult
from harness.store import DocumentScores, Outcomes, ScoresReader, Store

if TYPE_CHECKING:
    from pydantic import TypeAdapter


_MANY = 1000
"""Cells whose documents take long enough to read for helpers to be started."""


def ranks_once(store: Store, outcomes: Outcomes) -> RankModels:
    """As `ranks`, for the models of a whole results folder; compared now only if nobody has compared them yet.

    Without documents, models are compared by their scores alone, or by the documents all the same where that has been
    done before.

    Args:
        store: the results folder.
        outcomes: what it holds.
    """

    def rank(
        models: Sequence[Sequence[CellResult]], documents: ReadDocuments | None = None, *, noise: NoiseOf | None = None
    ) -> tuple[Rank, ...]:
        without = kept_files.stamp_of("ranks", _digest(outcomes.results, outcomes.failures))
        if documents is None and not kept_files.any_begins(store, without):
            return ranks(models, noise=noise)
        stamp = kept_files.stamp_on_documents(without, store)
        kept = kept_files.found(store, stamp, lambda data: _ranks(data, len(models)))
        if kept is not None or documents is None:
            return ranks(models, noise=noise) if kept is None else kept
        unreadable: list[Cell] = []
        if isinstance(documents, ScoresReader) and len(outcomes.results) >= _MANY:
            with STANDING.lent(ScoresReader.__module__) as crew:
                documents.read_ahead((result.cell for result in outcomes.results), crew.each)

        def read(cell: Cell) -> DocumentScores | None:
            scores = documents(cell)
            unreadable.extend([cell] if scores is None else [])
            return scores

        compared = ranks(models, read, noise=noise)
        # Who reads a file that cannot be read is told so, and that happens only while comparing.
        if not unreadable:
            kept_files.keep_conclusion(store, stamp, [*map(tuple, compared)])
        return compared

    return rank


def _digest(results: Iterable[CellResult], failures: Iterable[CellFailure]) -> str:
    """A digest of everything that ranks depend on but documents: what was asked of whom, and the scores."""
    digest, seen = hashlib.sha256(), set[Any]()
    answered = [(r.cell, (r.n_expected, *((s.metric, s.value, s.stderr, s.n) for s in r.scores))) for r in results]
    for cell, said in (*answered, *((f.cell, None) for f in failures)):
        for part in (cell.model, cell.metrics):  # which many cells share
            if part not in seen:
                seen.add(part)
                digest.update(f"{part!r}\n".encode())
        digest.update(f"{cell.model.family!r} {cell.key} {said!r}\n".encode())
    return digest.hexdigest()


def _ranks(data: Any, models: int) -> tuple[Rank, ...]:
    """The ranks of a file.

    Raises:
        UnreadableError: they are none, or not those of so many models.
    """
    from pydantic import ValidationError

    try:
        kept: list[Rank] = _adapter().validate_python(data)
    except ValidationError as error:
        raise UnreadableError(f"is damaged: {error.error_count()} values are no such thing as a rank has") from error
    if len(kept) not in (0, models) or not all(1 <= one.best <= one.last <= models for one in kept):
        raise UnreadableError("was not written for these models")
    return tuple(kept)


@cache
def _adapter() -> TypeAdapter[list[Rank]]:
    from pydantic import TypeAdapter

    return TypeAdapter(list[Rank])
