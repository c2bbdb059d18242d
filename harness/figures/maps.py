"""Heat maps: scores of settings by models, and scores of one task by demonstrations and size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.analysis.curves import AXIS_TITLES, Curve, position
from harness.analysis.stats import PRACTICAL_EFFECT, Estimate
from harness.figures.axes import score_title
from harness.figures.style import captioned, layout, literal
from harness.wording import count, interval, number, score, signed, span


def heat_map(table: pd.DataFrame, *, models_down: bool = False) -> go.Figure:
    """Settings by models, coloured by chance-centred score; blank where there is no score.

    Args:
        table: what `leaderboard.centred` gives: models as index, settings as columns; at least one of each.
        models_down: a row for each model and a column for each setting, for more models than fit side by side.
    """
    shown = table if models_down else table.T
    rows, columns = [str(name) for name in shown.index], [str(name) for name in shown.columns]
    values = [[None if pd.isna(v) else float(v) for v in row] for row in shown.itertuples(index=False)]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=[*map(literal, columns)],
            y=[*map(literal, rows)],
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            xgap=2,
            ygap=2,
            hoverongaps=False,
            customdata=[[score(value) for value in row] for row in values],
            hovertemplate="%{x}<br>%{y}<br>%{customdata} of the way from chance to perfect<extra></extra>",
            colorbar={"title": {"text": "chance-centred<br>score"}, "thickness": 14, "len": 1, "outlinewidth": 0},
        )
    )
    slanted = 60 + 5 * max(map(len, columns))
    figure.update_layout(layout("", height=24 + slanted + 22 * len(rows)))
    # a slanted name begins left of its column, and that of the first ones must not be cut
    left = max(_SLANT * len(name) - _NARROWEST * place for place, name in enumerate(columns))
    figure.update_layout(margin={"t": 24, "b": slanted, "l": round(min(max(left, 80), _MOST_LEFT))})
    across = {} if models_down else {"title_text": "Model, by size"}
    figure.update_xaxes(type="category", tickangle=-40, showgrid=False, automargin=False, dtick=1, **across)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, dtick=1)
    note = "Headline scores on the way from chance (0) to perfect (1); a score below chance has the colour of 0."
    return captioned(figure, f"{note} Blank: no score.")


_SLANT, _NARROWEST, _MOST_LEFT = 4.9, 18, 160
"""Pixels that a letter of a slanted name takes to the left, of a column, and left of all columns at most."""
_SIZES_ACROSS = 8
"""Sizes that stand beside each other; of more each is a row, or a narrow page would have no room for the scores."""
_BETWEEN = 44
"""Pixels between two panels, for the title of the lower one."""


class _Grid(NamedTuple):
    """Scores of one task by shots and size."""

    sizes: list[str]
    """Text for each size, ascending with ability."""
    shots: list[str]
    """Text for each number of demonstrations, ascending."""
    scores: list[list[float | None]]
    """Row by row of shots; None where there is no point."""
    gains: list[list[float | None]]
    """Difference from the fewest shots, positive when better; None where one of the two is missing."""
    hovers: list[list[str]]
    """Score with its interval and documents."""


class _Panel(NamedTuple):
    """One of the heat maps that stand above each other."""

    title: str
    """What stands above it."""
    values: list[list[float | None]]
    """Row by row of shots."""
    colours: dict[str, Any]
    """How plotly colours the values."""
    write: Callable[[float | None], str]
    """Writes a value; empty for None."""


def shots_by_scale(curves: Sequence[Curve]) -> go.Figure:
    """What demonstrations add at each size: scores, and the gain over the fewest shots beside them.

    Args:
        curves: one metric of one task in one family and prompt, a curve per number of shots; at least one.
    """
    first, grid = curves[0], _grid(curves)
    least = min(curve.shots for curve in curves)
    panels = [_Panel("score", grid.scores, {"colorscale": "Cividis", **_range(grid.scores, first.metric.best)}, score)]
    if len(grid.shots) > 1:
        extent = max((abs(gain) for row in grid.gains for gain in row if gain is not None), default=0.0) or 1.0
        # Red and blue of RdBu stay apart with every common colour blindness; white is no gain.
        colours = {"colorscale": "RdBu", "zmin": -extent, "zmax": extent}
        panels.append(_Panel(f"gain over {least}-shot", grid.gains, colours, signed))
    sizes_up = len(grid.sizes) > _SIZES_ACROSS
    rows, pixels = (grid.sizes, 24) if sizes_up else (grid.shots, 34)
    height = 150 + len(panels) * (60 + pixels * len(rows))
    # the ticks of the last panel are those of all, and only their titles stand between them
    figure = make_subplots(
        rows=len(panels), cols=1, subplot_titles=[p.title for p in panels], vertical_spacing=_BETWEEN / height
    )
    figure.update_layout(layout(f"{first.task}: {first.metric.name}", height=height))
    for row, panel in enumerate(panels, start=1):
        domain = figure.layout["yaxis" if row == 1 else f"yaxis{row}"].domain
        figure.add_trace(_heat(panel, grid, domain, sizes_up=sizes_up), row=row, col=1)
    size_title = AXIS_TITLES[first.scale].removesuffix(" (log scale)")
    across, up = ("Shots", size_title) if sizes_up else (size_title, "Shots")
    figure.update_xaxes(type="category", showgrid=False, showticklabels=False)
    figure.update_xaxes(title_text=across, showticklabels=True, row=len(panels), col=1)
    figure.update_yaxes(type="category", showgrid=False, title_text=up)
    return captioned(figure, _caption(curves))


def _heat(panel: _Panel, grid: _Grid, domain: tuple[float, float], *, sizes_up: bool) -> go.Heatmap:
    """One panel.

    Args:
        panel: what is shown.
        grid: where.
        domain: lower and upper end as shares of the figure's height.
        sizes_up: a row for each size and a column for each number of shots; otherwise the other way round.
    """
    written = [[panel.write(value) for value in row] for row in panel.values]
    x, y = (grid.shots, grid.sizes) if sizes_up else (grid.sizes, grid.shots)
    z, text, hovers = (_turned(one) if sizes_up else one for one in (panel.values, written, grid.hovers))
    return go.Heatmap(
        z=z,
        x=x,
        y=y,
        text=text,
        texttemplate="%{text}",
        customdata=hovers,
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
        xgap=2,
        ygap=2,
        colorbar={"thickness": 12, "len": domain[1] - domain[0], "y": sum(domain) / 2, "outlinewidth": 0},
        **panel.colours,
    )


def _turned(rows: list[list[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _caption(curves: Sequence[Curve]) -> str:
    counted = [n for curve in curves for e in curve.estimates if (n := e.n_known) is not None]
    documents = f"n = {span(counted)} documents per cell" if counted else "number of documents not known"
    note = f"{score_title(curves[0])}; {documents}. Blank: no score."
    widest = max(
        ((p.high - p.low) / 2 for c in curves for p in c.points if p.low is not None and p.high is not None),
        default=None,
    )
    error = "" if widest is None else f" Scores are sure to within {score(widest)} at most (half a 95 % interval)."
    return note + error


def _documents(of: Estimate) -> str:
    return "unknown" if of.n_known is None else count(of.n_known)


def _range(scores: list[list[float | None]], best: float | None) -> dict[str, float]:
    """The scores at both ends of the colours; they are kept apart, so that noise is not shown as a contrast."""
    known = [v for row in scores for v in row if v is not None]
    return {"zmin": min(known), "zmax": max(*known, min(known) + PRACTICAL_EFFECT * (best or 1.0))}


def _grid(curves: Sequence[Curve]) -> _Grid:
    ordered = sorted(curves, key=lambda curve: curve.shots)
    scale, direction = ordered[0].scale, 1 if ordered[0].metric.higher_is_better else -1
    places = sorted({p.x for c in ordered for p in c.points}, key=lambda x: position(scale, x))
    points = [{p.x: p for p in curve.points} for curve in ordered]
    scores = [[row[x].estimate.value if x in row else None for x in places] for row in points]
    gains = [
        [None if a is None or b is None else direction * (a - b) for a, b in zip(row, scores[0], strict=True)]
        for row in scores
    ]
    hovers = [
        [
            f"{literal(row[x].model)}, {curve.shots}-shot<br>{score(row[x].estimate.value)} "
            f"({interval(row[x].low, row[x].high)})<br>n = {_documents(row[x].estimate)}"
            if x in row
            else ""
            for x in places
        ]
        for curve, row in zip(ordered, points, strict=True)
    ]
    return _Grid([number(x) for x in places], [str(c.shots) for c in ordered], scores, gains, hovers)
