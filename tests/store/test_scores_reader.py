"""Scores of documents read cell by cell, or ahead by several processes, are the same; a damaged file is told once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.executors.crew import Crew
from harness.plan import Cell
from harness.store import SAMPLES, DocumentScores, ScoresReader, Store
from harness.store import scores_reader as module
from tests.builders import grown, result


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "results")
    for place, one in enumerate(grown((5, 12, 20, 25), n=32)):
        made.write(result(one.cell, values=[float(number < place * 8) for number in range(32)]))
    return made


def cells_of(store: Store) -> list[Cell]:
    return [one.cell for one in store.results()]


def same(one: DocumentScores | None, other: DocumentScores | None) -> bool:
    assert one is not None
    assert other is not None
    assert one.scores
    return one.doc_hash == other.doc_hash and all(
        np.array_equal(values, other.scores[name]) for name, values in one.scores.items()
    )


@pytest.mark.processes
def test_what_was_read_ahead_is_what_each_file_holds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOGETHER", 1)
    reader = ScoresReader(store)
    with Crew(module.__name__, 1) as crew:
        reader.read_ahead(cells_of(store), crew.each)
    for cell in cells_of(store):
        assert same(reader(cell), store.scores(cell))


@pytest.mark.parametrize("keep", [True, False])
def test_a_file_is_read_again_unless_it_is_kept(store: Store, keep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    read = module.read_scores
    monkeypatch.setattr(module, "read_scores", lambda path: opened.append(path) or read(path))
    reader, cells = ScoresReader(store, keep=keep), cells_of(store)
    reader.read_ahead(cells[:2], lambda function, arguments: [function(*one) for one in arguments])
    for _ in range(2):
        for cell in cells:
            assert same(reader(cell), store.scores(cell))
    assert len(opened) == (4 if keep else 8)


def test_a_damaged_file_is_told_when_its_cell_is_asked_for(store: Store) -> None:
    told: list[str] = []
    reader, cells = ScoresReader(store, told.append, keep=True), cells_of(store)
    path = store.path(cells[1]) / SAMPLES
    path.write_bytes(b"PAR1")
    reader.read_ahead(cells, lambda function, arguments: [function(*one) for one in arguments])
    assert told == []
    assert [reader(cell) is None for cell in (*cells, *cells)] == [False, True, False, False] * 2
    assert len(told) == 1
    assert told[0].startswith(f"skipped {path}: ")
