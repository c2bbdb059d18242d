"""Trends over scale and tests against chance, one task at a time and many together, on BIG-G and Pythia."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from harness.analysis.stats import Estimate, above_chance_p, benjamini_hochberg, trend
from harness.specs import MetricSpec
from tests.builders.tables import Published


class Findings(NamedTuple):
    """All tasks, in the order of their names."""

    tasks: list[str]
    z: list[float]
    p_trend: list[float | None]
    p_top: list[float | None]


def proportion(k: float, n: int) -> Estimate:
    return Estimate(value=k / n, stderr=None, n=n, seeds=1, proportion=True)


@pytest.fixture(scope="module")
def bigg(data: Published) -> Findings:
    found = Findings([], [], [], [])
    table = pd.read_csv(data("bigbench_bigg_3shot_counts.csv")).sort_values(["task", "params"])
    for task, rows in table.groupby("task"):
        scores = [proportion(k, n) for k, n in zip(rows.k, rows.n, strict=True)]
        rise = trend(np.log10(rows.params), scores)
        assert rise is not None
        found.tasks.append(str(task))
        found.z.append(rise.z)
        found.p_trend.append(rise.p)
        found.p_top.append(above_chance_p(scores[-1], MetricSpec(name="acc", chance=rows.chance.iloc[0])))
    return found


@pytest.fixture(scope="module")
def published(data: Published, bigg: Findings) -> pd.DataFrame:
    return pd.read_csv(data("reference_bigbench_verdicts.csv")).set_index("task").loc[bigg.tasks]


def significant(p: list[float | None]) -> int:
    return sum(value is not None and value < 0.05 for value in p)


def test_every_big_bench_task_has_its_published_trend(bigg: Findings, published: pd.DataFrame) -> None:
    assert len(bigg.tasks) == 57
    assert bigg.z == pytest.approx(published.ca_z.to_numpy(), abs=0.01)


def test_the_tasks_named_in_the_reference_have_their_trend(bigg: Findings, reference: dict[str, Any]) -> None:
    expected = dict(reference["bigg_cochran_armitage_z"])
    tolerance = expected.pop("tol_abs")
    assert {task: bigg.z[bigg.tasks.index(task)] for task in expected} == pytest.approx(expected, abs=tolerance)


def test_correction_for_many_tasks_keeps_as_many_as_published(bigg: Findings, reference: dict[str, Any]) -> None:
    counts = {
        "trend_raw": significant(bigg.p_trend),
        "trend_BH": significant(list(benjamini_hochberg(bigg.p_trend))),
        "top_raw": significant(bigg.p_top),
        "top_BH": significant(list(benjamini_hochberg(bigg.p_top))),
    }
    assert counts == reference["bigg_multiplicity_57_tasks"]


def test_every_corrected_p_is_the_published_one(bigg: Findings, published: pd.DataFrame) -> None:
    # The table gives three digits.
    assert benjamini_hochberg(bigg.p_trend) == pytest.approx(published.q_trend.to_numpy(), rel=0.006)
    assert benjamini_hochberg(bigg.p_top) == pytest.approx(published.q_top.to_numpy(), rel=0.006)


NORMALISED_BY_LENGTH = {"arc_challenge", "logiqa"}
"""Tasks whose published trend is of `acc_norm`; that of the others is of `acc`."""


@pytest.mark.parametrize("task", ["arc_easy", "piqa", "sciq", "winogrande", "arc_challenge", "logiqa", "mmlu_micro57"])
def test_pythia_has_its_published_trend(task: str, data: Published, reference: dict[str, Any]) -> None:
    table = pd.read_parquet(data("pythia.parquet"))
    metric = "acc_norm" if task in NORMALISED_BY_LENGTH else "acc"
    last = table[(table.n_shot == 0) & (table.tokens == table.tokens.max())]
    rows = last[(last.task == task) & (last.metric == metric)].sort_values("params")
    # The table has the sample standard error of n zeros and ones, sqrt(p (1 - p) / (n - 1)), and not n.
    n = [round(p * (1 - p) / se**2 + 1) for p, se in zip(rows.value, rows.stderr, strict=True)]
    found = trend(np.log10(rows.params), [proportion(p * m, m) for p, m in zip(rows.value, n, strict=True)])
    expected = reference["pythia_final_0shot_cochran_armitage_z"]
    assert len(rows) == 8
    assert found is not None
    assert found.z == pytest.approx(expected[task], abs=expected["tol_abs"])
