import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import Scale, curves
from harness.analysis.curves.frame import frame
from harness.analysis.curves.table import missing_information, table_curves
from harness.errors import TableError
from tests.builders import SIZES, failed, grown
from tests.builders.curves import only
from tests.builders.tables import RISING, counted, documents, scored


def refused(rows: pd.DataFrame, scale: Scale = "params") -> str:
    with pytest.raises(TableError) as error:
        table_curves(rows, scale, "some.csv")
    return str(error.value)


# What a table says.


def test_counts_give_the_same_curve_as_results_do() -> None:
    ours = next(c for c in curves(grown(RISING)) if c.rank == 0)
    theirs = only(table_curves(counted()))
    assert theirs.points == ours.points
    assert theirs.metric == ours.metric
    assert (theirs.family, theirs.task, theirs.shots, theirs.prompt) == ("toy", "colours", 0, "default")
    assert (theirs.suite, theirs.kind, theirs.conditions, theirs.items) == ("", "", "", None)


def test_values_with_standard_errors_give_the_documents_they_rest_on() -> None:
    assert only(table_curves(scored())).points == only(table_curves(counted())).points


def test_a_rounded_binomial_error_is_still_one_of_counts() -> None:
    rounded = scored(n_items=200, stderr=[round(e, 3) for e in scored()["stderr"]])
    curve = only(table_curves(rounded))
    assert all(e.proportion for e in curve.estimates)
    assert curve.points == only(table_curves(counted())).points


def test_a_value_below_0_is_no_share_and_keeps_its_error() -> None:
    own = scored(metric="margin", n=200, best=1.0)
    own.loc[1, "value"] = -1.0
    curve = only(table_curves(own))
    assert curve.points[1].estimate.value == -1.0
    assert not curve.estimates[1].proportion


def test_a_larger_error_than_counts_would_have_is_kept() -> None:
    curve = only(table_curves(scored(n_items=200, stderr=0.05)))
    assert {(e.proportion, e.stderr, e.n) for e in curve.estimates} == {(False, 0.05, 200)}


def test_a_score_of_a_hundred_rests_on_as_many_documents_as_its_share() -> None:
    p = np.array(RISING) / 200
    percent = scored(value=100 * p, stderr=100 * np.sqrt(p * (1 - p) / 199), best=100.0, chance=25.0)
    assert only(table_curves(percent)).n == (200,) * 8


def test_a_value_and_a_number_of_documents_are_counts() -> None:
    curve = only(table_curves(scored(n=200).drop(columns="stderr")))
    assert curve.points == only(table_curves(counted())).points


def test_scores_of_0_and_of_1_are_fine() -> None:
    curve = only(table_curves(counted((0, 0, 100, 200, 200))))
    assert curve.y == (0.0, 0.0, 0.5, 1.0, 1.0)
    assert curve.low[0] == 0.0
    assert curve.high[0] > 0.0
    # without counts, the documents of the other sizes are taken
    bare = scored(value=[0, 0.5, *[1.0] * 6], stderr=[0, math.sqrt(0.25 / 199), *[0.0] * 6])
    assert only(table_curves(bare)).n == (200,) * 8


def test_one_size_is_a_curve_of_one_point() -> None:
    assert len(only(table_curves(counted((50,)))).points) == 1


def test_a_constant_metric_is_a_curve() -> None:
    assert set(only(table_curves(counted((50,) * 8))).y) == {0.25}


def test_a_chance_level_that_is_not_given_is_not_known_and_said_so() -> None:
    drawn = table_curves(counted().drop(columns="chance"))
    assert only(drawn).metric.chance is None
    assert missing_information(drawn) == (
        "colours acc: no column `chance`, so nothing can be held against chance and no threshold given",
    )
    assert missing_information(table_curves(counted())) == ()


def test_seeds_are_pooled_like_those_of_results() -> None:
    rows = pd.concat([counted(seed=0), counted(tuple(k + 10 for k in RISING), seed=1)])
    results = [r for s in (0, 1) for r in grown([k + 10 * s for k in RISING], shots=0, seed=s)]
    ours = next(c for c in curves(results) if c.rank == 0)
    assert only(table_curves(rows)).points == ours.points


def test_rows_of_documents_become_scores_and_are_kept() -> None:
    curve = only(table_curves(documents()))
    assert curve.y == pytest.approx((1 / 3, 2 / 3))
    assert curve.n == (3, 3)
    assert curve.items is not None
    assert curve.items.tolist() == [[[1, 0, 0]], [[1, 0, 1]]]


def test_models_without_the_same_documents_keep_none() -> None:
    assert only(table_curves(documents().iloc[:-1])).items is None


def test_settings_and_conditions_are_never_joined() -> None:
    rows = pd.concat([counted(condition="base"), counted(condition="tuned"), counted(n_shot=5, condition="base")])
    drawn = table_curves(rows)
    assert [(c.shots, c.split) for c in drawn] == [
        (0, "condition base"),
        (0, "condition tuned"),
        (5, None),
    ]


def test_our_own_leaderboard_gives_the_curves_of_the_results() -> None:
    results = [r for shots in (0, 2) for r in grown(RISING, shots=shots)]
    gone = failed(results.pop().cell)
    exported = frame(results, [gone])
    ours, theirs = curves(results, [gone]), table_curves(exported)
    assert [c.points for c in theirs] == [c.points for c in ours]
    assert [(c.metric, c.rank, c.kind, c.suite) for c in theirs] == [(c.metric, c.rank, c.kind, c.suite) for c in ours]
    assert [[g.model for g in c.gaps] for c in theirs] == [[g.model for g in c.gaps] for c in ours]


@pytest.mark.parametrize("scale", get_args(Scale))
def test_our_own_leaderboard_gives_the_curves_of_every_axis(scale: Scale) -> None:
    of = [one.cell.model for one in grown(RISING)]
    sizes = [replace(m, params_non_embedding=m.params // 2, params_active=m.params // 3, loss=1 / m.params) for m in of]
    results = [
        replace(one, cell=replace(one.cell, model=model)) for one, model in zip(grown(RISING), sizes, strict=True)
    ]
    ours = curves(results, scale=scale)
    assert [c.points for c in table_curves(frame(results), scale)] == [c.points for c in ours]
    assert [c.scale for c in ours] == [scale] * 2


# How metrics are read.


@pytest.mark.parametrize(
    ("name", "continuous", "higher"),
    [
        ("acc", False, True),
        ("exact_match", False, True),
        ("f1", False, True),
        ("prob_correct", True, True),
        ("brier", True, False),
        ("tc_brier", True, False),
        ("bits_per_byte", True, False),
        ("word_perplexity", True, False),
        ("loglikelihood_per_token", True, True),
        ("rougeL", True, True),
        ("edit_similarity", True, True),
        ("edit_distance", True, False),
    ],
)
def test_what_a_metric_is_shows_in_its_name(name: str, continuous: bool, higher: bool) -> None:
    metric = only(table_curves(scored(metric=name))).metric
    assert (metric.continuous, metric.higher_is_better) == (continuous, higher)


def test_columns_have_the_last_word_on_what_a_metric_is() -> None:
    metric = only(table_curves(scored(continuous="true", higher_is_better="no", best=0.0))).metric
    assert (metric.continuous, metric.higher_is_better, metric.best) == (True, False, 0.0)


def test_each_sharp_metric_is_a_headline_and_continuous_ones_are_partners() -> None:
    names = ("bits_per_byte", "acc_norm", "prob_correct", "acc")
    drawn = table_curves(pd.concat([scored(metric=name) for name in names]))
    assert [(c.metric.name, c.rank) for c in drawn] == [
        ("acc", 0),
        ("acc_norm", 0),
        ("prob_correct", 2),
        ("bits_per_byte", 3),
    ]


def test_continuous_metrics_alone_are_headlines() -> None:
    drawn = table_curves(pd.concat([scored(metric="ppl"), scored(metric="loss")]))
    assert [c.rank for c in drawn] == [0, 0]


def test_a_metric_without_bounds_takes_the_documents_of_the_others() -> None:
    rows = pd.concat([scored(), scored(metric="ppl", value=50.0, stderr=2.0)])
    ppl = next(c for c in table_curves(rows) if c.metric.name == "ppl")
    assert (ppl.metric.best, ppl.n[0]) == (None, 200)


# Axes.


def test_compute_follows_from_parameters_and_tokens() -> None:
    curve = only(table_curves(counted(tokens=1000), "flops"))
    assert curve.x == tuple(6.0 * 1000 * size for size in SIZES)


@pytest.mark.parametrize(
    ("sizes", "scale", "expected"),
    [
        ({}, "params_active", SIZES),
        ({"params_active": [None, *(size // 4 for size in SIZES[1:])]}, "params_active", (1000, *SIZES[:-1])),
        ({"params_active": 500, "tokens": SIZES}, "flops", tuple(3000.0 * size for size in SIZES)),
        ({"params_non_embedding": [size // 2 for size in SIZES]}, "params_non_embedding", [s / 2 for s in SIZES]),
    ],
)
def test_every_way_to_count_parameters_is_an_axis(sizes: dict[str, Any], scale: Scale, expected: Any) -> None:
    assert only(table_curves(counted(**sizes), scale)).x == pytest.approx(tuple(expected))


def test_an_axis_that_a_table_does_not_have_is_asked_for() -> None:
    assert "column params_non_embedding is missing" in refused(counted(), "params_non_embedding")


def test_models_of_unknown_or_no_place_on_the_axis_are_gaps() -> None:
    curve = only(table_curves(counted(tokens=[None, 0, *SIZES[2:]]), "tokens"))
    assert len(curve.points) == 6
    assert [(g.model, g.reason) for g in curve.gaps] == [
        ("toy-1000", "training tokens not known"),
        ("toy-4000", "0 tokens have no place on a log axis"),
    ]


def test_chance_lies_on_the_other_side_of_the_best_score() -> None:
    assert refused(scored(chance=1.2)).endswith(
        "row 1, column chance: is 1.2; expected no better than the best score, 1"
    )
    brier = scored(metric="brier", chance=-0.1)
    assert refused(brier).endswith("row 1, column chance: is -0.1; expected no better than the best score, 0")
    assert only(table_curves(scored(metric="brier", chance=0.75))).metric.chance == 0.75


def test_the_loss_axis_runs_down() -> None:
    curve = only(table_curves(counted(loss=np.linspace(4, 2, 8)), "loss"))
    assert curve.x[0] == 4.0
    assert curve.position == tuple(-x for x in curve.x)


@pytest.mark.parametrize("named", ["column", "model@revision"])
def test_of_several_checkpoints_the_most_trained_stands_on_the_size_axis(named: str) -> None:
    early, late = counted((40,) * 8, tokens=100, revision="step1"), counted(tokens=900, revision="step9")
    rows = pd.concat([late, early])
    if named != "column":
        rows = rows.assign(model=rows["model"] + "@" + rows["revision"]).drop(columns="revision")
    assert only(table_curves(rows)).points == only(table_curves(counted())).points
    by_tokens = table_curves(rows, "tokens")
    assert [c.split for c in by_tokens][:2] == ["model toy-1000", "model toy-1024000"]
    assert {c.x for c in by_tokens} == {(100.0, 900.0)}


# What is refused, and how it is said.


@pytest.mark.parametrize("name", ["family", "model", "params", "task", "metric", "n_shot", "k"])
def test_a_missing_column_is_named(name: str) -> None:
    message = refused(counted().drop(columns=name))
    assert message.startswith("some.csv: column ")
    assert name in message.partition(" is missing")[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 201}, "row 3, column k: is 201; expected at most n = 200"),
        ({"k": -1}, "row 3, column k: is -1; expected 0 or more"),
        ({"k": 1.5}, "row 3, column k: is 1.5; expected a whole number"),
        ({"k": None}, "row 3, column k: is empty; expected a number"),
        ({"n": 0}, "row 3, column n: is 0; expected 1 or more"),
        ({"n": None}, "row 3, column n: is empty; expected the number of documents that k is of"),
        ({"params": 0}, "row 3, column params: is 0; expected more than 0"),
        ({"params": -7}, "row 3, column params: is -7; expected more than 0"),
        ({"params": "7B"}, "row 3, column params: is 7B; expected a number"),
        ({"params": None}, "row 3, column params: is empty; expected a number"),
        ({"params": math.inf}, "row 3, column params: is inf; expected a finite number"),
        ({"n_shot": None}, "row 3, column n_shot: is empty; expected a number"),
        ({"n_shot": -1}, "row 3, column n_shot: is -1; expected 0 or more"),
        ({"model": " "}, "row 3, column model: is empty; expected a name"),
        ({"chance": 25}, "row 3, column chance: is 25; expected 0 to 1"),
        ({"chance": 0.5}, "row 3, column chance: is 0.5; expected 0.25 as in row 1, which belongs to the same curve"),
        ({"model": "toy-1000", "params": 1000}, "row 3 is of the same score as row 1 (model toy-1000, task colours"),
    ],
)
def test_a_count_that_cannot_be_is_named_by_row_and_column(change: dict[str, Any], message: str) -> None:
    rows = counted().astype(object)
    for column, value in change.items():
        rows.loc[2, column] = value
    assert message in refused(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": math.nan}, "row 3, column value: is empty; expected a number"),
        ({"value": math.inf}, "row 3, column value: is inf; expected a finite number"),
        ({"value": "N/A%"}, "row 3, column value: is N/A%; expected a number"),
        ({"value": 43.8}, "row 3, column value: is 43.8; expected a share from 0 to 1, or a column `best`"),
        ({"stderr": -0.1}, "row 3, column stderr: is -0.1; expected 0 or more"),
        ({"stderr": None}, "row 3, column stderr: is empty; expected a number here or as n"),
        ({"stderr": 4.0}, "row 3, column stderr: is 4.0; expected at most 0.5, as any score from 0 to 1 has"),
    ],
)
def test_a_value_that_cannot_be_is_named_by_row_and_column(change: dict[str, Any], message: str) -> None:
    rows = scored().astype(object)
    for column, value in change.items():
        rows.loc[2, column] = value
    assert message in refused(rows)


@pytest.mark.parametrize(
    ("reading", "value", "message"),
    [
        ({"best": 1.0}, 45.2, "row 3, column value: is 45.2; expected no better than the best score, 1"),
        (
            {"metric": "prob_correct"},
            45.2,
            "row 3, column value: is 45.2; expected a share from 0 to 1, or a column `best`",
        ),
        ({"metric": "brier", "best": 0.2, "chance": 0.9}, 0.1, "expected no better than the best score, 0.2"),
    ],
)
def test_a_score_that_its_metric_cannot_have_is_refused(reading: dict[str, Any], value: float, message: str) -> None:
    rows = scored(**reading)
    rows.loc[2, "value"] = value
    assert message in refused(rows)


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        ({"best": 100.0, "chance": None}, "is 55.0; expected at most 50, as any score from 0 to 100 has"),
        ({"metric": "parse_failures", "higher_is_better": False, "chance": None}, "is 55.0; expected at most 0.5"),
        ({"metric": "prob_correct"}, "is 55.0; expected at most 0.5"),
    ],
)
def test_an_error_larger_than_the_scores_allow_is_refused(reading: dict[str, Any], message: str) -> None:
    rows = scored(**reading)
    rows.loc[2, "stderr"] = 55.0
    assert f"row 3, column stderr: {message}" in refused(rows)


def test_losses_and_metrics_without_bounds_may_have_any_score_and_error() -> None:
    brier = only(table_curves(scored(metric="brier", value=1.2, stderr=0.6, chance=0.75)))
    assert (brier.y[0], brier.stderr[0]) == (1.2, 0.6)
    bleu = only(table_curves(scored(metric="bleu", value=[0.3, *[28.4] * 7], stderr=4.0, chance=0.0)))
    assert bleu.metric.best is None


def test_values_without_any_spread_are_refused() -> None:
    assert "column stderr or n or n_items is missing" in refused(scored().drop(columns="stderr"))


def test_a_table_without_rows_is_refused() -> None:
    assert refused(counted().iloc[:0]) == "some.csv: has no rows"


@pytest.mark.parametrize("scale", ["flops", "tokens", "loss"])
def test_an_axis_without_a_column_is_named(scale: Scale) -> None:
    assert f"column {scale} is missing" in refused(counted(), scale)


def test_an_empty_axis_is_named() -> None:
    assert "column loss: is empty in every row" in refused(counted(loss=None), "loss")


@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        ((0, 0), "row 9, column metric_rank: is 0, as that of acc on the same curves; expected each rank once"),
        ((0, None), "row 9, column metric_rank: is empty; expected a number"),
        ((0, 1e9), "row 9, column metric_rank: is 1000000000.0; expected 0 to 999"),
    ],
)
def test_ranks_of_metrics_that_cannot_be_are_refused(ranks: tuple[int, float | None], message: str) -> None:
    rows = [counted(metric=name, metric_rank=rank) for name, rank in zip(("acc", "f1"), ranks, strict=True)]
    assert message in refused(pd.concat(rows))


def test_a_document_that_stands_twice_is_refused() -> None:
    assert "row 7 is of the same score as row 1" in refused(pd.concat([documents(), documents().iloc[:1]]))


def test_checkpoints_that_nothing_orders_are_refused() -> None:
    rows = pd.concat([counted(revision="a"), counted(revision="b")])
    assert "nothing says which is the most trained" in refused(rows)


# Properties.


def several() -> pd.DataFrame:
    """Two tasks, two metrics, two seeds, in values that do not add up exactly in floats."""
    parts = [
        scored(task=task, metric=metric, seed=seed, value=scored()["value"] * (0.9 + seed / 30))
        for task in ("a", "b")
        for metric in ("acc", "prob_correct", "exact_match")
        for seed in (0, 1, 2)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    rows = several()
    assert table_curves(rows.sample(frac=1, random_state=seed)) == table_curves(rows)


@pytest.mark.parametrize("factor", [1000, 1e-3])
def test_units_of_scale_change_only_the_axis(factor: float) -> None:
    one, other = only(table_curves(counted())), only(table_curves(counted(params=np.array(SIZES) * factor)))
    assert other.estimates == one.estimates
    assert other.x == pytest.approx([x * factor for x in one.x])


def test_relabelled_families_have_the_same_curves() -> None:
    one, other = only(table_curves(counted())), only(table_curves(counted(family="renamed")))
    assert other.points == one.points


@pytest.mark.parametrize("make", [counted, scored, documents])
def test_a_repeated_row_is_refused(make: Callable[[], pd.DataFrame]) -> None:
    rows = make()
    message = refused(pd.concat([rows, rows.iloc[[1]]]))
    assert f"row {len(rows) + 1} is of the same score as row 2" in message


def test_an_error_of_nearly_zero_implies_no_number_of_documents() -> None:
    rows = scored()
    rows.loc[4, "stderr"] = 1e-320
    (curve,) = table_curves(rows)
    assert {point.estimate.n for point in curve.points} == {200}


@pytest.mark.parametrize(
    "date", ["-1-01-01", "0001-01-01", "9999-12-31", "2026-01-01T00:00:00.5Z", "99999-01-01", "soon"]
)
def test_a_date_of_any_year_is_no_obstacle(date: str) -> None:
    rows = scored()
    assert len(table_curves(rows.assign(date=date))[0].points) == len(rows)
