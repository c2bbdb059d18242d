"""Results in an object store keep the promises of a folder: complete or absent, wherever they are read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fsspec
import pytest

from harness.errors import StoreError
from harness.plan import Cell
from harness.store import FAILURE, HEADER, SAMPLES, LeaseOwner, Leases, Store
from harness.store.bucket import CACHE
from tests.builders import cell, failed, model, result
from tests.builders.commands import Emergence, toy_options, write_toy
from tests.builders.runs import record

MEMORY = "memory://bucket/run"


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Address of an S3 server on loopback."""
    from moto.server import ThreadedMotoServer

    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    started.start()
    host, port = started.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "FSSPEC_S3_ENDPOINT_URL": f"http://{host}:{port}",
        }.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").mkdir("bucket")
        yield "s3://bucket/run"
    started.stop()


@pytest.fixture(params=["memory", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(CACHE, str(tmp_path / "here"))
    found = MEMORY if request.param == "memory" else request.getfixturevalue("served")
    files = fsspec.filesystem(found.partition(":")[0], skip_instance_cache=True)
    if files.exists("bucket/run"):
        files.rm("bucket/run", recursive=True)
    return str(found)


def names(address: str) -> set[str]:
    """Names of the files at the other end."""
    files = fsspec.filesystem(address.partition(":")[0], skip_instance_cache=True)
    files.invalidate_cache()
    return {path.rpartition("/")[2] for path in files.find("bucket/run")}


def elsewhere(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store as another machine sees it."""
    monkeypatch.setenv(CACHE, str(tmp_path / "there"))
    return Store(Path(address))


def test_what_one_machine_writes_another_reads(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, written = Store(Path(address)), result()
    store.check_writable()
    store.write(written)
    store.write(failed(cell(seed=1)))
    store.write_run(record())
    assert names(address) == {HEADER, SAMPLES, FAILURE, record().name.replace(":", "_")}
    other = elsewhere(address, tmp_path, monkeypatch)
    assert [read.cell for read in other.results()] == [written.cell]
    assert other.samples(written.cell) == written.samples
    assert [failure.cell.seed for failure in other.failures()] == [1]
    assert [run.pid for run in other.runs()[0]] == [4321]


def test_a_failure_that_is_mended_is_gone_everywhere_and_a_changed_header_is_read_anew(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(Path(address)).write(failed())
    assert len(elsewhere(address, tmp_path, monkeypatch).failures()) == 1
    monkeypatch.setenv(CACHE, str(tmp_path / "here"))
    store = Store(Path(address))
    store.write(result())
    assert names(address) == {HEADER, SAMPLES}
    assert store.describe(store.results()[0], model(tokens=77))
    other = elsewhere(address, tmp_path, monkeypatch)
    assert (len(other.failures()), [read.cell.model.tokens for read in other.results()]) == (0, [77])


def test_a_header_is_sent_after_its_samples_and_nothing_counts_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "here"))
    files = fsspec.filesystem("memory")
    files.store.clear()
    store, sent = Store(Path(MEMORY)), []
    usual = type(files).pipe_file

    def breaks(self: Any, path: str, value: bytes, **options: Any) -> None:
        sent.append(path.rpartition("/")[2])
        if sent[-1] == HEADER:
            raise OSError("connection lost")
        usual(self, path, value, **options)

    monkeypatch.setattr(type(files), "pipe_file", breaks)
    with pytest.raises(StoreError, match=r"^memory://bucket/run: cannot be reached or written: connection lost"):
        store.write(result())
    assert sent == [SAMPLES, HEADER]
    assert elsewhere(MEMORY, tmp_path, monkeypatch).results() == ()
    monkeypatch.undo()
    monkeypatch.setenv(CACHE, str(tmp_path / "here"))
    Store(Path(MEMORY)).check_writable()  # the next run sends what this one could not
    assert len(elsewhere(MEMORY, tmp_path, monkeypatch).results()) == 1


def test_of_many_runs_that_want_a_cell_one_gets_it_and_the_others_find_it_done(address: str) -> None:
    stores = [Store(Path(address)) for _ in range(3)]
    owners = [store.new_owner() for store in stores]
    assert None not in owners
    runs = [store.leases(owner) for store, owner in zip(stores, owners, strict=True) if owner is not None]
    cells = [cell(seed=seed) for seed in range(8)]

    def race(number: int) -> list[Cell]:
        return [each for each in cells if stores[number].take(each, runs[number]) == "mine"]

    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        for run in runs:
            stack.enter_context(run)
        got = list(pool.map(race, range(3)))
        assert sorted(each.seed for some in got for each in some) == list(range(8))
        for store, run, some in zip(stores, runs, got, strict=True):
            for each in some:
                store.write(result(each))
                run.release(each.place)
        assert {store.take(each, run) for store, run in zip(stores, runs, strict=True) for each in cells} == {"done"}
    assert not [name for name in names(address) if name.endswith(".beat") or "toy-" in name]


def test_a_cell_of_a_silent_run_is_taken_over(address: str) -> None:
    store, now = Store(Path(address)), [0.0]
    files = store.leases(LeaseOwner(root=Path(address), name="far-1-aa"))._files
    gone = Leases(LeaseOwner(root=Path(address), name="far-1-aa"), files, clock=lambda: 0.0)
    other = Leases(LeaseOwner(root=Path(address), name="far-2-bb"), files, clock=lambda: now[0])
    assert gone.claim(cell().place)
    assert not other.claim(cell().place)
    now[0] = 61.0
    assert other.claim(cell().place)
    assert not gone.holds(cell().place)


def test_a_store_without_conditional_writes_is_named_in_one_line(
    emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "here"))
    files = fsspec.filesystem("memory")
    files.store.clear()
    usual = type(files).pipe_file
    monkeypatch.setattr(
        type(files), "pipe_file", lambda self, path, value, mode="overwrite", **_: usual(self, path, value)
    )
    options = toy_options(write_toy(tmp_path / "toy"))
    done = emergence("run", *options, "--executor", "inline", "--results", MEMORY)
    assert done.code == 0
    said = [line for line in done.err.splitlines() if "conditional writes" in line]
    assert said == [
        "memory://bucket/run: this store has no conditional writes, so that runs into it do not know of each other; "
        "give each of several runs its own cells with --slice"
    ]


@pytest.mark.processes
def test_two_runs_into_one_bucket_evaluate_no_cell_twice(served: str, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom harness.runner import evaluate\n"
        "from tests.benchmarks.driver import large_plan\n"
        "done = evaluate(large_plan(100), results=sys.argv[1], executor='inline')\nprint(done.done, done.failed)\n"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, f"{served}-twice"],
            env={**os.environ, CACHE: str(tmp_path / str(number)), "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    done = [[int(word) for word in run.communicate(timeout=120)[0].split()] for run in runs]
    assert sum(evaluated for evaluated, _ in done) == 100
    assert min(evaluated for evaluated, _ in done) > 0
    assert len(Store(Path(f"{served}-twice")).results()) == 100


def test_files_whose_names_lead_out_of_the_copy_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "here"))
    files = fsspec.filesystem("memory")
    files.store.clear()
    Store(Path(MEMORY)).write(result())
    for name in ("a/../../../cell.json", "notes.txt", "deep/other.bin"):
        files.store[f"/bucket/run/{name}"] = files.store[next(iter(files.store))]
    other = elsewhere(MEMORY, tmp_path, monkeypatch)
    assert len(other.results()) == 1
    assert {path.name for path in (tmp_path / "there").rglob("*") if path.is_file()} == {HEADER, SAMPLES, ".seen.json"}


def test_a_run_and_its_leaderboard_work_at_an_address(
    emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "here"))
    fsspec.filesystem("memory").store.clear()
    options = toy_options(write_toy(tmp_path / "toy"))
    done = emergence("run", *options, "--executor", "inline", "--results", MEMORY)
    assert done.code == 0, done.err
    assert "16 cells evaluated, 0 failed" in done.err
    monkeypatch.setenv(CACHE, str(tmp_path / "there"))
    again = emergence("run", *options, "--executor", "inline", "--results", MEMORY)
    assert "16 of 16 cells are done already" in again.err
    table = emergence("leaderboard", "--results", MEMORY)
    assert len(table.out.splitlines()) > 16
    assert "memory:" not in {path.name for path in tmp_path.iterdir()}


def test_without_the_package_an_address_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "filesystem", lacking)
    for scheme, package in (("s3", "s3fs"), ("gs", "gcsfs")):
        with pytest.raises(StoreError, match=f"^{scheme}://bucket/run: reaching it takes .* {package}: pip install"):
            Store(Path(f"{scheme}://bucket/run"))
