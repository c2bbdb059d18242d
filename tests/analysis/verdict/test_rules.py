from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.verdict.curve_tests import weigh
from harness.analysis.verdict.rules import decide, unconfirmed
from harness.analysis.verdict.types import CurveTests, Decision, Flip, Levels
from tests.builders.curves import BREAK, DIP, FALL, FLAT, HIGH, HUMP, RISE, STEP, TWO, counts, curve, judged, verdicts


@pytest.mark.parametrize(
    ("right", "label", "qualifier"),
    [
        (STEP, "emergent", "apparent unconfirmed"),
        (TWO, "emergent", "sharp"),
        (BREAK, "emergent", "sharp unconfirmed"),  # without a size beside it the gap is wider than a decade
        (RISE, "smooth", None),
        (FLAT, "flat", None),
        (HIGH, "flat-above-chance", None),
        (FALL, "inverse", None),
        (DIP, "u-shaped", None),
        (HUMP, "inverted-u", None),
    ],
)
def test_every_kind_of_growth_has_its_label(right: tuple[int, ...], label: str, qualifier: str | None) -> None:
    verdict = judged(right)
    assert (verdict.label, verdict.qualifier) == (label, qualifier)


def test_what_few_documents_leave_open_is_inconclusive() -> None:
    assert judged((10, 9, 11, 10, 12, 9, 11, 13), n=40).label == "inconclusive"


def test_a_rise_too_small_to_matter_is_flat_and_rising() -> None:
    rise = (2500, 2504, 2510, 2540, 2560, 2590, 2620, 2650)
    (verdict,) = verdicts([curve(rise, n=10_000)], run_sd=0.0, draws=0)
    assert (verdict.label, verdict.qualifier) == ("flat", "rising")


def test_a_fall_that_ends_above_chance_says_so() -> None:
    fallen = judged((160, 150, 140, 130, 120, 110, 105, 100))
    assert (fallen.label, fallen.qualifier) == ("inverse", "above-chance")
    assert judged(FALL[::-1]).label == "smooth"
    below = judged((30, 31, 33, 35, 38, 40, 43, 46))
    assert (below.label, below.qualifier, below.threshold) == ("smooth", "not-above-chance", None)


def test_a_fall_too_small_to_matter_is_flat_and_falling() -> None:
    fall = (2650, 2620, 2590, 2560, 2540, 2510, 2504, 2500)
    (verdict,) = verdicts([curve(fall, n=10_000)], run_sd=0.0, draws=0)
    assert (verdict.label, verdict.qualifier) == ("flat", "falling")
    assert verdict.reasons[0].startswith("Falls significantly, but by less than matters (fitted line -0.")


def test_two_sizes_say_nothing() -> None:
    assert judged((50, 150)).label == "inconclusive"


@pytest.mark.parametrize(("n", "label"), [(29, "inconclusive"), (30, "smooth")])
def test_few_documents_at_the_largest_size_say_nothing(n: int, label: str) -> None:
    assert judged(tuple(round(k * n / 200) for k in (50, 75, 100, 120, 145, 165, 180, 195)), n=n).label == label


def test_thirty_documents_in_an_otherwise_large_curve_are_counted_where_it_ends() -> None:
    n = [200] * 7 + [20]
    assert judged((*RISE[:7], 16), n=n).label == "inconclusive"  # type: ignore[arg-type]


# One rule at a time: the tests on a curve, changed in what the rule looks at.


def weighed(right: tuple[int, ...] = FLAT, **changes: float) -> CurveTests:
    of = weigh(counts(right))
    return replace(of, **{name: np.array([value]) for name, value in changes.items()})


def said(of: CurveTests, *, documents: int = 200, trend: bool = False, top: bool = False) -> Decision:
    levels = Levels(trend=float(trend) or -1.0, top=float(top) or -1.0, ext=0.0099, jump=0.0099, turn=0.0499)
    return decide(of, 0, documents, levels)


def test_a_significant_turn_comes_before_everything_but_too_little_data_and_a_jump() -> None:
    turning = weighed(RISE, turn=1, p_turn=0.049)
    assert said(turning, trend=True, top=True).rule == "turn"
    assert said(weighed(RISE, turn=1, p_turn=0.051), trend=True, top=True).rule == "rise"
    assert said(turning, documents=29, trend=True, top=True).rule == "documents"
    assert said(weighed(STEP, turn=1, p_turn=0.049), trend=True, top=True).label == "emergent"


def test_emergent_needs_a_largest_size_above_chance_after_correction() -> None:
    assert said(weighed(STEP), trend=True, top=True).rule == "unforeseen"
    assert said(weighed(STEP), trend=True, top=False).rule == "rise"


def test_emergent_needs_smaller_sizes_that_lack_the_ability() -> None:
    assert said(weighed(STEP, below_high=0.301, p_jump=1.0), trend=True, top=True).rule == "rise"
    assert said(weighed(STEP, below_high=0.299, p_jump=1.0), trend=True, top=True).rule == "unforeseen"


@pytest.mark.parametrize(("p", "rule"), [(0.009, "unforeseen"), (0.011, "rise")])
def test_emergent_needs_a_surprise_at_one_percent(p: float, rule: str) -> None:
    assert said(weighed(STEP, p_ext=p, p_jump=1.0), trend=True, top=True).rule == rule
    assert said(weighed(STEP, p_ext=1e-9, p_ext_noise=p, p_jump=1.0), trend=True, top=True).rule == rule


@pytest.mark.parametrize(
    ("p_ext", "p_sharp", "p_jump", "qualifier", "rule"),
    [
        (1e-9, 1e-9, 1.0, "sharp", "unforeseen"),
        (1e-9, 1.0, 1e-9, "sharp", "unforeseen"),
        (1e-9, 1.0, 1.0, "apparent", "unforeseen"),
        (1.0, 1.0, 1e-9, "sharp", "broken"),
        (1.0, 1e-9, 1.0, None, "rise"),
        (1e-9, np.nan, np.nan, "apparent", "unforeseen"),
        (np.nan, np.nan, np.nan, None, "rise"),
    ],
)
def test_sharp_is_what_no_smooth_curve_describes(
    p_ext: float, p_sharp: float, p_jump: float, qualifier: str | None, rule: str
) -> None:
    of = weighed(STEP, p_ext=p_ext, p_ext_noise=p_ext, p_sharp=p_sharp, p_jump=p_jump)
    found = said(of, trend=True, top=True)
    assert (found.qualifier, found.rule) == (qualifier, rule)


def test_a_trend_within_the_scatter_of_the_sizes_is_none() -> None:
    steady = weighed(RISE, z_trend=4.0, dispersion=4.0)
    scattered = weighed(RISE, z_trend=4.0, dispersion=4.3)
    assert said(steady, trend=True, top=True).rule == "rise"
    assert said(scattered, trend=True, top=True).rule != "rise"


@pytest.mark.parametrize(("reach", "label"), [(0.01, "flat"), (0.04, "inconclusive")])
def test_flat_means_that_a_change_of_twice_the_effect_is_excluded(reach: float, label: str) -> None:
    found = said(weighed(reach=reach, reach_error=0.04))
    assert (found.label, found.rule) == (label, "small")


def test_above_chance_must_hold_for_all_sizes_together_and_none_far_below() -> None:
    assert said(weighed(HIGH), top=True).label == "flat-above-chance"
    assert said(weighed(HIGH, lowest=-0.051), top=True).rule == "rest"
    assert said(weighed(HIGH, below_low=0.24), top=True).rule == "rest"
    falling = weighed(HIGH, z_trend=-3.0)
    assert said(falling, trend=True, top=True) == Decision("flat-above-chance", "falling", "above")


def test_a_rise_about_which_the_sizes_scatter_widely_is_rough() -> None:
    steady, scattered = weighed(RISE, z_trend=9.0, dispersion=2.9), weighed(RISE, z_trend=9.0, dispersion=3.1)
    assert said(steady, trend=True, top=True) == Decision("smooth", None, "rise")
    assert said(scattered, trend=True, top=True) == Decision("smooth", "rough", "rise")


def test_a_jump_or_turn_that_rests_on_one_size_is_unconfirmed() -> None:
    flip = (Flip("8b", "flat"),)
    assert unconfirmed(Decision("emergent", "sharp metric-robust", "broken"), flip).qualifier == (
        "sharp metric-robust unconfirmed"
    )
    assert unconfirmed(Decision("u-shaped", None, "turn"), flip).qualifier == "unconfirmed"
    assert unconfirmed(Decision("emergent", "sharp", "unforeseen"), ()).qualifier == "sharp"
    assert unconfirmed(Decision("emergent", "sharp", "unforeseen"), None).qualifier == "sharp unconfirmed"
    assert unconfirmed(Decision("smooth", None, "rise"), flip).qualifier is None
