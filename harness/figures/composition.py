"""A composite task over scale, beside what its parts give."""

from __future__ import annotations

import plotly.graph_objects as go

from harness.analysis.compare import Composition
from harness.figures.axes import scale_axis, score_title
from harness.figures.style import COLOURS, GREY, SYMBOLS, captioned, faint, layout, literal
from harness.wording import number, score, span


def composition_figure(of: Composition) -> go.Figure:
    """The scores of a composite with their intervals, the product of its parts with its band, and the parts."""
    figure = go.Figure(
        layout=layout(f"{of.target.task} and its parts, {of.target.family}, {of.target.label}", height=420)
    )
    x = [size.x for size in of.sizes]
    for edge, fill in (([s.predicted_low for s in of.sizes], None), ([s.predicted_high for s in of.sizes], "tonexty")):
        figure.add_trace(
            go.Scatter(
                x=x,
                y=edge,
                mode="lines",
                line={"width": 0},
                fill=fill,
                fillcolor=faint(COLOURS[1], 0.18),
                hoverinfo="skip",
                showlegend=False,
            )
        )
    figure.add_trace(
        go.Scatter(
            x=x,
            y=[size.predicted for size in of.sizes],
            name="from its parts",
            mode="lines+markers",
            line={"color": COLOURS[1], "dash": "dash", "width": 2},
            marker={"symbol": SYMBOLS[1], "size": 7},
        )
    )
    figure.add_trace(
        go.Scatter(
            x=x,
            y=[size.observed for size in of.sizes],
            name=literal(of.target.task),
            mode="lines+markers",
            line={"color": COLOURS[0], "width": 2},
            marker={"symbol": SYMBOLS[0], "size": 8},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [size.observed_high - size.observed for size in of.sizes],
                "arrayminus": [size.observed - size.observed_low for size in of.sizes],
                "thickness": 1.4,
                "width": 3,
                "color": COLOURS[0],
            },
            customdata=[
                f"<b>{literal(s.model)}</b><br>{score(s.observed)} beside {score(s.predicted)} from its parts"
                for s in of.sizes
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    for place, part in enumerate(of.parts, start=2):
        figure.add_trace(
            go.Scatter(
                x=part.curve.x,
                y=part.curve.y,
                name=literal(f"{part.curve.task} (part)"),
                mode="lines+markers",
                line={"color": GREY, "width": 1.2, "dash": "dot"},
                marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 6},
            )
        )
    if of.target.metric.chance:
        figure.add_hline(y=of.target.metric.chance, line={"color": GREY, "dash": "dot", "width": 1.2})
    figure.update_xaxes(scale_axis([of.target], titled=True))
    figure.update_yaxes(title_text=literal(score_title(of.target)), rangemode="tozero")
    needed = ", ".join(f"{part.curve.task} × {number(part.times)}" for part in of.parts)
    runs = " and training runs" if of.target.noise else ""
    return captioned(
        figure,
        f"Bars: 95 % interval over {span(point.estimate.n for point in of.target.points)} documents{runs}. "
        f"Dashed: the product of what the parts know ({needed}), with a band of 95 % from their errors. It is "
        f"described best if the parts are needed {number(of.ratio)} times as often ({number(of.ratio_low)} to "
        f"{number(of.ratio_high)}).",
    )
