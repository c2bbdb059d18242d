"""Published tables are read as they are: documents, counts and checkpoints come out right."""

import pandas as pd
import pytest

from harness.analysis.curves.table import table_curves
from tests.builders.tables import Published

DOCUMENTS = {"arc_challenge": 1172, "arc_easy": 2376, "lambada_openai": 5153, "sciq": 1000, "winogrande": 1267}
"""Sizes of the evaluated splits; https://github.com/EleutherAI/lm-evaluation-harness, tasks of these names."""


def test_counts_become_curves_of_proportions(data: Published) -> None:
    rows = pd.read_csv(data("bigbench_bigg_3shot_counts.csv"))
    drawn = table_curves(rows)
    assert len(drawn) == 57
    for curve in drawn:
        same = rows[rows["task"] == curve.task].sort_values("params")
        assert curve.x == tuple(same["params"])
        assert curve.n == tuple(same["n"])
        assert curve.y == pytest.approx(list(same["k"] / same["n"]))
        assert curve.metric.chance == same["chance"].iloc[0]
        assert all(e.proportion for e in curve.estimates)


def test_standard_errors_tell_how_many_documents_there_were(data: Published) -> None:
    drawn = table_curves(pd.read_parquet(data("pythia.parquet")))
    for task, documents in DOCUMENTS.items():
        curves = [c for c in drawn if c.task == task and c.rank == 0]
        assert {n for c in curves for n in c.n} == {documents}, task
        assert all(e.proportion for c in curves for e in c.estimates), task


def test_documents_told_by_standard_errors_are_those_published(data: Published) -> None:
    rows = pd.read_parquet(data("obs_scaling_emergent.parquet")).dropna(subset=["stderr", "n_items"])
    told, published = table_curves(rows.drop(columns="n_items")), table_curves(rows)
    assert len(told) > 50
    assert [c.n for c in told] == [c.n for c in published]


def test_the_last_checkpoint_of_each_size_stands_on_the_size_axis(data: Published) -> None:
    rows = pd.read_parquet(data("pythia.parquet")).query("task == 'sciq' and metric == 'acc' and n_shot == 0")
    (curve,) = table_curves(rows)
    final = rows[rows["tokens"] == rows["tokens"].max()].sort_values("params")
    assert set(curve.x) <= set(final["params"])
    assert curve.y == pytest.approx([final.set_index("params")["value"][int(x)] for x in curve.x])
    by_tokens = table_curves(rows, "tokens")
    assert {c.split for c in by_tokens} == {f"model {name}" for name in curve.models}
