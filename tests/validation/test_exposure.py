"""Points of emergence over 53 models, before and after all are tuned to the test task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.laws import Hinge, fit_hinge, fit_tuning_law
from tests.builders.tables import Published

NEW = 2311  # the paper's line: models released from November 2023 on are likelier to have seen the test task

SETTINGS = {
    "mmlu_acc": ("mmlu", "base"),
    "mmlu_cloze_acc": ("mmlu_cloze", "base"),
    "mmlu_acc_after_finetune": ("mmlu", "finetuned_mmluaux"),
}


@pytest.fixture(scope="module")
def models(data: Published) -> pd.DataFrame:
    return pd.read_csv(data("task_exposure_mmlu_counts.csv"))


def _of(models: pd.DataFrame, name: str) -> pd.DataFrame:
    task, condition = SETTINGS[name]
    return models[(models.task == task) & (models.condition == condition)]


def _old(models: pd.DataFrame, name: str) -> Hinge:
    rows = _of(models, name)
    old = rows[rows.release < NEW]
    assert len(old) == 34
    return fit_hinge(np.log10(old.flops), old.value, 0.25)


@pytest.mark.parametrize("name", SETTINGS)
def test_older_models_emerge_where_the_reference_says(
    models: pd.DataFrame, reference: dict[str, Any], name: str
) -> None:
    expected = reference["tott_hinge_old34"]
    found = _old(models, name)
    assert found.refusal is None
    assert found.at == pytest.approx(expected[name], abs=expected["tol_log10"])


@pytest.mark.parametrize("name", ["mmlu_acc", "mmlu_acc_after_finetune"])
def test_all_models_emerge_where_the_reference_says(models: pd.DataFrame, reference: dict[str, Any], name: str) -> None:
    expected = reference["tott_hinge_all53"]
    rows = _of(models, name)
    found = fit_hinge(np.log10(rows.flops), rows.value, 0.25, marked=rows.release >= NEW)
    assert len(rows) == 53
    assert found.at == pytest.approx(expected[name], abs=expected["tol_log10"])


def test_multiple_choice_mmlu_has_an_elbow_and_its_cloze_form_is_a_straight_line(models: pd.DataFrame) -> None:
    choice, cloze = _old(models, "mmlu_acc"), _old(models, "mmlu_cloze_acc")
    assert (choice.r2, choice.r2_linear) == pytest.approx((0.886, 0.632), abs=0.005)
    assert (choice.low, choice.high) == pytest.approx((22.00, 22.34), abs=0.05)
    assert cloze.r2_linear == pytest.approx(0.933, abs=0.005)
    assert cloze.r2_linear >= 0.92
    assert cloze.at <= 21.2


def test_newer_models_are_ahead_on_mmlu_until_all_are_tuned_to_it(models: pd.DataFrame) -> None:
    base, tuned = (_of(models, name) for name in ("mmlu_acc", "mmlu_acc_after_finetune"))
    before = fit_hinge(np.log10(base.flops), base.value, 0.25, marked=base.release >= NEW)
    after = fit_hinge(np.log10(tuned.flops), tuned.value, 0.25, marked=tuned.release >= NEW)
    assert before.theta == pytest.approx(0.068, abs=0.005)
    assert before.theta_low is not None
    assert before.theta_low > 0
    assert after.theta_low is not None
    assert after.theta_high is not None
    assert after.theta_low < 0 < after.theta_high


def test_tuning_on_the_task_moves_the_point_of_emergence_to_smaller_models(models: pd.DataFrame) -> None:
    """By 1.6 decades of compute where each amount has a slope of its own, and by .7 with one slope, as the law has it.

    The models were asked without examples, and tuned on the 99,842 questions of MMLU's auxiliary training set.
    """
    before, after = (_old(models, name) for name in ("mmlu_acc", "mmlu_acc_after_finetune"))
    assert before.at - after.at == pytest.approx(1.62, abs=0.1)
    rows = pd.concat(
        [_of(models, "mmlu_acc").assign(documents=1), _of(models, "mmlu_acc_after_finetune").assign(documents=99_842)]
    )
    old = rows[rows.release < NEW]
    law = fit_tuning_law(np.log10(old.flops), old.value, old.documents, 0.25, groups=list(old.model))
    assert law.refusal is None
    assert law.shift_low is not None
    assert law.shift_low > 0
    untuned, tuned = law.thresholds
    assert untuned.at - tuned.at == pytest.approx(0.71, abs=0.1)
    assert tuned.high is not None
    assert untuned.low is not None
    assert tuned.high < untuned.low


def test_a_format_whose_small_models_score_below_chance_is_refused(models: pd.DataFrame) -> None:
    rows = models[(models.task == "arc_challenge") & (models.condition == "base")]
    found = fit_hinge(np.log10(rows.flops), rows.value, 0.25)
    assert found.refusal is not None
    assert "0.172, not 0.25" in found.refusal
