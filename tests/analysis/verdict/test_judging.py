from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.analysis.curves import Curve, curves
from harness.analysis.curves.table import table_curves
from harness.analysis.verdict import Judged, Verdict, batches, evidence_texts, judge, judge_each, to_json
from tests.builders import SIZES, failed, grown
from tests.builders import cell as cell_of
from tests.builders import model as model_of
from tests.builders.curves import BREAK, FALL, FLAT, HIGH, RISE, STEP, TWO, curve, judged, verdicts
from tests.builders.tables import counted

CONTRACT = {
    "family", "task", "metric", "shots", "prompt", "scale", "label", "qualifier", "threshold", "threshold_low",
    "threshold_high", "evidence", "reasons", "models", "n",
}  # fmt: skip
NUMBERS = {"p_trend", "q_trend", "z_trend", "p_top", "q_top", "p_ext", "p_sharp", "breakthroughness", "linearity"}


def several(*rights: tuple[int, ...], n: int = 200) -> tuple[Curve, ...]:
    """One task per row of successes."""
    return tuple(curve(right, n=n, name=f"task-{i:02d}") for i, right in enumerate(rights))


def row_of(right: tuple[int, ...], **metric: object) -> Judged:
    (row,) = judge([curve(right, **metric)])
    return row


def located(right: tuple[int, ...], **metric: object) -> Verdict:
    return row_of(right, **metric).verdict


def test_verdicts_come_in_the_order_of_the_curves_and_skip_the_partners() -> None:
    drawn = curves(grown(STEP)) + several(RISE, FLAT)
    found = judge(drawn, draws=0)
    assert [row.curve for row in found] == [c for c in drawn if c.rank == 0]
    assert judge(()) == ()


def test_a_curve_among_many_flat_ones_must_show_more() -> None:
    weak = (50, 50, 53, 54, 55, 58, 60, 67)
    rng = np.random.default_rng(0)
    flat = [tuple(rng.permutation((50, 48, 52, 49, 51, 50, 47, 53)).tolist()) for _ in range(30)]
    (alone,) = verdicts(several(weak), draws=0)
    among = verdicts(several(weak, *flat), draws=0)[0]
    each = judge_each(several(weak, *flat), draws=0)[0].verdict
    assert (alone.evidence.q_trend or 1) < 0.05 < (among.evidence.q_trend or 0)
    assert alone.evidence.p_trend == among.evidence.p_trend == each.evidence.q_trend
    assert alone.label != among.label
    assert each.label == alone.label


def test_who_calls_the_tests_of_many_curves_changes_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_TOGETHER", 3)
    drawn = several(STEP, RISE, FLAT, FALL, TWO, BREAK, HIGH, STEP)
    calls: list[int] = []

    def elsewhere(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], /) -> list[Any]:
        calls.append(len(arguments))
        sent = pickle.loads(pickle.dumps((function, arguments)))  # as another process gets them
        return [pickle.loads(pickle.dumps(sent[0](*one))) for one in reversed(sent[1])][::-1]

    apart = judge(drawn, draws=20, each=elsewhere)
    assert [row.verdict for row in apart] == [row.verdict for row in judge(drawn, draws=20)]
    assert calls == [3, 3, 2]


def test_the_one_point_that_carries_a_verdict_is_named() -> None:
    verdict = judged(STEP)
    assert [(flip.model, flip.label) for flip in verdict.flips] == [(f"toy-{SIZES[-1]}", "flat")]
    assert f'One point carries this verdict: without toy-{SIZES[-1]} it would be "flat".' in verdict.reasons


def test_a_steady_rise_hangs_on_no_point() -> None:
    assert judged(RISE).flips == ()
    assert judged((50, 100, 110, 150)).flips == ()


def test_the_threshold_of_a_jump_is_its_whole_gap() -> None:
    verdict = located(TWO)
    below, above = SIZES[5], SIZES[6]
    assert verdict.threshold == pytest.approx(math.sqrt(below * above))
    assert below <= (verdict.threshold_low or 0) < below * 1.2
    assert above / 1.2 < (verdict.threshold_high or 0) <= above
    assert (verdict.reliable_from, verdict.reliable_model) == (above, f"toy-{above}")


@pytest.mark.parametrize(
    ("right", "chance", "gap"),
    [
        ((0, 1, 4, 1, 15, 177, 87, 190), 0.0, 3),
        ((59, 52, 114, 127, 197, 196, 196, 198), 0.25, 1),
        ((2, 193, 200, 200, 195, 196, 195, 200), 0.0, 0),
    ],
)
def test_a_threshold_lies_between_the_sizes_clearly_below_and_above_it_and_in_its_interval(
    right: tuple[int, ...], chance: float, gap: int
) -> None:
    verdict = located(right, chance=chance)
    assert verdict.threshold is not None
    assert SIZES[gap] * 1.05 < verdict.threshold < SIZES[gap + 1]
    assert (verdict.threshold_low or 0) <= verdict.threshold <= (verdict.threshold_high or math.inf)


def test_models_at_one_place_of_the_axis_are_not_judged_and_this_is_all_that_is_said() -> None:
    # The mean of the logarithms is rounded to something else, which must not make a trend.
    rows = counted((160, 60, 190, 40, 110, 70, 180, 50), tokens=4_000_001)
    (verdict,) = verdicts(table_curves(rows, "tokens"))
    assert verdict.label == "inconclusive"
    assert (verdict.evidence.p_trend, verdict.evidence.q_trend, verdict.flips) == (None, None, ())
    assert verdict.reasons == ("Cannot tell: all 8 models lie at one place of this axis, 4M training tokens.",)


@pytest.mark.parametrize("right", [FLAT, FALL, HIGH])
def test_what_does_not_rise_has_no_threshold(right: tuple[int, ...]) -> None:
    verdict = located(right)
    assert (verdict.threshold, verdict.threshold_low, verdict.threshold_high) == (None, None, None)


def test_the_largest_step_is_a_share_of_the_range() -> None:
    verdict = judged((50, 60, 70, 110, 120, 130, 140, 150))
    assert verdict.largest_step is not None
    assert verdict.largest_step.share == pytest.approx(0.4)
    assert (verdict.largest_step.below, verdict.largest_step.above) == (f"toy-{SIZES[2]}", f"toy-{SIZES[3]}")
    assert judged((150, 140, 130, 120)).largest_step is None


def test_the_same_seed_gives_the_same_thresholds() -> None:
    one, other = located(RISE), located(RISE)
    assert one == other
    (third,) = verdicts([curve(RISE)], seed=1)
    assert third.threshold == one.threshold
    assert third.threshold_low != one.threshold_low


@pytest.mark.parametrize("right", [STEP, RISE, FLAT, HIGH, FALL, BREAK, (50,), (0,) * 8, (200,) * 8])
def test_a_verdict_is_plain_data(right: tuple[int, ...]) -> None:
    found = to_json(row_of(right))
    assert set(found) >= CONTRACT
    assert set(found["evidence"]) == set(evidence_texts()) >= NUMBERS
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["n"] == [200] * len(right)


def test_infinity_either_way_is_a_text_in_plain_data() -> None:
    texts = [
        to_json(row_of(right, chance=0.0))["evidence"]["breakthroughness"]
        for right in ((0, 0, 0, 0, 0, 0, 0, 40), (40, 0, 0, 0, 0, 0, 0, 0))
    ]
    assert texts == ["inf", "-inf"]


def test_models_without_a_point_are_missing_and_named() -> None:
    done, lost = grown(RISE[:6]), failed(cell_of(model=model_of(SIZES[7])))
    (row,) = judge(curves(done, [lost]), draws=0)
    assert to_json(row)["missing"] == [f"toy-{SIZES[7]}"]


# Properties.


def told(row: Judged, *without: str) -> dict[str, object]:
    return {name: value for name, value in to_json(row).items() if name not in {"models", *without}}


@pytest.mark.parametrize("right", [STEP, RISE, FLAT, FALL, HIGH])
def test_the_order_of_rows_changes_nothing(right: tuple[int, ...]) -> None:
    rows = counted(right)
    one, other = (to_json(judge(table_curves(table))[0]) for table in (rows, rows.sample(frac=1, random_state=3)))
    assert one == other


@pytest.mark.parametrize("right", [STEP, TWO, RISE, FLAT, FALL])
def test_parameters_in_thousands_move_the_threshold_and_nothing_else(right: tuple[int, ...]) -> None:
    one = located(right)
    (other,) = verdicts(table_curves(counted(right, params=np.array(SIZES) * 1000)))
    scales = ("threshold", "threshold_low", "threshold_high", "reliable_from")
    for name in scales:
        before, after = getattr(one, name), getattr(other, name)
        assert after == (None if before is None else pytest.approx(1000 * before, rel=1e-3)), name
    assert (other.label, other.qualifier, other.flips) == (one.label, one.qualifier, one.flips)
    for name in evidence_texts():
        number = getattr(one.evidence, name)
        same = number if number is None else pytest.approx(number, rel=1e-3, abs=1e-12)
        assert getattr(other.evidence, name) == same, name


def test_another_name_for_the_family_changes_nothing_else() -> None:
    one, other = (judge(table_curves(counted(STEP, family=name)))[0] for name in ("toy", "renamed"))
    assert told(one, "family") == told(other, "family")


@pytest.mark.parametrize(("right", "label"), [(0, "flat"), (200, "flat-above-chance"), (50, "flat")])
def test_a_constant_score_is_flat(right: int, label: str) -> None:
    verdict = located((right,) * 8)
    assert verdict.label == label
    assert verdict.evidence.z_trend == pytest.approx(0.0, abs=1e-9)
    assert verdict.evidence.breakthroughness == 0.0


def test_one_size_is_inconclusive_and_says_so() -> None:
    verdict = located((150,))
    assert verdict.label == "inconclusive"
    assert verdict.reasons[0] == "Cannot tell: 1 size, at least 3 are needed."


def test_three_sizes_have_a_direction_and_no_threshold() -> None:
    steep, level = located((50, 100, 190)), located((50, 52, 48))
    assert (steep.label, steep.threshold, level.label) == ("smooth", None, "flat")


def test_a_curve_over_a_loss_has_the_same_verdict_and_a_loss_as_threshold() -> None:
    (verdict,) = verdicts(table_curves(counted(RISE, loss=[4 - i / 4 for i in range(8)]), "loss"))
    assert verdict.label == "smooth"
    assert 2.25 < (verdict.threshold_low or 0) <= (verdict.threshold or 0) <= (verdict.threshold_high or 9) <= 4


def test_noise_between_runs_makes_verdicts_more_careful() -> None:
    rise = curve((250, 260, 270, 280, 285, 290, 300, 310), n=1000)
    sure, unsure = (verdicts([rise], run_sd=sd, draws=0)[0] for sd in (0.0, 0.15))
    assert (sure.label, unsure.label) == ("smooth", "inconclusive")
    assert unsure.evidence.run_sd == 0.15


def test_the_threshold_of_known_documents_is_as_unsure_as_their_runs_are() -> None:
    late = (50, 51, 50, 49, 62, 80, 120, 160)
    right = np.array([[np.arange(200) < k] for k in late], dtype=float)
    known = replace(curve(late), items=right)
    (sure,), (unsure,) = (verdicts([known], run_sd=run_sd) for run_sd in (0.0, 0.06))
    assert (unsure.threshold_high or 0) > 1.4 * (sure.threshold_high or 0)
    assert (unsure.threshold_low or 0) < (sure.threshold_low or 0)


def test_a_large_noise_between_runs_is_not_counted_twice_when_a_size_is_left_out() -> None:
    # Five sizes: the noise told is larger than the one assumed where a curve cannot show its own.
    (verdict,) = verdicts([curve((2500, 2520, 2490, 2510, 9900), n=10_000)], run_sd=0.05, draws=0)
    assert verdict.label == "emergent"
    assert [flip.label for flip in verdict.flips if flip.model == f"toy-{SIZES[0]}"] == []
