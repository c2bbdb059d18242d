"""Scale × treatment: a panel for each task, with a line for each variant of the models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.analysis.curves import Curve
from harness.figures.axes import counts_documents, scale_axis, score_title
from harness.figures.style import COLOURS, GREY, SYMBOLS, TITLED, captioned, layout, literal
from harness.wording import score, span

_PLAIN = "as it is"
_ACROSS = 2
"""Panels side by side."""
_BESIDE = 1.035
"""Factor by which points of one size stand beside each other, so that none hides another."""


def variant_of(curve: Curve) -> str:
    """The variant whose results a curve has, from its conditions; the models as they are without one."""
    parts = (part.strip() for part in curve.conditions.split(","))
    named = next((part.removeprefix("variant ") for part in parts if part.startswith("variant ")), "")
    return _PLAIN if named in ("", "plain", "none") else named


def treatment_figure(curves: Sequence[Curve]) -> go.Figure:
    """One panel for each family, task and setting, one line for each variant, with 95 % intervals.

    Args:
        curves: of any variants, one metric per task; at least one.
    """
    panels: dict[tuple[str, str, int, str, str], list[Curve]] = {}
    for curve in curves:
        panels.setdefault((curve.family, curve.task, curve.shots, curve.prompt, curve.metric.name), []).append(curve)
    variants = [*dict.fromkeys(variant_of(curve) for curve in curves)]
    variants.sort(key=lambda name: name != _PLAIN)
    families = {key[0] for key in panels}
    columns = min(_ACROSS, len(panels))
    rows = -(-len(panels) // columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[
            literal(f"{task}, {shots}-shot" + (f", {family}" if len(families) > 1 else ""))
            for family, task, shots, _, _ in panels
        ],
        vertical_spacing=0.3 / rows,
    )
    figure.update_layout(layout("What treatments leave, by size", height=150 + 300 * rows))
    # the legend between the title of the figure and those of the panels
    figure.update_layout(margin={"t": TITLED + 26}, legend={"y": 1 + 26 / (300 * rows - 2)})
    shown: set[str] = set()
    for place, members in enumerate(panels.values()):
        row, column = place // columns + 1, place % columns + 1
        for curve in sorted(members, key=lambda one: variants.index(variant_of(one))):
            name = variant_of(curve)
            at = variants.index(name)
            line = _line(curve, name, at, aside=at - (len(variants) - 1) / 2, legend=name not in shown)
            figure.add_trace(line, row=row, col=column)
            shown.add(name)
        chance = members[0].metric.chance
        if chance:
            figure.add_hline(y=chance, line={"color": GREY, "dash": "dash", "width": 1.2}, row=row, col=column)
        figure.update_xaxes(scale_axis(members, titled=True), row=row, col=column)
        shares = {"range": [-0.03, 1.05]} if all(counts_documents(curve) for curve in members) else {}
        figure.update_yaxes(title_text=literal(score_title(members[0])), row=row, col=column, **shares)
    return captioned(figure, _caption(curves))


def _line(curve: Curve, name: str, at: int, *, aside: float, legend: bool) -> go.Scatter:
    """One variant; `aside` is how many places its points stand beside the middle of their size."""
    colour, points = COLOURS[at % len(COLOURS)], curve.points
    least, most = (0.0, 1.0) if counts_documents(curve) else (-math.inf, math.inf)  # no score lies beyond
    return go.Scatter(
        x=[x * _BESIDE**aside if curve.scale != "loss" else x for x in curve.x],
        y=curve.y,
        name=literal(name),
        legendgroup=name,
        showlegend=legend,
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"symbol": SYMBOLS[at % len(SYMBOLS)], "size": 7, "color": colour},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [0.0 if p.high is None else min(p.high, most) - p.estimate.value for p in points],
            "arrayminus": [0.0 if p.low is None else p.estimate.value - max(p.low, least) for p in points],
            "thickness": 1.2,
            "width": 3,
            "color": colour,
        },
        customdata=[f"<b>{literal(p.name)}</b> {literal(name)}<br>{score(p.estimate.value)}" for p in points],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _caption(curves: Sequence[Curve]) -> str:
    runs = span(n for curve in curves for n in curve.runs)
    trainings = f"{runs} training run{'' if runs == '1' else 's'} of each size"
    over = " and training runs" if any(curve.noise for curve in curves) else ""
    documents = span(n for curve in curves for e in curve.estimates if (n := e.n_known) is not None)
    return (
        f"Bars: 95 % interval over {documents} documents{over}; {trainings}. Variants of a size stand beside "
        "each other. Dashed: chance."
    )
