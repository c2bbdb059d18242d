from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.laws import collapse, fit_hinge_in_loss, loss_threshold, pooled_r2
from harness.errors import HarnessError

SIZES = np.repeat(np.linspace(8.0, 10.0, 6), 12)
TOKENS = np.tile(np.linspace(9, 11, 12), 6)
LOSS = 10 ** (1.0 - 0.05 * SIZES - 0.02 * TOKENS)
AXES = {"flops": SIZES + TOKENS, "params": SIZES}


def test_scores_that_depend_on_the_loss_alone_collapse_on_it() -> None:
    score = 1 - LOSS / 4 + np.random.default_rng(0).normal(0, 0.005, len(LOSS))
    found = collapse(score, LOSS, AXES, groups=list(SIZES))
    assert found.loss > 0.99
    assert found.gain == found.loss - max(found.others.values())
    assert found.gain_low > 0


def test_scores_that_depend_on_size_at_equal_loss_do_not_collapse() -> None:
    score = 0.1 * SIZES + np.random.default_rng(0).normal(0, 0.005, len(LOSS))
    found = collapse(score, LOSS, AXES)
    assert found.others["params"] > 0.99
    assert found.gain_high < 0


def test_r2_of_pooled_points_is_that_of_numpy() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40))
    residual = y - np.polyval(np.polyfit(x, y, 3), x)
    assert pooled_r2(x, y) == pytest.approx(1 - residual.var() / y.var())


def test_r2_does_not_depend_on_the_unit_of_the_axis() -> None:
    y = np.random.default_rng(0).normal(size=len(LOSS))
    assert pooled_r2(LOSS * 1e6, y) == pytest.approx(pooled_r2(LOSS, y))


def test_three_sizes_explain_what_their_means_explain() -> None:
    sizes = np.repeat([8.0, 9.0, 10.0], 12)
    y = np.random.default_rng(0).normal(size=len(sizes)) + sizes
    means = np.array([y[s == sizes].mean() for s in sizes])
    assert pooled_r2(sizes, y) == pytest.approx(means.var() / y.var())


def test_an_axis_that_does_not_vary_explains_nothing() -> None:
    assert pooled_r2(np.full(len(SIZES), 9.0), SIZES) == pytest.approx(0)


def test_a_polynomial_through_every_checkpoint_is_an_error() -> None:
    with pytest.raises(HarnessError, match="needs more than 4 checkpoints; got 4"):
        pooled_r2([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4])


def test_the_threshold_is_a_loss_and_its_interval_is_in_order() -> None:
    loss = np.linspace(1.5, 4, 40)
    score = 0.25 + 0.2 * np.maximum(2.4 - loss, 0) + np.random.default_rng(0).normal(0, 0.005, 40)
    found = fit_hinge_in_loss(loss, score, 0.25)
    assert found.at == pytest.approx(2.4, abs=0.05)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.at < found.high
    assert found.n_below == int(np.sum(loss >= found.at))


def test_a_single_lucky_checkpoint_does_not_leave_chance() -> None:
    assert loss_threshold([4, 3, 2, 1], [0.25, 0.6, 0.26, 0.25], [0.02] * 4, 0.25) is None


def test_checkpoints_may_come_in_any_order() -> None:
    assert loss_threshold([1, 4, 3, 2], [0.6, 0.25, 0.3, 0.5], [0.02] * 4, 0.25) == 3
