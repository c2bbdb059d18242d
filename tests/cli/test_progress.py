import io
import threading
import time
from dataclasses import replace

import pytest

from harness.cli.progress import ProgressReporter
from harness.engines import pulse
from harness.engines.protocol import EngineSettings
from harness.executors.protocol import ExecutorSettings, open_executor
from harness.executors.worker import LaneWorker
from harness.plan import RunPlan
from harness.records import CellResult, Outcome
from harness.runs import Progress
from harness.schedule import lanes
from harness.wording import one_line
from tests.builders import cell, failed, hostile, model, result, task
from tests.builders.commands import EXECUTORS


class Told:
    """A reporter that is told of outcomes as a run does: each with the progress, `seconds` after the one before."""

    def __init__(self, reporter: ProgressReporter, total: int) -> None:
        self.reporter, self.progress = reporter, Progress(total=total)

    def __call__(self, outcome: Outcome, seconds: float) -> None:
        self.progress = self.progress.after(outcome, elapsed_seconds=self.progress.elapsed_seconds + seconds)
        self.reporter.update(outcome, self.progress)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_file_gets_a_line_every_few_seconds_and_always_the_last() -> None:
    stream = io.StringIO()
    with ProgressReporter(total=8, stream=stream) as reporter:
        tell = Told(reporter, 8)
        for seed in range(8):
            tell(result(cell(seed=seed)), 2.0)
    assert stream.getvalue().splitlines() == [
        "0/8 cells",
        "3/8 cells, 30/min, ETA 0:10, last toy-1000 colours 0-shot default seed 2",
        "6/8 cells, 30/min, ETA 0:04, last toy-1000 colours 0-shot default seed 5",
        "8/8 cells, 30/min, last toy-1000 colours 0-shot default seed 7",
    ]


def test_two_cells_in_the_wink_of_an_eye_tell_no_rate() -> None:
    stream = io.StringIO()
    with ProgressReporter(total=2, stream=stream) as reporter:
        tell = Told(reporter, 2)
        for seed in range(2):
            tell(result(cell(seed=seed)), 0.004)
    assert stream.getvalue().splitlines()[-1] == "2/2 cells, last toy-1000 colours 0-shot default seed 1"


def test_a_failure_is_named_at_once() -> None:
    stream = io.StringIO()
    with ProgressReporter(total=2, stream=stream) as reporter:
        Told(reporter, 2)(failed(error="OutOfMemoryError", message="tried to allocate [2] GiB"), 1.0)
    assert stream.getvalue().splitlines()[1:] == [
        "FAILED toy-1000 colours 0-shot default seed 0: OutOfMemoryError: tried to allocate [2] GiB"
    ]


def fallen_back(model_name: str, reason: str | None) -> CellResult:
    made = result(cell(model=model(name=model_name)))
    return replace(made, provenance=replace(made.provenance, fallback=reason))


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_model_that_falls_back_is_told_once_per_reason(stream: io.StringIO) -> None:
    told = [("a", "soft-capping"), ("b", "soft-capping"), ("a", "soft-capping"), ("a", "no [cache]"), ("c", None)]
    with ProgressReporter(total=9, stream=stream) as reporter:
        tell = Told(reporter, 9)
        for name, reason in told:
            tell(fallen_back(name, reason), 0.0)
    shown = [line for line in stream.getvalue().splitlines() if "warning" in line]
    for line, (name, reason) in zip(shown, [told[0], told[1], told[3]], strict=True):
        assert f"warning: {name} runs on lm-eval's code: {reason}" in line


def test_nothing_to_do_says_nothing() -> None:
    for stream in (io.StringIO(), Terminal()):
        with ProgressReporter(total=0, stream=stream):
            pass
        assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_and_failures_above_it() -> None:
    stream = Terminal()
    with ProgressReporter(total=2, stream=stream) as reporter:
        tell = Told(reporter, 2)
        tell(failed(message="tried to allocate [2] GiB"), 6.0)
        tell(result(cell(seed=1)), 6.0)
    shown = stream.getvalue()
    assert "FAILED toy-1000 colours 0-shot default seed 0: ValueError: tried to allocate [2] GiB" in shown
    assert "2/2 cells, 1 failed, 10/min" in shown
    assert "━" in shown


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("name", hostile.TERMINAL, ids=ascii)
def test_progress_obeys_no_name(name: str, terminal: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    with ProgressReporter(total=2, stream=stream, every_seconds=0.0) as reporter:
        tell = Told(reporter, 2)
        tell(failed(cell(task=name), message=name), 1.0)
        tell(result(cell(task=name, seed=1)), 1.0)
    shown = stream.getvalue()
    assert one_line(name) in shown
    assert name not in shown


def test_a_silent_run_says_what_it_is_at() -> None:
    stream, at = io.StringIO(), ["toy-1b"]
    with ProgressReporter(total=2, loading=lambda: at, stream=stream, silence_seconds=0.1) as reporter:
        wait_for(stream, "loading toy-1b")
        at.clear()
        Told(reporter, 2)(result(cell()), 1.0)
        wait_for(stream, "answering")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "0/2 cells"
    assert lines[1].startswith("0/2 cells, loading toy-1b, ")
    assert lines[-1].startswith("1/2 cells, answering, ")


def wait_for(stream: io.StringIO, word: str) -> None:
    until = time.monotonic() + 5.0
    while word not in stream.getvalue() and time.monotonic() < until:
        time.sleep(0.01)


def test_what_is_done_before_a_cell_is_answered_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    running = open_executor("inline", ExecutorSettings())
    seen: list[tuple[str, ...]] = []

    def answer(self: LaneWorker, index: int) -> CellResult:
        pulse.doing("training, step 2 of 9")
        seen.append(running.doing)  # type: ignore[attr-defined]
        return result(cell(engine="simulated"))

    monkeypatch.setattr(LaneWorker, "answer", answer)
    plan = RunPlan(cells=(cell(engine="simulated"),), tasks={"colours": task()})
    list(running.run(lanes(plan, seconds=lambda *_: 1.0), EngineSettings()))
    assert seen == [("toy-1000 colours 0-shot default seed 0: training, step 2 of 9",)]
    assert running.doing == ()  # type: ignore[attr-defined]
    pulse.doing("")


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_executor_tells_what_it_loads(executor: str) -> None:
    asked = cell(engine="simulated", model=model(1000, name="own"))
    running = open_executor(executor, ExecutorSettings(workers=1))
    seen: list[tuple[str, ...]] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.0005):
            seen.append(running.loading)  # type: ignore[attr-defined]

    watching = threading.Thread(target=look)
    watching.start()
    made = lanes(RunPlan(cells=(asked,), tasks={asked.task: task()}))
    outcomes = list(running.run(made, EngineSettings()))
    over.set()
    watching.join()
    assert len(outcomes) == 1
    assert running.loading == ()
    if executor == "ray":
        assert ("Ray",) in seen
        assert ("own",) in seen


def test_a_training_says_how_far_it_is_before_a_cell_is_answered() -> None:
    stream, at = io.StringIO(), ["a topic: training, step 20 of 200, loss 1.204, ETA 0:12", "b topic: training"]
    with ProgressReporter(total=2, doing=lambda: at, stream=stream, silence_seconds=0.1):
        wait_for(stream, "training")
    assert stream.getvalue().splitlines()[1] == f"0/2 cells, {at[0]} and 1 more"
