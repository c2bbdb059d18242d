"""Differences between the two sides of a comparison, task by task."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from harness.analysis.compare import Comparison
from harness.figures.style import COLOURS, GREY, captioned, layout, literal
from harness.glossary import metric_of
from harness.wording import count, interval, p_value, score, signed, span

_CHARACTER = 7
"""Width in pixels of one character of a row's name."""


def comparison_figure(comparisons: Sequence[Comparison], *, a: str = "A", b: str = "B") -> go.Figure:
    """Forest plot: the paired difference of every task with its 95 % interval; clear differences are coloured.

    Args:
        comparisons: at least one; each is a row, the largest gain of B at the top.
        a: name of the first side.
        b: name of the second side; right of 0 it scores more.
    """
    comparisons = sorted(comparisons, key=_loss_of_b)
    plain = _names(comparisons)
    names = [*map(literal, plain)]
    figure = go.Figure(layout=layout(f"{b} minus {a}", height=150 + 24 * len(comparisons)))
    figure.update_layout(margin_l=30 + _CHARACTER * max(map(len, plain)), showlegend=True)
    looks = (
        ("B", COLOURS[0], "circle", f"{literal(b)} better"),
        ("A", COLOURS[1], "square", f"{literal(a)} better"),
        (None, GREY, "circle-open", "no clear difference"),
    )
    for better, colour, symbol, legend in looks:
        rows = [(name, one) for name, one in zip(names, comparisons, strict=True) if one.better == better]
        if rows:
            figure.add_trace(_differences(rows, colour, symbol, legend))
    figure.add_vline(x=0, line={"color": GREY, "dash": "dash", "width": 1.2})
    units = {_unit(one) for one in comparisons}
    unit = f" ({units.pop()})" if len(units) == 1 else ""
    figure.update_xaxes(title_text=f"Difference of scores{unit}, {literal(b)} minus {literal(a)}")
    figure.update_yaxes(
        type="category",
        automargin=False,
        categoryorder="array",
        categoryarray=names[::-1],
        range=[-0.7, len(names) - 0.3],
        dtick=1,
    )
    return captioned(figure, _caption(comparisons))


def _unit(one: Comparison) -> str:
    known = metric_of(one.metric.name)
    return one.metric.name if known is None else known.unit


def _loss_of_b(one: Comparison) -> float:
    return -one.scores.difference if one.metric.higher_is_better else one.scores.difference


def _differences(rows: Sequence[tuple[str, Comparison]], colour: str, symbol: str, legend: str) -> go.Scatter:
    """Points with their intervals, each in a row of its own that has a name."""
    scores = [one.scores for _, one in rows]
    return go.Scatter(
        x=[s.difference for s in scores],
        y=[name for name, _ in rows],
        name=legend,
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": 8},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [None if s.high is None else s.high - s.difference for s in scores],
            "arrayminus": [None if s.low is None else s.difference - s.low for s in scores],
            "thickness": 1.4,
            "width": 3,
            "color": colour,
        },
        customdata=[_hover(one) for _, one in rows],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _caption(comparisons: Sequence[Comparison]) -> str:
    documents = span(one.scores.n for one in comparisons)
    lower = [one.metric.name for one in comparisons if not one.metric.higher_is_better]
    note = (
        f"Bars: 95 % interval of the paired difference, n = {documents} documents that both answered. Coloured: q < "
        f"0.05 after correction for {len(comparisons)} comparisons (Benjamini-Hochberg)."
    )
    return note + (f" Less is better for {', '.join(dict.fromkeys(lower))}." if lower else "")


def _names(comparisons: Sequence[Comparison]) -> list[str]:
    """The name of each row: task and setting, and the metric when a setting has several."""
    several = len({(c.task, c.setting) for c in comparisons}) < len(comparisons)
    return [" ".join(filter(None, (c.task, c.setting, c.metric.name if several else ""))) for c in comparisons]


def _hover(one: Comparison) -> str:
    found = one.scores
    known = interval(found.low, found.high, signed) or "unknown"
    return (
        f"<b>{literal(one.task)}</b> {literal(one.setting)}<br>{literal(one.metric.name)}: A {score(found.mean_a)}, "
        f"B {score(found.mean_b)}<br>"
        f"B minus A {signed(found.difference)}, 95 % interval {known}<br>"
        f"q {literal(p_value(one.q)) or 'unknown'}, n = {count(found.n)}"
    )
