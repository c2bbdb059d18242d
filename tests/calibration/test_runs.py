"""The calibration of training runs: that the simulated runs are what they claim, and a small run of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from tests.calibration.families import TRUTHS
from tests.calibration.runs import (
    ALL,
    DOCUMENTS,
    GOALS,
    HALF_DECADE,
    HEAD,
    NO_JUMP,
    NOISE_HEAD,
    Outcome,
    curve_of,
    goal_rows,
    noise_rows,
    outcomes,
)

pytestmark = pytest.mark.calibration
LEVEL = next(truth for truth in TRUTHS if truth.name == "flat above chance")


def test_runs_of_a_size_scatter_by_the_noise_that_is_asked_for_and_share_a_point() -> None:
    rng = np.random.default_rng(0)
    curve, mean = curve_of(LEVEL, sizes=8, runs=400, noise=0.05, rng=rng, family="toy")
    assert curve.runs == (400,) * 8
    assert curve.y == pytest.approx(mean, abs=0.01)
    scores = [run.estimate.value for run in curve.points[0].runs]
    expected = np.hypot(0.05 * 2 * np.sqrt(0.45 * 0.55), np.sqrt(0.45 * 0.55 / DOCUMENTS))
    assert np.std(scores) == pytest.approx(expected, rel=0.1)
    assert curve.noise is not None
    assert curve.noise.sd == pytest.approx(0.05, rel=0.05)


def test_single_runs_have_no_noise_to_estimate() -> None:
    assert curve_of(LEVEL, sizes=8, runs=1, noise=0.05, rng=np.random.default_rng(0), family="toy").curve.noise is None


def test_the_same_truth_is_simulated_and_judged_in_the_same_way_again() -> None:
    first = outcomes(HALF_DECADE[0], 8, 1)
    assert first == outcomes(HALF_DECADE[0], 8, 1)
    assert [one.label for one in first if one.noise == 0.0] == ["emergent"] * 3


def test_a_narrow_rise_lies_at_another_place_in_each_study() -> None:
    rng = np.random.default_rng(0)
    drawn = [curve_of(HALF_DECADE[0], sizes=8, runs=1, noise=0.0, rng=rng, family="toy").mean for _ in range(20)]
    assert np.std([mean[4] for mean in drawn]) > 0.05


def told(truth: str, label: str, *, runs: int = 3, noise: float = 0.0, times: int = 10) -> list[Outcome]:
    return [Outcome(truth, 8, runs, noise, label, "", 0.02, 8)] * times


def test_goals_count_the_studies_that_they_are_about() -> None:
    found = [
        *told(HALF_DECADE[0].name, "emergent", times=19),
        *told(HALF_DECADE[0].name, "smooth", times=1),
        *told(NO_JUMP[0].name, "emergent", times=1),
        *told(NO_JUMP[0].name, "u-shaped", times=2),
        *told(NO_JUMP[0].name, "flat", times=97),
        *told("valley of 0.3", "u-shaped", times=4),
        *told("valley of 0.3", "flat", times=6),
    ]
    rows = {(row[0], row[1], row[2]): row for row in goal_rows(found)}
    assert all(len(row) == len(HEAD) for row in rows.values())
    shown = {
        goal.name: rows[goal.name, 3, "0"][6:9:2]
        for goal in GOALS
        if (goal.name, 3, "0") in rows and goal.noise[0] == 0.0
    }
    assert shown == {
        GOALS[0].name: ("95.0 of 20", "yes"),
        GOALS[1].name: ("0.0 of 0", None),
        GOALS[3].name: ("1.0 of 100", "no"),
        GOALS[5].name: ("2.0 of 100", "no"),
        GOALS[7].name: ("40.0 of 10", "no"),
    }


def test_the_table_of_noise_says_how_well_it_is_found() -> None:
    found = [
        one
        for runs in (1, 3, 5)
        for noise in (0.0, 0.02, 0.05)
        for one in told("linear", "smooth", runs=runs, noise=noise)
    ]
    rows = noise_rows(found)
    assert all(len(row) == len(NOISE_HEAD) for row in rows)
    assert rows[0] == (1, "0", "assumed", None, "100.0")
    assert rows[-1] == (5, "0.05", "0.020", "0.020 to 0.020", "100.0")


def test_every_truth_has_a_name_of_its_own() -> None:
    assert len({truth.name for truth in ALL}) == len(ALL)
