"""Curves, verdicts and leaderboards as pictures: draws what was computed elsewhere, and alone imports plotly."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from harness.analysis.curves import AXIS_TITLES, Curve, Point
from harness.analysis.verdict import Verdict
from harness.analysis.wording import score, size
from harness.errors import MachineError

# Okabe and Ito 2008, told apart with every common colour blindness. Black and yellow are left out: one of them
# vanishes on a dark or on a light page.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
_GREY = "#808080"
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
_PANEL_HEIGHT = 220
_PANEL_GAP = 66
_OVERVIEW_MARGIN = 132
_TITLED, _UNTITLED = 84, 50
"""Room above the plot in pixels, with and without a title."""
_NAMED_GAPS = 3
_CAPTION_CHARACTER = 7
"""Width in pixels of one caption character, with the margins of the figure."""


class _Line(NamedTuple):
    """How one setting is told from the others: by name, by colour and by shape."""

    name: str
    colour: str
    symbol: str


def curve_figure(curves: Sequence[Curve], verdicts: Sequence[Verdict] = ()) -> go.Figure:
    """One metric of one task over scale, a line per setting (family, shots, prompt).

    Args:
        curves: of one task, one metric and one scale axis; at least one.
        verdicts: mark the first size reliably above chance on the curves they judge.
    """
    first = curves[0]
    figure = go.Figure(layout=_layout(f"{first.task}: {first.metric.name}", height=400))
    lines = _lines(curves)
    for curve in curves:
        _draw(figure, curve, lines[curve.family, curve.label], verdicts)
    axis = _scale_axis(curves, titled=True)
    _draw_chance(figure, curves, axis)
    figure.update_xaxes(axis)
    figure.update_yaxes(title_text=_score_title(first))
    return _captioned(figure, _caption(curves, verdicts))


def sharp_and_smooth(sharp: Sequence[Curve], smooth: Sequence[Curve], verdicts: Sequence[Verdict] = ()) -> go.Figure:
    """The headline metric beside the continuous one of the same samples: a jump in both is no metric artefact.

    Args:
        sharp: headline curves of one task; at least one.
        smooth: continuous curves of the same settings; may be empty.
        verdicts: mark the first size reliably above chance on the headline curves.
    """
    pair = [group for group in (sharp, smooth) if group]
    figure = make_subplots(rows=1, cols=len(pair), horizontal_spacing=0.12)
    figure.update_layout(_layout(sharp[0].task, height=360))
    lines = _lines([*sharp, *smooth])
    axis = _scale_axis([*sharp, *smooth], titled=True)
    for column, group in enumerate(pair, start=1):
        for curve in group:
            _draw(figure, curve, lines[curve.family, curve.label], verdicts, col=column)
        _draw_chance(figure, group, axis, row=1, col=column)
        figure.update_yaxes(title_text=_score_title(group[0]), row=1, col=column)
    figure.update_xaxes(axis)
    _show_each_name_once(figure)
    return _captioned(figure, _caption([*sharp, *smooth], verdicts))


def overview(curves: Sequence[Curve], verdicts: Sequence[Verdict] = (), *, columns: int = 4) -> go.Figure:
    """One small panel per task with its headline metric, a line per setting, all on one scale axis.

    Args:
        curves: other metrics than the headline are left out; at least one headline.
        verdicts: mark the first size reliably above chance.
        columns: panels side by side.
    """
    headlines = [c for c in curves if c.rank == 0]
    tasks = sorted({(c.suite, c.task) for c in headlines})
    rows = math.ceil(len(tasks) / columns)
    columns = min(columns, len(tasks))
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[task for _, task in tasks],
        horizontal_spacing=0.2 / columns,
        vertical_spacing=_PANEL_GAP / (rows * _PANEL_HEIGHT),
    )
    figure.update_layout(_layout("", height=_OVERVIEW_MARGIN + rows * _PANEL_HEIGHT))
    figure.update_layout(margin={"t": 84, "b": 48}, legend_y=1 + 34 / (rows * _PANEL_HEIGHT))
    figure.update_annotations(font_size=13)
    lines = _lines(headlines)
    axis = _scale_axis(headlines, titled=False)
    for place, (_, task) in enumerate(tasks):
        row, col = divmod(place, columns)
        panel = [c for c in headlines if c.task == task]
        for curve in panel:
            _draw(figure, curve, lines[curve.family, curve.label], verdicts, row=row + 1, col=col + 1, weight=0.7)
        _draw_chance(figure, panel, axis, row=row + 1, col=col + 1)
    figure.update_xaxes(axis)
    _show_each_name_once(figure)
    caption = f"x: {AXIS_TITLES[headlines[0].scale]}; y: headline metric. {_caption(headlines, verdicts)}"
    return _captioned(figure, caption)


def heat_map(table: pd.DataFrame) -> go.Figure:
    """Settings by models, coloured by chance-centred score; blank where there is no score.

    Args:
        table: `leaderboard.centred(...)`: models are the index, settings the columns; at least one of each.
    """
    models, settings = [str(m) for m in table.index], [str(c) for c in table.columns]
    figure = go.Figure(
        go.Heatmap(
            z=[[None if pd.isna(v) else float(v) for v in table[c]] for c in table.columns],
            x=models,
            y=settings,
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            xgap=2,
            ygap=2,
            hoverongaps=False,
            hovertemplate="%{x}<br>%{y}<br>%{z:.3f} of the way from chance to perfect<extra></extra>",
            colorbar={"title": {"text": "chance-centred<br>score"}, "thickness": 14, "len": 1, "outlinewidth": 0},
        )
    )
    slanted = 60 + 5 * max(map(len, models))
    figure.update_layout(_layout("", height=24 + slanted + 22 * len(settings)))
    figure.update_layout(margin={"t": 24, "b": slanted})
    figure.update_xaxes(type="category", tickangle=-40, showgrid=False, automargin=False, title_text="Model, by size")
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, dtick=1)
    note = "Headline scores on the way from chance (0) to perfect (1); a score below chance has the colour of 0."
    return _captioned(figure, f"{note} Blank: no score.")


def caption(figure: go.Figure) -> str:
    """What the figure shows besides its axes, in sentences: error bars, number of documents, missing models."""
    return str((figure.layout.meta or {}).get("caption", ""))


def to_div(figure: go.Figure) -> str:
    """The figure as an HTML fragment for a page that holds `plotly_js()`; follows the width of the page."""
    # The page has its own headings; the room of the title goes with it.
    shown = go.Figure(figure)
    if figure.layout.title.text:
        shown.update_layout(title=None, margin={"t": _UNTITLED}, height=figure.layout.height - _TITLED + _UNTITLED)
    config = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
    return str(to_html(shown, full_html=False, include_plotlyjs=False, config=config))


def plotly_js() -> str:
    """The plotly.js source, to inline once in a page that must work without network."""
    return str(get_plotlyjs())


def to_png(figure: go.Figure, path: Path, *, width: int = 900, scale: float = 2.0) -> None:
    """Write the figure as a PNG on white.

    Args:
        figure: any of this module.
        path: file to write.
        width: in CSS pixels; the height is the figure's own.
        scale: device pixels per CSS pixel; 2 is sharp in print at column width.

    Raises:
        MachineError: kaleido or a browser is missing.
    """
    try:
        image = _printed(figure, width).to_image("png", width=width, scale=scale)
    except (ImportError, RuntimeError) as error:
        # plotly says both "no kaleido" and "no browser" with RuntimeError, in several lines of advice.
        raise MachineError(
            f"{path}: a PNG needs kaleido (pip install 'emergence-harness[png]') and Chrome or Chromium, "
            f"found on the PATH or through BROWSER_PATH: {str(error).strip().partition(chr(10))[0]}"
        ) from error
    path.write_bytes(image)


def _lines(curves: Sequence[Curve]) -> dict[tuple[str, str], _Line]:
    """A line for each family and setting, in the order met; the family is named only when there are several."""
    keys = list(dict.fromkeys((c.family, c.label) for c in curves))
    several = len({family for family, _ in keys}) > 1
    names = [f"{family}, {label}" if several else label for family, label in keys]
    return dict(zip(keys, map(_Line, names, cycle(COLOURS), cycle(SYMBOLS)), strict=True))


def _draw(
    figure: go.Figure,
    curve: Curve,
    drawn_as: _Line,
    verdicts: Sequence[Verdict],
    *,
    row: int | None = None,
    col: int | None = None,
    weight: float = 1.0,
) -> None:
    """The line of one curve, broken where a model has no score, and a ring round its first reliable size."""
    at = {"row": row or (1 if col else None), "col": col}
    places = _places(curve)
    figure.add_trace(
        go.Scatter(
            x=[p.x for p in places],
            y=[p.y for p in places],
            name=drawn_as.name,
            legendgroup=drawn_as.name,
            mode="lines+markers",
            line={"color": drawn_as.colour, "width": 2 * weight},
            marker={"symbol": drawn_as.symbol, "size": 7 * weight},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [p.above for p in places],
                "arrayminus": [p.below for p in places],
                "thickness": 1.2 * weight,
                "width": 3 * weight,
                "color": drawn_as.colour,
            },
            customdata=[p.hover for p in places],
            hovertemplate="%{customdata}<extra></extra>",
        ),
        **at,
    )
    ring = next((v for v in verdicts if v.curve == curve and v.reliable_from is not None), None)
    if ring is None:
        return
    place = curve.x.index(ring.reliable_from)
    figure.add_trace(
        go.Scatter(
            x=[curve.x[place]],
            y=[curve.y[place]],
            mode="markers",
            marker={
                "symbol": "circle-open",
                "size": 16 * weight,
                "color": drawn_as.colour,
                "line": {"width": 2 * weight},
            },
            hoverinfo="skip",
            showlegend=False,
        ),
        **at,
    )


class _Place(NamedTuple):
    """One x of a line as plotly wants it; y None breaks the line."""

    x: float
    y: float | None = None
    above: float | None = None
    below: float | None = None
    hover: str = ""


def _places(curve: Curve) -> list[_Place]:
    points = [
        _Place(
            x=p.x,
            y=p.estimate.value,
            above=None if p.high is None else p.high - p.estimate.value,
            below=None if p.low is None else p.estimate.value - p.low,
            hover=_hover(p, curve),
        )
        for p in curve.points
    ]
    gaps = [_Place(x=gap.x) for gap in curve.missing if gap.x is not None]
    return sorted([*points, *gaps], key=lambda place: place.x)


def _hover(point: Point, curve: Curve) -> str:
    made = point.estimate
    lines = [
        f"<b>{point.model}</b> ({size(point.x)})",
        f"{curve.metric.name} {score(made.value)}, {curve.family} {curve.label}",
        "spread unknown" if point.low is None else f"95 % interval {score(point.low)} to {score(point.high)}",
        f"n = {made.n}" + (f" of {point.n_expected} expected" if made.n < point.n_expected else ""),
    ]
    lines += [f"{made.seeds} few-shot seeds"] if made.seeds > 1 else []
    lines += [f"{point.n_truncated} prompts cut to fit"] if point.n_truncated else []
    return "<br>".join(lines)


def _draw_chance(
    figure: go.Figure, panel: Sequence[Curve], axis: dict[str, Any], *, row: int | None = None, col: int | None = None
) -> None:
    """A dashed line over the whole axis. A trace, not a shape: adding shapes one by one takes plotly quadratic time."""
    for chance in sorted({c.metric.chance for c in panel if c.metric.chance is not None}):
        line = go.Scatter(
            x=[10.0**end for end in axis["range"]],
            y=[chance, chance],
            name="chance",
            legendgroup="chance",
            mode="lines",
            line={"color": _GREY, "dash": "dash", "width": 1.2},
            hoverinfo="skip",
        )
        figure.add_trace(line, row=row, col=col)


def _score_title(curve: Curve) -> str:
    metric = curve.metric
    direction = "" if metric.higher_is_better else ", lower is better"
    unit = "share of documents" if metric.best == 1.0 and not metric.continuous else "mean"
    return f"{metric.name} ({unit}{direction})"


def _scale_axis(curves: Sequence[Curve], *, titled: bool) -> dict[str, Any]:
    """A log axis with the tick labels of model names: 100k, 1M, 10M; small untitled panels get fewer."""
    low, high = min(min(c.x) for c in curves), max(max(c.x) for c in curves)
    steps = (1, 2, 5) if high / low < (1e3 if titled else 30) else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**d for d in decades for step in steps if low / 1.5 <= step * 10.0**d <= high * 1.5]
    return {
        "type": "log",
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [*map(size, ticks)],
        # Room on both sides, so that no marker is cut at the edge of the panel.
        "range": [math.log10(low) - 0.12, math.log10(high) + 0.12],
        **({"title_text": AXIS_TITLES[curves[0].scale]} if titled else {}),
    }


def _caption(curves: Sequence[Curve], verdicts: Sequence[Verdict]) -> str:
    counts = [n for c in curves for n in c.n]
    documents = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    seeds = max(e.seeds for c in curves for e in c.estimates)
    parts = [
        f"Bars: 95 % interval (Wilson for proportions, else normal). n = {documents} documents per point"
        + (f", mean of up to {seeds} few-shot seeds." if seeds > 1 else ".")
    ]
    drawn = [c for c in curves if c.rank == 0]
    if any(v.reliable_from is not None for v in verdicts if v.curve in drawn):
        parts.append("Ring: this size and all larger ones are above chance.")
    missing = list(dict.fromkeys(f"{gap.model} {c.task} {c.shots}-shot" for c in curves for gap in c.missing))
    if missing:
        more = f" and {len(missing) - _NAMED_GAPS} more" if len(missing) > _NAMED_GAPS else ""
        parts.append(f"A line is broken where there is no score: {', '.join(missing[:_NAMED_GAPS])}{more}.")
    return " ".join(parts)


def _captioned(figure: go.Figure, text: str) -> go.Figure:
    """Kept with the figure and set by whoever shows it: a page lets it flow, a picture needs it inside."""
    return figure.update_layout(meta={"caption": text})


def _printed(figure: go.Figure, width: int) -> go.Figure:
    """A copy on white with the caption below the plot."""
    lines = textwrap.wrap(caption(figure), width // _CAPTION_CHARACTER)
    below = figure.layout.margin.b
    room = 16 * len(lines) + 12
    printed = go.Figure(figure).update_layout(
        paper_bgcolor="white", plot_bgcolor="white", height=figure.layout.height + room, margin={"b": below + room}
    )
    return printed.add_annotation(
        text="<br>".join(lines),
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        yshift=-below,
        xanchor="left",
        yanchor="top",
        align="left",
        showarrow=False,
        font={"size": 11, "color": "#555555"},
    )


def _layout(title: str, *, height: int) -> dict[str, object]:
    """What all figures share. Text and background are in the template, for a page to replace on a dark background."""
    axis = {
        "gridcolor": "#d9d9d9",
        "linecolor": "#999999",
        "showline": True,
        "zeroline": False,
        "ticks": "outside",
        "automargin": True,
        "title": {"font": {"size": 13}, "standoff": 10},
    }
    neutral = {
        "font": {"family": _FONT, "size": 12.5, "color": "#222222"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    return {
        "template": go.layout.Template(layout={"xaxis": axis, "yaxis": axis, **neutral}),
        "title": {"text": title, "x": 0, "xref": "paper", "y": 1 - 22 / height, "font": {"size": 15}}
        if title
        else None,
        "height": height,
        "margin": {"l": 64, "r": 24, "t": _TITLED if title else _UNTITLED, "b": 60},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.01, "xanchor": "left", "x": 0},
        "hoverlabel": {"align": "left"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#999999", "activecolor": "#555555"},
    }


def _show_each_name_once(figure: go.Figure) -> None:
    seen: set[str] = set()
    for trace in figure.data:
        if trace.name is not None:
            trace.showlegend = trace.name not in seen
            seen.add(trace.name)
