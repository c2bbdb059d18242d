import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from harness import figures
from harness.analysis.compare import choose_side, compare_pairs, pair_up
from harness.analysis.curves import curves
from harness.analysis.forecast import Forecast, forecasts
from harness.analysis.growth import traces
from harness.analysis.stats import Resolution, detectable_effect
from harness.analysis.verdict import CurveRow, Study, resolutions, study, with_traces
from harness.errors import MachineError
from harness.lawbook import Dots, LawLine, Picture
from harness.leaderboard import centred_table
from harness.records import Sample
from harness.specs import MetricSpec
from harness.store import DocumentScores
from harness.wording import score
from tests.builders import PROB, SIZES, cell, failed, grown, model, result, task

RISE = (50, 52, 75, 90, 110, 125, 140, 160)
SMOOTH = (0.25, 0.28, 0.33, 0.38, 0.44, 0.5, 0.57, 0.7)


def rising(**changes: object) -> Study:
    return study(grown(RISE, smooth=SMOOTH, **changes))  # type: ignore[arg-type]


def _columns(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    return {name: np.array([s.scores[name] for s in samples]) for name in samples[0].scores}


def lines(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.mode == "lines+markers"]


def sharp(made: Study) -> list[CurveRow]:
    """The headline curves of a study, as if nothing had been concluded of them."""
    return [CurveRow(curve=row.curve) for row in made.judged]


def test_a_line_shows_values_and_their_intervals() -> None:
    made = rising()
    (line,) = lines(figures.curve_figure(sharp(made)))
    curve = made.judged[0].curve
    assert line.x == curve.x
    assert line.y == curve.y
    assert [y + bar for y, bar in zip(line.y, line.error_y.array, strict=True)] == pytest.approx(curve.high)
    assert [y - bar for y, bar in zip(line.y, line.error_y.arrayminus, strict=True)] == pytest.approx(curve.low)


def test_axes_are_named_and_scale_is_logarithmic() -> None:
    layout = figures.curve_figure(sharp(rising())).layout
    assert (layout.xaxis.type, layout.xaxis.title.text) == ("log", "Parameters (log scale)")
    assert layout.yaxis.title.text == "acc (share of documents)"
    assert "100k" in layout.xaxis.ticktext


def test_a_loss_says_that_lower_is_better() -> None:
    loss = MetricSpec(name="prob_correct", higher_is_better=False, chance=0.75, best=0.0, continuous=True)
    made = study(grown(RISE, of=task(metrics=(loss,))))
    assert figures.curve_figure(made.judged).layout.yaxis.title.text == "prob_correct (mean, lower is better)"


def test_hover_names_model_interval_and_documents() -> None:
    (line,) = lines(figures.curve_figure(sharp(rising())))
    assert line.customdata[0].startswith("<b>toy-1000</b> (1k)<br>acc 0.250")
    assert "95 % interval 0.195 to 0.314" in line.customdata[0]
    assert line.customdata[0].endswith("n = 200")


def test_each_training_run_of_a_size_is_a_dot_beside_their_mean() -> None:
    runs = [r for run, more in ((1, 0), (2, 10)) for r in grown([k + more for k in RISE])]
    named = [
        replace(r, cell=replace(r.cell, model=replace(r.cell.model, run=i // len(RISE)))) for i, r in enumerate(runs)
    ]
    figure = figures.curve_figure(sharp(study(named)))
    (dots,) = [trace for trace in figure.data if trace.mode == "markers" and trace.marker.symbol == "circle"]
    assert len(dots.x) == 2 * len(RISE)
    assert dots.y[:2] == (0.25, 0.3)
    assert dots.customdata[0] == "<b>toy-1000</b> run 0<br>0.250"
    (line,) = lines(figure)
    assert line.y[0] == pytest.approx(0.275)
    assert "mean of 2 training runs" in line.customdata[0]
    assert "Dots: single training runs" in figures.caption(figure)


def chance_lines(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.name == "chance"]


def test_the_chance_level_is_a_dashed_line_over_all_sizes() -> None:
    (line,) = chance_lines(figures.curve_figure(sharp(rising())))
    assert (line.y, line.line.dash) == ((0.25, 0.25), "dash")
    assert line.x[0] < SIZES[0] < SIZES[-1] < line.x[1]


def test_a_metric_without_chance_has_no_chance_line() -> None:
    free = task(metrics=(MetricSpec(name="prob_correct", chance=None, best=None), PROB))
    assert chance_lines(figures.curve_figure(sharp(study(grown(RISE, of=free))))) == []


def test_a_ring_marks_the_first_reliable_size() -> None:
    made = rising()
    figure = figures.curve_figure(made.judged)
    (ring,) = [trace for trace in figure.data if trace.mode == "markers"]
    assert (ring.x, ring.y) == ((16000.0,), (75 / 200,))
    assert "Ring:" in figures.caption(figure)


def test_the_interval_of_a_threshold_is_a_shaded_band_with_the_threshold_in_it() -> None:
    made = rising()
    verdict = made.judged[0].verdict
    figure = figures.curve_figure(made.judged)
    band, line = figure.layout.shapes
    assert (band.type, band.x0, band.x1) == ("rect", verdict.threshold_low, verdict.threshold_high)
    assert (line.type, line.x0, line.x1) == ("line", verdict.threshold, verdict.threshold)
    assert (band.y0, band.y1, band.yref) == (0, 1, "y domain")
    assert "Shaded: where the curve passes chance by 5 points of 100" in figures.caption(figure)


def test_an_open_interval_is_shaded_up_to_the_last_size() -> None:
    made = rising()
    (row,) = made.judged
    open_below = replace(row, verdict=replace(row.verdict, threshold_low=None))
    band = figures.curve_figure([open_below]).layout.shapes[0]
    assert (band.x0, band.x1) == (SIZES[0], row.verdict.threshold_high)


def test_thresholds_of_several_settings_are_strips_that_do_not_cover_each_other() -> None:
    made = study([r for shots in (0, 2, 4) for r in grown(RISE, shots=shots)])
    strips = [s for s in figures.curve_figure(made.judged).layout.shapes if s.type == "rect"]
    assert len(strips) == 3
    assert all(above.y0 >= below.y1 for above, below in pairwise(strips))


def test_a_growth_form_joins_the_points_in_place_of_the_line() -> None:
    (row,) = with_traces(rising().judged, most=3)
    plain = CurveRow(curve=row.curve, traces=row.traces)
    *lines_drawn, points = (t for t in figures.curve_figure([plain]).data if t.name not in {"chance", "ceiling"})
    assert points.mode == "markers"
    assert [(line.line.width, line.line.dash) for line in lines_drawn] == [(0.7, "dot"), (0.7, "dot"), (1.4, "solid")]
    best = row.traces[0]
    assert lines_drawn[-1].y == pytest.approx(best.y, rel=1e-4)
    assert f"0-shot {best.form}" in figures.caption(figures.curve_figure([plain]))


def test_a_curve_that_no_form_describes_keeps_its_line_and_the_caption_says_so() -> None:
    (row,) = with_traces(study(grown((50, 160, 52, 170, 50, 165, 51, 160))).judged)
    figure = figures.curve_figure([row])
    assert lines(figure)
    assert "growth form" not in {t.legendgroup for t in figure.data}
    assert "No growth form describes these: sizes scatter more than documents explain" in figures.caption(figure)
    assert f"0-shot ({row.traces[0].scatter:.1f})" in figures.caption(figure)


def test_a_loss_falls_from_left_to_right_on_a_linear_axis() -> None:
    results = [
        replace(r, cell=replace(r.cell, model=replace(r.cell.model, loss=4 - i / 4))) for i, r in enumerate(grown(RISE))
    ]
    made = study(results, scale="loss")
    figure = figures.curve_figure(made.judged)
    left, right = figure.layout.xaxis.range
    assert figure.layout.xaxis.type == "linear"
    assert left > 4
    assert right < 2.25
    assert chance_lines(figure)[0].x == (left, right)
    assert "Loss" in figure.layout.xaxis.title.text


def test_a_line_is_broken_where_a_model_has_no_score() -> None:
    results = list(grown(RISE))
    lost = results.pop(4)
    figure = figures.curve_figure(sharp(study(results, [failed(lost.cell)])))
    (line,) = lines(figure)
    assert line.y[4] is None
    assert line.x[4] == 256000.0
    assert not line.connectgaps
    assert "toy-256000" in figures.caption(figure)


def test_the_caption_says_what_bars_and_documents_are() -> None:
    made = study([r for seed in (0, 1) for r in grown(RISE, shots=2, seed=seed)])
    caption = figures.caption(figures.curve_figure(sharp(made)))
    assert "95 % interval" in caption
    assert "n = 200 documents per point, mean of up to 2 few-shot seeds." in caption


def test_settings_differ_in_colour_and_in_shape() -> None:
    made = study([r for shots in (0, 1, 2, 4) for r in grown(RISE, shots=shots)])
    drawn = lines(figures.curve_figure(sharp(made)))
    assert [line.name for line in drawn] == ["0-shot", "1-shot", "2-shot", "4-shot"]
    assert len({line.line.color for line in drawn}) == len({line.marker.symbol for line in drawn}) == 4


def test_sharp_and_smooth_stand_side_by_side_in_the_same_colours() -> None:
    made = study([r for shots in (0, 2) for r in grown(RISE, smooth=SMOOTH, shots=shots)])
    figure = figures.sharp_and_smooth(made.judged)
    left = [line for line in lines(figure) if line.xaxis == "x"]
    right = [line for line in lines(figure) if line.xaxis == "x2"]
    assert [line.line.color for line in left] == [line.line.color for line in right]
    assert right[0].y == SMOOTH
    assert figure.layout.yaxis2.title.text == "prob_correct<br>(mean)"
    assert [line.showlegend for line in [*left, *right]] == [True, True, False, False]


def test_a_setting_without_a_partner_leaves_its_line_out_of_the_second_panel() -> None:
    alone = grown(RISE, of=task(metrics=(MetricSpec(name="acc", chance=0.25),)), shots=2)
    figure = figures.sharp_and_smooth(study([*grown(RISE, smooth=SMOOTH), *alone]).judged)
    assert [line.name for line in lines(figure) if line.xaxis == "x"] == ["0-shot", "2-shot"]
    assert [line.name for line in lines(figure) if line.xaxis == "x2"] == ["0-shot"]


def test_rings_thresholds_and_forms_of_two_families_each_belong_to_their_own_curve() -> None:
    late = (50, 49, 51, 50, 48, 52, 110, 160)
    others = [replace(r, cell=replace(r.cell, model=model(r.cell.model.params, family="other"))) for r in grown(late)]
    rows = with_traces(study([*grown(RISE), *others]).judged)
    figure = figures.curve_figure(rows)
    by_colour = {line.marker.color: line.name for line in figure.data if line.name and line.name != "chance"}
    rings = {by_colour[t.marker.color]: t.x[0] for t in figure.data if t.marker.symbol == "circle-open"}
    assert rings == {f"{row.curve.family}, 0-shot": row.verdict.reliable_from for row in rows}
    marks = {by_colour[s.line.color]: s.x0 for s in figure.layout.shapes if s.type == "line"}
    assert marks == {f"{row.curve.family}, 0-shot": row.verdict.threshold for row in rows}
    for row in rows:
        best = row.traces[0]
        assert f"{row.curve.family}, 0-shot {best.form} ({score(best.weight)})" in figures.caption(figure)


def test_two_tasks_of_one_name_in_different_suites_have_a_panel_each() -> None:
    theirs = grown(RISE[::-1], of=task(suite="other", digest="1" * 12))
    figure = figures.overview(study([*grown(RISE), *theirs]).judged)
    assert [note.text.partition("<br>")[0] for note in figure.layout.annotations] == ["<b>colours</b>"] * 2
    assert [line.xaxis for line in lines(figure)] == ["x", "x2"]


def test_a_task_without_a_partner_has_one_panel() -> None:
    alone = study(grown(RISE, of=task(metrics=(MetricSpec(name="acc", chance=0.25),))))
    assert len(lines(figures.sharp_and_smooth(alone.judged))) == 1


def test_the_overview_has_a_panel_per_task() -> None:
    made = study([r for name in "abcdef" for r in grown(RISE, of=task(name))])
    figure = figures.overview(made.judged)
    assert [note.text for note in figure.layout.annotations] == [f"<b>{name}</b><br>rises" for name in "abcdef"]
    assert len(lines(figure)) == 6
    assert sum(bool(line.showlegend) for line in lines(figure)) == 1


@pytest.mark.parametrize("tasks", [1, 4, 5, 30])
def test_the_overview_fits_any_number_of_tasks(tasks: int) -> None:
    made = study([r for i in range(tasks) for r in grown(RISE[:3], of=task(f"t{i:02}"))])
    assert len(lines(figures.overview(made.judged))) == tasks


def test_the_heat_map_leaves_missing_scores_blank() -> None:
    table = centred_table([*grown((50, 200)), *grown((125,), shots=2)])
    (heat,) = figures.heat_map(table).data
    assert heat.x == ("toy-1000", "toy-4000")
    assert [list(row) for row in heat.z] == [[0.0, 1.0], [0.5, None]]


def test_shots_by_scale_shows_scores_and_what_demonstrations_add() -> None:
    results = [*grown((50, 60, 100)), *grown((50, 80), shots=4), *grown((40, 60, 120), shots=2)]
    drawn = [curve for curve in curves(results) if curve.rank == 0]
    scores, gains = figures.shots_by_scale(drawn).data
    assert (scores.x, scores.y) == (("1k", "4k", "16k"), ("0", "2", "4"))
    assert [list(row) for row in scores.z] == [[0.25, 0.3, 0.5], [0.2, 0.3, 0.6], [0.25, 0.4, None]]
    assert [v for row in gains.z for v in row] == pytest.approx([0, 0, 0, -0.05, 0, 0.1, 0, 0.1, None])
    assert gains.zmin == -gains.zmax
    assert scores.customdata[2][2] == ""


def test_many_sizes_are_rows_of_shots_by_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.figures.maps._SIZES_ACROSS", 2)
    results = [*grown((50, 60, 100)), *grown((40, 80), shots=4)]
    figure = figures.shots_by_scale([curve for curve in curves(results) if curve.rank == 0])
    scores, gains = figure.data
    assert (scores.x, scores.y) == (gains.x, gains.y) == (("0", "4"), ("1k", "4k", "16k"))
    assert [list(row) for row in scores.z] == [[0.25, 0.2], [0.3, 0.4], [0.5, None]]
    assert [list(row) for row in scores.text] == [["0.250", "0.200"], ["0.300", "0.400"], ["0.500", ""]]
    assert scores.customdata[2][1] == ""
    assert (figure.layout.xaxis.showticklabels, figure.layout.xaxis2.title.text) == (False, "Shots")
    assert figure.layout.yaxis.title.text == "Parameters"


def test_one_shot_count_has_no_gain_to_show() -> None:
    figure = figures.shots_by_scale([curve for curve in curves(grown((50, 50))) if curve.rank == 0])
    assert len(figure.data) == 1
    assert "n = 200 documents per cell" in figures.caption(figure)


def test_the_power_of_tasks_lies_on_the_line_of_their_chance() -> None:
    made = study([*grown(RISE), *grown(RISE[:4], of=task("shapes"), n=400)])
    tasks = {**resolutions(made.judged), "other": Resolution(None, 0.25, None, None)}
    figure = figures.power_figure(tasks)
    points = next(t for t in figure.data if "markers" in (t.mode or ""))
    assert dict(zip(points.text, points.x, strict=True)) == {"colours": 200, "shapes": 400}
    assert points.y == pytest.approx([detectable_effect(n, 0.25) for n in (200, 400)])
    assert "Not shown: 1 tasks" in figures.caption(figure)


def test_many_chance_levels_share_lines_of_reference() -> None:
    tasks = {f"t{i}": Resolution(100, i / 20, detectable_effect(100, i / 20), None) for i in range(1, 9)}
    figure = figures.power_figure(tasks)
    *references, points, matters = figure.data
    assert [line.name for line in references] == ["chance 0", "chance 0.1", "chance 0.25", "chance 0.5"]
    assert points.y == tuple(r.mde for r in tasks.values())
    assert matters.y == (0.05, 0.05)


def test_a_forecast_stands_beside_what_was_measured_and_what_was_foretold_before() -> None:
    curve = rising().judged[0].curve
    (found,) = forecasts([curve], 1e8)
    assert isinstance(found, Forecast)
    (forms,) = traces([curve], until=1e8)
    figure = figures.forecast_figure(found, forms)
    by_name = {trace.name: trace for trace in figure.data if trace.mode and "markers" in trace.mode}
    assert (by_name["forecast"].x, by_name["forecast"].y) == ((1e8,), (found.value,))
    assert by_name["forecast"].error_y.array == (pytest.approx(found.high - found.value),)
    assert by_name["back-test"].y == tuple(held.value for held in found.backtest)
    assert by_name["measured"].y == curve.y
    assert figure.layout.xaxis.range[1] > 8
    carried = [trace for trace in figure.data if trace.legendgroup == "growth forms" and trace.hovertemplate]
    assert carried
    assert all(trace.x[-1] == pytest.approx(1e8) for trace in carried)
    assert f"At 100M: {found.value:.3f}" in figures.caption(figure)
    assert f"Mean error {found.error:.3f}" in figures.caption(figure)


def test_a_forecast_without_back_test_says_why_to_doubt_it() -> None:
    (found,) = forecasts([study(grown(RISE[2:6])).judged[0].curve], 1e6)
    assert isinstance(found, Forecast)
    figure = figures.forecast_figure(found)
    assert "back-test" not in {trace.name for trace in figure.data}
    assert "Only 4 sizes" in figures.caption(figure)


def test_differences_stand_in_rows_with_their_intervals_and_clear_ones_are_coloured() -> None:
    same, better = [1.0, 0.0] * 20, [1.0] * 39 + [0.0]
    results = [
        result(cell(model=model(size), of=task(name)), values=values)
        for name, values_of in (("alike", (same, same[::-1])), ("other", (same, better)))
        for size, values in zip((1000, 4000), values_of, strict=True)
    ]
    read = {
        r.cell: DocumentScores(tuple(s.doc_hash for s in r.samples or ()), _columns(r.samples or ())) for r in results
    }
    cells = [*read]
    pairs = pair_up(choose_side("toy-1000", cells), choose_side("toy-4000", cells), results).pairs
    compared = compare_pairs(pairs, read.get).comparisons
    figure = figures.comparison_figure(compared, a="small", b="large")
    clear, unclear = figure.data
    assert (clear.name, clear.y[0], unclear.y[0]) == ("large better", "other 0-shot", "alike 0-shot")
    assert clear.x[0] == pytest.approx(0.475)
    assert clear.x[0] - clear.error_x.arrayminus[0] == pytest.approx(compared[1].scores.low)
    assert figure.layout.yaxis.categoryarray == ("alike 0-shot", "other 0-shot"), "the largest gain is the topmost"
    assert "n = 40 documents that both answered" in figures.caption(figure)


def test_a_fragment_brings_no_script_from_elsewhere() -> None:
    html = figures.to_div(figures.curve_figure(sharp(rising())))
    assert "<script src" not in html
    assert "cdn" not in html


def test_names_cannot_become_markup_in_a_fragment() -> None:
    made = study(grown(RISE, of=task("</script><script>alert(1)</script>")))
    assert "<script>alert" not in figures.to_div(figures.overview(made.judged))


def test_a_page_of_figures_works_without_network_and_shows_names_as_text() -> None:
    made = study(grown(RISE, of=task("<script>alert(1)</script>")))
    html = figures.to_page([figures.curve_figure(sharp(made))], "<b>mine</b>")
    assert "<h1>&lt;b&gt;mine&lt;/b&gt;</h1>" in html
    assert "<h2>&lt;script&gt;alert(1)&lt;/script&gt;: acc</h2>" in html
    assert "<script>alert" not in html
    assert "<script src" not in html
    assert html.count("<figure>") == 1
    assert "95 % interval" in html


def test_a_png_is_as_wide_as_asked_where_a_browser_can_draw_it() -> None:
    figure = figures.curve_figure(sharp(rising()))
    if not any(map(shutil.which, ("chromium", "chrome", "google-chrome", "chromium-browser"))):
        with pytest.raises(MachineError, match="Chrome or Chromium"):
            figures.to_picture(figure)
        return
    header = figures.to_picture(figure, width=600, scale=1)[:24]
    assert header.startswith(b"\x89PNG")
    assert int.from_bytes(header[16:20], "big") == 600


def test_without_a_browser_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-browser"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match=r"needs kaleido .* and Chrome or Chromium"):
        figures.to_picture(figures.curve_figure(sharp(rising())))


def test_a_law_is_drawn_with_its_band_its_strip_and_its_chance() -> None:
    picture = Picture(
        title="quiz, acc, 0-shot",
        x_title="Loss",
        y_title="acc",
        axis="loss",
        dots=(
            Dots(name="<b>a</b>", x=(3.0, 2.0), y=(0.25, 0.4), models=("<i>one</i>", "two"), error=(0.1, 0.1)),
            Dots(name="foretold", x=(1.5,), y=(0.5,), models=("three",), foretold=True),
        ),
        lines=(LawLine(name="hinge", x=(3.0, 2.0), y=(0.25, 0.4), low=(0.2, 0.3), high=(0.3, 0.5)),),
        strip=(2.8, 2.6),
        chance=0.25,
        says="What it says.",
    )
    figure = figures.law_figure(picture)
    low, high, dots, foretold, line = figure.data
    assert (low.y, high.y, high.fill, line.y) == ((0.2, 0.3), (0.3, 0.5), "tonexty", (0.25, 0.4))
    assert (dots.name, dots.error_y.array, foretold.marker.symbol) == (
        "&lt;b&gt;a&lt;/b&gt;",
        (0.1, 0.1),
        "diamond-open",
    )
    assert dots.customdata[0] == "&lt;i&gt;one&lt;/i&gt;, 3: 0.250"
    assert figure.layout.xaxis.range == pytest.approx((3.06, 1.44))
    strip, chance = figure.layout.shapes
    assert (strip.x0, strip.x1, chance.y0) == (2.6, 2.8, 0.25)
    assert figures.caption(figure) == "What it says. Dotted: the score without the ability."
