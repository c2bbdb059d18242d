"""Two-step forecasts against the published ones of the OLMo ladder and of Gadre et al. 2024."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.laws import (
    accuracy_doubts,
    fit_average_error_law,
    fit_chinchilla_law,
    fit_overtraining_law,
    fit_task_accuracy_law,
    settled_checkpoints,
)
from tests.builders.tables import Published

TASKS = ["hellaswag_val", "arc_challenge_test", "arc_easy_test", "piqa_val", "csqa_val", "socialiqa_val"]
TASKS += ["openbookqa_test", "mmlu_avg_test"]
MMLU = {"stem": 0.215, "humanities": 0.335, "social_sciences": 0.219, "other": 0.231}
LADDER = [f"{size}-{times}xC" for size in ("190M", "370M", "760M", "1B") for times in (1, 2, 5, 10)]
TARGET = "peteish13_eval_final"

SMALL = [f"rpj-{shape}_h={heads}-1.0" for shape, heads in (("d=96_l=8", 4), ("d=512_l=8", 4), ("d=576_l=24", 8))]
SMALL += ["rpj-d=1024_l=24_h=8-1.0", "rpj-d=96_l=8_h=4-16.0"]
AVERAGED = (
    "bigbench_operators pubmed_qa_labeled hellaswag_zeroshot boolq arc_easy coqa bigbench_dyck_languages "
    "lambada_openai bigbench_novel_concepts winograd bigbench_cs_algorithms commonsense_qa bigbench_qa_wikidata "
    "hellaswag copa squad piqa"
).split()


@pytest.fixture(scope="module")
def ladder(data: Published) -> pd.DataFrame:
    columns = ["model", "params", "tokens", "ckpt_index", "task", "metric", "value"]
    return pd.read_parquet(data("olmo_ladder.parquet"), columns=columns).sort_values(["model", "ckpt_index"])


def _series(ladder: pd.DataFrame, task: str, metric: str) -> pd.Series:
    """One metric of every checkpoint, by model in training order; MMLU is the weighted mean of its four parts."""
    if task == "mmlu_avg_test":
        return sum(w * _series(ladder, f"mmlu_{part}_test", metric) for part, w in MMLU.items())
    chosen = ladder[(ladder.task == f"{task}_rc_5shot") & (ladder.metric == metric)]
    return chosen.set_index(["model", "ckpt_index"]).value


@pytest.mark.parametrize("task", TASKS)
def test_the_chained_forecast_of_a_13b_model_is_the_published_one(
    ladder: pd.DataFrame, reference: dict[str, Any], task: str
) -> None:
    bpb, accuracy = (_series(ladder, task, m) for m in ("downstream_bpb:bpb", "downstream:len_norm"))
    ends = ladder.groupby("model")[["params", "tokens"]].max()
    law = fit_chinchilla_law(ends.params[LADDER], ends.tokens[LADDER], [bpb[run].iloc[-5:].mean() for run in LADDER])
    seen = np.concatenate([settled_checkpoints(bpb[run]) for run in LADDER])
    step2 = fit_task_accuracy_law(seen, np.concatenate([settled_checkpoints(accuracy[run]) for run in LADDER]))
    loss = float(law.loss(ends.params[TARGET], ends.tokens[TARGET]))
    expected_loss, expected = reference["olmo_step1_loss_pred_13B"], reference["olmo_ladder_chain_13B_pred"]
    assert loss == pytest.approx(expected_loss[task], abs=expected_loss["tol_abs"])
    assert float(step2.accuracy(loss)) == pytest.approx(expected[task], abs=expected["tol_abs"])
    assert any("below all losses seen" in doubt for doubt in accuracy_doubts(step2, seen, loss))


@pytest.mark.parametrize(
    ("target", "loss_name", "error_name"),
    [
        ("rpj-open_lm_1b-32.0", "loss_1.4B_M640", "err17_1.4B_M640"),
        ("rpj-open_lm_7b-1.0", "loss_6.9B_M20", "err17_6.9B_M20"),
    ],
)
def test_relative_errors_of_over_trained_models_are_the_published_ones(
    data: Published, reference: dict[str, Any], target: str, loss_name: str, error_name: str
) -> None:
    rows = pd.read_parquet(data("gadre2024.parquet"))
    runs = rows.drop_duplicates("model").set_index("model")
    loss = rows[rows.task == "loss:c4_val"].set_index("model").value
    error = 1 - rows[rows.task.isin(AVERAGED)].groupby("model").value.mean()
    law = fit_overtraining_law(runs.params[SMALL], runs.tokens[SMALL], loss[SMALL])
    six = [*SMALL, "rpj-open_lm_1b-1.0"]
    step2 = fit_average_error_law(loss[six], error[six])
    predicted = float(law.loss(runs.params[target], runs.tokens[target]))
    expected = reference["gadre_rpj_relerr_percent"]
    relative = {
        loss_name: 100 * abs(predicted / loss[target] - 1),
        error_name: 100 * abs(float(step2.error(predicted)) / error[target] - 1),
    }
    assert relative == pytest.approx({name: expected[name] for name in relative}, abs=expected["tol_abs"])
