import errno
import json
import os
import resource
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from harness.errors import StoreError
from harness.plan import Cell
from harness.records import Outcome
from harness.store import FAILURE, HEADER, SAMPLES, Store
from tests.builders import cell, failed, model, result, sample
from tests.builders.runs import record as run_record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.mark.parametrize("address", ["ftp://bucket/run", Path("ftp://bucket/run"), "file:///bucket/run"])
def test_an_address_that_is_neither_folder_nor_object_store_is_refused(
    address: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        StoreError, match=r"^(ftp|file)://bucket/run: results are kept in a folder, or below s3://, gs://"
    ):
        Store(address)
    assert list(tmp_path.iterdir()) == []


def test_a_result_comes_back_as_it_was_written(store: Store) -> None:
    written = result(samples=(sample(0, options=("red", "blue"), option_loglikelihoods=(-0.1, -2.0)), sample(1)))
    store.write(written)
    (read,) = store.results()
    assert read.samples is None
    assert read.scores == written.scores
    assert read.cell == written.cell
    assert read.provenance == written.provenance
    assert store.samples(read.cell) == written.samples
    assert store.done() == {written.cell.place}
    assert store.problems() == ()


def test_a_header_from_before_the_tree_engine_is_read(store: Store) -> None:
    written = result()
    store.write(written)
    header = store.path(cell()) / HEADER
    raw = json.loads(header.read_text())
    for name in ("token_budget", "deterministic", "fallback", "fence"):
        del raw["provenance"][name]
    header.write_text(json.dumps(raw))
    (read,) = store.results()
    assert read.provenance == written.provenance
    assert (read.provenance.token_budget, read.provenance.fallback, read.provenance.fence) == (None, None, None)


def test_a_header_from_before_losses_is_read_and_belongs_to_the_same_cell(store: Store) -> None:
    written = result(cell(model=model(loss=2.5)))
    store.write(written)
    header = store.path(written.cell) / HEADER
    raw = json.loads(header.read_text())
    del raw["cell"]["model"]["loss"]
    header.write_text(json.dumps(raw))
    assert store.done() == {written.cell.place} == {cell().place}
    assert store.results()[0].cell.model.loss is None


def test_scores_of_documents_come_back_without_their_texts(store: Store) -> None:
    written = result(samples=(sample(0), sample(1, scores={"acc": 0.0, "prob_correct": 0.25})))
    store.write(written)
    read = store.scores(cell())
    assert read.doc_hash == ("doc0", "doc1")
    assert {name: list(values) for name, values in read.scores.items()} == {"acc": [1, 0], "prob_correct": [0.5, 0.25]}


def test_a_metric_that_a_document_has_no_score_in_is_no_score_of_documents(store: Store) -> None:
    store.write(result(samples=(sample(0, scores={"acc": 1.0}), sample(1))))
    assert set(store.scores(cell()).scores) == {"acc"}


def test_several_texts_of_a_document_come_back(store: Store) -> None:
    written = result(samples=(sample(0, output="a", outputs=("a", "b", "a")), sample(1)))
    store.write(written)
    assert store.samples(cell()) == written.samples


def test_samples_from_before_several_texts_are_read(store: Store) -> None:
    written = result(samples=(sample(0), sample(1)))
    store.write(written)
    path = store.path(cell()) / SAMPLES
    parquet.write_table(parquet.read_table(path).drop_columns(["outputs"]), path)
    assert store.samples(cell()) == written.samples


def test_the_path_tells_family_model_revision_variant_task_and_setting(store: Store) -> None:
    asked = cell(model=model(name="org/m", family="toy", revision="abc", variant="int8"), shots=2, seed=1)
    relative = store.path(asked).relative_to(store.root)
    assert relative.as_posix() == f"toy/org--m@abc+int8/colours/2shot-default-seed1-{asked.key[:8]}"


def test_a_name_with_separators_stays_inside_the_results_folder(store: Store) -> None:
    path = store.path(cell(model=model(name="../../etc", family="../x")))
    assert path.resolve().is_relative_to(store.root.resolve())


def test_a_failure_is_kept_until_the_cell_goes_well(store: Store) -> None:
    store.write(failed())
    assert store.failed() == {cell().place}
    assert store.done() == frozenset()
    store.write(result())
    assert store.failed() == frozenset()
    assert store.done() == {cell().place}
    assert not (store.path(cell()) / FAILURE).exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: "not json", "is damaged: not JSON"),
        (lambda raw: json.dumps({"hello": 1}), "is no result of this program"),
        (lambda raw: json.dumps(raw | {"schema": 99}), "written by a newer version (schema 99; this one reads 1)"),
        (lambda raw: json.dumps(raw | {"schema": 0}), "is too old (schema 0; this one reads 1)"),
        (lambda raw: json.dumps(raw | {"n_expected": "many"}), "is damaged: n_expected"),
        (lambda raw: json.dumps(raw | {"key": "0" * 16}), "does not belong to its cell"),
    ],
)
def test_unreadable_headers_are_reported_and_left_alone(store: Store, change, message: str) -> None:
    store.write(result())
    header = store.path(cell()) / HEADER
    text = change(json.loads(header.read_text()))
    header.write_text(text)
    (problem,) = store.problems()
    assert message in str(problem)
    assert str(header) in str(problem)
    assert store.results() == ()
    assert header.read_text() == text


def test_an_unreadable_header_is_moved_aside_when_its_cell_is_written_again(store: Store) -> None:
    store.write(result())
    header = store.path(cell()) / HEADER
    header.write_text("somebody's notes")
    store.write(result())
    assert store.done() == {cell().place}
    assert header.with_name("cell.json.unreadable").read_text() == "somebody's notes"


def test_answers_are_given_to_another_family_and_stay_in_their_own(store: Store) -> None:
    written = result(cell(model=model(family="shipped")))
    store.write(written)
    (read,) = store.results()
    mine = cell(model=model(family="mine", params=2000, name="toy-1000"))
    store.write(failed(mine))
    assert mine.key == read.cell.key
    assert store.take_over(read, mine)
    assert store.done() == {written.cell.place, mine.place}
    assert (store.samples(mine), store.samples(written.cell)) == (written.samples, written.samples)
    (own,) = [r for r in store.results() if r.cell.model.family == "mine"]
    assert (own.cell, own.scores, own.provenance) == (mine, written.scores, written.provenance)
    assert sorted(path.name for path in store.path(mine).iterdir()) == [HEADER, SAMPLES]


def test_answers_that_are_gone_are_not_given(store: Store) -> None:
    assert not store.take_over(result(), cell(model=model(family="mine")))
    assert not store.root.exists()


@pytest.mark.parametrize(("outcome", "name"), [(result(), HEADER), (failed(), FAILURE)])
def test_what_is_told_of_a_model_is_put_right_and_nothing_else(store: Store, outcome: Outcome, name: str) -> None:
    store.write(outcome)
    before = {path.name: path.read_bytes() for path in store.path(outcome.cell).iterdir()}
    path = store.path(outcome.cell) / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"of a later version": 1}))
    assert store.describe(
        outcome, model(params=2000, name="toy-1000", tokens=None, loss=2.5, path="/elsewhere", gpus=4)
    )
    raw = json.loads(path.read_text())
    told = raw["cell"]["model"]
    assert (told["params"], told["tokens"], told["loss"], told["path"], told["gpus"]) == (2000, None, 2.5, None, None)
    told.update(params=1000, tokens=20000, loss=None)
    assert raw == json.loads(before.pop(name)) | {"of a later version": 1}
    assert before == {p.name: p.read_bytes() for p in store.path(outcome.cell).iterdir() if p.name != name}


def test_a_file_that_somebody_moved_is_not_described(store: Store) -> None:
    assert not store.describe(result(), model(loss=2.5))


def test_a_header_without_samples_is_a_problem_not_a_result(store: Store) -> None:
    store.write(result())
    (store.path(cell()) / SAMPLES).unlink()
    assert store.done() == frozenset()
    assert "samples.parquet beside it is missing: run the cell again" in str(store.problems()[0])


@pytest.mark.parametrize("left", [0, 3, 100, -1])
def test_a_header_whose_samples_broke_off_is_a_problem_until_the_cell_is_written_again(store: Store, left: int) -> None:
    store.write(result())
    path = store.path(cell()) / SAMPLES
    path.write_bytes(path.read_bytes()[:left])
    (problem,) = store.problems()
    assert (
        problem.message
        == "samples.parquet beside it cannot be read to its end: run the cell again, or restore the file"
    )
    assert store.done() == frozenset()
    store.write(result())
    assert store.done() == {cell().place}
    assert store.problems() == ()


@pytest.mark.parametrize("read", [Store.samples, Store.scores])
def test_damaged_samples_are_named(store: Store, read: Callable[[Store, Cell], object]) -> None:
    store.write(result())
    path = store.path(cell()) / SAMPLES
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"samples\.parquet: cannot be read"):
        read(store, cell())
    path.unlink()
    with pytest.raises(StoreError, match=r"samples\.parquet: cannot be read"):
        read(store, cell())


def test_two_trees_merge_by_copying(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    one.write(result(cell(shots=0)))
    two.write(result(cell(shots=2)))
    shutil.copytree(two.root, one.root, dirs_exist_ok=True)
    assert one.done() == {cell(shots=0).place, cell(shots=2).place}


def test_a_results_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(StoreError, match=r"results.*cannot be written"):
        Store(tmp_path / "results").check_writable()
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "results").write(result())


def test_a_full_disk_leaves_nothing_that_counts(store: Store) -> None:
    """The kernel refuses to let any file grow beyond 2 kB: writing fails midway, as on a full disk."""
    program = """
        import resource, signal, sys
        from pathlib import Path
        from harness.errors import StoreError
        from harness.store import Store
        from tests.builders import result
        import pyarrow.parquet
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            Store(Path(sys.argv[1])).write(result(values=[0.0, 1.0] * 500))
        except StoreError as error:
            print(error)
    """
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] in (resource.RLIM_INFINITY, -1)
    command = [sys.executable, "-c", textwrap.dedent(program), str(store.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert "cannot be written: File too large" in done.stdout
    assert store.done() == frozenset()
    assert [p.name for p in store.root.rglob("*") if p.is_file()] == []


def test_an_interrupted_write_counts_for_nothing_and_is_cleared_a_day_later(store: Store) -> None:
    folder = store.path(cell())
    folder.mkdir(parents=True)
    half = folder / ".writing-1-samples.parquet"
    half.write_bytes(b"half")
    os.utime(half, (time.time() - 90_000,) * 2)
    (folder / SAMPLES).write_bytes(b"half")  # samples replaced, header not yet written
    assert store.done() == frozenset()
    assert store.problems() == ()
    store.write(result())
    assert sorted(p.name for p in folder.iterdir()) == [HEADER, SAMPLES]


def test_two_writers_in_step_leave_each_other_alone(store: Store) -> None:
    folder = store.path(cell())
    folder.mkdir(parents=True)
    others = folder / ".writing-node7-12-ab34-samples.parquet"
    others.write_bytes(b"half")
    with ThreadPoolExecutor(8) as pool:
        for written in [pool.submit(store.write, result()) for _ in range(80)]:
            written.result()
    assert store.done() == {cell().place}
    assert store.problems() == ()
    assert sorted(p.name for p in folder.iterdir()) == [others.name, HEADER, SAMPLES]


def test_a_number_that_is_none_cannot_become_a_result() -> None:
    with pytest.raises(ValueError, match="metric acc came out as nan"):
        result(values=[float("nan"), 1.0])


def test_the_stamp_changes_with_the_results(store: Store) -> None:
    before = store.stamp()
    store.write(result())
    assert store.stamp() != before
    assert store.stamp() == store.stamp()


def test_the_stamp_tells_an_older_file_put_in_the_place_of_another(store: Store) -> None:
    store.write(result(values=(1.0, 1.0)))
    store.write(result(cell(shots=2)))
    header = store.path(cell()) / HEADER
    before = store.stamp()
    os.utime(header, ns=(1, 1))
    assert store.stamp() != before


def test_the_stamp_tells_that_samples_are_gone(store: Store) -> None:
    store.write(result())
    before = store.stamp()
    (store.path(cell()) / SAMPLES).unlink()
    assert store.stamp() != before


def test_the_stamp_tells_that_samples_broke_off_and_that_they_were_restored(store: Store) -> None:
    store.write(result())
    before, path = store.stamp(), store.path(cell()) / SAMPLES
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert store.stamp() != before
    path.write_bytes(whole)
    assert store.stamp() == before


def test_a_file_that_goes_while_the_stamp_is_taken_is_passed_over(store: Store) -> None:
    store.write(failed())
    store.path(cell(shots=2)).mkdir(parents=True)
    # a link to nothing is listed and cannot be looked at, as a file that has just been taken away
    (store.path(cell(shots=2)) / FAILURE).symlink_to("gone")
    assert store.stamp()[0] == 1


def test_a_full_disk_keeps_no_run_from_saying_how_it_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    going = run_record()
    store.write_run(going)

    def full(path: Path, data: bytes, **_: bool) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("harness.store.run_files.replace_file", full)
    with pytest.raises(StoreError, match="No space left on device"):
        store.write_run(going)
    store.write_run(replace(going, ending="stopped", error="StoreError: No space left on device"))
    ((read,), _) = store.runs()
    assert (read.ending, read.error, read.plan) == ("stopped", "StoreError: No space left on device", going.plan)

    def no_longer(path: Path, data: bytes) -> None:
        if len(data) > path.stat().st_size:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        path.write_bytes(data)

    monkeypatch.setattr("harness.store.run_files.overwrite_file", no_longer)
    store.write_run(replace(going, ending="stopped", error="x" * 500))
    ((read,), _) = store.runs()
    assert (read.ending, read.plan) == ("stopped", ())
