"""Published reruns: the OLMo ladder trained five of its sizes twice (Bhagia et al. 2024, arXiv:2412.04403), and Pythia
its eight sizes four times (Biderman et al. 2023, arXiv:2304.01373)."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from harness.analysis.curves import Curve, numbered_runs
from harness.analysis.curves.table import table_curves
from harness.analysis.verdict import judge
from tests.builders.tables import Published


@pytest.fixture(scope="module")
def twice(data: Published) -> dict[str, Curve]:
    """The curve of each task over the sizes that were trained twice, at the end of training."""
    table = pd.read_csv(data("olmo_reruns.csv")).assign(metric="acc", chance=0.25)
    return {curve.task: curve for curve in table_curves(table)}


def test_reruns_are_runs_of_their_sizes_and_no_sizes(twice: dict[str, Curve]) -> None:
    for curve in twice.values():
        assert curve.models == ("190M-1xC", "370M-1xC", "760M-1xC", "1B-1xC", "3B-1xC")
        assert curve.sizes == "5 sizes × 2 runs"
        assert [one.model for one in curve.points[0].runs] == ["190M-1xC", "190M-1xC-rerun"]
    (said,) = numbered_runs(twice.values())
    assert said.startswith(
        "olmo-ladder: 5 sizes have several models with the same parameters and tokens (190M-1xC, 190M-"
    )


@pytest.mark.parametrize(("task", "sd"), [("hellaswag_val_rc_5shot", 0.0019), ("boolq_val_rc_5shot", 0.0339)])
def test_reruns_differ_as_published_scores_do(twice: dict[str, Curve], task: str, sd: float) -> None:
    noise = twice[task].noise
    assert noise is not None
    assert math.sqrt(noise.between) == pytest.approx(sd, rel=0.1)
    assert noise.freedom == pytest.approx(5, abs=0.1)


def test_noise_between_runs_is_said_of_the_task_that_has_it(twice: dict[str, Curve]) -> None:
    judged = {row.curve.task: row.verdict for row in judge(twice.values(), draws=0)}
    assert judged["boolq_val_rc_5shot"].evidence.run_sd == pytest.approx(0.034, rel=0.1)
    assert judged["hellaswag_val_rc_5shot"].evidence.run_sd == 0.0
    assert "no more than their documents explain" in " ".join(judged["hellaswag_val_rc_5shot"].reasons)
    assert {verdict.label for task, verdict in judged.items() if task != "boolq_val_rc_5shot"} == {"smooth"}


def test_four_runs_of_pythia_are_eight_sizes_and_nothing_between_them_is_a_jump_or_a_turn(data: Published) -> None:
    about = ["task", "n_items", "chance", "n_shot", "model", "params"]
    rows = pd.read_csv(data("pythia_runs.csv")).melt(about, var_name="run", value_name="value")
    rows = rows.assign(family="pythia", metric="acc")
    tasks = ["piqa", "arc_easy", "lambada_openai", "sciq", "winogrande", "logiqa"]
    drawn = table_curves(rows[rows["task"].isin(tasks)])
    assert {curve.sizes for curve in drawn} == {"8 sizes × 4 runs"}
    assert drawn[0].points[0].run_names == ("v0", "v0-deduped", "v1", "v1-deduped")
    judged = {(row.curve.task, row.curve.shots): row.verdict for row in judge(drawn, draws=0)}
    assert {verdict.label for (task, _), verdict in judged.items() if task != "logiqa"} == {"smooth"}
    assert {verdict.label for (task, _), verdict in judged.items() if task == "logiqa"} == {"flat"}
    assert judged["lambada_openai", 0].evidence.run_sd == pytest.approx(0.017, abs=0.003)
    without_run = table_curves(
        rows[rows["task"] == "piqa"].assign(model=lambda t: t["model"] + "-" + t["run"]).drop(columns="run")
    )
    assert {curve.sizes for curve in without_run} == {"8 sizes × 4 runs"}
