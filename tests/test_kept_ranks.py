"""Ranks that were found once are found again, are never those of other results, and no file can make them wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import kept_files, kept_ranks
from harness.analysis.compare import noise_from, ranks
from harness.kept_ranks import ranks_once
from harness.leaderboard import RankedBoard, ranked_board
from harness.plan import Cell
from harness.reading import document_reader
from harness.store import JUDGED, ScoresReader, Store
from tests.builders import cell, model, result, task


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Three models on two tasks, with their documents; a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Store(tmp_path / "results")
    for name in ("colours", "shapes"):
        for params, right in ((1000, 5), (4000, 8), (16000, 27)):
            asked = cell(model=model(params), of=task(name))
            made.write(result(asked, values=[1.0] * right + [0.0] * (30 - right)))
    return made


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many models were compared, each time that it was done."""
    seen: list[int] = []

    def counted(models: Sequence[Any], *more: Any, **others: Any) -> Any:
        seen.append(len(models))
        return ranks(models, *more, **others)

    monkeypatch.setattr(kept_ranks, "ranks", counted)
    return seen


def board(store: Store, *, by_document: bool = True) -> RankedBoard:
    """The leaderboard as the command line makes it."""
    outcomes = store.outcomes()
    return ranked_board(
        outcomes.results,
        outcomes.failures,
        documents=document_reader(store) if by_document else None,
        noise=noise_from(outcomes.results) if by_document else None,
        rank=ranks_once(store, outcomes),
    )


def test_models_are_compared_once(store: Store, comparisons: list[int]) -> None:
    first = board(store)
    assert comparisons == [3]
    again = board(store)
    assert comparisons == [3]
    assert again.table.equals(first.table)
    assert again.by_document
    fresh = ranked_board(store.results(), documents=document_reader(store), noise=noise_from(store.results()))
    assert again.table.equals(fresh.table)


def test_ranks_are_the_same_where_helpers_read_the_documents(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = ranked_board(store.results(), documents=document_reader(store), noise=noise_from(store.results()))
    asked: list[int] = []
    ahead = ScoresReader.read_ahead

    def read_ahead(reader: ScoresReader, cells: Iterable[Cell], each: Any) -> None:
        asked.append(len(chosen := [*cells]))
        ahead(reader, chosen, each)

    monkeypatch.setattr(ScoresReader, "read_ahead", read_ahead)
    monkeypatch.setattr(kept_ranks, "_MANY", 1)
    assert board(store).table.equals(alone.table)
    assert asked == [6]


def test_who_cannot_weigh_documents_takes_over_what_another_has_found(store: Store, comparisons: list[int]) -> None:
    assert not board(store, by_document=False).by_document
    whole = board(store)
    taken_over = board(store, by_document=False)
    assert taken_over.by_document
    assert taken_over.table.equals(whole.table)
    assert comparisons == [3, 3]


def _another_result(store: Store) -> None:
    store.write(result(cell(model=model(64000), of=task("colours")), values=[1.0] * 30))


def _other_documents(store: Store) -> None:
    os.utime(store.path(store.results()[0].cell) / "samples.parquet")


@pytest.mark.parametrize("change", [_another_result, _other_documents])
def test_what_changed_is_compared_anew(store: Store, comparisons: list[int], change: Callable[[Store], None]) -> None:
    board(store)
    change(store)
    board(store)
    assert len(comparisons) == 2


def test_other_code_compares_anew(store: Store, comparisons: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    board(store)
    monkeypatch.setattr(kept_files, "code_digest", lambda: "another version")
    board(store)
    assert len(comparisons) == 2


def test_what_was_compared_without_all_documents_is_not_kept(store: Store, comparisons: list[int]) -> None:
    (store.path(store.results()[0].cell) / "samples.parquet").write_bytes(b"PAR1 no table PAR1")
    for _ in range(2):
        board(store)
    assert len(comparisons) == 2


@pytest.mark.parametrize(
    "forged",
    [
        [[1, 1, 0.5, 0.4, 0.6, True]],
        [[0, 1, 0.5, 0.4, 0.6, True]] * 3,
        [[1, 4, 0.5, 0.4, 0.6, True]] * 3,
        [[1, 1, "high", None, None, True]] * 3,
        {"ranks": []},
    ],
    ids=["too few", "place 0", "place of nobody", "no number", "no list"],
)
def test_a_file_that_is_forged_is_made_anew(store: Store, comparisons: list[int], forged: object) -> None:
    first = board(store)
    [path] = (store.root / JUDGED).glob("*.json")
    stamp, body = path.stem, json.dumps(forged).encode()
    path.write_bytes(json.dumps(kept_files.head(stamp, body)).encode() + b"\n" + body)
    assert board(store).table.equals(first.table)
    assert len(comparisons) == 2
    assert board(store).table.equals(first.table)
    assert len(comparisons) == 2
