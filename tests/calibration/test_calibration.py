"""The calibration itself: that the simulated truths are what they claim, and a small run of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.curves import Curve
from tests.calibration.families import DECADES, SHARP_METRIC, SMALLEST, STEPS, TRUTHS, Simulated, Truth, simulate
from tests.calibration.table import COLUMNS, HEAD, Outcome, Rate, goal_rows, judged, kind, outcomes, verdict_rows

pytestmark = pytest.mark.calibration

BY_NAME = {truth.name: truth for truth in TRUTHS}


def study(truth: Truth, *, sizes: int = 8, documents: int = 1000, noise: float = 0.0, seed: int = 0) -> Simulated:
    rng = np.random.default_rng(seed)
    return simulate(truth, sizes=sizes, documents=documents, noise=noise, rng=rng, family="toy")


def scores(truth: Truth, **changes: float) -> np.ndarray:
    """Sharp scores of 200 studies of the truth, shape (studies, sizes)."""
    return np.array([study(truth, seed=seed, **changes).curves[0].y for seed in range(200)])  # type: ignore[arg-type]


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
def test_a_truth_is_a_score_and_names_verdicts_that_exist(truth: Truth) -> None:
    for sizes in (4, 12):
        mean = truth.mean(np.linspace(0, DECADES, sizes), sizes)
        assert mean.min() >= 0.0
        assert mean.max() <= 1.0
    assert truth.right <= COLUMNS.keys()


@pytest.mark.parametrize("truth", [t for t in TRUTHS if not t.located], ids=lambda truth: truth.name)
def test_simulated_scores_have_the_mean_of_the_truth(truth: Truth) -> None:
    mean = truth.mean(np.linspace(0, DECADES, 8), 8)
    assert scores(truth).mean(axis=0) == pytest.approx(mean, abs=5 * 0.5 / np.sqrt(200 * 1000))


def test_the_threshold_is_where_the_mean_passes_chance_by_the_practical_effect() -> None:
    assert BY_NAME["linear"].threshold(8) == pytest.approx(0.5, abs=1e-3)
    assert BY_NAME["hinge"].threshold(8) == pytest.approx(1.75, abs=1e-3)
    assert BY_NAME["late power law"].threshold(8) == pytest.approx(DECADES + np.log10(0.05 / 0.3), abs=1e-3)
    assert BY_NAME["flat above chance"].threshold(8) is None


@pytest.mark.parametrize("truth", STEPS, ids=lambda truth: truth.name)
def test_a_step_lies_anywhere_between_two_sizes(truth: Truth) -> None:
    places = [np.log10(study(truth, seed=seed).threshold or 0.0) for seed in range(200)]
    gap = DECADES / 7
    below = np.floor((min(places) - np.log10(SMALLEST)) / gap)
    assert np.all((np.array(places) - np.log10(SMALLEST)) // gap == below)
    assert max(places) - min(places) > 0.9 * gap


def test_run_noise_is_added_to_the_noise_of_documents() -> None:
    flat = BY_NAME["flat above chance"]
    assert scores(flat).std() == pytest.approx(np.sqrt(0.45 * 0.55 / 1000), rel=0.1)
    assert scores(flat, noise=0.03).std() == pytest.approx(np.hypot(0.03, np.sqrt(0.45 * 0.55 / 1000)), rel=0.1)


def test_run_noise_moves_a_score_of_many_tokens_by_no_more_than_is_asked() -> None:
    spread = scores(SHARP_METRIC[0], noise=0.03) - scores(SHARP_METRIC[0])
    assert spread.std(axis=0).max() < 0.04
    assert spread[:, 0].std() < 0.001


def test_a_partner_is_the_continuous_score_of_the_same_documents() -> None:
    (sharp, partner), _ = study(SHARP_METRIC[0], documents=100_000)
    assert partner.setting == sharp.setting
    assert np.log(sharp.y[-1]) / 5 == pytest.approx(partner.y[-1], rel=0.25)
    (sharp, partner), _ = study(BY_NAME["step, its partner too"], documents=100_000)
    assert partner.y == pytest.approx(sharp.y, abs=0.01)


def test_the_same_truth_is_simulated_and_judged_in_the_same_way_again() -> None:
    assert outcomes(STEPS[0], 4, 2) == outcomes(STEPS[0], 4, 2)


def test_a_rate_has_an_exact_interval() -> None:
    assert Rate(0, 298).interval == pytest.approx((0.0, 0.0123), abs=1e-4)
    assert Rate(0, 0).interval == (0.0, 1.0)


def test_verdicts_are_shown_as_percentages_and_uncertainty_is_neither_right_nor_wrong() -> None:
    said = ["flat", "flat", "smooth", "inconclusive"]
    ((_, _, *cells),) = verdict_rows([Outcome("flat", 8, 200, 0.0, verdict, None) for verdict in said])
    shown = {name: cell for name, cell in zip(HEAD[2:], cells, strict=True) if cell is not None}
    assert shown == {"smooth": "25", "flat": "50", "unsure": "25", "right": "50", "wrong": "25", "studies": 4}


def test_a_goal_counts_the_studies_it_is_about() -> None:
    found = [
        *[Outcome("flat", 8, 1000, 0.0, "flat", None)] * 300,
        *[Outcome("step at the top", 8, 1000, 0.0, "emergent, sharp", True)] * 19,
        Outcome("step at the top", 8, 1000, 0.0, "inconclusive", False),
        Outcome("step at the top", 8, 50, 0.0, "inconclusive", None),
    ]
    alarms, artefacts, _, coverage, steps, _ = [row for row in goal_rows(found) if row[1] == "all"]
    assert alarms[2:] == ("0.0", "0.0", "1.2", 300, "yes")
    assert artefacts[2:] == (None, None, None, 0, None)
    assert coverage[2:] == ("95.0", "75.1", "99.9", 20, "yes")
    assert steps[2:] == ("95.0", "75.1", "99.9", 20, "yes")


def verdicts(name: str, **changes: float) -> list[str]:
    studies = [study(BY_NAME[name], seed=seed, **changes) for seed in range(10)]  # type: ignore[arg-type]
    return [kind(verdict) for verdict in judged(studies)]


@pytest.mark.parametrize("name", ["flat", "linear", "wide logistic"])
def test_plain_growth_is_not_called_emergent(name: str) -> None:
    assert not [verdict for verdict in verdicts(name) if verdict.startswith("emergent")]


def test_a_clear_step_is_called_emergent() -> None:
    said = verdicts("step at the top, chance 0")
    assert sum(verdict.startswith("emergent") for verdict in said) >= 9


def test_a_jump_that_the_metric_makes_is_not_called_emergent() -> None:
    said = verdicts("20 tokens, all right", sizes=6, documents=200)
    assert "metric-artefact" in said
    assert not [verdict for verdict in said if verdict.startswith("emergent")]


def test_curves_are_ordinary_curves() -> None:
    (curve,), threshold = study(BY_NAME["hinge"])
    assert isinstance(curve, Curve)
    assert curve.x[0] < (threshold or 0.0) < curve.x[-1]
    assert (curve.x[0], curve.x[-1]) == (SMALLEST, pytest.approx(SMALLEST * 10**DECADES))
