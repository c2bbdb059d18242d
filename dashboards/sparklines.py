"""A curve as a small picture, for the first page: it must be there before plotly is.

Streamlit takes no SVG inside HTML, so that the picture is a background; what it shows stands in its label for screen
readers and in the sentence beside it. Both its colours can be told from a white and from a dark page.
"""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from harness.analysis.curves import Curve

ACROSS, UPWARDS = 132, 52
_ROOM = 6
_LINE, _CHANCE = "#0072B2", "#808080"


def sparkline(curve: Curve, label: str) -> str:
    """The points of a curve, joined, over their positions on the axis; the dashed line is chance.

    Scores with a best one are drawn on the whole range that they can have, so that noise does not look like a rise.

    Args:
        curve: the curve.
        label: what it shows, for screen readers; it may hold names of others.
    """
    return (
        f'<div role="img" aria-label="{escape(label)}" style="width:{ACROSS}px;height:{UPWARDS}px;flex:none;'
        f"background:url('data:image/svg+xml,{quote(_svg(curve))}') no-repeat\"></div>"
    )


def _svg(curve: Curve) -> str:
    low, high = _range(curve)
    first, last = min(curve.position), max(curve.position)

    def place(position: float, score: float) -> str:
        along = (position - first) / (last - first or 1.0)
        up = (score - low) / (high - low or 1.0)
        return f"{_ROOM + along * (ACROSS - 2 * _ROOM):.1f},{UPWARDS - _ROOM - up * (UPWARDS - 2 * _ROOM):.1f}"

    places = [place(at, score) for at, score in zip(curve.position, curve.y, strict=True)]
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="2.4" fill="{_LINE}"/>' for x, y in (one.split(",") for one in places))
    chance = curve.metric.chance
    level = None if chance is None else place(first, chance).split(",")[1]
    dashed = (
        f'<path d="M0 {level}H{ACROSS}" stroke="{_CHANCE}" stroke-width="1.2" stroke-dasharray="4 3"/>' if level else ""
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{ACROSS}" height="{UPWARDS}">{dashed}'
        f'<polyline points="{" ".join(places)}" fill="none" stroke="{_LINE}" stroke-width="2"/>{dots}</svg>'
    )


def _range(curve: Curve) -> tuple[float, float]:
    """What lies at the lower and at the upper edge."""
    known = [*curve.y, *([] if curve.metric.chance is None else [curve.metric.chance])]
    best = curve.metric.best
    if best is not None and curve.metric.higher_is_better:
        return min(0.0, *known), max(best, *known)
    return min(known), max(known)
