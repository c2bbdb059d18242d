"""A published law over the scores it was fitted to, with its interval."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from harness.figures.style import COLOURS, GREY, SYMBOLS, captioned, faint, layout, literal
from harness.lawbook import Dots, LawLine, Picture
from harness.wording import number, score

_MANY = 150
"""Dots from which on they are drawn faint, so that the law is seen among them."""
_FAINT = 0.3
_ROOM = 0.04
"""Part of the axis that is left free at each end."""


def law_figure(picture: Picture) -> go.Figure:
    """Scores, the law through them with its band, and the interval of the place that the law is about.

    Args:
        picture: one of `Findings.pictures`.
    """
    figure = go.Figure(layout=layout(picture.title, height=420))
    if picture.strip is not None:
        low, high = sorted(picture.strip)
        figure.add_vrect(x0=low, x1=high, fillcolor=faint(COLOURS[1], 0.12), line_width=0, layer="below")
    for line in picture.lines:
        _draw_band(figure, line)
    many = sum(len(dots.x) for dots in picture.dots) > _MANY
    for place, dots in enumerate(picture.dots):
        _draw_dots(figure, dots, place, opacity=_FAINT if many and not dots.foretold else 1.0)
    for line in picture.lines:
        figure.add_trace(
            go.Scatter(
                x=line.x, y=line.y, name=line.name, mode="lines", line={"color": GREY, "width": 2}, hoverinfo="skip"
            )
        )
    if picture.chance is not None:
        figure.add_hline(y=picture.chance, line={"color": GREY, "dash": "dot", "width": 1.2})
    figure.update_xaxes(_axis(picture))
    figure.update_yaxes(title_text=literal(picture.y_title))
    chance = "" if picture.chance is None else " Dotted: the score without the ability."
    return captioned(figure, f"{picture.says}{chance}".strip())


def _draw_band(figure: go.Figure, line: LawLine) -> None:
    for edge, fill in ((line.low, None), (line.high, "tonexty")):
        if edge:
            figure.add_trace(
                go.Scatter(
                    x=line.x,
                    y=edge,
                    name="95 % of single models",
                    mode="lines",
                    line={"width": 0},
                    fill=fill,
                    fillcolor=faint(GREY, 0.18),
                    hoverinfo="skip",
                    showlegend=fill is not None,
                )
            )


def _draw_dots(figure: go.Figure, dots: Dots, place: int, *, opacity: float) -> None:
    colour = COLOURS[place % len(COLOURS)]
    bars = {"type": "data", "array": dots.error, "thickness": 1.5, "width": 0, "color": colour}
    figure.add_trace(
        go.Scatter(
            x=dots.x,
            y=dots.y,
            name=literal(dots.name),
            mode="lines+markers" if dots.joined else "markers",
            line={"color": colour, "width": 1.4},
            marker={
                "color": colour,
                "opacity": opacity,
                "size": 12 if dots.foretold else 7,
                "symbol": "diamond-open" if dots.foretold else SYMBOLS[place % len(SYMBOLS)],
                "line": {"width": 2 if dots.foretold else 0},
            },
            error_y=bars if dots.error else None,
            customdata=[
                f"{literal(model)}, {number(x)}: {score(y)}"
                for model, x, y in zip(dots.models, dots.x, dots.y, strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
            showlegend=True,
        )
    )


def _axis(picture: Picture) -> dict[str, Any]:
    """The axis of scale; a loss falls to the right."""
    axis: dict[str, Any] = {"title_text": literal(picture.x_title), "type": "linear"}
    if picture.axis == "log":
        return axis | {"type": "log", "exponentformat": "power", "dtick": 1}
    if picture.axis == "loss":
        places = [x for xs in (*(d.x for d in picture.dots), *(line.x for line in picture.lines)) for x in xs]
        room = _ROOM * (max(places) - min(places) or 1.0)
        return axis | {"range": [max(places) + room, min(places) - room]}
    return axis
