"""What curves are held against: chance, the ceiling, and the scale at which an ability sets in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.analysis.curves import Curve
from harness.analysis.verdict import CurveRow, Judged
from harness.figures.axes import axis_name
from harness.figures.lines import Lines
from harness.figures.panel import Drawn
from harness.figures.style import GREY, faint

_STRIP = 0.035
"""Height of a threshold's strip where several share a panel, as a share of the panel."""


def draw_levels(curves: Sequence[Curve], axis: Mapping[str, Any], *, ceiling: bool = True) -> Iterator[Drawn]:
    """A dashed line over the whole axis for each chance level of the curves, a dotted one for each best score.

    They are traces and not shapes, because plotly takes quadratic time to add shapes one by one.
    """
    yield from _levels("chance", "dash", (c.metric.chance for c in curves), axis)
    if ceiling:
        yield from _levels("ceiling", "dot", (c.metric.best for c in curves), axis)


def _levels(name: str, dash: str, levels: Iterable[float | None], axis: Mapping[str, Any]) -> Iterator[Drawn]:
    for level in sorted({level for level in levels if level is not None}):
        yield {
            "type": "scatter",
            "x": axis["range"] if axis["type"] == "linear" else [10.0**end for end in axis["range"]],
            "y": [level, level],
            "name": name,
            "legendgroup": name,
            "mode": "lines",
            "line": {"color": GREY, "dash": dash, "width": 1.2},
            "hoverinfo": "skip",
        }


def threshold_shapes(rows: Sequence[CurveRow], lines: Lines, panel: int = 1) -> Iterator[Drawn]:
    """The shaded interval of the threshold in a panel; several thresholds become strips at its upper edge.

    Bands and strips are shapes and not traces, because they must not stretch the axes.
    """
    found = with_threshold(rows)
    for place, row in enumerate(found):
        curve, verdict = row.curve, row.verdict
        alone = len(found) == 1
        foot, head = (0.0, 1.0) if alone else (1 - (place + 0.8) * _STRIP, 1 - place * _STRIP)
        colour = lines[curve.family, curve.label].colour
        ends = min(curve.x), max(curve.x)
        low, high = (
            end if bound is None else bound
            for end, bound in zip(ends, (verdict.threshold_low, verdict.threshold_high), strict=True)
        )
        x, y = axis_name("x", panel), f"{axis_name('y', panel)} domain"
        common = {"xref": x, "yref": y, "y0": foot, "y1": head, "layer": "below"}
        band = faint(colour, 0.12 if alone else 0.3)
        yield {"type": "rect", "x0": low, "x1": high, "fillcolor": band, "line": {"width": 0}, **common}
        line = {"color": colour, "width": 1.4 if alone else 2.5, "dash": "dot" if alone else "solid"}
        yield {"type": "line", "x0": verdict.threshold, "x1": verdict.threshold, "line": line, **common}


def threshold_key() -> Drawn:
    """The entry of the legend that says what shaded intervals and strips are: a trace without a point."""
    return {
        "type": "scatter",
        "x": [None],
        "y": [None],
        "name": "threshold, 95 % interval",
        "mode": "lines",
        "line": {"color": GREY, "dash": "dot", "width": 1.4},
        "fill": "toself",
        "fillcolor": faint(GREY, 0.25),
        "hoverinfo": "skip",
        "legendrank": 2000,  # behind everything else
    }


def with_threshold(rows: Sequence[CurveRow]) -> list[Judged]:
    """The judged rows whose threshold can be drawn."""
    return [row for row in rows if isinstance(row, Judged) and row.verdict.threshold is not None]
