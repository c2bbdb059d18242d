from pathlib import Path

import pytest

from tests.calibration.forecasts import CONSTANT, GOAL, SIZES, TRUTHS, measured
from tests.calibration.pages import sections_of, write_section
from tests.calibration.table import Rate

pytestmark = pytest.mark.calibration


@pytest.mark.slow
def test_intervals_of_smooth_growth_hold_what_comes() -> None:
    held = [one for sizes in SIZES for one in measured(TRUTHS, sizes, 2, ahead=(0.6,))]
    assert Rate(sum(one.inside for one in held), len(held)).interval[1] > GOAL
    assert sum(one.inside for one in held) / len(held) > GOAL - 0.04


@pytest.mark.slow
def test_intervals_hold_also_where_runs_differ_as_much_near_0_and_1() -> None:
    held = [one for one in measured(TRUTHS, 8, 4, ahead=(0.6,), draws=60) if one.kind == CONSTANT]
    late = [one.inside for one in held if one.truth == "wide logistic, late"]
    assert sum(late) / len(late) > 0.8
    assert sum(one.inside for one in held) / len(held) > GOAL - 0.05


def test_a_line_is_foretold_better_than_by_the_largest_size() -> None:
    held = measured(TRUTHS[:1], 6, 3, ahead=(0.6,), draws=50)
    assert sum(one.inside for one in held) >= 0.8 * len(held)
    assert sum(one.error for one in held) < sum(one.naive for one in held)


def test_a_section_of_a_page_is_written_anew_and_leaves_the_others(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\ntext\n", encoding="utf-8")
    for value in (1, 2):
        write_section(page, "One", "Numbers.", ("a",), [(value,)])
        write_section(page, "Two", "More.", ("b",), [(value,)])
    written = page.read_text(encoding="utf-8")
    assert written.startswith("# Page\n\ntext\n\n## One\n\nNumbers.\n\n| a |")
    assert written.count("## One") == written.count("## Two") == 1
    assert "| 1 |" not in written
    assert sections_of(page) == written[written.index("\n## One") :]
