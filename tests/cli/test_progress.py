import io
from dataclasses import replace

import pytest

from harness.cli.output import one_line
from harness.cli.progress import ProgressReporter
from harness.records import CellResult, Outcome
from harness.runs import Progress
from tests.builders import cell, failed, hostile, model, result


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
