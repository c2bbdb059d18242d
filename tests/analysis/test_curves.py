from dataclasses import replace
from datetime import UTC, datetime

import pytest

from harness.analysis.curves import Curve, Scale, curves, position, scale_value
from harness.records import CellResult
from tests.builders import SIZES, cell, counted, failed, grown, model, task

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
    assert curve.missing == (("toy-64000", "OutOfMemoryError: 2 GiB", 64000.0),)


def test_a_failure_with_a_result_is_no_gap() -> None:
    results = grown(RISING)
    assert only(curves(results, [failed(results[3].cell)])).missing == ()


def test_a_failed_seed_leaves_the_point_of_the_others() -> None:
    first, second = grown(RISING, shots=2, seed=0), grown(RISING, shots=2, seed=1)
    curve = only(curves([*first, *second[:-1]], [failed(second[-1].cell)]))
    assert curve.missing == ()
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
    assert curve.missing == (("toy-1000", "training tokens not known", None),)


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
    assert curve.missing == (("toy-64000", "loss not known", None),)


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
