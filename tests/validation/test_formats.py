"""One ability in two formats: multiple choice hides what the probabilities of the answers show (Pythia, 70M to 12B)."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from harness.analysis.curves import Scale
from harness.analysis.curves.table import table_curves
from harness.analysis.verdict import Judged, judge
from tests.builders.tables import Published

CHANCE = {"mmlu": 0.25, "arc_challenge": 0.25, "winogrande": 0.5}
"""One over the number of options of each benchmark, in either format."""


@pytest.fixture(scope="module")
def rows(data: Published) -> pd.DataFrame:
    """The untuned models of one family on three benchmarks, each in two formats."""
    everything = pd.read_csv(data("task_exposure_mmlu_counts.csv"))
    chosen = everything[(everything["family"] == "pythia") & (everything["condition"] == "base")]
    benchmark = chosen["task"].str.removesuffix("_mc").str.removesuffix("_cloze")
    return chosen.assign(chance=benchmark.map(CHANCE))


def _judged(rows: pd.DataFrame, scale: Scale = "params", *, run_sd: float = 0.006) -> dict[str, Judged]:
    return {row.curve.task: row for row in judge(table_curves(rows, scale), run_sd=run_sd, draws=0)}


@pytest.mark.parametrize("run_sd", [0.0, 0.006])
@pytest.mark.parametrize("scale", ["params", "flops"])
@pytest.mark.parametrize("known", [True, False])
def test_each_benchmark_is_flat_in_one_format_and_smooth_in_the_other(
    rows: pd.DataFrame, reference: dict[str, Any], scale: Scale, run_sd: float, known: bool
) -> None:
    found = _judged(rows if known else rows.drop(columns="chance"), scale, run_sd=run_sd)
    assert {task: row.verdict.label for task, row in found.items()} == reference["pythia_format_artefact_verdicts"]


def test_the_formats_start_together_and_only_one_of_them_grows(rows: pd.DataFrame) -> None:
    published = {
        "mmlu": (0.260, 0.267),
        "mmlu_cloze": (0.242, 0.359),
        "arc_challenge_mc": (0.247, 0.260),
        "arc_challenge": (0.172, 0.379),
        "winogrande_mc": (0.482, 0.493),
        "winogrande": (0.519, 0.650),
    }
    for task, row in _judged(rows).items():
        assert (row.curve.y[0], row.curve.y[-1]) == pytest.approx(published[task], abs=0.0006), task


def test_no_single_size_carries_these_verdicts(rows: pd.DataFrame) -> None:
    assert {task: row.verdict.flips for task, row in _judged(rows).items() if row.verdict.flips} == {}


def test_as_plain_counts_the_trends_of_mmlu_are_the_published_ones(rows: pd.DataFrame) -> None:
    # The table's own standard errors are those of 57 subjects taken together, 6 % larger than those of plain counts.
    found = _judged(rows[rows["task"].str.startswith("mmlu")].drop(columns="stderr"), run_sd=0.0)
    assert found["mmlu"].verdict.evidence.z_trend == pytest.approx(3.0, abs=0.05)
    assert found["mmlu_cloze"].verdict.evidence.z_trend == pytest.approx(29.0, abs=0.05)


def test_only_the_growing_formats_become_reliable_by_more_than_matters(rows: pd.DataFrame) -> None:
    for task, row in _judged(rows).items():
        verdict = row.verdict
        beyond = (verdict.evidence.gain or 0.0) > 0.05
        assert beyond == (verdict.label == "smooth"), task
        assert not beyond or verdict.reliable_from is not None, task
