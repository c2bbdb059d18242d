from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.laws import (
    ChinchillaLaw,
    TaskAccuracyLaw,
    accuracy_doubts,
    fit_chinchilla_law,
    fit_compute_loss_law,
    fit_task_accuracy_law,
    settled_checkpoints,
)
from harness.errors import HarnessError

TRUTH = ChinchillaLaw(a=4.0, b=5.0, alpha=0.25, beta=0.24, floor=0.5)
PARAMS = np.repeat([2e8, 4e8, 8e8, 1.3e9], 4)
TOKENS = PARAMS * 20 * np.tile([1, 2, 5, 10], 4)


def test_a_loss_law_predicts_a_model_fifty_times_larger() -> None:
    noise = np.random.default_rng(0).normal(0, 1e-3, len(PARAMS))
    law = fit_chinchilla_law(PARAMS, TOKENS, TRUTH.loss(PARAMS, TOKENS) * np.exp(noise))
    assert law.loss(7e10, 4e12) == pytest.approx(TRUTH.loss(7e10, 4e12), rel=0.04)


def test_one_bad_run_moves_the_law_little() -> None:
    loss = TRUTH.loss(PARAMS, TOKENS)
    spoiled = loss.copy()
    spoiled[5] *= 1.1
    found = fit_chinchilla_law(PARAMS, TOKENS, spoiled).loss(7e10, 4e12)
    assert found == pytest.approx(TRUTH.loss(7e10, 4e12), rel=0.01)


def test_sizes_trained_in_proportion_cannot_separate_parameters_from_tokens() -> None:
    n = np.geomspace(1e8, 1e10, 8)
    with pytest.raises(HarnessError, match="move together"):
        fit_chinchilla_law(n, 20 * n, TRUTH.loss(n, 20 * n))


def test_sizes_on_the_same_data_are_told_to_use_compute() -> None:
    n = np.geomspace(1e8, 1e10, 8)
    with pytest.raises(HarnessError, match="fit the loss over compute"):
        fit_chinchilla_law(n, np.full(8, 3e11), TRUTH.loss(n, 3e11))


@pytest.mark.parametrize(("value", "said"), [(0.0, "0.0"), (float("nan"), "nan"), (float("inf"), "inf")])
def test_a_loss_without_a_logarithm_is_named_with_its_row(value: float, said: str) -> None:
    loss = TRUTH.loss(PARAMS, TOKENS)
    loss[3] = value
    with pytest.raises(HarnessError, match=rf"loss\[3\] is {said}; expected a positive number"):
        fit_chinchilla_law(PARAMS, TOKENS, loss)


def test_five_runs_are_too_few_for_five_parameters() -> None:
    with pytest.raises(HarnessError, match="at least 6 runs; got 5"):
        fit_chinchilla_law(PARAMS[:5], TOKENS[:5], TRUTH.loss(PARAMS, TOKENS)[:5])


def test_loss_over_compute_is_a_line_in_logarithms() -> None:
    n = np.geomspace(1e8, 1e10, 6)
    law = fit_compute_loss_law(n, 3e11, 300 * (6 * n * 3e11) ** -0.14)
    assert law.slope == pytest.approx(-0.14)
    assert law.r2 == pytest.approx(1)
    assert law.loss(7e10, 3e11) == pytest.approx(300 * (6 * 7e10 * 3e11) ** -0.14)


@pytest.mark.parametrize(
    ("truth", "low", "high"),
    [
        (TaskAccuracyLaw(s=-0.7, x0=0.7, k=5.0, t=0.98), 0.4, 1.5),
        (TaskAccuracyLaw(s=-0.75, x0=60.0, k=0.08, t=1.0), 20.0, 120.0),
    ],
)
def test_a_sigmoid_is_found_in_bits_per_byte_and_in_nats_per_answer(
    truth: TaskAccuracyLaw, low: float, high: float
) -> None:
    loss = np.linspace(low, high, 60)
    noise = np.random.default_rng(0).normal(0, 0.005, 60)
    found = fit_task_accuracy_law(loss, truth.accuracy(loss) + noise, anchor=None)
    assert found.accuracy(loss) == pytest.approx(truth.accuracy(loss), abs=0.01)


def test_the_anchor_holds_the_top_where_no_model_has_been() -> None:
    truth = TaskAccuracyLaw(s=-0.75, x0=0.8, k=5.0, t=1.0)
    loss = np.linspace(0.9, 1.6, 40)
    noisy = truth.accuracy(loss) + np.random.default_rng(1).normal(0, 0.01, 40)
    asked = truth.accuracy(0.6)
    anchored, free = (float(fit_task_accuracy_law(loss, noisy, anchor=a).accuracy(0.6)) for a in ((0.0, 1.0), None))
    assert abs(anchored - asked) < 0.05
    assert abs(anchored - asked) < abs(free - asked)


def test_doubts_name_each_side_of_the_sigmoid_that_was_not_seen() -> None:
    law = TaskAccuracyLaw(s=-0.7, x0=1.0, k=5.0, t=0.95)
    assert accuracy_doubts(law, [0.5, 1.5], 0.6) == ()
    assert accuracy_doubts(law, [1.2, 1.5], 0.6) == (
        "The predicted loss 0.6 is below all losses seen, 1.2 and more.",
        "No model seen has passed the middle of the sigmoid, loss 1: its top is assumed.",
    )
    assert accuracy_doubts(law, [0.3, 0.8], 0.6) == (
        "Every model seen has passed the middle of the sigmoid, loss 1: its foot is assumed.",
    )


def test_the_first_tenth_of_a_run_is_dropped_and_the_rest_averaged_backwards() -> None:
    assert settled_checkpoints(np.arange(11.0)).tolist() == [2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0]


def test_a_run_shorter_than_the_window_is_averaged_as_far_as_it_goes() -> None:
    assert settled_checkpoints([4.0, 2.0], skip=0).tolist() == [4.0, 3.0]
