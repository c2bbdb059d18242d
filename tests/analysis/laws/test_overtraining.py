from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.laws import AverageErrorLaw, OvertrainingLaw, fit_average_error_law, fit_overtraining_law
from harness.errors import HarnessError

TRUTH = OvertrainingLaw(alpha=160.0, beta=370.0, exponent=-0.27, floor=1.8)
PARAMS = np.array([1e7, 8e7, 1.5e8, 4e8, 1e7])
TOKENS = PARAMS * np.array([20, 20, 20, 20, 320])


def test_five_small_runs_give_back_the_law() -> None:
    found = fit_overtraining_law(PARAMS, TOKENS, TRUTH.loss(PARAMS, TOKENS))
    assert (found.exponent, found.floor) == pytest.approx((-0.27, 1.8), abs=1e-4)
    assert found.loss(7e9, 1.4e11) == pytest.approx(TRUTH.loss(7e9, 1.4e11), rel=1e-5)


def test_over_training_shifts_the_law_and_does_not_bend_it() -> None:
    gains = [np.diff(np.log(TRUTH.loss(PARAMS[:4], PARAMS[:4] * m) - TRUTH.floor)) for m in (20, 640)]
    assert gains[0] == pytest.approx(gains[1])


def test_one_ratio_of_tokens_to_parameters_is_not_enough() -> None:
    with pytest.raises(HarnessError, match="at least two different numbers of tokens per parameter"):
        fit_overtraining_law(PARAMS, 20 * PARAMS, TRUTH.loss(PARAMS, 20 * PARAMS))


@pytest.mark.parametrize("shift", [0.0, 40.0])
def test_an_error_law_is_found_at_small_and_large_losses(shift: float) -> None:
    truth = AverageErrorLaw(ceiling=0.85, gain=2.2 * np.exp(0.7 * shift), rate=0.7)
    loss = np.linspace(2.2, 4.5, 6) + shift
    found = fit_average_error_law(loss, truth.error(loss))
    assert found.error(shift + 2.0) == pytest.approx(truth.error(shift + 2.0), abs=1e-6)


def test_three_runs_are_too_few_for_three_parameters() -> None:
    with pytest.raises(HarnessError, match="at least 4 runs; got 3"):
        fit_average_error_law([3.0, 2.5, 2.0], [0.7, 0.6, 0.5])
