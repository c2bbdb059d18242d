"""Results folders that others share: what cannot be is named and skipped, and nothing else is lost."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.bounded.limits import SETTING
from harness.errors import StoreError
from harness.plan import Cell
from harness.store import HEADER, SAMPLES, Store
from tests.builders import cell, failed, model, result

GOOD, BAD = cell(), cell(model=model(2000))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two results, one of which the tests damage."""
    made = Store(tmp_path / "results")
    made.write(result(GOOD))
    made.write(result(BAD))
    return made


def put(raw: dict[str, Any], place: str, value: Any) -> None:
    """Set the value at `place`, such as `scores.0.n`."""
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    for part in path:
        raw = raw[part]  # type: ignore[index]
    raw[last] = value  # type: ignore[index]


def only_problem(store: Store) -> str:
    """What is said of the damaged cell, and the other one is still there."""
    done, failures, (problem,) = store.outcomes()
    assert [r.cell for r in done] == [GOOD]
    assert not failures
    assert "\n" not in str(problem)
    assert len(str(problem)) < 1000
    store.stamp()
    return problem.message


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("cell.model.params", 10**30, "params is 1000000000000000000000000000000; expected more than 0, up to 1e+18"),
        ("cell.model.params", -5, "params is -5; expected more than 0, up to 1e+18"),
        ("cell.model.params", 0, "params is 0; expected more than 0, up to 1e+18"),
        ("cell.model.params_active", -1, "params_active is -1; expected more than 0, up to 1e+18"),
        ("cell.model.tokens", -1, "tokens is -1; expected 0 or more, up to 1e+18"),
        ("cell.model.tokens", 10**19, "tokens is 10000000000000000000; expected 0 or more, up to 1e+18"),
        ("cell.model.loss", -0.5, "loss is -0.5; expected 0 or more, up to 1e+09"),
        ("cell.model.gpus", -1, "gpus is -1.0; expected 0 or more"),
        ("cell.metrics", [], "metrics are []; expected one or more, each once"),
        ("cell.metrics.1.name", "acc", "metrics are ['acc', 'acc']; expected one or more, each once"),
        ("cell.metrics.0.chance", 2, "chance is 2; expected no better than the best score, 1"),
        ("cell.metrics.0.chance", -0.25, "chance is -0.25; expected 0 to 1"),
        ("cell.metrics.0.best", 0.1, "chance is 0.25; expected no better than the best score, 0.1"),
        ("cell.limit", 10**30, "limit is 1000000000000000000000000000000; expected 0 or more, up to 1e+18"),
        ("cell.shots", -1, "shots is -1; expected 0 or more, up to 1e+18"),
        ("cell.seed", 10**20, "seed is 100000000000000000000; expected 0 or more, up to 1e+18"),
        ("scores.0.value", 5, "metric acc came out as 5.0 +- 0.25; expected no better than the best score, 1"),
        ("scores.0.value", -0.1, "metric acc came out as -0.1 +- 0.25; expected 0 or more"),
        ("scores.0.stderr", -1, "metric acc came out as 0.75 +- -1.0; expected a standard error of 0 or more"),
        ("scores.0.stderr", 7, "expected a standard error of 0 to 0.5, as any score from 0 to 1 has"),
        ("scores.0.n", 0, "n is 0; expected 1 or more, up to 1e+18"),
        ("scores.0.n", -5, "n is -5; expected 1 or more, up to 1e+18"),
        ("scores.0.metric", "prob_correct", "scores are of ['prob_correct', 'prob_correct']; expected one each of"),
        ("scores.0.metric", "theirs", "scores are of ['theirs', 'prob_correct']; expected one each of ['acc', 'prob"),
        ("scores", [], "scores are of []; expected one each of"),
        ("n_expected", 0, "n_expected is 0; expected 1 or more, up to 1e+18"),
        ("n_truncated", 9, "n_truncated is 9; expected 0 to 4"),
        ("shots_effective", -1, "shots_effective is -1; expected 0 or more, up to 1e+18"),
        ("provenance.started_at", "2026-01-01T00:00:00", "expected a time of our days with its zone"),
        ("provenance.started_at", "0001-01-01T00:00:00Z", "expected a time of our days with its zone"),
        ("provenance.seconds", -1, "seconds is -1.0; expected 0 or more"),
        ("provenance.energy_wh", -1, "energy_wh is -1.0; expected 0 or more"),
        ("cell.model.family", "x" * 5000, "has a text of 5,000 characters; expected at most 2,000"),
        ("provenance.versions", {"x" * 5000: "1"}, "has a text of 5,000 characters; expected at most 2,000"),
        ("key", "k" * 1999, "does not belong to its cell"),
        ("schema", 10**300, "was written by a newer version (schema 1000"),
        ("cell.model.run", 10**19, "has the number 10000000000000000000; expected one of 64 bits"),
        ("provenance.token_budget", -(10**19), "has the number -10000000000000000000; expected one of 64 bits"),
        ("cell.model.revision", 3, "is damaged: cell.model.revision: Input should be a valid string"),
    ],
)
def test_a_header_with_what_cannot_be_is_named_and_skipped(store: Store, place: str, value: Any, message: str) -> None:
    header = store.path(BAD) / HEADER
    raw = json.loads(header.read_text())
    put(raw, place, value)
    header.write_text(json.dumps(raw))
    assert message in only_problem(store)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("0.75", "NaN"), "has NaN; expected numbers that are finite"),
        (lambda text: text.replace("0.75", "1e999"), "has 1e999; expected numbers that are finite"),
        (lambda text: text.replace('"toy"', r'"\ud800"'), "has half of a character (a lone surrogate"),
        (lambda text: text.replace('"toy"', "[" * 50_000 + "]" * 50_000), "has more than 100 levels"),
        (lambda text: text.replace('"toy"', "9" * 5000), "has a number of too many digits"),
        (lambda text: text[:100], "is damaged: not JSON; evaluate the cell again or restore the file"),
        (lambda text: text + " " * 4_000_000, "bytes; expected at most 4,000,000"),
        (lambda text: "\ud800", "is not UTF-8"),
    ],
)
def test_a_header_that_is_no_json_of_ours_is_named_and_skipped(
    store: Store, change: Callable[[str], str], message: str
) -> None:
    header = store.path(BAD) / HEADER
    header.write_bytes(change(header.read_text()).encode(errors="surrogatepass"))
    assert message in only_problem(store)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [pipe, device, Path.mkdir, lambda path: path.symlink_to(path)])
@pytest.mark.parametrize("name", [HEADER, SAMPLES])
def test_what_is_no_file_is_named_and_waited_for_by_nobody(
    store: Store, name: str, make: Callable[[Path], None]
) -> None:
    path = store.path(BAD) / name
    path.unlink()
    make(path)
    assert only_problem(store)
    with pytest.raises(StoreError):
        Store(store.root).scores(BAD) if name == SAMPLES else store.samples(cell(shots=1))


def test_a_folder_that_lies_too_deep_is_named(store: Store) -> None:
    deep = store.root.joinpath(*["a"] * 40)
    deep.mkdir(parents=True)
    (deep / HEADER).write_bytes((store.path(GOOD) / HEADER).read_bytes())
    done, _, (problem,) = store.outcomes()
    assert len(done) == 2
    assert problem.path == store.root.joinpath(*["a"] * 32)
    assert "lies too deep: has more than 32 folders inside each other" in problem.message


def test_a_failure_of_a_million_words_is_shown_by_its_beginning(store: Store) -> None:
    store.write(failed(cell(shots=2), message="word " * 10**5, traceback="line\n" * 10**5))
    (failure,) = store.failures()
    assert len(failure.message) == 2000
    assert len(failure.traceback) == 5 * 10**5


def test_results_are_described_and_taken_over_from_whole_files_alone(store: Store) -> None:
    (bad,) = [r for r in store.results() if r.cell == BAD]
    header = store.path(BAD) / HEADER
    for content in (b"{}", b"[", b"null", (store.path(GOOD) / HEADER).read_bytes()):
        header.write_bytes(content)
        assert not store.describe(bad, model(2000, tokens=7))
        assert header.read_bytes() == content
    (store.path(BAD) / SAMPLES).unlink()
    pipe(store.path(BAD) / SAMPLES)
    assert not store.take_over(bad, cell(model=model(2000, family="other")))


def rewrite(store: Store, of: Cell, **columns: Any) -> Path:
    """The samples of a cell, with columns added or replaced."""
    path = store.path(of) / SAMPLES
    table = parquet.read_table(path)
    for name, values in columns.items():
        at = table.column_names.index(name) if name in table.column_names else None
        column = pa.chunked_array([pa.array(values)])
        table = table.append_column(name, column) if at is None else table.set_column(at, name, column)
    parquet.write_table(table, path)
    return path


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"file_index": [9, 9, 9, 9]}, "has a column 'file_index'; expected none of this name"),
        ({"file_row_number": [9, 9, 9, 9]}, "has a column 'file_row_number'; expected none of this name"),
        ({"filename": ["x"] * 4}, "has a column 'filename'; expected none of this name"),
        ({"doc_hash": [1, 2, 3, 4]}, "column 'doc_hash' holds int64; expected numbers or texts"),
        ({"doc_hash": ["a", "b", None, "d"]}, "column doc_hash is missing or empty"),
        ({"score:acc": ["0", "1", "1", "0"]}, "column 'score:acc' holds string; expected numbers or texts"),
        ({"score:acc": [{"x": 1}] * 4}, "column 'score:acc' holds struct<x: int64>; expected numbers or texts"),
        ({"score:acc": [0.0, 1.0, float("nan"), 1.0]}, "column score:acc has scores that are not finite"),
        ({"score:acc": [0.0, 1.0, float("inf"), 1.0]}, "column score:acc has scores that are not finite"),
    ],
)
def test_samples_with_columns_that_mislead_are_refused(store: Store, columns: dict[str, Any], message: str) -> None:
    rewrite(store, BAD, **columns)
    with pytest.raises(StoreError) as caught:
        store.scores(BAD)
    assert message in str(caught.value)
    assert store.scores(GOOD).doc_hash == ("doc0", "doc1", "doc2", "doc3")


def test_columns_of_a_later_version_are_passed_over(store: Store) -> None:
    rewrite(store, BAD, confidence=[0.1, 0.2, 0.3, 0.4], steps=[{"x": 1}] * 4)
    assert len(store.samples(BAD)) == 4
    assert {*store.scores(BAD).scores} == {"acc", "prob_correct"}


def bomb(path: Path, columns: dict[str, Any], **options: Any) -> None:
    parquet.write_table(pa.table(columns), path, compression="zstd", **options)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"doc_hash": pa.nulls(30_000)}, {}, "has 30,000 rows; expected at most 20,000"),
        ({f"c{i}": [1] for i in range(11)}, {}, "has 11 columns; expected at most 10"),
        ({"doc_hash": ["x" * 10**4] * 1000, "score:acc": np.ones(1000)}, {}, "has more than 5,000,000 bytes"),
        (
            {"doc_hash": ["x" * 10**4] * 600},
            {"use_dictionary": False, "column_encoding": {"doc_hash": "DELTA_BYTE_ARRAY"}},
            "has more than 5,000,000 bytes",
        ),
    ],
)
def test_samples_that_unpack_to_more_than_is_allowed_are_refused(
    store: Store, columns: dict[str, Any], options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, "0.01")
    bomb(store.path(BAD) / SAMPLES, columns, **options)
    assert (store.path(BAD) / SAMPLES).stat().st_size < 5_000
    with pytest.raises(StoreError) as caught:
        store.scores(BAD)
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 4, b"x" * 100 + b"\xff\xff\xff\x7fPAR1"])
def test_a_file_that_is_no_parquet_is_refused(store: Store, content: bytes) -> None:
    (store.path(BAD) / SAMPLES).write_bytes(content)
    with pytest.raises(StoreError, match=r"samples\.parquet: "):
        store.scores(BAD)
