import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import load_catalog, select
from harness.engines.protocol import EngineSettings
from harness.errors import HarnessError, StoreError
from harness.plan import Cell, RunPlan
from harness.records import Outcome
from harness.runner import evaluate, prepare
from harness.runs.record import Progress, RunRecord
from harness.schedule import Lane
from harness.store import Store
from tests.builders import cell, failed, result, task


class Recited:
    """An executor that answers without a model; the cells whose seed is in `failing` fail."""

    def __init__(self, failing: Iterable[int] = ()) -> None:
        self.failing = frozenset(failing)
        self.started: list[Cell] = []
        self.ended = False

    def run(self, lanes: Sequence[Lane], settings: EngineSettings) -> Generator[Outcome, None, None]:
        try:
            for job in (job for lane in lanes for job in lane.jobs):
                self.started.append(job.cell)
                yield failed(job.cell) if job.cell.seed in self.failing else result(job.cell)
        finally:
            self.ended = True


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def plan(seeds: int = 3) -> RunPlan:
    return RunPlan(cells=tuple(cell(shots=1, seed=seed) for seed in range(seeds)), tasks={"colours": task()})


def seeds(cells: Iterable[Cell]) -> list[int]:
    return [asked.seed for asked in cells]


def test_a_second_run_evaluates_only_what_is_missing(store: Store) -> None:
    evaluate(plan(2), results=store.root, executor=Recited())
    second = Recited()
    came = evaluate(plan(4), results=store.root, executor=second)
    assert (came.total, came.done) == (2, 2)
    assert seeds(second.started) == [2, 3]


def test_failed_cells_are_left_alone_unless_they_are_to_be_retried(store: Store) -> None:
    evaluate(plan(), results=store.root, executor=Recited(failing=[1]))
    assert prepare(plan(), results=store.root, executor=Recited()).todo.cells == ()
    again = Recited()
    came = evaluate(plan(), results=store.root, executor=again, retry_failed=True)
    assert (came.done, came.failed, seeds(again.started)) == (1, 0, [1])
    assert (len(store.done()), len(store.failed())) == (3, 0)


def test_each_outcome_is_shown_with_how_far_the_run_is_once_it_is_stored(store: Store) -> None:
    seen: list[tuple[int, int]] = []

    def watch(outcome: Outcome, progress: Progress) -> None:
        assert outcome.cell.place in store.done() | store.failed()
        seen.append((progress.done, progress.failed))

    came = evaluate(plan(), results=store.root, executor=Recited(failing=[1]), watch=watch)
    assert seen == [(1, 0), (1, 1), (2, 1)]
    assert (came.done, came.failed) == seen[-1]
    assert only_record(store).progress == came


@pytest.mark.parametrize(
    ("asked", "options", "message"),
    [
        (replace(plan(), tasks={"colours": task(unsafe_code=True)}), {}, "agree with --confirm_run_unsafe_code"),
        (plan(), {"workers": 0}, "--workers 0: expected 1 or more"),
        *(
            (plan(), {"address": text}, f"--address '{text}': expected HOST:PORT of the head of a Ray cluster")
            for text in ("nonsense", "", "ray://head:10001", "http://head:8265", "head:99999", ":6379")
        ),
        (plan(), {"executor": "slurm"}, "unknown executor 'slurm'; known: inline, ray"),
        (RunPlan(cells=(cell(engine="tre"),), tasks={"colours": task()}), {}, "unknown engine 'tre'; known: encoder"),
        (
            RunPlan(cells=(cell(engine="tree"),), tasks={"colours": task()}, pickles=(Path("m/pytorch_model.bin"),)),
            {},
            r"m/pytorch_model\.bin: a pickle, which can run code",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(
    store: Store, asked: RunPlan, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        evaluate(asked, results=store.root, **{"executor": Recited(), **options})
    assert not store.root.exists()


def stop(outcome: Outcome, progress: Progress) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_run_keeps_what_it_had_and_ends_its_executor(store: Store) -> None:
    executor = Recited()
    with pytest.raises(KeyboardInterrupt):
        evaluate(plan(), results=store.root, executor=executor, watch=stop)
    assert (executor.ended, len(store.done()), only_record(store).ending) == (True, 1, "interrupted")
    assert seeds(prepare(plan(), results=store.root, executor=Recited()).todo.cells) == [1, 2]


def test_a_store_that_cannot_be_written_stops_the_run_and_ends_its_executor(store: Store) -> None:
    store.root.mkdir()
    (store.root / "toy").write_text("a file where the family's folder should be")
    executor = Recited()
    with pytest.raises(StoreError, match="toy"):
        evaluate(plan(), results=store.root, executor=executor)
    assert executor.ended
    assert seeds(executor.started) == [0]


def only_record(store: Store) -> RunRecord:
    [record], problems = store.runs()
    assert problems == ()
    return record


def test_the_runner_loads_nothing_heavy() -> None:
    code = (
        "import harness.runner, harness.cli.progress, sys;"
        "print({'ray', 'torch', 'pandas', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_sigterm_ends_an_inline_run_in_order_and_its_record_says_so(tmp_path: Path, toy: Path) -> None:
    plan = select(load_catalog([toy]), suites=["toy"], families=["steps"], engine="simulated")
    usual = signal.getsignal(signal.SIGTERM)

    def stop(outcome: Outcome, progress: Progress) -> None:
        if progress.finished == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        evaluate(plan, results=tmp_path / "results", executor="inline", watch=stop)
    store = Store(tmp_path / "results")
    ((record,), _) = store.runs()
    assert (record.ending, record.progress.done, len(store.results())) == ("interrupted", 3, 3)
    assert signal.getsignal(signal.SIGTERM) == usual
