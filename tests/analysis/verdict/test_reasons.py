from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import curves
from harness.analysis.curves.table import table_curves
from harness.analysis.verdict import Evidence, Verdict, evidence_texts, judge, table_row, to_json
from harness.analysis.verdict.reasons import reasons
from harness.analysis.verdict.types import Decision, Flip, Onset
from tests.builders import SIZES, failed, grown
from tests.builders import cell as cell_of
from tests.builders import model as model_of
from tests.builders.curves import BREAK, DIP, EARLY, FALL, FLAT, HIGH, HUMP, LATE, RISE, STEP, TWO, curve, verdicts
from tests.builders.tables import counted

CURVES: dict[str, tuple[int, ...]] = {
    "jump": STEP,
    "two": TWO,
    "break": BREAK,
    "rise": RISE,
    "flat": FLAT,
    "high": HIGH,
    "fall": FALL,
    "dip": DIP,
    "hump": HUMP,
    "one": (50,),
    "few": (50, 60, 75, 90),
    "none": (0,) * 8,
    "all": (200,) * 8,
    "fallen": (160, 150, 140, 130, 120, 110, 105, 100),
}
SENTENCE = re.compile(r"[A-Za-z][^\n]*[.]")
EMPTY: dict[str, float | None] = dict.fromkeys(evidence_texts())


def judged(right: tuple[int, ...], n: int = 200, **metric: object) -> Verdict:
    (verdict,) = verdicts([curve(right, n=n, **metric)], draws=50)
    return verdict


def beside(right: tuple[int, ...], smooth: tuple[float, ...]) -> str:
    (verdict,) = verdicts(curves(grown(right, smooth=smooth)), draws=0)
    return " ".join(verdict.reasons)


def said(found: Decision, *, onset: Onset | None = None, flips: tuple[Flip, ...] = (), **numbers: float) -> list[str]:
    """What is said of a flat curve of eight sizes that was judged so."""
    sentences = reasons(
        curve(FLAT),
        found,
        evidence=Evidence(**{**EMPTY, **numbers}),  # type: ignore[arg-type]
        effect=0.05,
        first=None,
        onset=onset,
        largest_step=None,
        partner=None,
        flips=flips,
    )
    return list(sentences)


@pytest.mark.parametrize("kind", CURVES)
@pytest.mark.parametrize("chance", [0.25, None])
def test_every_verdict_is_told_in_whole_sentences(kind: str, chance: float | None) -> None:
    verdict = judged(CURVES[kind], chance=chance)
    assert len(verdict.reasons) >= 2
    for sentence in verdict.reasons:
        assert SENTENCE.fullmatch(sentence), sentence
        assert not re.search(r"\b(None|nan|inf|e-\d\d|unknown)\b|  |\.\.", sentence), sentence


@pytest.mark.parametrize(
    ("right", "start"),
    [
        (STEP, "Absent in the 7 smaller sizes"),
        (TWO, "Absent in the 6 small"),
        (BREAK, "Absent in the 4 small"),
        (RISE, "Rises with scale (fitted line +0."),
        (FLAT, "No change with scale"),
        (HIGH, "Above chance at all sizes together, without a clear trend"),
        (FALL, "Larger models do worse (fitted line -0."),
        (DIP, "Falls with scale and then rises again"),
        (HUMP, "Rises with scale and then falls again"),
        ((50, 60), "Cannot tell: 2 sizes, at least 3 are needed."),
        (CURVES["fallen"], "Larger models do worse"),
    ],
)
def test_the_deciding_sentence_comes_first(right: tuple[int, ...], start: str) -> None:
    assert judged(right).reasons[0].startswith(start)


def test_a_clear_fall_is_not_called_scatter() -> None:
    assert judged(CURVES["fallen"]).reasons[0] == (
        "Larger models do worse (fitted line -0.310 over 8 sizes, q < 0.001), "
        "yet the largest is still above chance (q < 0.001)."
    )


def test_a_clear_fall_to_just_above_chance_is_not_called_scatter_either() -> None:
    verdict = judged((1200, 1100, 1000, 900, 800, 700, 640, 580), n=2000)
    assert (verdict.label, verdict.qualifier) == ("inverse", "above-chance")
    assert (verdict.evidence.gain or 1) < 0.05
    assert verdict.reasons[0].startswith("Larger models do worse (fitted line -0.3")
    assert "yet the largest is still above chance" in verdict.reasons[0]


def test_a_loss_that_falls_is_said_to_improve() -> None:
    loss = {"metric": "nll", "value": [3.0 - i / 4 for i in range(8)], "stderr": 0.02}
    (verdict,) = verdicts(table_curves(counted(**loss).drop(columns=["k", "chance"])))
    assert verdict.reasons[0].startswith("Improves with scale (fitted line +1.75")


def test_a_level_beyond_the_best_score_is_not_looked_for() -> None:
    verdict = judged((100, 120, 140, 150, 165, 180, 190, 199), chance=0.97)
    assert verdict.label == "smooth"
    assert "1.020" not in " ".join(verdict.reasons)


def test_a_curve_above_chance_as_a_whole_may_end_at_a_size_that_is_not() -> None:
    verdict = judged((32, 33, 31, 34, 32, 33, 31, 35), n=100)
    assert verdict.label == "flat-above-chance"
    assert "Tested size by size (5 % / 8), the largest is not above it" in " ".join(verdict.reasons)


def test_a_fall_within_the_scatter_of_the_sizes_is_called_so() -> None:
    numbers = {"range": -0.1, "q_trend": 0.01, "z_trend": -3.0, "q_top": 0.001}
    scattered, *_ = said(Decision("inconclusive", rule="rest"), dispersion=3, **numbers)
    assert scattered.endswith(
        "(fitted line -0.100 over 8 sizes, q = 0.010, no more than sizes scatter or than matters)."
    )


def test_too_few_documents_are_named_with_how_many_are_needed() -> None:
    verdict = judged(tuple(k // 10 for k in RISE), n=20)
    assert verdict.reasons[0] == "Cannot tell: 20 documents at the largest size, at least 30 are needed."


def test_what_cannot_be_told_names_the_sizes_and_the_smallest_effect_that_would_have_shown() -> None:
    verdict = judged((10, 9, 11, 10, 12), n=40)
    text = " ".join(verdict.reasons)
    assert verdict.label == "inconclusive"
    assert "Only 5 sizes" in text
    assert f"the largest size could show: {verdict.evidence.mde:.3f}." in text


def test_the_numbers_in_the_sentences_are_those_of_the_evidence() -> None:
    verdict = judged(STEP)
    assert f"at most {verdict.evidence.below_high:.3f}" in verdict.reasons[0]
    assert f"gives {verdict.evidence.foreseen:.3f} for toy-{SIZES[-1]}, measured 0.800" in verdict.reasons[0]


def test_where_an_ability_is_reliable_is_said() -> None:
    assert any(s.startswith("Reliably above chance only at the largest size") for s in judged(STEP).reasons)
    assert any(s.startswith("Reliably above chance from 4.1M parameters on") for s in judged(TWO).reasons)
    assert any(s.startswith("Reliably above chance at every size, from 1k") for s in judged(HIGH).reasons)
    assert "The largest size is not reliably above chance (chance 0.250)." in judged(FLAT).reasons


@pytest.mark.parametrize(
    ("onset", "end"),
    [
        (Onset(64e3, 32e3, 128e3, "logistic"), "at 64k parameters, 95 % interval 32k to 128k."),
        (Onset(64e3, None, None, "logistic"), "at 64k parameters, 95 % interval below 1k to above 16.4M."),
        (Onset(None, None, None, "logistic"), "lies outside the sizes measured."),
    ],
)
def test_a_threshold_is_told_with_its_interval(onset: Onset, end: str) -> None:
    numbers = {"range": 0.5, "q_trend": 0.001, "q_top": 0.001}
    assert any(s.endswith(end) for s in said(Decision("smooth", rule="rise"), onset=onset, **numbers))


def test_an_unstable_verdict_names_three_of_the_sizes_it_hangs_on() -> None:
    flips = tuple(Flip(f"toy-{size}", "flat") for size in SIZES[:5])
    numbers = {"range": 0.5, "q_trend": 0.001}
    (told,) = (s for s in said(Decision("smooth", rule="rise"), flips=flips, **numbers) if s.startswith("Not stable"))
    assert "each of 5 of the 8 sizes, left out, changes the verdict" in told
    assert "toy-1000 (flat), toy-4000 (flat), toy-16000 (flat) and 2 more" in told


@pytest.mark.parametrize(("dispersion", "mentioned"), [(2.9, False), (4.0, True)])
def test_scatter_between_sizes_is_mentioned_when_it_is_large(dispersion: float, mentioned: bool) -> None:
    told = " ".join(said(Decision("flat", rule="small"), range=0.0, range_stderr=0.01, dispersion=dispersion))
    assert ("2.0 times as much as documents explain" in told) == mentioned


def test_the_metric_is_blamed_or_acquitted_by_name() -> None:
    assert "The jump is made by the metric: prob_correct of the same answers already improves" in beside(STEP, EARLY)
    assert "The flatness is made by the metric: prob_correct" in beside(FLAT, EARLY)
    assert "prob_correct does not clearly improve over the 7 sizes below the threshold" in beside(STEP, LATE)


def test_models_without_a_point_and_splits_are_told() -> None:
    lost = failed(cell_of(model=model_of(SIZES[7])))
    (verdict,) = verdicts(curves(grown(RISE[:6]), [lost]), draws=0)
    assert f"No point for toy-{SIZES[7]} (ValueError: no answer)." in verdict.reasons
    (split,) = verdicts([replace(curve(RISE), split="dtype int8")], draws=0)
    assert split.reasons[-1].startswith("Only results with dtype int8;")


def test_a_curve_over_a_loss_speaks_of_losses() -> None:
    (verdict,) = verdicts(table_curves(counted(RISE, loss=[4 - i / 4 for i in range(8)]), "loss"), draws=50)
    assert any(re.search(r"Passes .* at \d\.\d+ loss, 95 % interval", s) for s in verdict.reasons)


def test_three_sizes_say_that_emergence_cannot_be_tested() -> None:
    told = "With 3 sizes emergence cannot be tested, whatever the scores are: at least 4 are needed."
    assert told in judged((50, 90, 150)).reasons
    assert told in judged((50, 50, 51)).reasons
    assert not any("cannot be tested" in sentence for sentence in judged((50, 60, 90, 150)).reasons)


def test_largest_sizes_are_no_surprise_only_where_the_rise_leads_to_them() -> None:
    late = judged((50, 52, 58, 66, 80, 95, 115, 140))
    assert late.label == "smooth"
    assert "the largest size is no surprise after the smaller ones" in late.reasons[0]
    over = judged((50, 60, 100, 140, 145, 150, 152, 155))
    assert (over.label, (over.evidence.p_ext or 0) > 0.5) == ("smooth", True)
    assert "no surprise" not in over.reasons[0]


def test_a_line_through_a_jump_does_not_rise_by_more_than_the_scores_do() -> None:
    (row,) = judge([curve((0, 0, 0, 0, 1000, 1000, 1000, 1000), n=1000, chance=0.0)], draws=0)
    assert (row.verdict.evidence.range or 0) > 1
    assert table_row(row).change == "+1.000"


def test_sentences_speak_in_the_metrics_own_unit() -> None:
    """A score in per cent says per cent: a rise of 55 points, and not of 0.55."""
    right = np.array(RISE) / 200
    stderr = 100 * np.sqrt(right * (1 - right) / 199)
    frame = counted(value=100 * right, stderr=stderr, chance=25.0, best=100.0).drop(columns=["k"])
    (verdict,) = verdicts(table_curves(frame), draws=50)
    (share,) = verdicts([curve(RISE)], draws=50)
    assert verdict.label == share.label == "smooth"
    assert verdict.evidence.range == pytest.approx(100 * (share.evidence.range or 0), rel=0.02)
    assert verdict.evidence.gain == pytest.approx(100 * (share.evidence.gain or 0), rel=0.02)
    assert f"fitted line +{verdict.evidence.range:.3f} over 8 sizes" in verdict.reasons[0]
    assert "Passes 30.000 (chance + 5.000)" in " ".join(verdict.reasons)


def test_documents_that_a_table_does_not_count_are_not_called_one_document() -> None:
    frame = counted(metric="nll", value=[3.0 - i / 4 for i in range(8)], stderr=0.02).drop(columns=["k", "n", "chance"])
    (row,) = judge(table_curves(frame))
    assert row.verdict.label == "smooth"
    assert "Number of documents not known." in row.verdict.reasons
    assert to_json(row)["n"] == [None] * 8


def test_checkpoints_are_called_checkpoints_and_have_names() -> None:
    frame = counted(STEP, model="toy", revision=[f"step{i}" for i in range(8)])
    frame["tokens"] = [1e9 * 4**i for i in range(8)]
    frame["params"] = 1e9
    (verdict,) = verdicts(table_curves(frame, "tokens"), draws=50)
    text = " ".join(verdict.reasons)
    assert "Absent in the first 7 checkpoints" in text
    assert "for toy@step7, measured 0.800" in text
    assert "without toy@step7" in text
    assert "size" not in text
    assert verdict.reliable_model == "toy@step7"


def test_the_place_where_half_of_a_rise_is_made_is_told_beside_its_foot() -> None:
    (row,) = judge([curve((50, 50, 50, 52, 60, 110, 150, 152))], draws=100)
    verdict = row.verdict
    assert verdict.threshold is not None
    assert verdict.halfway is not None
    assert verdict.halfway_low is not None
    assert verdict.halfway_high is not None
    assert verdict.threshold < verdict.halfway
    assert SIZES[4] < verdict.halfway_low < verdict.halfway < verdict.halfway_high < SIZES[6]
    assert any("Half of its rise is made at" in sentence for sentence in verdict.reasons)
    found = to_json(row)
    told = (found["halfway"], found["halfway_low"], found["halfway_high"])
    assert told == (verdict.halfway, verdict.halfway_low, verdict.halfway_high)


def test_a_level_hardly_above_chance_is_not_called_flat_above_chance() -> None:
    """All sizes together lie 0.027 above chance: enough documents make that significant, and it matters little."""
    verdict = judged((112, 95, 94, 95, 94, 95, 96, 112), n=400, chance=0.221)
    assert (verdict.evidence.gain or 0) > 0.05
    assert verdict.label == "inconclusive"
    assert judged((112, 115, 114, 105, 114, 115, 106, 112), n=400, chance=0.221).label == "flat-above-chance"


def test_a_long_rise_after_points_without_the_ability_says_why_it_is_no_jump() -> None:
    x = np.linspace(0.0, 3.0, 16)
    y = 0.7 * (1 - 0.2 ** (np.maximum(x - 1.1, 0.0) / 1.4))
    rows = pd.DataFrame({"model": "toy", "params": 1e9, "tokens": 1e9 * 10**x, "k": np.round(2000 * y), "n": 2000})
    rows = rows.assign(family="toy", task="words", metric="acc", n_shot=0, chance=0.0)
    (row,) = judge(table_curves(rows, scale="tokens"), draws=0)
    assert (row.verdict.label, row.verdict.qualifier) == ("smooth", None)
    sentence = "No jump can be shown: a rise that takes a decade of training tokens or more describes it as well."
    assert sentence in row.verdict.reasons
    assert not any("No jump" in one for one in judged(RISE, n=2000).reasons)
    assert not any("No jump" in one for one in judged(BREAK).reasons)
