"""A large folder is listed from what was read before, and never shows what is no longer so."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from harness.store import FAILURE, HEADER, SAMPLES, Store, outcomes
from tests.builders import cell, failed, result


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Headers that are read from here on; three cells are a large folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(outcomes, "WORTHWHILE", 3)
    seen: list[Path] = []
    read_header = outcomes.read_header
    monkeypatch.setattr(outcomes, "read_header", lambda path: seen.append(path) or read_header(path))
    return seen


@pytest.fixture
def store(tmp_path: Path, reads: list[Path]) -> Store:
    """Three results and a failure, listed once."""
    made = Store(tmp_path / "results")
    for shots in range(3):
        made.write(result(cell(shots=shots)))
    made.write(failed(cell(shots=3)))
    made.outcomes()
    reads.clear()
    return made


def test_what_has_not_changed_is_not_read_again(store: Store, reads: list[Path]) -> None:
    again = store.outcomes()
    assert (len(again.results), len(again.failures), reads) == (3, 1, [])
    assert {r.cell for r in again.results} == {cell(shots=shots) for shots in range(3)}
    assert all(r.samples is None for r in again.results)


def test_a_cell_that_is_written_anew_is_read_anew(store: Store, reads: list[Path]) -> None:
    store.write(result(cell(shots=1), values=[0.0, 0.0]))
    store.write(result(cell(shots=3)))
    reads.clear()
    again = store.outcomes()
    assert sorted(path.name for path in reads) == [HEADER, HEADER]
    assert {r.cell.shots: r.scores[0].value for r in again.results} == {0: 0.75, 1: 0.0, 2: 0.75, 3: 0.75}
    assert again.failures == ()


def test_a_cell_that_is_gone_or_whose_samples_broke_off_is_no_result(store: Store) -> None:
    (store.path(cell(shots=3)) / FAILURE).unlink()
    samples = store.path(cell(shots=0)) / SAMPLES
    samples.write_bytes(samples.read_bytes()[:-1])
    again = store.outcomes()
    assert ({r.cell.shots for r in again.results}, again.failures) == ({1, 2}, ())
    assert "cannot be read to its end" in str(again.problems[0])


@pytest.mark.parametrize("content", [b"", b"garbage", pickle.dumps((("another version",), {}))])
def test_an_index_that_cannot_be_used_is_made_anew(
    store: Store, reads: list[Path], tmp_path: Path, content: bytes
) -> None:
    [index] = (tmp_path / "cache").rglob("*.index")
    index.write_bytes(content)
    assert len(store.outcomes().results) == 3
    assert len(reads) == 4
    reads.clear()
    store.outcomes()
    assert reads == []


def test_an_index_that_others_can_write_is_not_read(store: Store, reads: list[Path], tmp_path: Path) -> None:
    [index] = (tmp_path / "cache").rglob("*.index")
    assert index.stat().st_mode & 0o077 == 0
    index.chmod(0o666)
    store.outcomes()
    assert len(reads) == 4


def test_a_small_folder_has_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small = Store(tmp_path / "results")
    small.write(result())
    assert len(small.results()) == 1
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_costs_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(store.outcomes().results) == 3
    assert os.listdir(store.root) == ["toy"]
