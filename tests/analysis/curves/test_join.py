from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.curves import Curve, Scale, curves, position, scale_value
from harness.records import CellResult
from harness.store import Store
from tests.builders import SIZES, cell, counted, failed, grown, model, result, task

RISING = (50, 60, 70, 80, 90, 100, 110, 120)


def only(drawn: tuple[Curve, ...], metric: str = "acc") -> Curve:
    (found,) = [c for c in drawn if c.metric.name == metric]
    return found


def test_a_curve_is_the_results_in_order_of_size() -> None:
    curve = only(curves(reversed(grown(RISING))))
    assert curve.x == SIZES
    assert curve.y == pytest.approx([k / 200 for k in RISING])
    assert curve.n == (200,) * 8
    assert curve.models[0] == "toy-1000"
    assert all(low < y < high for low, y, high in zip(curve.low, curve.y, curve.high, strict=True))


def test_every_metric_has_a_curve_and_the_headline_comes_first() -> None:
    drawn = curves(grown(RISING))
    assert [(c.rank, c.metric.name) for c in drawn] == [(0, "acc"), (1, "prob_correct")]
    assert drawn[0].setting == drawn[1].setting


def test_seeds_are_averaged_into_one_point() -> None:
    seeds = [r for seed in (0, 1) for r in grown([k + 10 * seed for k in RISING], shots=2, seed=seed)]
    curve = only(curves(seeds))
    assert curve.y[0] == pytest.approx(55 / 200)
    assert {e.seeds for e in curve.estimates} == {2}


def test_a_failed_cell_is_a_named_gap_and_never_a_zero() -> None:
    results = list(grown(RISING))
    lost = results.pop(3)
    curve = only(curves(results, [failed(lost.cell, error="OutOfMemoryError", message="2 GiB")]))
    assert len(curve.points) == 7
    assert 0.0 not in curve.y
    assert curve.gaps == (("toy-64000", "OutOfMemoryError: 2 GiB", 64000.0),)


def test_a_failure_with_a_result_is_no_gap() -> None:
    results = grown(RISING)
    assert only(curves(results, [failed(results[3].cell)])).gaps == ()


def test_a_failed_seed_leaves_the_point_of_the_others() -> None:
    first, second = grown(RISING, shots=2, seed=0), grown(RISING, shots=2, seed=1)
    curve = only(curves([*first, *second[:-1]], [failed(second[-1].cell)]))
    assert curve.gaps == ()
    assert [e.seeds for e in curve.estimates] == [2] * 7 + [1]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"engine": "lm-eval"}, {"engine lm-eval", "engine simulated"}),
        ({"task_digest": "1" * 12}, {"task " + "0" * 12, "task " + "1" * 12}),
        ({"limit": 50}, {"documents all", "documents first 50"}),
    ],
)
def test_results_that_cannot_be_compared_are_split_and_the_reason_is_given(
    change: dict[str, object], expected: set[str]
) -> None:
    drawn = [c for c in curves([*grown(RISING), *grown(RISING, **change)]) if c.rank == 0]
    assert {c.split for c in drawn} == expected
    assert [len(c.points) for c in drawn] == [8, 8]


@pytest.mark.parametrize("change", [{"dtype": "bfloat16"}, {"variant": "int8"}])
def test_treated_models_are_not_joined_with_plain_ones(change: dict[str, str]) -> None:
    plain = grown(RISING)
    treated = [counted(replace(r.cell, model=replace(r.cell.model, **change)), 40, 200) for r in plain]
    drawn = [c for c in curves([*plain, *treated]) if c.rank == 0]
    assert [len(c.points) for c in drawn] == [8, 8]
    assert all(c.split for c in drawn)


def test_a_whole_curve_names_no_split() -> None:
    curve = only(curves(grown(RISING)))
    assert curve.split is None
    assert "engine simulated" in curve.conditions


def test_shots_prompts_and_families_are_curves_of_their_own() -> None:
    other = [counted(cell(model=model(n, family="other", name=f"o-{n}")), 50, 200) for n in SIZES]
    drawn = curves([*grown(RISING), *grown(RISING, shots=5), *grown(RISING, prompt="terse"), *other])
    labels = {(c.family, c.label) for c in drawn}
    assert labels == {("toy", "0-shot"), ("toy", "5-shot"), ("toy", "0-shot, terse"), ("other", "0-shot")}


def test_flops_axis_uses_training_compute_and_names_models_without_tokens() -> None:
    results = list(grown(RISING))
    unknown = replace(results[0].cell.model, tokens=None)
    results[0] = counted(replace(results[0].cell, model=unknown), 50, 200)
    curve = only(curves(results, scale="flops"))
    assert curve.x[0] == pytest.approx(6 * 4000 * 80_000)
    assert curve.gaps == (("toy-1000", "training tokens not known", None),)


def test_positions_are_decades_of_size_ascending() -> None:
    curve = only(curves(grown(RISING)))
    assert curve.position == pytest.approx([3 + 0.60206 * step for step in range(8)], rel=1e-5)


def test_the_loss_axis_runs_from_the_worst_model_to_the_best() -> None:
    losses = (2.0, 3.0, 1.0)
    results = [
        counted(cell(model=model(n, loss=loss)), k, 200)
        for n, loss, k in zip(SIZES, losses, (60, 50, 90), strict=False)
    ]
    unknown = counted(cell(model=model(SIZES[3])), 100, 200)
    curve = only(curves([*results, unknown], scale="loss"))
    assert curve.x == (3.0, 2.0, 1.0)
    assert curve.position == (-3.0, -2.0, -1.0)
    assert curve.y == pytest.approx((0.25, 0.3, 0.45))
    assert curve.gaps == (("toy-64000", "loss not known", None),)


@pytest.mark.parametrize("scale", ["params", "flops", "tokens", "loss"])
def test_a_position_can_be_turned_back_into_a_scale(scale: Scale) -> None:
    assert scale_value(scale, position(scale, 1234.5)) == pytest.approx(1234.5)


def checkpoint(tokens: int, k: int, *, day: int = 1, params: int = 1000) -> CellResult:
    made = counted(cell(model=model(params, tokens=tokens, revision=f"step{tokens}-{day}")), k, 200)
    return replace(made, provenance=replace(made.provenance, started_at=datetime(2026, 1, day, tzinfo=UTC)))


def test_the_size_axis_shows_the_last_checkpoint_of_each_model() -> None:
    curve = only(curves([checkpoint(300, 90), checkpoint(100, 50), checkpoint(200, 70)]))
    assert curve.y == pytest.approx((0.45,))


def test_of_equal_checkpoints_the_one_evaluated_last_is_shown() -> None:
    curve = only(curves([checkpoint(100, 90, day=2), checkpoint(100, 50, day=1)]))
    assert curve.y == pytest.approx((0.45,))


def test_models_of_one_name_and_several_sizes_are_no_checkpoints_of_each_other() -> None:
    """Two folders called `checkpoint-1000`, say."""
    asked = [model(p, name="step", revision=f"of {p}", tokens=None) for p in (1000, 4000, 16000)]
    curve = only(curves([counted(cell(model=m), k, 200) for m, k in zip(asked, (50, 60, 70), strict=True)]))
    assert curve.x == (1000, 4000, 16000)
    assert curve.models == ("step",) * 3


def test_the_token_axis_joins_models_of_one_name_and_several_sizes() -> None:
    asked = [model(p, name="step", revision=f"of {p}") for p in (1000, 4000)]
    curve = only(curves([counted(cell(model=m), 50, 200) for m in asked], scale="tokens"))
    assert curve.x == (20000, 80000)
    assert curve.split is None


def test_the_token_axis_keeps_models_with_checkpoints_apart() -> None:
    results = [checkpoint(t, k, params=p) for p in (1000, 2000) for t, k in ((100, 50), (200, 60))]
    drawn = [c for c in curves(results, scale="tokens") if c.rank == 0]
    assert [(c.x, c.split) for c in drawn] == [
        ((100.0, 200.0), "model toy-1000"),
        ((100.0, 200.0), "model toy-2000"),
    ]


def test_missing_documents_and_cut_prompts_stay_visible() -> None:
    partial = replace(counted(cell(), 10, 40), n_expected=50, n_truncated=3)
    (point,) = only(curves([partial])).points
    assert (point.estimate.n, point.n_expected, point.n_truncated) == (40, 50, 3)


def test_order_does_not_depend_on_the_order_of_results() -> None:
    results = [r for name in ("b", "a") for r in grown(RISING, of=task(name))]
    assert curves(results) == curves(results[::-1])


def test_failures_under_other_conditions_do_not_split_a_curve() -> None:
    results = grown(RISING)
    other = failed(replace(results[0].cell, engine="lm-eval"))
    curve = only(curves(results, [other]))
    assert (curve.split, curve.gaps) == (None, ())


# Scores of single documents.

DOCUMENTS = ((1.0, 0.0, 0.0), (1.0, 0.0, 1.0))
"""Scores of three documents at two sizes."""


def stored(folder: Path, results: Iterable[CellResult]) -> tuple[Curve, ...]:
    store = Store(folder)
    for each in results:
        store.write(each)
    return curves(store.results(), items=store.scores)


def answered(size: int, values: Sequence[float], *, hashes: Sequence[str] = ("a", "b", "c"), **changes) -> CellResult:
    made = result(cell(model=model(size), **changes), values=values)
    documents = zip(made.samples or (), hashes, strict=True)
    return replace(made, samples=tuple(replace(each, doc_hash=text) for each, text in documents))


def test_documents_are_kept_by_size_seed_and_document(tmp_path: Path) -> None:
    seeds = [
        answered(size, values[::step], shots=2, seed=seed, hashes="abc"[::step])
        for size, values in zip(SIZES, DOCUMENTS, strict=False)
        for seed, step in ((0, 1), (1, -1))
    ]
    curve = only(stored(tmp_path, seeds))
    assert curve.items is not None
    assert curve.items.tolist() == [[list(values)] * 2 for values in DOCUMENTS]
    assert curve.items.mean(axis=(1, 2)) == pytest.approx(curve.y)


def test_documents_of_each_metric_are_its_own(tmp_path: Path) -> None:
    made = answered(1000, (1.0, 0.0, 0.0))
    samples = tuple(replace(s, scores=s.scores | {"prob_correct": 0.5}) for s in made.samples or ())
    scores = tuple(replace(s, value=0.5) if s.metric == "prob_correct" else s for s in made.scores)
    acc, prob = stored(tmp_path, [replace(made, samples=samples, scores=scores)])
    assert acc.items is not None
    assert prob.items is not None
    assert (acc.items.tolist(), prob.items.tolist()) == ([[[1.0, 0.0, 0.0]]], [[[0.5, 0.5, 0.5]]])


@pytest.mark.parametrize(
    "second",
    [
        {"hashes": ("a", "b", "d")},
        {"seed": 1},
        {"values": (1.0, 0.0), "hashes": ("a", "b")},
    ],
    ids=["another document", "another seed", "a document less"],
)
def test_documents_that_differ_between_sizes_are_not_lined_up(tmp_path: Path, second: dict[str, Any]) -> None:
    given = {"values": (1.0, 0.0, 1.0), "shots": 2} | second
    curve = only(stored(tmp_path, [answered(1000, (1.0, 0.0, 0.0), shots=2), answered(4000, **given)]))
    assert len(curve.points) == 2
    assert curve.items is None


def test_documents_do_not_stand_for_a_score_that_is_not_their_mean(tmp_path: Path) -> None:
    made = answered(1000, (1.0, 0.0, 0.0))
    corpus = replace(made, scores=tuple(replace(s, value=0.4) for s in made.scores))
    assert [c.items for c in stored(tmp_path, [corpus])] == [None, None]


def test_documents_are_left_out_unless_asked_for() -> None:
    assert [c.items for c in curves(grown(RISING))] == [None, None]
