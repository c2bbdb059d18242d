from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import Curve, curves
from harness.analysis.verdict import PartnerTrend, Verdict, judge, tone_of
from harness.analysis.verdict.artefact import partner_trends
from harness.notebook import read_curves
from tests.builders import grown
from tests.builders.curves import EARLY, FALL, FLAT, HIGH, LATE, RISE, STEP, verdicts


def drawn(right: tuple[int, ...], smooth: tuple[float, ...], n: int = 200) -> tuple[Curve, ...]:
    """Accuracy, `right` of 200, and its continuous partner over eight sizes of `n` documents."""
    return curves(grown([k * n // 200 for k in right], smooth=smooth, n=n))


def judged(right: tuple[int, ...], smooth: tuple[float, ...]) -> Verdict:
    (verdict,) = verdicts(drawn(right, smooth), draws=0)
    return verdict


def heard(smooth: tuple[float, ...], sizes: int = 7, *, n: int = 200, items: np.ndarray | None = None) -> PartnerTrend:
    curve = next(c for c in drawn(STEP, smooth, n) if c.metric.continuous)
    (partner,) = partner_trends([(replace(curve, items=items), sizes)])
    assert partner is not None
    return partner


def documents(rise: float) -> np.ndarray:
    """Scores of 200 documents that differ much between each other and little between sizes, (8, 1, 200)."""
    rng = np.random.default_rng(0)
    easy = rng.uniform(0.05, 0.85, 200)
    return np.clip(easy + rise * np.arange(8)[:, None] + rng.normal(0, 0.01, (8, 200)), 0, 1)[:, None]


def test_a_jump_is_made_by_the_metric_when_the_continuous_score_improves_before_it() -> None:
    verdict = judged(STEP, EARLY)
    assert verdict.label == "metric-artefact"
    assert verdict.partner_trend is not None
    assert (verdict.partner_trend.metric, verdict.partner_trend.sizes_below) == ("prob_correct", 7)
    assert verdict.partner_trend.rises_below is True


def test_a_jump_of_both_scores_is_robust_to_the_metric() -> None:
    verdict = judged(STEP, LATE)
    assert verdict.label == "emergent"
    assert "metric-robust" in str(verdict.qualifier).split()
    assert verdict.partner_trend is not None
    assert verdict.partner_trend.rises_below is False


def test_a_flat_score_over_a_growing_one_is_made_by_the_metric() -> None:
    assert judged(FLAT, EARLY).label == "metric-artefact"
    assert judged(FLAT, (0.25,) * 8).label == "flat"


def test_a_smooth_rise_needs_no_excuse() -> None:
    assert judged(RISE, EARLY).label == "smooth"


def test_without_a_partner_nothing_is_heard() -> None:
    assert partner_trends([(None, 5)]) == (None,)
    (alone,) = verdicts([c for c in drawn(STEP, EARLY) if not c.metric.continuous], draws=0)
    assert (alone.partner_trend, alone.label) == (None, "emergent")


def without(curve: Curve, *sizes: int) -> Curve:
    """The curve with no score at some sizes, by index."""
    return replace(curve, points=tuple(p for i, p in enumerate(curve.points) if i not in sizes))


def test_a_partner_that_lacks_sizes_is_heard_at_those_below_the_jump_alone() -> None:
    # Taken by number instead of by size, its first seven sizes would hold the jump of both scores.
    headline, partner = drawn(STEP, LATE)
    (verdict,) = verdicts([headline, without(partner, 2)], draws=0)
    trend = verdict.partner_trend
    assert trend is not None
    assert (trend.sizes, trend.sizes_below, trend.rises_below) == (7, 6, False)
    assert "metric-robust" in str(verdict.qualifier).split()


def test_a_partner_that_ends_below_the_jump_says_nothing_of_it() -> None:
    headline, partner = drawn(STEP, EARLY)
    (verdict,) = verdicts([headline, without(partner, 7)], draws=0)
    assert verdict.partner_trend is not None
    assert verdict.partner_trend.rises_below is None
    assert (verdict.label, verdict.qualifier) == ("emergent", "apparent unconfirmed")


def test_a_flat_score_is_held_against_all_sizes_of_a_partner_that_lacks_some() -> None:
    headline, partner = drawn(FLAT, EARLY)
    (verdict,) = verdicts([headline, without(partner, 0, 3)], draws=0)
    assert verdict.label == "metric-artefact"
    assert "improves over all sizes" in " ".join(verdict.reasons)


def test_two_sizes_below_the_threshold_cannot_be_tested() -> None:
    partner = heard(EARLY, 2)
    assert (partner.z_below, partner.q_below, partner.rises_below) == (None, None, None)
    assert heard(EARLY, 3).rises_below is not None


def test_the_share_is_that_of_the_line_below_in_the_whole_range() -> None:
    partner = heard(EARLY)
    assert partner.share_below == pytest.approx(0.18 / 0.55, abs=0.001)
    assert (partner.z_below or 0) > 3
    assert heard(tuple(reversed(EARLY))).rises_below is False


def test_a_small_share_of_the_range_is_no_excuse_however_significant() -> None:
    little = heard((0.25, 0.26, 0.27, 0.28, 0.29, 0.30, 0.31, 0.95))
    assert little.share_below == pytest.approx(0.06 / 0.70, abs=0.001)
    assert little.rises_below is False


def test_the_same_documents_at_all_sizes_show_what_unpaired_errors_hide() -> None:
    scores = documents(0.008)[:, :, :60]
    smooth = tuple(scores.mean(axis=(1, 2)))
    unpaired, paired = heard(smooth, n=60), heard(smooth, n=60, items=scores)
    assert unpaired.rises_below is False
    assert paired.rises_below is True
    assert (paired.z_below or 0) > 10 * abs(unpaired.z_below or 0)


def test_documents_that_do_not_improve_show_no_rise() -> None:
    scores = documents(0.0)
    partner = heard(tuple(scores.mean(axis=(1, 2))), items=scores)
    assert abs(partner.z_below or 9) < 3
    assert partner.rises_below is False


def test_a_score_that_should_fall_improves_by_falling() -> None:
    curve = next(c for c in drawn(STEP, tuple(1 - y for y in EARLY)) if c.metric.continuous)
    brier = replace(curve, metric=replace(curve.metric, higher_is_better=False, chance=0.75, best=0.0))
    (partner,) = partner_trends([(brier, 7)])
    assert partner is not None
    assert partner.rises_below is True
    assert (partner.z_trend or 0) > 0


def test_many_partners_are_corrected_together() -> None:
    one = next(c for c in drawn(STEP, EARLY) if c.metric.continuous)
    flat = next(c for c in drawn(STEP, (0.25,) * 8) if c.metric.continuous)
    alone = partner_trends([(one, 7)])[0]
    among = partner_trends([(one, 7)] + [(flat, 7)] * 9)[0]
    apart = partner_trends([(one, 7)] + [(flat, 7)] * 9, together=False)[0]
    assert alone is not None
    assert among is not None
    assert apart is not None
    assert among.q_below == pytest.approx(10 * (alone.p_below or 0))
    assert apart.q_below == alone.p_below


def in_formats(
    own: tuple[int, ...], twin: tuple[int, ...], format: str = "cloze", smooth: tuple[float, ...] = (0.25,) * 8
) -> list[Verdict]:
    """The verdicts on a task and on its twin in another format."""
    results = (*grown(own, smooth=smooth), *grown(twin, format=format))
    return verdicts(curves(results), draws=0)


def test_a_jump_that_only_letters_show_is_made_by_the_format() -> None:
    letters, cloze = in_formats(STEP, RISE)
    assert letters.label == "emergent"
    assert "format-artefact" in str(letters.qualifier).split()
    assert (letters.evidence.z_format or 0) > 3
    assert (letters.evidence.q_format or 1) < 0.05
    assert (letters.evidence.share_format or 0) > 0.25
    (said,) = [sentence for sentence in letters.reasons if sentence.startswith("Format artefact: ")]
    assert "asked without listing the options, the same documents already improve in acc over the 7 sizes" in said
    assert said.endswith("so that the jump is made by the format.")
    assert said == letters.reasons[0]
    assert tone_of(letters) == "bad"
    assert (cloze.label, cloze.qualifier) == ("smooth", None)
    assert not any(sentence.startswith("Format artefact") for sentence in cloze.reasons)


def test_flatness_that_only_letters_show_is_made_by_the_format() -> None:
    letters, _ = in_formats(FLAT, RISE)
    assert (letters.label, letters.qualifier) == ("flat", "format-artefact")


def test_a_twin_by_letter_that_jumps_is_blamed_for_it_as_well() -> None:
    cloze, letters = in_formats(RISE, STEP, format="mc")
    assert "format-artefact" in str(letters.qualifier).split()
    assert cloze.label == "smooth"


def test_a_jump_of_both_formats_is_robust_to_the_format() -> None:
    for verdict in in_formats(STEP, STEP):
        assert verdict.label == "emergent"
        assert "format-robust" in str(verdict.qualifier).split()
    assert any("and jump as well" in sentence for sentence in in_formats(STEP, STEP)[0].reasons)


def test_a_twin_that_stays_at_chance_explains_no_jump() -> None:
    letters, cloze = in_formats(STEP, FLAT)
    assert "format" not in str(letters.qualifier)
    assert any("do not clearly improve in acc" in sentence for sentence in letters.reasons)
    assert cloze.label == "flat"


def test_letters_that_stay_at_chance_where_the_texts_never_were_are_an_artefact_of_the_format() -> None:
    letters, cloze = in_formats(FLAT, HIGH)
    assert (letters.label, letters.qualifier) == ("flat", "format-artefact")
    assert any("are above chance at each of 8 sizes already" in sentence for sentence in letters.reasons)
    assert cloze.label == "flat-above-chance"


def test_a_twin_that_gets_worse_is_said_to() -> None:
    letters, _ = in_formats(FLAT, FALL)
    assert letters.qualifier is None
    assert any("the same documents get worse over all sizes (z = -" in sentence for sentence in letters.reasons)


def test_formats_of_other_tasks_and_settings_are_no_twins() -> None:
    results = (*grown(STEP), *grown(RISE, format="cloze", shots=2), *grown(RISE, format="cloze", prompt="terse"))
    assert verdicts(curves(results), draws=0)[0].format_trend is None


def test_a_metric_artefact_can_be_one_of_the_format_too() -> None:
    letters, _ = in_formats(STEP, RISE, smooth=EARLY)
    assert letters.label == "metric-artefact"
    assert "format-artefact" in str(letters.qualifier).split()


def test_twins_of_a_table_name_both_formats() -> None:
    rows = [
        {"family": "mine", "model": f"m{i}", "params": 10 ** (6 + i / 2), "task": "sums", "metric": "acc", "n_shot": 0}
        | {"chance": 0.25, "n": 200, "k": k, "format": format}
        for format, right in (("mc", STEP), ("cloze", RISE))
        for i, k in enumerate(right)
    ]
    by_format = {row.curve.format: row.verdict for row in judge(read_curves(pd.DataFrame(rows)), draws=0)}
    assert "format-artefact" in str(by_format["mc"].qualifier).split()
    assert "asked without listing the options" in " ".join(by_format["mc"].reasons)
    assert by_format["cloze"].label == "smooth"
