"""Pictures without a browser: everything of a figure is in its SVG, in the size that a paper asks for."""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from harness import figures
from harness.analysis.compare import Comparison, choose_side, compare_pairs, pair_up
from harness.analysis.curves import Curve
from harness.analysis.verdict import CurveRow, Study, resolutions, study, with_traces
from harness.errors import PlanError
from harness.figures.page import to_picture
from harness.figures.paper import on_paper
from harness.figures.static.text import text_width
from harness.leaderboard import centred_table
from harness.store import DocumentScores
from tests.builders import SIZES, cell, grown, model, result, task

RISE = (50, 52, 75, 90, 110, 125, 140, 160)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def made() -> Study:
    return study([r for shots in (0, 2, 4) for r in grown(RISE, smooth=[v / 250 for v in RISE], shots=shots)])


@pytest.fixture(scope="module")
def tasks() -> Study:
    named = ("colours", "a task with a name of many words")
    return study([r for name in named for r in grown(RISE, smooth=[v / 250 for v in RISE], of=task(name))])


KINDS: dict[str, Callable[[Study], go.Figure]] = {
    "curves": lambda made: figures.curve_figure(with_traces(made.judged)),
    "sharp and smooth": lambda made: figures.sharp_and_smooth(made.judged),
    "overview": lambda made: figures.overview(made.judged),
    "heat map": lambda made: figures.heat_map(centred_table(made.results)),
    "shots": lambda made: figures.shots_by_scale([row.curve for row in made.judged]),
    "power": lambda made: figures.power_figure(resolutions(made.judged)),
    "counts": lambda made: figures.verdict_counts(made.judged),
}


def words(svg: str) -> list[str]:
    """The lines of text of a picture."""
    return [part.text or "" for part, _ in placed(ET.fromstring(svg))]


def placed(root: ET.Element) -> Iterator[tuple[ET.Element, ET.Element]]:
    """Each line of text with its text element, which it may be itself."""
    for text in root.iter(f"{SVG}text"):
        yield from ((line, text) for line in (text.findall(f"{SVG}tspan") or [text]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_drawn_without_a_browser(made: Study, kind: str) -> None:
    figure = KINDS[kind](made)
    svg = figures.to_svg(figure, width=800)
    root = ET.fromstring(svg)
    assert root.get("viewBox", "").startswith("0 0 800 ")
    said = words(svg)
    titles = [axis.title.text for axis in figure.select_xaxes() if axis.title.text]
    assert all(title in said for title in titles)
    entries = [t.name for t in figure.data if t.name and t.showlegend]
    assert set(entries) <= set(said)


def test_points_lie_where_the_axes_say(made: Study) -> None:
    figure = figures.curve_figure(made.judged[:1])
    root = ET.fromstring(figures.to_svg(figure, width=800))
    dots = [p for p in root.iter(f"{SVG}path") if p.get("stroke-linecap") == "round" and p.get("d", "").count("M") == 8]
    (points,) = dots
    places = [tuple(map(float, pair)) for pair in re.findall(r"M([\d.]+) ([\d.]+)h0", points.get("d", ""))]
    ticks = {
        (text.get("text-anchor", "middle"), line.text): (float(line.get("x", 0)), float(line.get("y", 0)))
        for line, text in placed(root)
    }
    zero, one = ticks["end", "0.0"], ticks["end", "1.0"]
    low, high = ticks["middle", "1k"], ticks["middle", "10k"]
    below = zero[1] - (places[0][1] + made.judged[0].curve.y[0] * (zero[1] - one[1]))
    assert 0 < below < 6, "the foot of a letter is that much below the place of its tick"
    for (x, y), size, score in zip(places, SIZES, made.judged[0].curve.y, strict=True):
        assert y + below == pytest.approx(zero[1] - score * (zero[1] - one[1]), abs=0.3)
        assert x == pytest.approx(low[0] + math.log10(size / 1000) * (high[0] - low[0]), abs=0.3)


def test_hostile_names_stay_text() -> None:
    name = "</text><script>alert(1)</script>&<b>"
    svg = figures.to_svg(figures.overview(study(grown(RISE, of=task(name))).judged, columns=1), width=800)
    assert "<script" not in svg
    assert not [element for element in ET.fromstring(svg).iter() if "script" in element.tag]
    assert any("alert(1)" in line for line in words(svg))


def test_a_picture_for_a_paper_is_as_wide_as_its_column_with_all_letters_in_one_size(made: Study) -> None:
    paper = figures.Paper(width="3.3in", font=8)
    figure = figures.overview(made.judged, columns=1, look=figures.FigureLook(width=paper.drawn_width))
    svg = to_picture(figure, "svg", paper=paper).decode()
    root = ET.fromstring(svg)
    assert (root.get("width"), root.get("viewBox", "").split()[2]) == ("3.3in", "316.8")
    sizes = {float(text.get("font-size", 0)) for text in root.iter(f"{SVG}text")}
    assert sizes == {10.67}, "8 points are 10.67 pixels, 96 to the inch"
    assert "@font-face{font-family:Arimo;src:url(data:font/woff2;base64," in svg
    assert "Bars: 95 %" not in "".join(words(svg))


def test_letters_do_not_leave_a_narrow_picture(made: Study) -> None:
    paper = figures.Paper(width="3.3in", font=8)
    figure = figures.pairs(made.judged, look=figures.FigureLook(width=paper.drawn_width))
    root = ET.fromstring(to_picture(figure, "svg", paper=paper))
    for line, text in placed(root):
        if not text.get("transform"):
            wide = text_width(line.text or "", float(text.get("font-size", 0)))
            before = {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "middle")]
            left = float(line.get("x", 0)) - wide * before
            assert left >= -2
            assert left + wide <= 316.8 + 6, line.text


def boxes(svg: str) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Each line of text that is not slanted, with its left, upper, right and lower end, a little too narrow."""
    found = []
    for line, text in placed(ET.fromstring(svg)):
        size, turned = (
            float(text.get("font-size", 12)),
            re.match(r"rotate\((\S+) (\S+) (\S+)\)", text.get("transform", "")),
        )
        wide = 0.85 * text_width(line.text or "", size)
        left = float(line.get("x", 0)) - wide * {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "middle")]
        foot = float(line.get("y", 0))
        if not turned:
            found.append((line.text or "", (left, foot - 0.7 * size, left + wide, foot)))
        elif float(turned[1]) == -90:  # about its anchor, along which it now runs upwards
            x, y = float(turned[2]), float(turned[3])
            across = [x + (foot - 0.7 * size - y), x + (foot - y)]
            found.append((line.text or "", (across[0], y - (left + wide - x), across[1], y - (left - x))))
    return found


def compared() -> tuple[Comparison, ...]:
    """Two models on two tasks, of which the second has a long name."""
    better, worse = [1.0] * 30 + [0.0] * 10, [1.0, 0.0] * 20
    results = [
        result(cell(model=model(size), of=task(name)), values=values)
        for name in ("colours", "a_task_whose_name_is_long")
        for size, values in ((1000, worse), (4000, better))
    ]
    read = {
        r.cell: DocumentScores(
            tuple(s.doc_hash for s in r.samples or ()), {"acc": np.array([s.scores["acc"] for s in r.samples or ()])}
        )
        for r in results
    }
    pairs = pair_up(choose_side("toy-1000", [*read]), choose_side("toy-4000", [*read]), results).pairs
    return compare_pairs(pairs, read.get).comparisons


def long_named(curve: Curve) -> Curve:
    return replace(curve, metric=replace(curve.metric, name=f"{curve.metric.name}_with_a_name_that_is_long"))


NARROW: dict[str, Callable[[Study, figures.FigureLook], go.Figure]] = {
    "one column of tasks": lambda made, look: figures.overview(made.judged, columns=1, look=look),
    "pairs": lambda made, look: figures.pairs(made.judged, look=look),
    "every metric": lambda made, look: figures.overview(
        [CurveRow(curve=long_named(curve)) for curve in made.curves], columns=1, look=look
    ),
    "comparison": lambda made, _: figures.comparison_figure(
        compared(), a="a model with a long name", b="another model with a long name"
    ),
    **{kind: lambda made, _, draw=KINDS[kind]: draw(made) for kind in ("heat map", "power", "counts")},
}


@pytest.mark.parametrize("width", ["3.3in", "5.5in"])
@pytest.mark.parametrize("kind", NARROW)
def test_no_text_of_a_picture_for_a_paper_leaves_it_or_lies_on_another(tasks: Study, kind: str, width: str) -> None:
    paper = figures.Paper(width=width, font=8)
    svg = to_picture(NARROW[kind](tasks, figures.FigureLook(width=paper.drawn_width)), "svg", paper=paper).decode()
    height = float(ET.fromstring(svg).get("viewBox", "").split()[3])
    texts = boxes(svg)
    for place, (text, (left, top, right, foot)) in enumerate(texts):
        assert left >= -1, text
        assert right <= paper.pixels + 1, text
        assert -1 <= top < foot <= height + 1, text
        for other, box in texts[:place]:
            across, down = min(right, box[2]) - max(left, box[0]), min(foot, box[3]) - max(top, box[1])
            assert across <= 1 or down <= 1, (text, other)


def test_ticks_of_a_narrow_axis_leave_room_for_each_other_and_are_two_at_least() -> None:
    line = {"color": "#000000", "width": 1}
    figure = go.Figure(go.Scatter(x=[-0.19, 0.31], y=[0, 1], mode="lines", line=line), layout={"height": 300})
    assert {"\N{MINUS SIGN}0.2", "0.0"} <= set(words(figures.to_svg(figure, width=200)))
    counts = [10, 20, 50, 100, 200, 500, 1000, 2000]
    figure = go.Figure(go.Scatter(x=counts, y=[0] * 8, mode="lines", line=line), layout={"height": 300})
    figure.update_xaxes(type="log", tickvals=counts, ticktext=[*map(str, counts)])
    assert [word for word in words(figures.to_svg(figure, width=240)) if word in set(map(str, counts))] == [
        "10",
        "100",
        "1000",
    ]


def test_error_bars_end_with_their_axis() -> None:
    bars = {"array": [0.2, 0.2], "arrayminus": [0.5, 0.1], "color": "#112233"}
    points = go.Scatter(x=[0, 1], y=[0.1, 0.5], mode="markers", marker={"color": "#000000"}, error_y=bars)
    figure = go.Figure(points, layout={"height": 300, "yaxis": {"range": [0, 1]}})
    root = ET.fromstring(figures.to_svg(figure, width=400))
    (path,) = (part.get("d", "") for part in root.iter(f"{SVG}path") if part.get("stroke") == "#112233")
    lowest = max(float(end) for end in re.findall(r"V([\d.]+)", path))
    assert lowest == 300 - 60, "the foot of the axes"
    assert path.count("h") == 3, "no cap where a bar goes on"


def test_texts_of_cells_that_are_too_narrow_are_left_out() -> None:
    shown = figures.shots_by_scale([row.curve for row in study(grown(RISE)).judged])
    wide, narrow = (words(figures.to_svg(shown, width=width)) for width in (600, 110))
    assert "0.250" in wide
    assert "0.250" not in narrow


def test_a_few_curves_are_counted_in_whole_numbers(made: Study) -> None:
    figure = figures.verdict_counts(made.judged)
    assert figure.layout.xaxis.dtick == 1
    ticks = [word for word in words(figures.to_svg(figure, width=600)) if re.fullmatch(r"[\d.]+", word)]
    assert ticks[:4] == ["0", "1", "2", "3"]


def test_slanted_names_of_columns_have_room_for_each_other() -> None:
    scores = pd.DataFrame([[0.5] * 40], index=["m"], columns=[f"task {place}" for place in range(40)])
    shown = [
        word
        for word in words(figures.to_svg(figures.heat_map(scores, models_down=True), width=500))
        if word.startswith("task ")
    ]
    assert 10 < len(shown) <= 20
    assert shown[0] == "task 0"


def test_a_legend_that_would_take_the_room_of_the_axes_stands_above_them(made: Study) -> None:
    figure = figures.power_figure(resolutions(made.judged))
    narrow, wide = (on_paper(figure, figures.Paper(width=width)).layout.legend for width in ("3.3in", "8in"))
    assert (narrow.orientation, wide.orientation) == ("h", "v")


def test_rows_of_a_legend_have_room_below_a_broken_title() -> None:
    figure = figures.comparison_figure(compared(), a="a model with a long name", b="another model with a long name")
    narrow = on_paper(figure, figures.Paper(width="3.3in", font=9))  # letters as large as on a screen
    lines, entries = narrow.layout.title.text.count("<br>") + 1, len(narrow.data)
    assert (lines, entries) == (2, 1)
    assert narrow.layout.margin.t >= 12 * (1.25 * lines + 1.8 * entries)


def test_a_font_is_there_for_the_scripts_that_a_picture_uses() -> None:
    svg = to_picture(figures.overview(study(grown(RISE, of=task("сумма"))).judged, columns=1), "svg").decode()
    assert "unicode-range:U+0400" in svg
    assert "unicode-range:U+0370" not in svg


@pytest.mark.parametrize(
    ("width", "pixels"), [("3.3in", 316.8), ("84mm", 317.48), ("8.4cm", 317.48), ("600px", 600), ("240 pt", 320)]
)
def test_widths_are_lengths(width: str, pixels: float) -> None:
    assert figures.Paper(width=width).pixels == pytest.approx(pixels, abs=0.01)


@pytest.mark.parametrize("width", ["3.3", "wide", "-3in", "0.1in", "900in", "3.3em", "1e9in"])
def test_other_widths_are_refused(width: str) -> None:
    with pytest.raises(PlanError, match=r"--width .*: expected a width such as 3.3in, 84mm or 600px"):
        figures.Paper(width=width)


def test_letters_of_no_size_are_refused() -> None:
    with pytest.raises(PlanError, match="--font 2: expected a size of 4 to 72 points"):
        figures.Paper(width="3.3in", font=2)
