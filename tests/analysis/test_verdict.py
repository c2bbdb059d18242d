import json

import pytest

from harness.analysis.curves import curves
from harness.analysis.verdict import EDITION_NOTE, Verdict, judge, to_json
from harness.specs import MetricSpec
from tests.builders import PROB, SIZES, failed, grown, task

FLAT = (50, 49, 51, 50, 52, 48, 50, 51)
RISE = (52, 60, 75, 90, 110, 125, 140, 160)
STEP = (50, 50, 51, 50, 49, 50, 52, 190)
SMOOTH = (0.25, 0.28, 0.33, 0.38, 0.44, 0.5, 0.57, 0.9)


def verdict(right: tuple[int, ...], **changes: object) -> Verdict:
    (found,) = judge(curves(grown(right, **changes)))  # type: ignore[arg-type]
    return found


def test_a_rise_is_smooth_and_says_that_its_shape_is_not_judged() -> None:
    found = verdict(RISE)
    assert (found.label, found.qualifier, found.edition) == ("smooth", None, "first")
    assert EDITION_NOTE in found.reasons
    assert found.evidence["z_trend"] > 10
    assert found.evidence["q_trend"] < 1e-20


def test_chance_at_every_size_is_flat_without_a_threshold() -> None:
    found = verdict(FLAT)
    assert found.label == "flat"
    assert (found.threshold, found.threshold_model) == (None, None)
    assert "The largest size is not reliably above chance (chance 0.250)." in found.reasons


def test_exact_match_of_zero_everywhere_is_flat() -> None:
    exact = task(metrics=(MetricSpec(name="acc", chance=0.0), PROB))
    assert verdict((0,) * 8, of=exact).label == "flat"


def test_a_constant_ability_is_flat_above_chance_from_the_smallest_size() -> None:
    found = verdict((150, 149, 152, 151, 148, 150, 150, 151))
    assert (found.label, found.threshold) == ("flat-above-chance", 1000.0)


def test_few_documents_above_chance_are_flat_above_chance_and_say_what_is_not_excluded() -> None:
    found = verdict((25, 26, 24, 27, 25, 26, 25, 28), n=40)
    assert found.label == "flat-above-chance"
    assert "is not excluded" in found.reasons[0]


def test_a_fall_to_chance_is_inverse() -> None:
    found = verdict((60, 55, 50, 44, 38, 30, 25, 20))
    assert found.label == "inverse"
    assert found.evidence["range"] < -0.1


def test_a_fall_that_stays_above_chance_is_not_called_inverse() -> None:
    assert verdict((180, 178, 170, 165, 160, 150, 145, 140)).label == "inconclusive"


def test_a_small_sure_rise_is_flat_but_rising() -> None:
    found = verdict(tuple(2500 + 25 * i for i in range(8)), n=10_000)
    assert (found.label, found.qualifier) == ("flat", "rising")


def test_few_documents_decide_nothing() -> None:
    assert verdict((6, 7, 6, 8, 7, 8, 9, 9), n=25).label == "inconclusive"
    wide_open = verdict((12, 10, 14, 11, 13, 12, 15, 14), n=50)
    assert wide_open.label == "inconclusive"
    assert "is not excluded" in wide_open.reasons[0]


def test_two_sizes_are_no_curve() -> None:
    found = verdict((50, 190))
    assert found.label == "inconclusive"
    assert found.reasons[0] == "2 of at least 3 sizes: no trend can be judged."


def test_the_threshold_is_where_all_larger_sizes_are_above_chance() -> None:
    # 16k is above chance by itself, 64k is not: the ability is reliable only from 256k on.
    found = verdict((50, 52, 90, 50, 90, 95, 100, 110))
    assert (found.threshold, found.threshold_model) == (256000.0, "toy-256000")


def test_a_lone_top_size_is_said_to_carry_the_verdict() -> None:
    found = verdict(STEP)
    assert found.threshold == SIZES[-1]
    assert any("one size carries this" in reason for reason in found.reasons)


def test_the_largest_step_is_described_with_its_models() -> None:
    found = verdict(STEP)
    assert found.jump is not None
    assert found.jump.share == pytest.approx((190 - 52) / (190 - 49))
    assert (found.jump.below, found.jump.above) == ("toy-4096000", "toy-16384000")


def test_the_continuous_partner_is_seen_rising_below_the_threshold() -> None:
    found = verdict(STEP, smooth=SMOOTH)
    assert found.partner is not None
    assert found.partner.rises_below is True
    assert any(reason.startswith("prob_correct already improves below the threshold") for reason in found.reasons)


def test_a_partner_that_jumps_too_does_not_rise_below_the_threshold() -> None:
    found = verdict(STEP, smooth=(0.25,) * 7 + (0.9,))
    assert found.partner is not None
    assert found.partner.rises_below is False


def test_a_headline_that_is_a_loss_is_turned_round() -> None:
    loss = MetricSpec(name="prob_correct", higher_is_better=False, chance=0.75, best=0.0)
    found = verdict(RISE, of=task(metrics=(loss,)), smooth=[0.75 - 0.08 * i for i in range(8)])
    assert found.label == "smooth"
    assert found.threshold == 4000.0
    assert found.evidence["z_trend"] > 0


def test_more_curves_make_each_one_less_sure() -> None:
    weak = grown((50, 52, 54, 55, 57, 58, 60, 62))
    others = [r for i in range(9) for r in grown(FLAT, of=task(f"noise{i}"))]
    (alone,) = judge(curves(weak))
    among = next(v for v in judge(curves([*weak, *others])) if v.curve.task == "colours")
    assert alone.evidence["p_trend"] == among.evidence["p_trend"]
    assert among.evidence["q_trend"] == pytest.approx(10 * alone.evidence["q_trend"])


def test_missing_sizes_are_named_in_the_reasons() -> None:
    results = list(grown(RISE))
    lost = results.pop()
    (found,) = judge(curves(results, [failed(lost.cell, error="WorkerDied", message="killed")]))
    assert "No point for toy-16384000 (WorkerDied: killed)." in found.reasons


def test_json_has_the_promised_keys_and_is_plain() -> None:
    data = json.loads(json.dumps(to_json(verdict(RISE)), allow_nan=False))
    promised = "family task metric shots prompt scale label qualifier threshold threshold_low threshold_high evidence"
    assert {*promised.split(), "reasons", "models", "n"} <= data.keys()
    assert {"p_trend", "q_trend", "z_trend", "p_top", "q_top", "mde", "range"} <= data["evidence"].keys()
    assert (data["threshold_low"], data["threshold_high"]) == (None, None)
    assert len(data["models"]) == len(data["n"]) == 8


def test_a_log_likelihood_headline_has_a_trend_but_no_threshold() -> None:
    free = task(metrics=(MetricSpec(name="prob_correct", chance=None, best=None, continuous=True),))
    found = verdict(RISE, of=free, smooth=SMOOTH)
    assert (found.label, found.threshold, found.evidence["p_top"]) == ("smooth", None, None)
    assert "The metric has no chance level, so no threshold is given." in found.reasons


def test_nothing_to_judge_gives_no_verdicts() -> None:
    assert judge(()) == ()
