"""The loss as the axis, on 64 checkpoints of eight Pythia sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.laws import Collapse, collapse, fit_hinge_in_loss, loss_threshold
from tests.builders.tables import Published


@pytest.fixture(scope="module")
def checkpoints(data: Published) -> pd.DataFrame:
    """Zero-shot scores from step 512 on, with the log of the LAMBADA perplexity as the loss of each checkpoint."""
    rows = pd.read_parquet(data("pythia.parquet"))
    rows[["size", "step"]] = rows.model.str.split("@step", expand=True)
    rows = rows[(rows.n_shot == 0) & (rows.step.astype(int) >= 512)]
    perplexity = rows[rows.metric == "ppl"].set_index("model").value
    return rows.assign(loss=np.log(rows.model.map(perplexity)))


def _of(checkpoints: pd.DataFrame, task: str, metric: str = "acc") -> pd.DataFrame:
    return checkpoints[(checkpoints.task == task) & (checkpoints.metric == metric)]


def _collapse(rows: pd.DataFrame) -> Collapse:
    axes = {"flops": np.log10(rows.flops), "params": np.log10(rows.params)}
    return collapse(rows.value, rows.loss, axes, groups=list(rows["size"]))


@pytest.mark.parametrize("task", ["sciq", "arc_easy", "piqa"])
def test_curves_of_all_sizes_collapse_on_the_loss(
    checkpoints: pd.DataFrame, reference: dict[str, Any], task: str
) -> None:
    expected = reference["pythia_loss_collapse_R2_cubic"]
    found = _collapse(_of(checkpoints, task))
    assert {"loss": found.loss, **found.others} == pytest.approx(expected[task], abs=expected["tol_abs"])
    assert found.gain_low > 0


def test_winogrande_follows_compute_better_than_the_loss(checkpoints: pd.DataFrame) -> None:
    found = _collapse(_of(checkpoints, "winogrande"))
    assert {"loss": found.loss, **found.others} == pytest.approx(
        {"loss": 0.794, "flops": 0.908, "params": 0.249}, abs=0.01
    )
    assert found.gain_high < 0


def test_mmlu_near_chance_follows_neither_better(checkpoints: pd.DataFrame) -> None:
    found = _collapse(_of(checkpoints, "mmlu_micro57"))
    assert (found.loss, found.others["flops"]) == pytest.approx((0.719, 0.715), abs=0.01)
    assert found.gain_low < 0 < found.gain_high


@pytest.mark.parametrize(
    ("task", "metric", "chance", "threshold", "interval"),
    [
        ("winogrande", "acc", 0.5, 2.61, None),
        ("arc_challenge", "acc_norm", 0.25, 2.29, (2.10, 2.39)),
        ("mmlu_micro57", "acc", 0.25, 2.13, (1.84, 2.44)),
    ],
)
def test_thresholds_in_the_loss_are_those_of_the_reference(
    checkpoints: pd.DataFrame,
    task: str,
    metric: str,
    chance: float,
    threshold: float,
    interval: tuple[float, float] | None,
) -> None:
    rows = _of(checkpoints, task, metric)
    found = fit_hinge_in_loss(rows.loss, rows.value, chance)  # the reference resamples checkpoints, not runs
    assert found.refusal is None
    assert found.at == pytest.approx(threshold, abs=0.02)
    if interval:
        assert (found.low, found.high) == pytest.approx(interval, abs=0.05)


def test_resampling_runs_shows_that_the_mmlu_threshold_is_not_identified(checkpoints: pd.DataFrame) -> None:
    rows = _of(checkpoints, "mmlu_micro57")
    found = fit_hinge_in_loss(rows.loss, rows.value, 0.25, groups=list(rows["size"]))
    assert found.high is not None
    assert found.high > 5


def test_arc_challenge_leaves_chance_for_good_between_losses_1_84_and_2_21(checkpoints: pd.DataFrame) -> None:
    left = {
        size: loss_threshold(run.loss, run.value, run.stderr, 0.25)
        for size, run in _of(checkpoints, "arc_challenge", "acc_norm").groupby("size")
    }
    reached = {size: loss for size, loss in left.items() if loss is not None}
    assert set(reached) == {"pythia-1.4b", "pythia-2.8b", "pythia-6.9b", "pythia-12b"}
    assert (min(reached.values()), max(reached.values())) == pytest.approx((1.84, 2.21), abs=0.005)
