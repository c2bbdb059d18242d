"""What makes a figure readable: colours that stand out and stand for one family, axes that do not blow up noise."""

import re
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from harness import figures
from harness.analysis.verdict import CurveRow, Study, study
from harness.figures.lines import grey_families, lines_of
from harness.figures.static import to_svg
from harness.figures.static.text import text_width
from harness.figures.style import COLOURS, DASHES, GREY, literal, unadorned
from harness.records import CellResult
from harness.report.page import STYLE
from harness.specs import MetricSpec
from tests.builders import PROB, cell, counted, grown, model, task

RISE = (50, 52, 75, 90, 110, 125, 140, 160)
LIGHT, DARK = ("#ffffff",), ("#16181c", "#0e1117")
"""Pages on which figures stand: the report and the dashboard, in both schemes."""


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def of_family(name: str, counts: tuple[int, ...] = RISE, shots: int = 0) -> list[CellResult]:
    return [
        replace(r, cell=replace(r.cell, model=replace(r.cell.model, family=name))) for r in grown(counts, shots=shots)
    ]


def curves_of(made: Study) -> list[CurveRow]:
    return [CurveRow(curve=row.curve) for row in made.judged]


def style_colours(scheme: str) -> dict[str, str]:
    """Names of the report's colours, as its style sheet gives them."""
    light, _, dark = STYLE.partition("@media (prefers-color-scheme: dark)")
    part = light if scheme == "light" else dark
    found = [pair.split(":") for line in part.split("{", 2)[-1].split("}")[0].split(";") if ":" in (pair := line)]
    return {name.strip(): value.strip() for name, value in found if value.strip().startswith("#")}


@pytest.mark.parametrize("colour", [*COLOURS, GREY])
@pytest.mark.parametrize("page", [*LIGHT, *DARK])
def test_every_line_stands_out_from_every_page(colour: str, page: str) -> None:
    assert contrast(colour, page) >= 3.0


def test_letters_of_figures_stand_out_as_text_must() -> None:
    figure = figures.curve_figure(curves_of(study(grown(RISE))))
    from harness.figures.page import _printed

    printed = _printed(figure, 900)
    inks = [figure.layout.template.layout.font.color, printed.layout.annotations[-1].font.color]
    assert all(contrast(ink, "#ffffff") >= 4.5 for ink in inks)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_captions_and_verdicts_of_the_report_stand_out_as_text_must(scheme: str) -> None:
    colours = style_colours(scheme)
    for ink, ground in (("--ink", "--page"), ("--soft", "--page"), ("--soft", "--panel"), ("--link", "--page")):
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for ink in ("good", "bad"):
        assert contrast(colours[f"--{ink}"], colours[f"--{ink}-bg"]) >= 4.5, ink


def test_twelve_families_have_twelve_colours_and_shots_differ_in_dash() -> None:
    made = study([r for i in range(12) for shots in (0, 2) for r in of_family(f"f{i:02}", RISE[:3], shots)])
    drawn = [t for t in figures.curve_figure(curves_of(made)).data if t.mode == "lines+markers"]
    colours: dict[str, set[str]] = {}
    for line in drawn:
        colours.setdefault(line.name.partition(",")[0], set()).add(line.line.color)
    assert len(colours) == 12
    assert all(len(own) == 1 for own in colours.values())
    assert len({colour for own in colours.values() for colour in own}) == 12
    assert {line.line.dash for line in drawn if line.name.endswith("0-shot")} == {"solid"}
    assert {line.line.dash for line in drawn if line.name.endswith("2-shot")} == {"dash"}


def test_families_beyond_the_colours_share_grey_and_are_named_in_the_caption() -> None:
    made = study([r for i in range(15) for r in of_family(f"f{i:02}", RISE[:3])])
    figure = figures.curve_figure(curves_of(made))
    lines = lines_of([row.curve for row in made.judged])
    assert grey_families(lines) == ["f11", "f12", "f13", "f14"]
    entries = [t.name for t in figure.data if t.name and t.showlegend]
    assert entries.count("4 more families, 0-shot") == 1
    assert "Grey, because there are more families than colours: f11, f12, f13, f14." in figures.caption(figure)


def test_settings_of_one_family_differ_in_dash_too() -> None:
    made = study([r for shots in (0, 1, 2, 4) for r in grown(RISE, shots=shots)])
    drawn = [t for t in figures.curve_figure(curves_of(made)).data if t.mode == "lines+markers"]
    assert [line.line.dash for line in drawn] == [*DASHES[:4]]


def test_settings_are_told_apart_in_the_order_of_their_shots_whatever_task_is_first() -> None:
    asked = [("few", (0, 10)), ("many", (0, 2, 8, 10))]
    made = study([r for name, of in asked for shots in of for r in grown(RISE, shots=shots, of=task(name))])
    assert [line.name for line in lines_of([row.curve for row in made.judged]).values()] == [
        "0-shot",
        "2-shot",
        "8-shot",
        "10-shot",
    ]
    svg = to_svg(figures.overview(made.judged), width=600)
    assert list(re.findall(r">(\d+-shot)<", svg)) == ["0-shot", "2-shot", "8-shot", "10-shot"]


def test_panels_of_scores_share_an_axis_from_chance_to_the_ceiling() -> None:
    made = study([*grown(RISE, of=task("rises")), *grown((50, 51, 49, 50, 52, 50, 49, 51), of=task("flat"))])
    figure = figures.overview(made.judged)
    assert figure.layout.yaxis.range == figure.layout.yaxis2.range
    assert figure.layout.yaxis.range[1] > 1.0
    own = figures.overview(made.judged, look=figures.FigureLook(own_axes=True))
    assert own.layout.yaxis.range != own.layout.yaxis2.range
    assert max(own.layout.yaxis.range[1], own.layout.yaxis2.range[1]) < 1.0


def test_scores_between_0_and_1_have_no_axis_beyond_however_wide_their_intervals_are() -> None:
    made = study(grown((0, 2, 1, 3, 2, 3, 4, 5), n=5))
    for look in (figures.FigureLook(), figures.FigureLook(own_axes=True)):
        low, high = figures.curve_figure(curves_of(made), look=look).layout.yaxis.range
        assert -0.15 < low <= 0.0 < high < 1.15


def test_an_axis_is_long_enough_for_noise_to_look_like_noise() -> None:
    metric = MetricSpec(name="acc", chance=None, best=None)
    noise = (50, 51, 49, 50, 52, 50, 49, 51)
    made = study(grown(noise, of=task(metrics=(metric, PROB)), n=100))
    figure = figures.curve_figure(curves_of(made), look=figures.FigureLook(own_axes=True))
    low, high = figure.layout.yaxis.range
    bars = [end - start for start, end in zip(made.judged[0].curve.low, made.judged[0].curve.high, strict=True)]  # type: ignore[operator]
    assert high - low >= 4 * sorted(bars)[len(bars) // 2]


def test_chance_ceiling_and_threshold_are_named_in_the_legend() -> None:
    figure = figures.curve_figure(study(grown(RISE)).judged)
    names = [t.name for t in figure.data if t.name and t.showlegend]
    assert names == ["chance", "ceiling", "0-shot", "threshold, 95 % interval"]
    levels = {t.name: (t.y[0], t.line.dash) for t in figure.data if t.name in {"chance", "ceiling"}}
    assert levels == {"chance": (0.25, "dash"), "ceiling": (1.0, "dot")}


def test_each_panel_names_its_metric_its_unit_and_its_verdict() -> None:
    made = study([*grown(RISE, of=task("rises")), *grown((50,) * 8, of=task("flat"), n=200)])
    figure = figures.overview(made.judged)
    assert [note.text for note in figure.layout.annotations] == ["<b>flat</b><br>flat", "<b>rises</b><br>rises"]
    assert figure.layout.yaxis.title.text == figure.layout.yaxis2.title.text == "acc<br>(share of documents)"


def with_seeds(values: Any = (0, 6, -6)) -> Study:
    return study([r for seed, more in enumerate(values) for r in grown([k + more for k in RISE], shots=2, seed=seed)])


def test_several_seeds_are_points_and_a_band() -> None:
    figure = figures.curve_figure(curves_of(with_seeds()))
    (band,) = [t for t in figure.data if t.fill == "toself" and t.x[0] is not None]
    (line,) = [t for t in figure.data if t.mode == "lines+markers"]
    curve = with_seeds().judged[0].curve
    assert band.y[: len(RISE)] == pytest.approx(curve.high)
    assert band.y[len(RISE) :] == pytest.approx(curve.low[::-1])
    assert line.error_y.array is None
    (dots,) = [t for t in figure.data if t.mode == "markers" and t.marker.size < 5]
    assert len(dots.x) == 3 * len(RISE)
    assert dots.y[:3] == pytest.approx((50 / 200, 56 / 200, 44 / 200))
    assert dots.customdata[1] == "<b>toy-1000</b> few-shot seed 1<br>0.280"
    assert "Bands: 95 % interval" in figures.caption(figure)
    assert "Dots: single few-shot seeds" in figures.caption(figure)


def test_models_at_one_place_of_the_axis_get_a_sentence_in_place_of_a_vertical_line() -> None:
    alike = [replace(r, cell=replace(r.cell, model=replace(r.cell.model, tokens=3 * 10**11))) for r in grown(RISE)]
    figure = figures.curve_figure(curves_of(study(alike, scale="tokens")))
    assert not [t for t in figure.data if t.mode == "lines+markers"]
    said = " ".join(note.text.replace("<br>", " ") for note in figure.layout.annotations)
    assert said == "No curve: all 8 models lie at one place of this axis, 300B training tokens."


def test_beside_other_families_such_models_are_points_without_a_line() -> None:
    alike = [
        replace(r, cell=replace(r.cell, model=replace(r.cell.model, family="alike", tokens=3 * 10**11)))
        for r in grown(RISE)
    ]
    figure = figures.curve_figure(curves_of(study([*grown(RISE), *alike], scale="tokens")))
    modes = {t.name: t.mode for t in figure.data if t.name and t.name.endswith("0-shot")}
    assert modes == {"toy, 0-shot": "lines+markers", "alike, 0-shot": "markers"}
    assert "No line for alike: all 8 models lie at one place" in figures.caption(figure)


def test_names_of_models_stand_beside_their_points_when_asked() -> None:
    rows = curves_of(study(grown(RISE)))
    assert not figures.curve_figure(rows).layout.annotations
    named = figures.curve_figure(rows, look=figures.FigureLook(names=True)).layout.annotations
    assert [note.text for note in named] == list(rows[0].curve.names)


def test_checkpoints_are_not_called_sizes() -> None:
    results = [
        counted(cell(model=model(1000, revision=f"step{i}", tokens=10**6 * 4**i)), k, 200) for i, k in enumerate(RISE)
    ]
    figure = figures.curve_figure(study(results, scale="tokens").judged)
    assert "this checkpoint and all later ones" in figures.caption(figure)
    assert "size" not in figures.caption(figure)


def test_a_grid_of_pairs_has_the_smooth_metric_beside_each_sharp_one() -> None:
    smooth = [v / 250 for v in RISE]
    alone = grown(RISE, of=task("alone", metrics=(MetricSpec(name="acc", chance=0.25),)))
    figure: go.Figure = figures.pairs(study([*grown(RISE, smooth=smooth), *alone]).judged)
    titles = [figure.layout[f"yaxis{i}"].title.text for i in ("", 2, 3, 4)]
    assert titles == ["acc<br>(share of documents)", None, "acc<br>(share of documents)", "prob_correct<br>(mean)"]
    assert figure.layout.yaxis2.visible is False


def test_beside_a_verdict_stands_whether_the_smooth_metric_improves_earlier() -> None:
    late = (50, 49, 51, 50, 48, 52, 110, 160)
    for smooth, words in (
        ([0.2 + 0.05 * i for i in range(8)], "improves earlier than the headline"),
        ([0.25] * 6 + [0.4, 0.7], "does not improve earlier"),
    ):
        figure = figures.sharp_and_smooth(study(grown(late, smooth=smooth)).judged)
        assert [note.text.replace("<br>", " ") for note in figure.layout.annotations][1] == words


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("עברית 1.9M, 2-shot", ["עברית"]),
        ("نموذج ٣: acc", ["نموذج ٣"]),
        ("of שתי מילים (12) and אחת", ["שתי מילים", "אחת"]),
        ("שָׁלוֹם", ["שָׁלוֹם"]),
        ("naïve 日本語 <b>", []),
    ],
)
def test_words_that_run_to_the_left_stand_by_themselves(text: str, runs: list[str]) -> None:
    shown = literal(text)
    assert re.findall("\u2068(.*?)\u2069", shown) == runs
    assert unadorned(shown) == text
    assert text_width(shown, 10) <= 9 * len(text)
