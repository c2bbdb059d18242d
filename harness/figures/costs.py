"""What scores cost: score against bytes, time or energy, and score for each kilowatt hour over scale."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import plotly.graph_objects as go

from harness.analysis.costs import CostRow
from harness.figures.axes import logarithmic_axis
from harness.figures.style import COLOURS, DASHES, SYMBOLS, captioned, layout, literal
from harness.wording import number, score

CostAxis = Literal["bytes", "memory", "seconds", "energy"]
"""What scores are drawn against."""
_Z = 1.96


class _Axis(NamedTuple):
    """An axis of costs."""

    title: str
    of: Callable[[CostRow], float | None]
    lacking: str
    """What to say of rows that have no such cost."""


_AXES: Mapping[CostAxis, _Axis] = {
    "bytes": _Axis("Bytes of the weights on disk", lambda row: row.weight_bytes, "no size of their weights"),
    "memory": _Axis("Bytes of the weights in memory", lambda row: row.memory_bytes, "no size of their weights"),
    "seconds": _Axis("Seconds for each document", lambda row: row.seconds_per_document, "no time"),
    "energy": _Axis("Watt hours for 1,000 documents", lambda row: row.wh_per_1000, "no energy"),
}


def cost_figure(rows: Sequence[CostRow], against: CostAxis) -> go.Figure:
    """Scores of models against what they cost, a line for each family and variant.

    Args:
        rows: one per model.
        against: what is on the x axis.
    """
    axis = _AXES[against]
    figure = go.Figure(layout=layout(f"Score against {axis.title[0].lower()}{axis.title[1:]}", height=440))
    left_out = _draw(figure, rows, axis.of, lambda row: row.score, lambda row: row.score_stderr)
    figure.update_xaxes(_logarithmic(map(axis.of, rows)), title_text=f"{axis.title} (log scale)")
    figure.update_yaxes(title_text="Score (0 chance, 1 perfect)")
    if left_out == len(rows):
        _say_instead(figure, f"These models have no score or {axis.lacking}.")
    missing = f" Left out, because they have no score or {axis.lacking}: {left_out}." if left_out else ""
    return captioned(figure, f"{_about_scores(rows)} A line joins the sizes of a variant.{missing}")


def efficiency_figure(rows: Sequence[CostRow]) -> go.Figure:
    """Score for each kilowatt hour of a thousand answers, over parameters.

    Args:
        rows: one per model.
    """
    figure = go.Figure(layout=layout("Score for each kilowatt hour", height=440))

    def error(row: CostRow) -> float | None:
        if row.score_stderr is None or not row.wh_per_1000:
            return None
        return 1000.0 * row.score_stderr / row.wh_per_1000

    left_out = _draw(figure, rows, lambda row: row.params, lambda row: row.score_per_kwh, error)
    figure.update_xaxes(_logarithmic(row.params for row in rows), title_text="Parameters (log scale)")
    figure.update_yaxes(title_text="Score for each kWh of 1,000 answers")
    missing = f" Left out, because they have no score or no energy: {left_out}." if left_out else ""
    return captioned(
        figure,
        f"{_about_scores(rows)} Divided by the energy of 1,000 answers, whose own error is not known.{missing}",
    )


def _logarithmic(places: Iterable[float | None]) -> dict[str, Any]:
    """The axis for so many of the numbers as have a place on it."""
    known = [place for place in places if place]
    return logarithmic_axis(min(known), max(known)) if known else {"type": "log"}


def _say_instead(figure: go.Figure, sentence: str) -> None:
    """A sentence in place of axes on which nothing could be drawn, in lines that a narrow page has room for."""
    place = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
    figure.update_layout(height=180, annotations=[{"text": "<br>".join(textwrap.wrap(sentence, 38)), **place}])
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)


def _draw(
    figure: go.Figure,
    rows: Sequence[CostRow],
    x: Callable[[CostRow], float | None],
    y: Callable[[CostRow], float | None],
    error: Callable[[CostRow], float | None],
) -> int:
    """Draw the lines, and count the rows that have no place."""
    lines: dict[tuple[str, str | None], list[CostRow]] = {}
    left_out = 0
    for row in rows:
        if x(row) and y(row) is not None:
            lines.setdefault((row.family, row.variant), []).append(row)
        else:
            left_out += 1
    families, variants = ([*dict.fromkeys(key[i] for key in lines)] for i in (0, 1))
    for (family, variant), members in lines.items():
        one = len(families) == 1
        at = variants.index(variant) if one else families.index(family)
        other = 0 if one else variants.index(variant)
        colour = COLOURS[at % len(COLOURS)]
        ordered = sorted(members, key=lambda row: (row.params or 0, str(row.run)))
        figure.add_trace(
            go.Scatter(
                x=[x(row) for row in ordered],
                y=[y(row) for row in ordered],
                name=literal((variant or "plain") if one else f"{family} {variant or ''}".strip()),
                mode="markers" if any(row.run for row in ordered) else "lines+markers",
                line={"color": colour, "width": 1.6, "dash": DASHES[other % len(DASHES)]},
                marker={"symbol": SYMBOLS[(other or at) % len(SYMBOLS)], "size": 8, "color": colour},
                error_y={
                    "type": "data",
                    "array": [_Z * (error(row) or 0.0) for row in ordered],
                    "thickness": 1.2,
                    "width": 3,
                    "color": colour,
                },
                customdata=[
                    f"<b>{literal(row.model or family)}</b> {literal(row.variant or 'plain')}"
                    f"<br>score {score(row.score)}<br>{number(x(row) or 0.0)}"
                    for row in ordered
                ],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    return left_out


def _about_scores(rows: Sequence[CostRow]) -> str:
    settings = max((row.settings for row in rows), default=0)
    return (
        f"Score: mean way from chance (0) to perfect (1) over {number(settings)} settings that all models of a family "
        "have. Bars: 95 % interval over documents."
    )
