"""Breakthroughness and linearity of 57 BIG-bench tasks over twelve BIG-G sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import Shape, shape
from tests.builders.tables import Published


@pytest.fixture(scope="module")
def scored(data: Published) -> tuple[list[str], Shape]:
    table = pd.read_csv(data("bigbench_bigg_3shot_counts.csv"))
    scores = table.assign(y=table.k / table.n).pivot(index="task", columns="params", values="y").sort_index(axis=1)
    return list(scores.index), shape(scores.to_numpy())


def test_every_task_has_its_published_breakthroughness_and_linearity(
    data: Published, scored: tuple[list[str], Shape]
) -> None:
    tasks, found = scored
    published = pd.read_csv(data("reference_bigbench_verdicts.csv")).set_index("task").loc[tasks]
    assert len(tasks) == 57
    assert found.breakthroughness == pytest.approx(published.B.to_numpy(), abs=0.01)
    assert found.linearity == pytest.approx(published.L.to_numpy(), abs=0.01)


def test_the_tasks_named_in_the_reference_have_their_scores(
    reference: dict[str, Any], scored: tuple[list[str], Shape]
) -> None:
    tasks, found = scored
    expected = dict(reference["bigg_scores_B_L"])
    tolerance = expected.pop("tol_abs")
    assert np.isinf(found.breakthroughness[tasks.index("modified_arithmetic")])
    for task, scores in expected.items():
        at = tasks.index(task)
        made = [found.breakthroughness[at], found.linearity[at]]
        assert made == pytest.approx([float(score) for score in scores], abs=tolerance)
