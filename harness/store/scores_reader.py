"""Reads what the documents of many cells scored: thousands of small files, which several processes can share out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.plan import Cell
from harness.store.documents import DocumentScores, read_scores
from harness.store.layout import SAMPLES
from harness.store.store import Store

log = logging.getLogger(__name__)
Report = Callable[[str], None]
"""Called with a sentence about each file that is skipped."""
_TOGETHER = 100
"""Files that a process reads before it answers."""
_UNREAD: Any = object()


class ScoresReader:
    """Called with a cell, it reads the scores of its documents, and gives None for a file that cannot be read."""

    def __init__(self, store: Store, report: Report = log.warning, *, keep: bool = False) -> None:
        """Nothing is read yet.

        Args:
            store: the results folder.
            report: called with a sentence about each file that cannot be read.
            keep: what was read is kept in memory for the next time.
        """
        self._store, self._report, self._keep = store, report, keep
        self._at_hand: dict[Path, DocumentScores | None] = {}

    def __call__(self, cell: Cell) -> DocumentScores | None:
        """What each document of a cell scored."""
        path = self._store.path(cell) / SAMPLES
        at_hand = self._at_hand
        known: DocumentScores | None = at_hand.get(path, _UNREAD) if self._keep else at_hand.pop(path, _UNREAD)
        if known is not _UNREAD:
            return known
        scores = self._read(path)
        if self._keep:
            self._at_hand[path] = scores
        return scores

    def read_ahead(
        self, cells: Iterable[Cell], each: Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], Iterable[Any]]
    ) -> None:
        """Read the scores of some cells now, and have them at hand until they are asked for.

        Args:
            cells: whose scores will be asked for.
            each: calls a function with each of some arguments, such as `executors.crew.Crew.each`.
        """
        # Cells of one task ask the same documents, whose hashes then are sent and stored once.
        paths = [self._store.path(cell) / SAMPLES for cell in sorted(cells, key=lambda cell: cell.task)]
        missing = [path for path in paths if path not in self._at_hand]
        chunks = [missing[first : first + _TOGETHER] for first in range(0, len(missing), _TOGETHER)]
        for some, answers in zip(chunks, each(scores_of_files, [(chunk,) for chunk in chunks]), strict=True):
            # one that could not be read is read again when it is asked for, and then reported
            self._at_hand.update((path, one) for path, one in zip(some, answers, strict=True) if one is not None)

    def _read(self, path: Path) -> DocumentScores | None:
        try:
            return read_scores(path)
        except StoreError as error:
            self._report(f"skipped {error}")
            return None


def scores_of_files(paths: Sequence[Path]) -> list[DocumentScores | None]:
    """The scores in each file, None for one that cannot be read."""
    seen: dict[tuple[str, ...], tuple[str, ...]] = {}
    found: list[DocumentScores | None] = []
    for path in paths:
        try:
            scores = read_scores(path)
        except StoreError:
            found.append(None)
        else:
            found.append(scores._replace(doc_hash=seen.setdefault(scores.doc_hash, scores.doc_hash)))
    return found
