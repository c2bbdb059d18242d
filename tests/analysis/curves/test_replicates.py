"""Two models of one size are two training runs of that size, never two sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import Curve, Scale, curves, numbered_runs
from harness.analysis.curves.frame import frame, point_rows
from harness.analysis.curves.table import table_curves
from harness.records import CellResult
from harness.store import DocumentScores, Store
from tests.builders import SIZES, cell, counted, failed, model, result
from tests.builders.curves import only

RIGHT = ((50, 70), (60, 80), (90, 100))
"""Documents of 200 that two runs of each of three sizes have right."""


def of_run(size: int, run: Any, k: int, **changes: Any) -> CellResult:
    named = {"run": run, "revision": f"{size}r{run}t{changes.get('tokens')}", **changes}
    return counted(cell(model=model(size, **named)), k, 200)


def repeated(right: Sequence[Sequence[int]] = RIGHT) -> list[CellResult]:
    """Each size of the family `toy` once for each number of right documents, in runs 1, 2, ..."""
    pairs = zip(SIZES, right, strict=False)
    return [of_run(size, run, k) for size, runs in pairs for run, k in enumerate(runs, start=1)]


def headline(results: Sequence[CellResult], scale: Scale = "params", **options: Any) -> Curve:
    return only([c for c in curves(results, scale=scale, **options) if c.rank == 0])


def as_table(right: Sequence[Sequence[int]] = RIGHT, **columns: Any) -> pd.DataFrame:
    pairs = [(size, run, k) for size, runs in zip(SIZES, right, strict=False) for run, k in enumerate(runs, start=1)]
    rows = [{"model": f"toy-{size}", "params": size, "run": run, "k": k} for size, run, k in pairs]
    common = {"family": "toy", "task": "colours", "metric": "acc", "n_shot": 0, "n": 200, "chance": 0.25}
    return pd.DataFrame(rows).assign(**common, **columns)


@pytest.mark.parametrize("scale", ["params", "flops"])
def test_runs_of_a_size_share_a_point_at_their_mean(scale: Scale) -> None:
    curve = headline(repeated(), scale)
    assert curve.y == pytest.approx([0.3, 0.35, 0.475])
    assert curve.runs == (2, 2, 2)
    assert curve.models == ("toy-1000", "toy-4000", "toy-16000")
    assert [(one.run, one.estimate.value) for one in curve.points[0].runs] == [("1", 0.25), ("2", 0.35)]


def test_models_with_names_of_their_own_are_runs_of_a_size_numbered_by_name() -> None:
    named = [counted(cell(model=model(1000, name=f"toy-{name}")), k, 200) for name, k in (("r10", 50), ("r2", 70))]
    curve = headline([*named, of_run(4000, 1, 90)])
    assert curve.points[0].run_names == ("1", "2")
    assert [one.model for one in curve.points[0].runs] == ["toy-r2", "toy-r10"]
    assert curve.models == ("toy", "toy-4000")
    (said,) = numbered_runs([curve])
    assert said.startswith("toy: a size has several models with the same parameters and tokens (toy-r2, toy-r10)")


@pytest.mark.parametrize(
    ("names", "size"),
    [
        (("EleutherAI/pythia-70m-seed1", "EleutherAI/pythia-70m-seed12"), "EleutherAI/pythia-70m"),
        (("190M-1xC", "190M-1xC-rerun"), "190M-1xC"),
        (("alpha", "beta"), "alpha"),
    ],
)
def test_a_size_is_called_by_what_the_names_of_its_models_share(names: Sequence[str], size: str) -> None:
    both = [counted(cell(model=model(1000, name=name)), 50, 200) for name in names]
    assert headline(both).models == (size,)


def test_sizes_whose_names_share_nothing_of_their_own_keep_the_first_of_each() -> None:
    named = ((1000, "run-a"), (1000, "run-b"), (4000, "run-c"), (4000, "run-d"))
    assert headline([counted(cell(model=model(size, name=name)), 50, 200) for size, name in named]).models == (
        "run-a",
        "run-c",
    )


def test_nothing_is_said_of_runs_that_have_names() -> None:
    assert numbered_runs([headline(repeated())]) == ()


def test_models_that_saw_other_numbers_of_tokens_are_no_runs_of_a_size() -> None:
    both = [of_run(1000, None, 50), of_run(1000, None, 60, name="longer", tokens=10**6)]
    assert headline(both).runs == (1, 1)


def test_checkpoints_whose_tokens_are_not_known_are_no_runs_of_a_size() -> None:
    both = [of_run(1000, None, 50 + step, name=f"toy-checkpoint-{step}", tokens=None) for step in (5, 10)]
    assert headline(both).runs == (1, 1)


def test_models_of_other_sizes_at_equal_compute_are_no_runs_of_a_size() -> None:
    both = [of_run(1000, None, 50), of_run(2000, None, 60, tokens=10_000)]
    curve = headline(both, "flops")
    assert (len(set(curve.x)), curve.runs) == (1, (1, 1))


def test_runs_of_a_size_are_one_point_over_the_loss_too_at_their_mean_loss() -> None:
    losses = {(1000, 1): 3.0, (1000, 2): 3.2, (4000, 1): 2.5, (4000, 2): 2.3}
    curve = headline([of_run(size, run, 50, loss=loss) for (size, run), loss in losses.items()], "loss")
    assert curve.x == pytest.approx((3.1, 2.4))
    assert curve.runs == (2, 2)


@pytest.mark.parametrize("run", [(1, 2), (None, None)], ids=["named", "not named"])
def test_runs_are_one_point_over_the_loss_where_their_tokens_are_not_known(run: Sequence[int | None]) -> None:
    both = [of_run(1000, one, 50, name=f"toy-{place}", loss=3.0 + place, tokens=None) for place, one in enumerate(run)]
    curve = headline(both, "loss")
    assert (curve.x, curve.runs) == ((3.5,), (2,))


def test_checkpoints_at_several_losses_are_no_runs_of_a_size() -> None:
    stages = [
        of_run(1000, run, 50, loss=4.0 - stage + run / 10, tokens=None, revision=f"{run}-{stage}")
        for run in (1, 2)
        for stage in (0, 1)
    ]
    assert headline(stages, "loss").runs == (1, 1, 1, 1)
    known = [
        of_run(1000, run, 50, loss=4.0 - stage + run / 10, tokens=1000 * 2**stage) for run in (1, 2) for stage in (0, 1)
    ]
    assert headline(known, "loss").runs == (2, 2)


@pytest.mark.parametrize("names", [("toy", "toy"), ("toy-a", "toy-b")], ids=["one name", "two names"])
def test_runs_with_checkpoints_are_one_curve_over_tokens(names: Sequence[str]) -> None:
    checkpoints = [
        of_run(1000, run, 50 + run, name=name, tokens=tokens)
        for run, name in enumerate(names)
        for tokens in (1000, 2000, 4000)
    ]
    drawn = [c for c in curves(checkpoints, scale="tokens") if c.rank == 0]
    assert [(c.x, c.runs) for c in drawn] == [((1000, 2000, 4000), (2, 2, 2))]


@pytest.mark.parametrize(("scale", "freedom"), [("tokens", 1.0), ("loss", 2.0)])
def test_checkpoints_of_runs_say_no_more_of_the_noise_between_them_than_the_runs(scale: Scale, freedom: float) -> None:
    checkpoints = [
        of_run(size, run, 90 + 20 * run, tokens=tokens, loss=9.0 - np.log10(size * tokens) + run / 100)
        for size in (1000, 4000)
        for run in (1, 2)
        for tokens in (1000, 3000, 9000, 27000)
    ]
    for curve in (c for c in curves(checkpoints, scale=scale) if c.rank == 0):
        assert {*curve.runs} == {2}
        assert curve.noise is not None
        assert curve.noise.freedom == pytest.approx(freedom, abs=0.01)
        assert not curve.noise.known


def test_each_run_shows_its_most_trained_checkpoint_on_the_size_axis() -> None:
    later = [of_run(1000, run, 80, tokens=40_000) for run in (1, 2)]
    curve = headline([*repeated(RIGHT[:1]), *later])
    assert (curve.y, curve.runs) == ((0.4,), (2,))


def test_a_failed_run_is_a_gap_with_its_name_and_leaves_the_others() -> None:
    lost = repeated()[1]
    kept = [one for one in repeated() if one is not lost and one.cell != lost.cell]
    curve = headline(kept, failures=[failed(lost.cell)])
    assert curve.runs == (1, 2, 2)
    assert [gap.model for gap in curve.gaps] == ["toy-1000 run 2"]


def test_the_documents_of_a_size_are_means_over_its_runs() -> None:
    runs = [(1, (1.0, 0.0)), (2, (0.0, 0.0))]
    results = [result(cell(model=model(run=run, revision=str(run))), values=values) for run, values in runs]
    scores = {r.cell.key: np.array([s.scores["acc"] for s in r.samples or ()]) for r in results}

    def read(asked: Any) -> DocumentScores:
        return DocumentScores(("a", "b"), {"acc": scores[asked.key], "prob_correct": scores[asked.key]})

    curve = headline(results, items=read)
    assert curve.items is not None
    assert curve.items.tolist() == [[[0.5, 0.0]]]


@pytest.mark.parametrize("run", [["1", "2"] * 3, [1, 2] * 3, [1.0, 2.0] * 3], ids=["text", "integer", "float"])
def test_a_table_names_runs_in_a_column(run: list[Any]) -> None:
    curve = only(table_curves(as_table(run=run)))
    assert curve.y == pytest.approx([0.3, 0.35, 0.475])
    assert [one.run for one in curve.points[0].runs] == ["1", "2"]


def test_a_table_needs_no_column_of_runs() -> None:
    table = as_table()
    curve = only(
        table_curves(table.assign(model=table["model"] + "-" + table["run"].map("r{}".format)).drop(columns="run"))
    )
    assert curve.runs == (2, 2, 2)
    assert len(numbered_runs([curve])) == 1


def test_runs_survive_the_way_through_the_leaderboard_and_the_store(tmp_path: Path) -> None:
    results = repeated()
    read = only([c for c in table_curves(frame(results)) if c.rank == 0])
    assert read.points == headline(results).points
    store = Store(tmp_path)
    for one in results:
        store.write(result(one.cell))
    assert {r.cell.model.run for r in store.results()} == {1, 2}


def test_a_cell_without_a_run_keeps_its_key() -> None:
    assert cell().key == cell(model=model(run=None)).key
    assert cell(model=model(run="1")).key == cell(model=model(run=1)).key != cell().key


def test_points_list_their_runs() -> None:
    first = point_rows([headline(repeated())])[0]
    assert first["value"] == pytest.approx(0.3)
    assert [(one["run"], one["model"], one["value"], one["n"]) for one in first["runs"]] == [
        ("1", "toy-1000", 0.25, 200),
        ("2", "toy-1000", 0.35, 200),
    ]
