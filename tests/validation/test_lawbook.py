"""What `emergence law` says of published tables is what was published."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.lawbook import Choice, fitted
from tests.builders.tables import Published

LADDER = [f"{size}-{times}xC" for size in ("190M", "370M", "760M", "1B") for times in (1, 2, 5, 10)]


@pytest.mark.parametrize("task", ["hellaswag_val", "arc_easy_test", "piqa_val"])
def test_two_steps_from_the_olmo_ladder_foretell_the_published_13b_model(
    data: Published, reference: dict[str, Any], task: str
) -> None:
    table = pd.read_parquet(data("olmo_ladder.parquet")).sort_values(["model", "ckpt_index"])
    choice = Choice(
        tasks=(f"{task}_rc_5shot",),
        metric="downstream:len_norm",
        loss_from="downstream_bpb:bpb",
        at=(13_202_396_160, 5e12),
    )
    (row,) = fitted("two-step", table[table.model.isin(LADDER)], choice).rows
    expected = reference["olmo_ladder_chain_13B_pred"]
    assert row["score_at"] == pytest.approx(expected[task], abs=expected["tol_abs"])
    assert row["runs"] == 16
    assert row["foretold"] == pytest.approx(row["measured"], abs=0.02)


@pytest.mark.parametrize("task", ["sciq", "arc_easy", "piqa"])
def test_pythia_collapses_on_the_loss_as_published(data: Published, reference: dict[str, Any], task: str) -> None:
    table = pd.read_parquet(data("pythia.parquet"))
    step = table.model.str.split("@step").str[1].astype(int)
    table = table[(table.n_shot == 0) & (step >= 512)]
    (row,) = fitted(
        "loss-collapse", table, Choice(tasks=(task,), metric="acc", loss_from="lambada_openai:ppl", chance=0.25)
    ).rows
    expected = reference["pythia_loss_collapse_R2_cubic"]
    found = {"loss": row["r2_loss"], "flops": row["r2_flops"], "params": row["r2_params"]}
    assert found == pytest.approx(expected[task], abs=expected["tol_abs"])
    assert (row["checkpoints"], row["runs"]) == (64, 8)


def test_exposure_of_published_models_is_the_published_one(data: Published, reference: dict[str, Any]) -> None:
    table = pd.read_csv(data("task_exposure_mmlu_counts.csv"))
    table = table.assign(new=table.release >= 2311)
    choice = Choice(tasks=("mmlu",), marked="new", chance=0.25)
    rows = {row["condition"]: row for row in fitted("exposure", table, choice).rows}
    expected = reference["tott_hinge_all53"]
    assert np.log10(rows["base"]["at"]) == pytest.approx(expected["mmlu_acc"], abs=expected["tol_log10"])
    assert rows["base"]["theta"] == pytest.approx(0.068, abs=0.005)
    assert rows["finetuned_mmluaux"]["theta_low"] < 0 < rows["finetuned_mmluaux"]["theta_high"]


def test_benchmarks_foretell_word_unscrambling_beyond_the_cut(data: Published) -> None:
    benchmarks = pd.read_parquet(data("obs_scaling_benchmarks.parquet"))
    target = pd.read_parquet(data("obs_scaling_emergent.parquet"))
    target = target[(target.task == "word_unscrambling") & (target.metric == "exact_match")]
    choice = Choice(target="word_unscrambling", metric="exact_match", cut=8.4e22, components=3)
    (row,) = fitted("observational", pd.concat([benchmarks, target]), choice).rows
    assert row["error"] < 0.006
    assert row["tested"] > 10
