"""Figures for a page of any width: titles and legends keep clear of each other, and letters stand out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from harness.analysis.classes import class_report
from harness.analysis.compare import choose_side, compare_pairs, pair_up
from harness.analysis.costs import cost_rows
from harness.analysis.verdict import study
from harness.figures import (
    comparison_figure,
    confusion_map,
    cost_figure,
    curve_figure,
    for_any_width,
    heat_map,
    panels_caption,
    sharp_over_smooth,
)
from harness.leaderboard import centred_table
from harness.store import DocumentScores
from tests.builders import SIZES, cell, counted, grown, model, task
from tests.builders.classes import chosen
from tests.builders.curves import RISE

RESULTS = grown(RISE, of=task("a task with a name that is longer than a narrow figure is wide"))
STUDY = study(RESULTS)


def test_a_long_title_is_broken_and_gets_its_room() -> None:
    drawn = curve_figure(STUDY.judged)
    shown = for_any_width(drawn)
    rows = shown.layout.title.text.split("<br>")
    assert len(rows) > 1
    assert max(map(len, rows)) <= 36
    assert shown.layout.margin.t >= 30 + 20 * len(rows)


def test_the_legend_stands_below_the_plot() -> None:
    shown = for_any_width(curve_figure(STUDY.judged))
    assert (shown.layout.legend.yref, shown.layout.legend.y, shown.layout.legend.yanchor) == ("container", 0, "bottom")
    assert shown.layout.margin.b > for_any_width(curve_figure(STUDY.judged)).layout.margin.t / 2


def test_the_plot_keeps_its_height() -> None:
    drawn = curve_figure(STUDY.judged)
    shown = for_any_width(drawn)
    plots = [f.layout.height - f.layout.margin.t - f.layout.margin.b for f in (drawn, shown)]
    assert abs(plots[0] - plots[1]) < 25


def test_letters_are_dark_on_light_and_light_on_dark() -> None:
    colours = [
        for_any_width(curve_figure(STUDY.judged), dark=dark).layout.xaxis.tickfont.color for dark in (False, True)
    ]
    assert colours == ["#3a4048", "#d5d9de"]


def test_the_first_slanted_name_of_a_heat_map_has_room_to_its_left() -> None:
    settings = [f"sentiment_negated {shots}-shot (acc)" for shots in (0, 2)]
    table = pd.DataFrame([[0.1, 0.2]] * 9, index=[f"toy-{n}" for n in range(9)], columns=settings)
    assert heat_map(table, models_down=True).layout.margin.l == round(4.9 * len(settings[0]))


def test_costs_that_nobody_knows_are_said_and_not_drawn() -> None:
    drawn = for_any_width(cost_figure(cost_rows(RESULTS, "model"), "energy"))
    (note,) = drawn.layout.annotations
    assert note.text.replace("<br>", " ").startswith("These models have no score or no energy")
    assert max(map(len, note.text.split("<br>"))) <= 38
    assert drawn.layout.yaxis.visible is False


def test_costs_have_ticks_as_in_names_of_models() -> None:
    axis = cost_figure(cost_rows(RESULTS, "model"), "seconds").layout.xaxis
    assert (axis.type, axis.tickmode) == ("log", "array")
    places = [x for line in cost_figure(cost_rows(RESULTS, "model"), "seconds").data for x in line.x]
    assert axis.range[0] < np.log10(min(places)) <= np.log10(max(places)) < axis.range[1]


def test_small_panels_say_what_their_bands_and_dots_are() -> None:
    runs = [
        counted(cell(model=model(size, name=f"toy-{size}-{run}", run=run)), k + run, 200)
        for size, k in zip(SIZES, (50, 90, 120), strict=False)
        for run in (1, 2, 3)
    ]
    (row,) = study(runs).judged
    said = panels_caption([row.curve])
    assert "Bands: 95 % interval. Dots: single training runs" in said
    assert "Bars: 95 % interval." in panels_caption([STUDY.judged[0].curve])


def test_many_models_stand_below_each_other() -> None:
    table = centred_table(RESULTS)
    across, down = heat_map(table), heat_map(table, models_down=True)
    assert (len(across.data[0].x), len(across.data[0].y)) == (len(table), 1)
    assert (len(down.data[0].x), len(down.data[0].y)) == (1, len(table))
    assert for_any_width(down).data[0].colorbar.orientation == "h"


def test_long_names_of_columns_take_no_room_that_a_figure_never_gave_them() -> None:
    scores = pd.DataFrame([[0.5, 0.4]], index=["m"], columns=["x" * 150, "y" * 150])
    figure = heat_map(scores, models_down=True).update_layout(margin_b=56)
    assert for_any_width(figure).layout.margin.b >= 56


def test_long_names_of_rows_leave_room_for_the_points_and_are_told_apart() -> None:
    names = [f"a task & its name, <longer> than a narrow figure is wide, number {n}" for n in (1, 2)]
    results = [r for name in names for r in grown((50, 120), of=task(name))]
    cells = [r.cell for r in results]
    pairing = pair_up(choose_side("toy-1000", cells), choose_side("toy-4000", cells), results)
    scores = DocumentScores(("a", "b", "c"), {"acc": np.array([0.0, 1.0, 1.0]), "prob_correct": np.zeros(3)})
    drawn = comparison_figure(compare_pairs(pairing.pairs, lambda cell: scores).comparisons)
    shown = for_any_width(drawn)
    rows = shown.layout.yaxis.categoryarray
    assert len(set(rows)) == 2
    assert all("&amp;" in row and "…" in row for row in rows)
    assert {name for one in shown.data for name in one.y} == set(rows)
    assert shown.layout.margin.l < 200 < drawn.layout.margin.l


def test_a_setting_loses_its_metric_before_its_shots() -> None:
    settings = [f"copy_digits {shots}-shot (exact_match)" for shots in (0, 2)]
    table = pd.DataFrame([[0.1, 0.2]] * 9, index=[f"toy-{n}" for n in range(9)], columns=settings)
    assert for_any_width(heat_map(table, models_down=True)).data[0].x == ("copy_digits 0-shot", "copy_digits 2-shot")


def test_both_metrics_stand_on_one_axis_from_their_worst_to_their_best_score() -> None:
    (row,) = STUDY.judged
    sharp, smooth = sharp_over_smooth(row).data
    for drawn, curve in ((sharp, row.curve), (smooth, row.partner.curve)):
        assert min(drawn.y) == 0
        assert drawn.y[curve.y.index(max(curve.y))] == max(drawn.y) <= 1


@pytest.mark.parametrize(
    ("right", "documents", "is_cut"),
    [(RISE, 200, False), ([3] * 8, 12, False), ([50] * 7 + [1], [200] * 7 + [2], True)],
)
def test_error_bars_stand_within_the_figure_or_it_says_that_they_are_cut(
    right: Sequence[int], documents: int | Sequence[int], is_cut: bool
) -> None:
    (row,) = study(grown(right, n=documents, of=task("a"))).judged
    drawn = sharp_over_smooth(row)
    low, high = drawn.layout.yaxis.range
    tops = [y + up for line in drawn.data for y, up in zip(line.y, line.error_y.array, strict=True)]
    feet = [y - down for line in drawn.data for y, down in zip(line.y, line.error_y.arrayminus, strict=True)]
    assert (min(feet) < low or max(tops) > high) == is_cut
    assert ("Longer bars are cut" in drawn.layout.meta["caption"]) == is_cut


@pytest.mark.parametrize("rows", [2, 40])
def test_the_words_of_a_scale_of_colours_stand_above_it_however_high_the_map_is(rows: int) -> None:
    scores = pd.DataFrame([[0.5] * 3] * rows, index=[f"m{row}" for row in range(rows)], columns=["a", "b", "c"])
    figure = for_any_width(heat_map(scores, models_down=True))
    (words,) = figure.layout.annotations
    assert (words.text, figure.data[0].colorbar.title.text) == ("chance-centred score", "")
    assert figure.layout.margin.b + words.yshift == 44, "so many pixels from the foot"


@pytest.mark.parametrize("name", ["sad", "a class whose name is long", "x" * 150])
def test_a_confusion_matrix_keeps_its_names_apart_from_the_scale_below_it(name: str) -> None:
    found = chosen(["glad", name] * 20, ["glad", name] * 20)
    drawn = confusion_map(class_report(found, found.samples or ()))
    assert drawn.layout.xaxis.automargin is False, "what stands below would move with the foot of the axes"
    shown = for_any_width(drawn)
    (words,) = shown.layout.annotations
    letters = max(len(one) for one in shown.data[0].x)
    assert -words.yshift >= 5 * letters + 40, "slanted names, and the title of the axis"


def test_noise_does_not_look_like_a_rise() -> None:
    (row,) = study(grown([50, 52, 49, 51, 50, 48, 51, 50])).judged
    drawn = sharp_over_smooth(row)
    assert max(drawn.data[0].y) < 0.5
    said = drawn.layout.meta["caption"]
    assert "acc and prob_correct hardly vary, and are drawn on ranges of twice their error bars." in said


def test_sizes_without_the_ability_are_shaded() -> None:
    (row,) = STUDY.judged
    below = row.verdict.partner_trend.sizes_below
    (shade,) = sharp_over_smooth(row).layout.shapes
    assert (shade.x0, shade.x1) == (row.partner.curve.x[0], row.partner.curve.x[below - 1])
