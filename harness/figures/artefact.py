"""Is it the ability or the metric? The sharp and the smooth metric of the same answers on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import plotly.graph_objects as go

from harness.analysis.curves import Curve
from harness.analysis.stats import PRACTICAL_EFFECT
from harness.analysis.verdict import Judged
from harness.figures.axes import scale_axis
from harness.figures.lines import Line
from harness.figures.panel import Drawn, add
from harness.figures.style import COLOURS, GREY, SYMBOLS, captioned, faint, layout, literal
from harness.wording import interval, number, score

_HEIGHT = 300
"""Height in pixels: several of these figures stand side by side."""
_LEAST = 2 * PRACTICAL_EFFECT
"""Smallest range, as a share of the best score, that fills the figure; noise must not look like a rise."""
_LOWEST, _HIGHEST, _EDGE = -0.1, 1.15, 0.05
"""Ends of the axis that every figure has at least, so that figures side by side look alike, and room beyond them."""
_FARTHEST = 1.0
"""How far beyond 0 and 1 error bars are drawn; the points would be flat between the ends of longer ones."""


class _Range(NamedTuple):
    """What stands at 0 and at 1 of the common axis."""

    floor: float
    """The worst score of the curve, in units of its metric."""
    span: float
    """Distance from there to 1, negative where lower is better."""
    is_wide: bool
    """True when the curve does not reach 1, because it varies by no more than its error bars, or than matters."""

    def share(self, value: float) -> float:
        """A score on the common axis."""
        return (value - self.floor) / self.span


def sharp_over_smooth(row: Judged) -> go.Figure:
    """Both metrics of one curve, each as a share of its own range, with the sizes at which the ability is absent.

    A smooth metric that rises within the shaded sizes says that the ability was growing before the sharp one showed it.

    Args:
        row: a judged curve with a partner.
    """
    assert row.partner is not None
    curves = (row.curve, row.partner.curve)
    lines = [
        Line(f"{curve.metric.name} ({what})", colour, symbol)
        for curve, what, colour, symbol in zip(curves, ("headline", "continuous"), COLOURS, SYMBOLS, strict=False)
    ]
    figure = go.Figure(layout=layout("", height=_HEIGHT))
    axis = scale_axis(curves, titled=True)
    add(figure, chain.from_iterable(map(_drawn, curves, lines)))
    bars = [end for curve in curves for both in _bars(curve) for end in both]
    is_cut = min(bars) < -_FARTHEST or max(bars) > 1 + _FARTHEST
    low, high = max(min(_LOWEST, *bars), -_FARTHEST) - _EDGE, min(max(_HIGHEST, *bars), 1 + _FARTHEST) + _EDGE
    early = early_sizes(row)
    if early:
        _shade(figure, row.partner.curve, early)
    figure.update_xaxes(axis)
    figure.update_yaxes(title_text="share of its own range", range=[low, high], tickvals=[0, 0.5, 1])
    return captioned(figure, _caption(curves, early, is_cut=is_cut))


def early_sizes(row: Judged) -> int:
    """How many of the smallest sizes of the partner are those at which the ability seems absent; 0 when none are."""
    trend = row.verdict.partner_trend
    return trend.sizes_below if trend is not None else 0


def _range(curve: Curve) -> _Range:
    direction = 1 if curve.metric.higher_is_better else -1
    worst = min(curve.y, key=lambda y: direction * y)
    extent = max(curve.y) - min(curve.y)
    errors = [
        high - low for low, high in zip(curve.low, curve.high, strict=True) if low is not None and high is not None
    ]
    usual = sorted(errors)[len(errors) // 2] if errors else 0.0
    least = max(_LEAST * (curve.metric.best or 0.0), 2 * usual)
    span = max(extent, least) or 1.0
    return _Range(worst, direction * span, is_wide=extent < least)


def _bars(curve: Curve) -> list[tuple[float, float]]:
    """Both ends of each error bar on the common axis."""
    on = _range(curve)
    return [
        (on.share(y), on.share(y))
        if low is None or high is None
        else (min(on.share(low), on.share(high)), max(on.share(low), on.share(high)))
        for y, low, high in zip(curve.y, curve.low, curve.high, strict=True)
    ]


def _drawn(curve: Curve, line: Line) -> Sequence[Drawn]:
    on = _range(curve)
    shares, ends = [on.share(y) for y in curve.y], _bars(curve)
    return [
        {
            "type": "scatter",
            "x": list(curve.x),
            "y": shares,
            "name": literal(line.name),
            "mode": "lines+markers",
            "line": {"color": line.colour, "width": 2},
            "marker": {"symbol": line.symbol, "size": 7, "color": line.colour},
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [high - share for share, (_, high) in zip(shares, ends, strict=True)],
                "arrayminus": [share - low for share, (low, _) in zip(shares, ends, strict=True)],
                "thickness": 1.2,
                "width": 3,
                "color": line.colour,
            },
            "customdata": [
                f"<b>{literal(point.name)}</b> ({number(point.x)})<br>{literal(curve.metric.name)} "
                f"{score(point.estimate.value)}, 95 % interval {interval(point.low, point.high)}"
                for point in curve.points
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
    ]


def _shade(figure: go.Figure, smooth: Curve, sizes: int) -> None:
    """Shade the sizes at which the ability seems absent."""
    figure.add_shape(
        type="rect",
        x0=smooth.x[0],
        x1=smooth.x[sizes - 1],
        yref="y domain",
        y0=0,
        y1=1,
        fillcolor=faint(GREY, 0.18),
        line={"width": 0},
        layer="below",
    )


def _caption(curves: Sequence[Curve], early: int, *, is_cut: bool) -> str:
    parts = ["0 is the worst and 1 the best score of each metric over these sizes. Bars: 95 % interval."]
    flat = [curve.metric.name for curve in curves if _range(curve).is_wide]
    if len(flat) == 1:
        parts.append(f"{flat[0]} hardly varies, and is drawn on a range of twice its error bars.")
    elif flat:
        parts.append(f"{' and '.join(flat)} hardly vary, and are drawn on ranges of twice their error bars.")
    if is_cut:
        parts.append("Longer bars are cut at the edge.")
    if early:
        parts.append(
            f"Shaded: the {early} {curves[1].noun}s at which {curves[0].metric.name} does not show the ability."
        )
    return " ".join(parts)
