"""Classes of a task: F1 of each over scale, and which of them one model takes for which."""

from __future__ import annotations

import plotly.graph_objects as go

from harness.analysis.classes import NO_CLASS, ClassCurves, ClassReport
from harness.figures.axes import scale_axis
from harness.figures.style import COLOURS, DASHES, GREY, SYMBOLS, TITLED, captioned, layout, literal
from harness.wording import counted, number, percent, score

_MOST_WRITTEN = 16
"""Up to this many classes the numbers stand in the map."""
_NAMED = 12
"""Up to this many classes the caption says where they begin."""
_SCHEMES = {"label": "", "strict": "; entities or relations as a whole", "partial": "; half for what is right in part"}


def class_figure(of: ClassCurves) -> go.Figure:
    """F1 of every class over scale with 95 % intervals, and in grey their mean."""
    first = of.first
    scheme = "" if of.scheme == "label" else f", {of.scheme}"
    figure = go.Figure(layout=layout(f"{first.task} by class, {first.family}, {first.label}{scheme}", height=420))
    for at, (name, curve) in enumerate(of.f1.items()):
        mean = name not in of.support
        colour = GREY if mean else COLOURS[at % len(COLOURS)]
        points = curve.points
        figure.add_trace(
            go.Scatter(
                x=curve.x,
                y=curve.y,
                name=literal(name if mean else f"{name} ({of.support[name]})"),
                mode="lines+markers",
                line={
                    "color": colour,
                    "width": 2,
                    "dash": "dash" if mean else DASHES[at // len(COLOURS) % len(DASHES)],
                },
                marker={"symbol": SYMBOLS[at % len(SYMBOLS)], "size": 7, "color": colour},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [0.0 if p.high is None else p.high - p.estimate.value for p in points],
                    "arrayminus": [0.0 if p.low is None else p.estimate.value - p.low for p in points],
                    "thickness": 1.2,
                    "width": 3,
                    "color": colour,
                },
                customdata=[
                    f"<b>{literal(p.name)}</b><br>{literal(name)}: F1 {score(p.estimate.value)}"
                    f"<br>in {counted(p.estimate.n, 'document')}"
                    for p in points
                ],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    figure.update_xaxes(scale_axis([*of.f1.values()], titled=True))
    figure.update_yaxes(title_text="F1", range=[-0.02, 1.04])
    return captioned(figure, _caption(of))


def _caption(of: ClassCurves) -> str:
    first = of.first
    runs = " and training runs" if first.noise else ""
    there = [f"{name} {'never' if point is None else number(point.x)}" for name, point in of.appears.items()]
    shares = [point.estimate.value for point in of.unnamed.points]
    per = "of the answers name no class" if of.scheme == "label" else "pieces per 100 documents name no type"
    unnamed = f" At most {percent(max(shares)) if of.scheme == 'label' else number(100 * max(shares))} {per}."
    known = "answers that know nothing of it" if of.scheme == "label" else "0.05"
    return (
        f"F1 of each class{_SCHEMES[of.scheme]}; in brackets how often it is right. Bars: 95 % interval, "
        f"{of.unnamed.documents}{runs} (delta method; Wilson at 0 and 1). {first.sizes}. Grey: their mean. A class is "
        f"there from the size on from which all are above {known} (5 % divided by the number of sizes): "
        f"{', '.join(there[:_NAMED])}{' …' if len(there) > _NAMED else ''}.{unnamed if any(shares) else ''}"
    )


def confusion_map(report: ClassReport) -> go.Figure:
    """Documents by their class (rows) and by the class that the answer names (columns), as shares of each row.

    Args:
        report: of a task with labels.
    """
    matrix = report.matrix or ()
    columns = [*report.names, NO_CLASS]
    sums = [sum(row) or 1 for row in matrix]
    shares = [[value / total for value in row] for row, total in zip(matrix, sums, strict=True)]
    few = len(report.names) <= _MOST_WRITTEN
    cell = report.cell
    variant = f" {cell.model.variant}" if cell.model.variant else ""
    below = 70 + 5 * max(map(len, columns))  # slanted names and the title below them
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=[*map(literal, columns)],
            y=[*map(literal, report.names)],
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            xgap=2,
            ygap=2,
            text=[[str(value) for value in row] for row in matrix] if few else None,
            texttemplate="%{text}" if few else None,
            customdata=[
                [
                    f"{literal(right)}, answered {literal(name)}: {value} of {sum(row)}"
                    for name, value in zip(columns, row, strict=True)
                ]
                for right, row in zip(report.names, matrix, strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
            colorbar={"title": {"text": "share<br>of row"}, "thickness": 14, "len": 1, "outlinewidth": 0},
        ),
        layout=layout(
            f"{cell.task}, {cell.model.name}{variant}, {cell.shots}-shot",
            height=TITLED + below + 34 * len(report.names),
        ),
    )
    figure.update_layout(margin_b=below)
    figure.update_xaxes(
        type="category", tickangle=-40, showgrid=False, title_text="Answered", dtick=1, automargin=False
    )
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, title_text="Right", dtick=1)
    return captioned(
        figure,
        f"{counted(report.n, 'document')} by their class and by the class that the answer names; accuracy "
        f"{score(report.accuracy)}. The last column: {counted(report.unnamed, 'answer')} that name no class.",
    )
