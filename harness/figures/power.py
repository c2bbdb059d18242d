"""The smallest gain over chance that a number of documents can show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from harness.analysis.stats import ALPHA, POWER, PRACTICAL_EFFECT, Resolution, detectable_effect
from harness.figures.style import COLOURS, GREY, SYMBOLS, captioned, layout, literal
from harness.wording import count, number, percent, score

_REFERENCES = (0.0, 0.1, 0.25, 0.5)
"""Chance levels that get a line when the tasks have more levels than that."""
_OWN_LINES = 6
"""Up to this many chance levels have a line of their own."""
_NAMED_TASKS = 12
"""Up to this many tasks are named in the plot; the names of more would lie on each other."""
_DOCUMENT_TICKS = [n for decade in (1, 10, 100, 1000, 10_000, 100_000) for n in (decade, 2 * decade, 5 * decade)]
_EFFECT_TICKS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]


def power_figure(tasks: Mapping[str, Resolution]) -> go.Figure:
    """Smallest detectable gain against documents, a line per chance level (or some of them), the tasks as points.

    Args:
        tasks: what the documents of each task can show, by name, from `stats.resolution` or `verdict.resolutions`.
            Tasks without a detectable effect have no point; at least one task must have one.
    """
    known = {name: r for name, r in tasks.items() if r.mde is not None and r.documents and r.chance is not None}
    counts = [r.documents for r in known.values() if r.documents]
    low, high = min(10, *counts, 10), max(2000, *counts, 2000)
    documents = [10 ** (math.log10(low) + step * math.log10(high / low) / 60) for step in range(61)]
    figure = go.Figure(layout=layout("Smallest detectable gain over chance", height=420))
    figure.update_layout(legend={"orientation": "v", "x": 1.02, "y": 1, "yanchor": "top"})
    chances = sorted({r.chance for r in known.values() if r.chance is not None})
    own_lines = len(chances) <= _OWN_LINES
    for level, colour, symbol in zip(chances if own_lines else _REFERENCES, COLOURS, SYMBOLS, strict=False):
        at = {task: r for task, r in known.items() if r.chance == level} if own_lines else {}
        figure.add_trace(_line(level, documents, colour, named=not at))
        if at:
            figure.add_trace(_points(at, f"chance {number(level)}", colour, symbol, named=len(known) <= _NAMED_TASKS))
    if not own_lines:
        figure.add_trace(_points(known, "tasks", GREY, SYMBOLS[0], named=False))
    figure.add_trace(_effect_that_matters(low, high))
    figure.update_xaxes(_axis("Documents (log scale)", _DOCUMENT_TICKS))
    figure.update_xaxes(range=[math.log10(low) - 0.05, math.log10(high) + 0.15])
    figure.update_yaxes(_axis("Smallest detectable gain (log scale)", _EFFECT_TICKS))
    unknown = len(tasks) - len(known)
    note = (
        f"A gain this large over chance is found with {percent(POWER)} power by a one-sided test at "
        f"{percent(ALPHA)} (exact binomial). Each point is a task with its n documents per model; no error "
        "bars: nothing is measured."
    )
    return captioned(figure, note + (f" Not shown: {unknown} tasks for which it cannot be told." if unknown else ""))


def _line(chance: float, documents: Sequence[float], colour: str, *, named: bool) -> go.Scatter:
    """The smallest detectable gain at one chance level."""
    return go.Scatter(
        x=documents,
        y=[detectable_effect(round(n), chance) for n in documents],
        name=f"chance {number(chance)}",
        legendgroup=f"chance {number(chance)}",
        mode="lines",
        line={"color": colour, "width": 1.6},
        hoverinfo="skip",
        showlegend=named,
    )


def _effect_that_matters(low: float, high: float) -> go.Scatter:
    return go.Scatter(
        x=[low, high],
        y=[PRACTICAL_EFFECT, PRACTICAL_EFFECT],
        name="effect that matters",
        mode="lines",
        line={"color": GREY, "dash": "dash", "width": 1.2},
        hoverinfo="skip",
    )


def _axis(title: str, ticks: Sequence[float]) -> dict[str, Any]:
    return {"type": "log", "title_text": title, "tickvals": ticks, "ticktext": [*map(number, ticks)]}


def _points(tasks: Mapping[str, Resolution], name: str, colour: str, symbol: str, *, named: bool) -> go.Scatter:
    """A point for all tasks of as many documents, which lie on each other."""
    places: dict[tuple[int | None, float | None], list[str]] = {}
    for task, r in tasks.items():
        places.setdefault((r.documents, r.mde), []).append(task)
    return go.Scatter(
        x=[documents for documents, _ in places],
        y=[mde for _, mde in places],
        name=name,
        legendgroup=name,
        mode="markers+text" if named else "markers",
        text=[literal(_together(there)) for there in places.values()],
        textposition="top right",
        marker={"color": colour, "symbol": symbol, "size": 9},
        customdata=["<br>".join(_hover(task, tasks[task]) for task in there) for there in places.values()],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _together(tasks: Sequence[str]) -> str:
    return ", ".join(tasks) if len(tasks) < 3 else f"{tasks[0]} and {len(tasks) - 1} more"


def _hover(task: str, of: Resolution) -> str:
    lines = [
        f"<b>{literal(task)}</b>",
        f"chance {score(of.chance)}, n = {count(of.documents or 0)}, detectable {score(of.mde)}",
    ]
    if of.documents_needed is not None:
        lines.append(f"{count(of.documents_needed)} needed for +{number(PRACTICAL_EFFECT)}")
    return "<br>".join(lines)
