"""Loss over the steps of trainings: a panel for each task, a line for each training."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.figures.style import COLOURS, TITLED, captioned, layout, literal
from harness.store.trainings import KeptTraining
from harness.wording import count, span

_ACROSS = 2
"""Panels side by side."""
_MOST_NAMED = 24
"""Up to so many models and variants are named in the legend; more would hide the curves."""


def loss_figure(trainings: Sequence[KeptTraining]) -> go.Figure:
    """One panel for each task, one line for each training, dashed on the development split.

    Args:
        trainings: at least one; seeds of a model and a variant have one colour.
    """
    tasks = [*dict.fromkeys(one.task for one in trainings)]
    kinds = [*dict.fromkeys((one.model, one.variant) for one in trainings)]
    columns = min(_ACROSS, len(tasks))
    rows = -(-len(tasks) // columns)
    figure = make_subplots(
        rows=rows, cols=columns, subplot_titles=[literal(task) for task in tasks], vertical_spacing=0.3 / rows
    )
    figure.update_layout(layout("Loss while training", height=150 + 300 * rows))
    figure.update_layout(margin={"t": TITLED + 26}, legend={"y": 1 + 26 / (300 * rows - 2)})
    named: set[tuple[str, str]] = set()
    for one in trainings:
        kind, place = (one.model, one.variant), tasks.index(one.task)
        at = {"row": place // columns + 1, "col": place % columns + 1}
        legend = kind not in named and len(kinds) <= _MOST_NAMED
        figure.add_trace(_line(one, kinds.index(kind), development=False, legend=legend), **at)
        if one.development_loss:
            figure.add_trace(_line(one, kinds.index(kind), development=True, legend=False), **at)
        named.add(kind)
    figure.update_xaxes(title_text="Step")
    figure.update_yaxes(title_text="Loss (nats per token or class)", rangemode="tozero")
    return captioned(figure, _caption(trainings))


def _line(one: KeptTraining, colour: int, *, development: bool, legend: bool) -> go.Scatter:
    points = one.development_loss if development else one.loss
    split = ", development split" if development else ""
    return go.Scatter(
        x=[step for step, _ in points],
        y=[loss for _, loss in points],
        name=literal(f"{one.model} {one.variant}"),
        legendgroup=f"{one.model} {one.variant}",
        showlegend=legend,
        mode="lines" if len(points) > 1 else "markers",
        line={"color": COLOURS[colour % len(COLOURS)], "width": 1.6, "dash": "dash" if development else "solid"},
        customdata=[f"<b>{literal(one.name)}</b>{split}<br>step {count(step)}: {loss:.3f}" for step, loss in points],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _caption(trainings: Sequence[KeptTraining]) -> str:
    dashed = " Dashed: development split." if any(one.development_loss for one in trainings) else ""
    return (
        f"Mean loss on the answers since the point before, of {span(one.documents for one in trainings)} training "
        f"documents. Seeds of a model and a treatment have one colour.{dashed}"
    )
