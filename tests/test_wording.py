"""Numbers, times and foreign names as people read them: a table of cases for each kind."""

import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from markdown_it import MarkdownIt

from harness import wording
from tests.builders import hostile


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (512, "512"),
        (999, "999"),
        (999.6, "1k"),
        (1000, "1k"),
        (1220, "1.22k"),
        (11_632, "11.6k"),
        (184_320, "184k"),
        (999_499, "999k"),
        (999_600, "1M"),
        (1_020_000, "1.02M"),
        (1_900_000, "1.9M"),
        (1_910_000, "1.91M"),
        (6_900_000_000, "6.9B"),
        (175e9, "175B"),
        (300e9, "300B"),
        (1.4e12, "1.4T"),
        (999.4e12, "999T"),
        (999.6e12, "1e15"),
        (1e15, "1e15"),
        (2.30e15, "2.3e15"),
        (2.03e23, "2.03e23"),
        (2.6149, "2.61"),
        (2.5, "2.5"),
        (9.996, "10"),
        (0.4312, "0.431"),
        (0.05, "0.05"),
        (0.001, "0.001"),
        (0.00123, "0.00123"),
        (0.00012, "0.00012"),
        (0.000012, "1.2e-5"),
        (3.4e-12, "3.4e-12"),
        (-1234, "-1.23k"),
        (-0.5, "-0.5"),
        (-1e-320, "-1e-320"),
        (float("inf"), "inf"),
    ],
)
def test_a_number_has_three_digits_and_the_suffix_of_model_names(value: float, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1.234, 2, "1.2"), (0.0351, 2, "0.035"), (12.34, 2, "12"), (123.4, 2, "120"), (9.96, 2, "10"), (1840, 1, "2k")],
)
def test_a_number_can_have_fewer_digits(value: float, digits: int, text: str) -> None:
    assert wording.number(value, digits=digits) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")])
def test_a_count_has_all_its_digits(value: int, text: str) -> None:
    assert wording.count(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0 cells"), (1, "1 cell"), (2, "2 cells"), (12_000, "12,000 cells")])
def test_a_number_of_things_says_what_they_are(value: int, text: str) -> None:
    assert wording.counted(value, "cell") == text


@pytest.mark.parametrize(("values", "text"), [([200], "200"), ([7, 7], "7"), ([1200, 120, 300], "120 to 1,200")])
def test_a_span_of_equal_numbers_is_one_number(values: list[int], text: str) -> None:
    assert wording.span(values) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (0.9996, "1.000"), (-1.0, "-1.000"), (None, ""), (float("nan"), "")]
)
def test_a_score_has_three_decimals_and_absence_is_empty(value: float | None, text: str) -> None:
    assert wording.score(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "+0.123"), (0.0, "+0.000"), (-0.25, "-0.250"), (None, ""), (float("nan"), "")]
)
def test_a_change_has_its_sign(value: float | None, text: str) -> None:
    assert wording.signed(value) == text


@pytest.mark.parametrize(
    ("low", "high", "text"), [(0.1, 0.2, "0.100 to 0.200"), (None, 0.2, ""), (0.1, None, ""), (None, None, "")]
)
def test_an_interval_has_both_ends_or_is_empty(low: float | None, high: float | None, text: str) -> None:
    assert wording.interval(low, high) == text


PROBABILITIES = [
    # value, in a sentence, in a table, to compare orders of magnitude
    (0.0, "< 0.001", "<0.001", "<1e-300"),
    (1e-320, "< 0.001", "<0.001", "<1e-300"),
    (9e-301, "< 0.001", "<0.001", "<1e-300"),
    (1e-300, "< 0.001", "<0.001", "1e-300"),
    (3.4e-12, "< 0.001", "<0.001", "3.4e-12"),
    (0.00123, "= 0.001", "0.001", "0.00123"),
    (0.0499, "= 0.050", "0.050", "0.0499"),
    (0.66, "= 0.66", "0.66", "0.66"),
    (1.0, "= 1.00", "1.00", "1"),
    (None, "unknown", "", ""),
]


@pytest.mark.parametrize(("p", "sentence", "table", "magnitude"), PROBABILITIES)
def test_a_probability_never_shows_as_nothing(p: float | None, sentence: str, table: str, magnitude: str) -> None:
    assert (wording.probability(p), wording.p_value(p), wording.small_probability(p)) == (sentence, table, magnitude)


@pytest.mark.parametrize(
    ("share", "text", "finer", "signed"),
    [
        (0.0, "0%", "0.0%", "+0%"),
        (0.0123, "1%", "1.2%", "+1%"),
        (0.0996, "10%", "10.0%", "+10%"),
        (1.0, "100%", "100.0%", "+100%"),
        (-0.183, "-18%", "-18.3%", "-18%"),
    ],
)
def test_a_share_is_written_in_percent(share: float, text: str, finer: str, signed: str) -> None:
    assert wording.percent(share) == text
    assert wording.percent(share, decimals=1) == finer
    assert wording.percent_change(share) == signed


@pytest.mark.parametrize(("value", "text"), [(0.0, "0.0"), (1.96, "2.0"), (-3.449, "-3.4"), (12.0, "12.0")])
def test_a_z_value_has_one_decimal(value: float, text: str) -> None:
    assert wording.one_decimal(value) == text


@pytest.mark.parametrize(
    ("seconds", "text", "clock"),
    [
        (0, "0 s", "0:00"),
        (0.034, "0.034 s", "0:00"),
        (4.2, "4 s", "0:04"),
        (59.6, "1 min", "1:00"),
        (75, "1 min 15 s", "1:15"),
        (725, "12 min 5 s", "12:05"),
        (3599.6, "1 h", "1:00:00"),
        (3605, "1 h", "1:00:05"),
        (7320, "2 h 2 min", "2:02:00"),
        (10_810, "3 h", "3:00:10"),
        (86_400, "1 d", "24:00:00"),
        (200_000, "2 d 7 h", "55:33:20"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str, clock: str) -> None:
    assert (wording.duration(seconds), wording.clock(seconds)) == (text, clock)


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (datetime(2025, 3, 1, 9, 30, 5, tzinfo=UTC), "2025-03-01 09:30:05 UTC"),
        (datetime(2025, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))), "2025-02-28 23:30:00 UTC"),
    ],
)
def test_a_moment_is_told_in_utc(when: datetime, text: str) -> None:
    assert wording.moment(when) == text


@pytest.mark.parametrize(
    ("watt_hours", "text"),
    [
        (0.0, "0 mWh"),
        (0.000_123, "0.123 mWh"),
        (0.0123, "12.3 mWh"),
        (1.0, "1 Wh"),
        (12.34, "12.3 Wh"),
        (999.9, "1 kWh"),
        (1500, "1.5 kWh"),
        (2.5e6, "2.5 MWh"),
    ],
)
def test_an_energy_has_the_unit_that_leaves_few_digits(watt_hours: float, text: str) -> None:
    assert wording.energy(watt_hours) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1200, "1.2 kB"), (4_812_345, "4.81 MB"), (999_600_000, "1 GB"), (2.5e13, "25 TB")],
)
def test_a_file_has_its_size_in_the_unit_that_suits_it(size: float, text: str) -> None:
    assert wording.file_size(size) == text


@pytest.mark.parametrize(("text", "short"), [("", ""), ("four", "four"), ("fiver", "fiv…"), ("a" * 99, "aaa…")])
def test_a_long_text_is_shortened(text: str, short: str) -> None:
    assert wording.shortened(text, 4) == short


@pytest.mark.parametrize("name", hostile.NAMES, ids=ascii)
def test_a_foreign_name_is_one_line_that_no_terminal_obeys(name: str) -> None:
    shown = wording.visible(name)
    assert len(shown) == len(name)
    assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(letter) for letter in shown}
    assert not {"\u202e", "\u200b", "\ufeff"} & set(shown)
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("name", hostile.HARMLESS, ids=ascii)
def test_a_harmless_name_is_shown_as_it_is(name: str) -> None:
    assert wording.visible(name) == wording.defused(name) == wording.markdown(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("curves-pythia", "curves-pythia"),
        ("org/model v1.5", "org-model-v1.5"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\r\nb\x00", "a-b"),
        ("日本語 ✓", "日本語"),
        ("x" * 300, "x" * 60),
        ("..", "unnamed"),
        ("", "unnamed"),
    ],
)
def test_a_file_named_by_others_stays_in_its_folder(text: str, name: str) -> None:
    assert wording.file_name(text) == name


@pytest.mark.parametrize("name", hostile.FORMULAS, ids=ascii)
def test_what_a_spreadsheet_takes_for_a_formula_begins_with_an_apostrophe(name: str) -> None:
    cell = wording.defused(name)
    assert cell[0] == "'"
    assert cell.replace("'", "") == name.replace("'", "")


@pytest.mark.parametrize("sign", [";", "\t", "\n", "\r\n"], ids=ascii)
@pytest.mark.parametrize("name", hostile.FORMULAS, ids=ascii)
def test_no_formula_begins_where_a_spreadsheet_may_split_a_cell(name: str, sign: str) -> None:
    cell = wording.defused(f"a{sign}{name}{sign}-0.5")
    parts = [part for part in re.split(r"[;\t\r\n]", cell) if part.strip()]
    assert all(part.lstrip(' "')[0] not in "=+-@＝＋－＠" for part in parts)
    assert wording.as_written(cell) == f"a{sign}{name}{sign}-0.5"


def test_harmless_cells_stay_as_they_are() -> None:
    for text in ("-0.5", "a - b; c", "x=1;y=2", "mean 1-3; 4", "a;b\tc\nd", "it's; 'so'"):
        assert wording.defused(text) == text


@pytest.mark.parametrize("name", [*hostile.NAMES, *hostile.HARMLESS], ids=ascii)
def test_a_defused_name_reads_back_the_same(name: str) -> None:
    assert wording.as_written(wording.defused(name)) == name


@pytest.mark.parametrize("name", [*hostile.NAMES, *hostile.HARMLESS], ids=ascii)
def test_a_name_in_a_markdown_table_is_one_cell_of_text(name: str) -> None:
    table = f"| a | b |\n| --- | --- |\n| {wording.markdown(name)} | next |"
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(table)
    cells = [token for token in tokens if token.type == "inline"][2:]
    assert len(cells) == 2
    assert {child.type for child in cells[0].children or []} <= {"text", "text_special"}
    assert "".join(child.content for child in cells[0].children or []) == wording.visible(name).strip(" ")


@pytest.mark.parametrize("name", [*hostile.NAMES, *hostile.HARMLESS], ids=ascii)
def test_json_for_people_reads_back_the_same(name: str) -> None:
    shown = wording.visible_json({name: [0.1, None]}, indent=2)
    assert json.loads(shown) == {name: [0.1, None]}
    assert all(wording.visible(line) == line for line in shown.split("\n"))
    shown.encode()
