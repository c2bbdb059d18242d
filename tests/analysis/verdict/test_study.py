from dataclasses import replace

import pytest

from harness.analysis.curves import Scale
from harness.analysis.verdict import Study, Verdict, evidence_text, in_words, resolutions, row, study, threshold
from harness.plan import Cell
from harness.specs import MetricSpec
from tests.builders import cell, grown, result, task

RISE = (50, 52, 75, 90, 110, 125, 140, 160)
FALL = (160, 150, 140, 130, 120, 110, 100, 90)


def judged(right: tuple[int, ...] = RISE, scale: Scale = "params", **changes: object) -> Verdict:
    results = [
        replace(r, cell=replace(r.cell, model=replace(r.cell.model, loss=4 - i / 4)))
        for i, r in enumerate(grown(right, **changes))  # type: ignore[arg-type]
    ]
    (verdict,) = study(results, scale=scale).verdicts
    return verdict


@pytest.mark.parametrize(
    ("at", "low", "high", "text"),
    [
        (184_000.0, 108_000.0, 402_000.0, "184k (108k-402k)"),
        (184_000.0, None, 402_000.0, "184k (<1k-402k)"),
        (184_000.0, 108_000.0, None, "184k (108k-16.4M+)"),
    ],
)
def test_a_threshold_stands_with_its_interval_and_open_ends_name_the_last_size(
    at: float, low: float | None, high: float | None, text: str
) -> None:
    assert threshold(replace(judged(), threshold=at, threshold_low=low, threshold_high=high)) == text


def test_a_threshold_in_loss_keeps_its_digits() -> None:
    verdict = replace(judged(scale="loss"), threshold=3.6789, threshold_low=None, threshold_high=3.9)
    assert threshold(verdict) == "3.68 (<2.25-3.9)"


def test_an_ability_there_at_the_smallest_size_set_in_before_it() -> None:
    early = (80, 90, 100, 110, 120, 130, 140, 150)
    assert threshold(judged(early)) == "<1k"
    assert threshold(judged(early, "loss")) == "4+"


def test_what_does_not_rise_has_no_threshold() -> None:
    verdict = judged((50,) * 8)
    assert (threshold(verdict), row(verdict).threshold) == ("", "–")


def test_the_qualifier_stands_behind_the_label() -> None:
    verdict = replace(judged(), label="emergent", qualifier="sharp metric-robust")
    assert in_words(verdict) == "emergent (sharp, metric-robust)"
    assert in_words(replace(verdict, qualifier=None)) == "emergent"


def test_small_p_values_are_short_and_missing_ones_a_dash() -> None:
    numbers = {"q_trend": 0.0, "p_top": 3.4e-12, "z_trend": 12.345, "linearity": 1219.7, "mde": None}
    assert [evidence_text(*one) for one in numbers.items()] == ["<1e-300", "3.4e-12", "12.3", "1.22k", "–"]


def test_a_row_counts_the_sizes_that_decide_and_keeps_all_numbers() -> None:
    verdict = judged()
    assert row(verdict).deciding_sizes == (f"{len(verdict.flips)} of 8" if verdict.flips else "–")
    assert all(name in row(verdict).evidence for name in verdict.evidence)


def test_larger_models_that_do_worse_but_stay_above_chance_are_said_to() -> None:
    (deciding, *_) = judged(FALL).reasons
    assert deciding.startswith("Cannot tell: larger models do worse (fitted line -0.35")
    assert "yet the largest is still above chance" in deciding


def test_the_finest_curve_of_a_task_says_what_its_documents_can_show() -> None:
    made = study([*grown(RISE), *grown(RISE, shots=2, n=400)])
    found = resolutions(made.verdicts)["colours"]
    assert (found.documents, found.chance) == (400, 0.25)
    assert found.mde == pytest.approx(0.0538, abs=1e-3)


def test_a_task_without_chance_level_has_no_effect_to_detect() -> None:
    free = task(metrics=(MetricSpec(name="acc", chance=None),))
    assert resolutions([judged(of=free)])["colours"].mde is None


def test_documents_are_read_when_asked_for() -> None:
    asked: list[Cell] = []
    made = study([result(cell())], items=asked.append)
    assert asked == [cell()]
    assert isinstance(made, Study)
    assert made.scale == "params"
