"""Observational scaling laws on the published scores of 77 base models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.laws import fit_imputer, fit_observational_law, fit_sigmoid_law, principal_components
from tests.builders.tables import Published

BENCHMARKS = ["MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"]
FAMILIES = (
    "Llama-2 Llama Llama-3 Qwen1.5 Qwen Mistral Mixtral Yi Gemma Falcon Phi Pythia BLOOM GPT-Neo/J OPT MPT XGLM "
    "CodeLlama StarCoder StarCoder2 DeepSeek-Coder"
).split()
# Released after the paper's predictions were registered: its tests of extrapolation, not part of its fits.
LATER = ["Qwen/Qwen1.5-110B", "mistralai/Mixtral-8x22B-v0.1", "mistralai/Mistral-Nemo-Base-2407"]
CUT = 8.4e22  # training FLOPs of Llama-2 7B
TARGETS = {
    "word_unscrambling": ("exact_match", 0.0, BENCHMARKS),
    "parsinlu_qa": ("acc", 0.25, BENCHMARKS),
    "arithmetic_3ds": ("acc", 0.0, [b for b in BENCHMARKS if b != "GSM8K"]),
}


@pytest.fixture(scope="module")
def models(data: Published) -> pd.DataFrame:
    """One row per model: family, params, flops, one column per benchmark and per target."""
    scores = pd.read_parquet(data("obs_scaling_benchmarks.parquet"))
    downstream = pd.read_parquet(data("obs_scaling_emergent.parquet"))
    downstream = downstream[
        [TARGETS.get(t, ("", 0.0, []))[0] == m for t, m in zip(downstream.task, downstream.metric, strict=True)]
    ]
    about = scores.drop_duplicates("model").set_index("model")[["family", "params", "flops"]]
    wide = [f.pivot_table(index="model", columns="task", values="value") for f in (scores, downstream)]
    table = about.join(wide)
    return table[table.family.isin(FAMILIES) & ~table.index.isin(LATER)]


def test_three_components_explain_nearly_all_of_eight_benchmarks(
    models: pd.DataFrame, reference: dict[str, Any]
) -> None:
    expected = reference["obs_pca_77_models"]
    scores = models[BENCHMARKS]
    found = principal_components(fit_imputer(scores).fill(scores)).explained
    assert len(models) == 77
    assert found[:3].tolist() == pytest.approx([expected[f"evr{i}"] for i in (1, 2, 3)], abs=expected["tol_abs"])
    assert found[:3].sum() == pytest.approx(expected["cum3"], abs=expected["tol_abs"])


def test_the_first_component_is_linear_in_log_compute_within_each_family(
    models: pd.DataFrame, reference: dict[str, Any]
) -> None:
    expected = dict(reference["obs_pc1_vs_log10flops_R2"])
    tolerance = expected.pop("tol_abs")
    scores = models[BENCHMARKS]
    filled = fit_imputer(scores).fill(scores)
    known = models.assign(pc1=principal_components(filled).project(filled, 1)[:, 0]).dropna(subset="flops")
    found = {
        name: float(np.corrcoef(rows.pc1, np.log10(rows.flops))[0, 1] ** 2)
        for name, rows in known.groupby("family")
        if name in expected
    }
    assert found == pytest.approx(expected, abs=tolerance)


def _split(models: pd.DataFrame, task: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    known = models.dropna(subset=[task, "flops"])
    return known[known.flops <= CUT], known[known.flops > CUT]


def _error(models: pd.DataFrame, task: str, by: str) -> float:
    """Mean squared error of the chance-corrected score on the models beyond the cut."""
    _, chance, benchmarks = TARGETS[task]
    train, test = _split(models, task)
    if by.startswith("PC1"):
        law = fit_observational_law(train[benchmarks], train[task], chance=chance, count=by.count("PC"))
        predicted = law.predict(test[benchmarks])
    else:
        column = {"logN": "params", "logFLOPs": "flops"}[by]
        curve = fit_sigmoid_law(np.log10(train[[column]]), train[task], chance=chance)
        predicted = curve.predict(np.log10(test[[column]]))
    return float(np.mean((predicted - test[task]) ** 2) / (1 - chance) ** 2)


_STOPPED = pytest.mark.xfail(
    reason="the reference search stopped early: its squared error on the training models is larger"
)


@pytest.mark.parametrize(
    ("task", "by"),
    [
        ("word_unscrambling", "logN"),
        ("word_unscrambling", "logFLOPs"),
        ("word_unscrambling", "PC1+PC2"),
        ("word_unscrambling", "PC1+PC2+PC3"),
        pytest.param("parsinlu_qa", "logN", marks=_STOPPED),
        ("parsinlu_qa", "logFLOPs"),
        ("parsinlu_qa", "PC1+PC2"),
        pytest.param("parsinlu_qa", "PC1+PC2+PC3", marks=_STOPPED),
        ("arithmetic_3ds", "logN"),
        ("arithmetic_3ds", "logFLOPs"),
        ("arithmetic_3ds", "PC1+PC2"),
    ],
)
def test_errors_beyond_the_cut_are_those_of_the_reference(
    models: pd.DataFrame, reference: dict[str, Any], task: str, by: str
) -> None:
    expected = reference["obs_extrap_mse_test_cut84e21_77models"]
    assert _error(models, task, by) == pytest.approx(expected[task][by], rel=expected["tol_rel"])


def test_the_two_values_that_differ_are_what_the_converged_fit_gives(models: pd.DataFrame) -> None:
    assert _error(models, "parsinlu_qa", "logN") == pytest.approx(0.02374, rel=0.01)
    assert _error(models, "parsinlu_qa", "PC1+PC2+PC3") == pytest.approx(0.00230, rel=0.01)


def test_the_reference_search_for_parsinlu_over_size_ended_worse_than_a_constant(models: pd.DataFrame) -> None:
    train, _ = _split(models, "parsinlu_qa")
    law = fit_sigmoid_law(np.log10(train[["params"]]), train.parsinlu_qa, chance=0.25)
    ours = np.sum((law.predict(np.log10(train[["params"]])) - train.parsinlu_qa) ** 2)
    constant = np.sum((train.parsinlu_qa - train.parsinlu_qa.mean()) ** 2)
    log_billions = np.log(train.params / 1e9)
    theirs = 0.25 + 0.75 / (1 + np.exp(14.79 + 2.169 * log_billions))  # BFGS at its default tolerance, from w = .03
    assert ours < constant < np.sum((theirs - train.parsinlu_qa) ** 2)


def test_a_third_component_overfits_subtraction(models: pd.DataFrame) -> None:
    assert _error(models, "arithmetic_3ds", "PC1+PC2+PC3") == pytest.approx(0.0314, rel=0.05)
    assert _error(models, "arithmetic_3ds", "PC1+PC2") < 0.002
