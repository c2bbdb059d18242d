"""What is expected of pieces after some were measured."""

from __future__ import annotations

import pytest

from harness.schedule import Piece
from harness.schedule.rates import OVERRUN, Rates, ratio


def piece(lane: int, task: str, *, job: int = 0, seconds: float = 1000.0, blocks: range | None = None) -> Piece:
    return Piece(lane=lane, job=job, task=task, seconds=seconds, blocks=blocks)


def test_nothing_measured_leaves_the_estimates() -> None:
    assert Rates().expected().seconds(piece(0, "t")) == 1000.0


def test_a_task_that_took_twice_as_long_on_one_model_does_so_on_another() -> None:
    rates = Rates()
    for lane in (0, 1):
        rates.note(piece(lane, "usual", seconds=1e5), 1e5)
    rates.note(piece(0, "long", seconds=1e5), 2e5)
    expected = rates.expected()
    assert expected.ratio(1, "long") / expected.ratio(1, "usual") == pytest.approx(2.0, rel=0.15)


def test_a_model_that_was_never_measured_is_as_much_off_as_the_others() -> None:
    rates = Rates()
    rates.note(piece(0, "t", seconds=1e5), 3e5)
    assert rates.expected().ratio(1, "never seen") == pytest.approx(3.0, rel=0.01)


def test_a_minute_of_measurements_moves_an_expectation_half_way() -> None:
    assert ratio(measured=180.0, guessed=60.0) == 2.0


def test_parts_of_a_cell_tell_of_its_other_parts() -> None:
    rates = Rates()
    rates.note(piece(0, "t", job=5, blocks=range(4)), 3000.0)
    for job in range(20):
        rates.note(piece(0, "t", job=10 + job), 1000.0)
    expected = rates.expected()
    assert expected.seconds(piece(0, "t", job=5)) > 2.5 * expected.seconds(piece(0, "t", job=6))


def test_what_runs_later_than_expected_counts_before_it_is_answered() -> None:
    rates = Rates()
    rates.note(piece(0, "t", seconds=100.0), 50.0)
    late, early = (piece(0, "t", job=1), 5000.0), (piece(0, "t", job=2), 10.0)
    assert rates.expected([early]).seconds(early[0]) == rates.expected().seconds(early[0])
    found = rates.expected([late, early]).seconds(early[0])
    assert found == pytest.approx(1000.0 * (50.0 + (1 + OVERRUN) * 5000.0) / 1100.0, rel=0.1)
    assert rates.expected().seconds(early[0]) < found  # what was noted stays as it was
