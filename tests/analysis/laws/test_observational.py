from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.laws import SigmoidLaw, fit_imputer, fit_observational_law, fit_sigmoid_law, principal_components
from harness.errors import HarnessError

RNG = np.random.default_rng(0)
ABILITY = np.linspace(-2, 2, 40)
SCORES = np.clip(0.5 + np.outer(ABILITY, [0.10, 0.15, 0.20, 0.05, 0.12]) + RNG.normal(0, 0.01, (40, 5)), 0, 1)


def test_missing_scores_are_filled_in_close_to_the_truth() -> None:
    gaps = SCORES.copy()
    gaps[[3, 20, 35], [0, 2, 4]] = np.nan
    filled = fit_imputer(gaps).fill(gaps)
    assert filled[[3, 20, 35], [0, 2, 4]] == pytest.approx(SCORES[[3, 20, 35], [0, 2, 4]], abs=0.04)
    known = ~np.isnan(gaps)
    assert (filled[known] == gaps[known]).all()


def test_models_outside_the_fit_are_filled_in_by_it() -> None:
    model = SCORES[30].copy()
    model[2] = np.nan
    assert fit_imputer(SCORES[:25]).fill(model[None, :])[0, 2] == pytest.approx(SCORES[30, 2], abs=0.05)


def test_a_filled_score_stays_in_range() -> None:
    strong = np.array([[0.99, 1.0, np.nan, 0.9, 0.95]])
    assert fit_imputer(SCORES).fill(strong)[0, 2] <= 1.0


def test_a_benchmark_without_two_scores_is_named() -> None:
    gaps = SCORES.copy()
    gaps[1:, 3] = np.nan
    with pytest.raises(HarnessError, match="benchmark 3 needs at least two different scores"):
        fit_imputer(gaps)


def test_components_refuse_gaps() -> None:
    with pytest.raises(HarnessError, match="fill them with `fit_imputer` first"):
        principal_components([[0.1, np.nan], [0.2, 0.3], [0.3, 0.4]])


def test_the_first_component_rises_with_ability() -> None:
    found = principal_components(SCORES)
    assert found.explained[0] > 0.95
    assert np.corrcoef(found.project(SCORES, 1)[:, 0], ABILITY)[0, 1] > 0.99


def test_a_sigmoid_of_two_predictors_is_found() -> None:
    x = RNG.normal(size=(60, 2))
    truth = SigmoidLaw(bias=-1.0, weights=np.array([2.0, -1.0]), chance=0.25)
    found = fit_sigmoid_law(x, truth.predict(x), chance=0.25)
    assert [found.bias, *found.weights] == pytest.approx([-1.0, 2.0, -1.0], abs=1e-4)


def test_units_and_signs_of_predictors_change_no_prediction() -> None:
    x = RNG.normal(size=(40, 3))
    y = np.clip(0.3 + 0.1 * x[:, 0] + RNG.normal(0, 0.05, 40), 0, 1)
    plain = fit_sigmoid_law(x, y).predict(x)
    turned = fit_sigmoid_law(x * [-1e3, 1e-3, -1], y).predict(x * [-1e3, 1e-3, -1])
    assert turned == pytest.approx(plain, abs=1e-5)


def test_more_parameters_than_models_are_refused() -> None:
    with pytest.raises(HarnessError, match="3 predictors need more than 4 models; got 4"):
        fit_sigmoid_law(np.ones((4, 3)), [0.1, 0.2, 0.3, 0.4])


def test_a_downstream_score_of_stronger_models_is_predicted_from_weaker_ones() -> None:
    downstream = 1 / (1 + np.exp(2 - 2 * ABILITY))
    law = fit_observational_law(SCORES[:28], downstream[:28], count=1)
    assert law.predict(SCORES[28:]) == pytest.approx(downstream[28:], abs=0.1)
