import io
from dataclasses import replace

import pytest

from harness.cli.output import one_line
from harness.cli.progress import ProgressReporter
from harness.records import CellResult
from tests.builders import cell, failed, hostile, model, result


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_file_gets_a_line_every_few_seconds_and_always_the_last() -> None:
    stream, clock = io.StringIO(), Clock()
    with ProgressReporter(total=8, stream=stream, clock=clock) as reporter:
        for seed in range(8):
            clock.now += 2.0
            reporter.update(result(cell(seed=seed)))
    assert stream.getvalue().splitlines() == [
        "0/8 cells",
        "3/8 cells, 30/min, ETA 0:10, last toy-1000 colours 0-shot default seed 2",
        "6/8 cells, 30/min, ETA 0:04, last toy-1000 colours 0-shot default seed 5",
        "8/8 cells, 30/min, last toy-1000 colours 0-shot default seed 7",
    ]
    assert reporter.progress.elapsed_seconds == 16.0


def test_two_cells_in_the_wink_of_an_eye_tell_no_rate() -> None:
    stream, clock = io.StringIO(), Clock()
    with ProgressReporter(total=2, stream=stream, clock=clock) as reporter:
        for seed in range(2):
            clock.now += 0.004
            reporter.update(result(cell(seed=seed)))
    assert stream.getvalue().splitlines()[-1] == "2/2 cells, last toy-1000 colours 0-shot default seed 1"


def test_a_failure_is_named_at_once() -> None:
    stream, clock = io.StringIO(), Clock()
    with ProgressReporter(total=2, stream=stream, clock=clock) as reporter:
        clock.now += 1.0
        reporter.update(failed(error="OutOfMemoryError", message="tried to allocate [2] GiB"))
    assert stream.getvalue().splitlines()[1:] == [
        "FAILED toy-1000 colours 0-shot default seed 0: OutOfMemoryError: tried to allocate [2] GiB"
    ]


def fallen_back(model_name: str, reason: str | None) -> CellResult:
    made = result(cell(model=model(name=model_name)))
    return replace(made, provenance=replace(made.provenance, fallback=reason))


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_model_that_falls_back_is_told_once_per_reason(stream: io.StringIO) -> None:
    told = [("a", "soft-capping"), ("b", "soft-capping"), ("a", "soft-capping"), ("a", "no [cache]"), ("c", None)]
    with ProgressReporter(total=9, stream=stream, clock=Clock()) as reporter:
        for name, reason in told:
            reporter.update(fallen_back(name, reason))
    shown = [line for line in stream.getvalue().splitlines() if "warning" in line]
    for line, (name, reason) in zip(shown, [told[0], told[1], told[3]], strict=True):
        assert f"warning: {name} runs on lm-eval's code: {reason}" in line


def test_nothing_to_do_says_nothing() -> None:
    for stream in (io.StringIO(), Terminal()):
        with ProgressReporter(total=0, stream=stream):
            pass
        assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_and_failures_above_it() -> None:
    stream, clock = Terminal(), Clock()
    with ProgressReporter(total=2, stream=stream, clock=clock) as reporter:
        clock.now += 6.0
        reporter.update(failed(message="tried to allocate [2] GiB"))
        clock.now += 6.0
        reporter.update(result(cell(seed=1)))
    shown = stream.getvalue()
    assert "FAILED toy-1000 colours 0-shot default seed 0: ValueError: tried to allocate [2] GiB" in shown
    assert "2/2 cells, 1 failed, 10/min" in shown
    assert "━" in shown


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("name", hostile.TERMINAL, ids=ascii)
def test_progress_obeys_no_name(name: str, terminal: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    with ProgressReporter(total=2, stream=stream, every_seconds=0.0) as reporter:
        reporter.update(failed(cell(task=name), message=name))
        reporter.update(result(cell(task=name, seed=1)))
    shown = stream.getvalue()
    assert one_line(name) in shown
    assert name not in shown
