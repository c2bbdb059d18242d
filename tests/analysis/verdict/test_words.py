from dataclasses import fields, replace

import pytest

from harness.analysis.curves import Scale
from harness.analysis.verdict import (
    PLAIN_WORDS,
    Evidence,
    Judged,
    evidence_text,
    evidence_texts,
    label_text,
    study,
    table_row,
    threshold_text,
)
from tests.builders import grown
from tests.builders.curves import RISE


def row_of(right: tuple[int, ...] = RISE, scale: Scale = "params") -> Judged:
    results = [
        replace(r, cell=replace(r.cell, model=replace(r.cell.model, loss=4 - i / 4)))
        for i, r in enumerate(grown(right))
    ]
    (row,) = study(results, scale=scale).judged
    return row


def with_verdict(row: Judged, **changes: object) -> Judged:
    return replace(row, verdict=replace(row.verdict, **changes))  # type: ignore[arg-type]


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
    assert threshold_text(with_verdict(row_of(), threshold=at, threshold_low=low, threshold_high=high)) == text


def test_a_threshold_in_loss_keeps_its_digits() -> None:
    row = with_verdict(row_of(scale="loss"), threshold=3.6789, threshold_low=None, threshold_high=3.9)
    assert threshold_text(row) == "3.68 (<2.25-3.9)"


def test_an_ability_there_at_the_smallest_size_set_in_before_it() -> None:
    early = (80, 90, 100, 110, 120, 130, 140, 150)
    assert threshold_text(row_of(early)) == "<1k"
    assert threshold_text(row_of(early, "loss")) == "4+"


def test_what_does_not_rise_has_no_threshold() -> None:
    row = row_of((50,) * 8)
    assert (threshold_text(row), table_row(row).threshold) == ("", "–")


def test_the_qualifier_stands_behind_the_label() -> None:
    verdict = replace(row_of().verdict, label="emergent", qualifier="sharp metric-robust")
    assert label_text(verdict) == "emergent (sharp, metric-robust)"
    assert label_text(replace(verdict, qualifier=None)) == "emergent"


def test_every_label_has_plain_words() -> None:
    assert len(set(PLAIN_WORDS.values())) == len(PLAIN_WORDS) == 9


def test_small_p_values_are_short_and_missing_ones_a_dash() -> None:
    numbers = {"q_trend": 0.0, "p_top": 3.4e-12, "z_trend": 12.345, "linearity": 1219.7, "mde": None}
    assert [evidence_text(*one) for one in numbers.items()] == ["<1e-300", "3.4e-12", "12.3", "1.22k", "–"]


def test_a_row_of_a_table_counts_the_sizes_that_decide_and_keeps_all_numbers() -> None:
    row = row_of((50, 49, 51, 50, 48, 52, 50, 160))
    cells = table_row(row)
    assert (cells.verdict, cells.deciding_sizes) == ("emergent (apparent, unconfirmed)", "1 of 8")
    assert [part.split()[0] for part in cells.evidence.split(", ")] == list(evidence_texts())


def test_every_number_behind_a_verdict_is_explained_by_the_docstring_of_its_field() -> None:
    texts = evidence_texts()
    assert list(texts) == [field.name for field in fields(Evidence)]
    assert texts["p_ext"] == (
        "Apparent emergence: probability of the largest sizes' scores under growth laws fitted to the smaller sizes."
    )
    assert all(text[0].isalpha() and text.endswith(".") and "  " not in text for text in texts.values())
