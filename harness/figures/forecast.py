"""A forecast at a larger size, and how well such forecasts would have done at the sizes measured."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from harness.analysis.forecast import Forecast
from harness.analysis.growth import Trace
from harness.figures.panel import add, draw_chance, draw_points, lines_of, scale_axis, score_title
from harness.figures.style import COLOURS, GREY, captioned, faint, layout, literal
from harness.wording import interval, number, score

_LIGHTEST = 0.1
"""Growth forms of less Akaike weight than this are left out of the picture."""


def forecast_figure(found: Forecast, traces: Sequence[Trace] = ()) -> go.Figure:
    """Measured sizes, the forecast with its interval, and each size as it would have been forecast from smaller ones.

    Args:
        found: the forecast.
        traces: growth forms of the curve, extended to `found.at` by `traces(..., until=found.at)`. Those that take
            part in the forecast are drawn, and the band between them is shaded.
    """
    curve = found.curve
    figure = go.Figure(layout=layout(f"{curve.family} {curve.task}: {curve.metric.name}, {curve.label}", height=420))
    axis = scale_axis([curve], titled=True, also=[found.at])
    forms = [t for t in traces if found.forms.get(t.form, (0.0, 0.0))[0] >= _LIGHTEST]
    _draw_band(figure, forms)
    _draw_backtest(figure, found)
    (line,) = lines_of([curve]).values()
    add(figure, [draw_points(curve, line._replace(name="measured"), joined=False)])
    figure.add_trace(
        go.Scatter(
            x=[found.at],
            y=[found.value],
            name="forecast",
            mode="markers",
            marker={"symbol": "diamond", "size": 11, "color": COLOURS[1]},
            error_y=_bars([found.high - found.value], [found.value - found.low], COLOURS[1]) | {"width": 6},
            hovertemplate=f"{number(found.at)}: {score(found.value)}, 95 % interval "
            f"{interval(found.low, found.high)}<extra></extra>",
        )
    )
    add(figure, draw_chance([curve], axis))
    figure.update_xaxes(axis)
    figure.update_yaxes(title_text=literal(score_title(curve)))
    return captioned(figure, _caption(found, forms))


def _draw_band(figure: go.Figure, forms: Sequence[Trace]) -> None:
    if not forms:
        return
    lowest, highest = ([end(ys) for ys in zip(*(f.y for f in forms), strict=True)] for end in (min, max))
    for edge, fill in ((lowest, None), (highest, "tonexty")):
        figure.add_trace(
            go.Scatter(
                x=forms[0].x,
                y=edge,
                name="growth forms",
                legendgroup="growth forms",
                mode="lines",
                line={"width": 0},
                fill=fill,
                fillcolor=faint(COLOURS[0], 0.15),
                hoverinfo="skip",
                showlegend=fill is not None,
            )
        )
    for form in forms:
        figure.add_trace(
            go.Scatter(
                x=form.x,
                y=form.y,
                mode="lines",
                line={"color": COLOURS[0], "width": 1.2},
                opacity=form.weight / max(f.weight for f in forms),
                legendgroup="growth forms",
                hovertemplate=f"{form.form}, weight {number(form.weight)}<extra></extra>",
                showlegend=False,
            )
        )


def _draw_backtest(figure: go.Figure, found: Forecast) -> None:
    forecasts = found.backtest
    if not forecasts:
        return
    figure.add_trace(
        go.Scatter(
            x=[h.x for h in forecasts],
            y=[h.value for h in forecasts],
            name="back-test",
            mode="markers",
            marker={"symbol": "line-ew", "size": 15, "line": {"color": GREY, "width": 2}},
            error_y={
                **_bars([h.high - h.value for h in forecasts], [h.value - h.low for h in forecasts], faint(GREY, 0.35)),
                "thickness": 8,
                "width": 0,
            },
            customdata=[
                f"{literal(h.model)}: foretold {score(h.value)} ({interval(h.low, h.high)}), measured "
                f"{score(h.measured)}"
                for h in forecasts
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )


def _bars(above: list[float], below: list[float], colour: str) -> dict[str, object]:
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1.8, "color": colour}


def _caption(found: Forecast, forms: Sequence[Trace]) -> str:
    curve = found.curve
    at = number(found.at)
    parts = [
        f"At {at}: {score(found.value)}, 95 % prediction interval {interval(found.low, found.high)} for one "
        f"model on as many documents as the largest. Thin bars: 95 % interval of what was measured, {curve.documents}."
    ]
    if forms:
        names = ", ".join(f"{form.form} ({number(found.forms[form.form][0])})" for form in forms)
        drawn = "Line: the growth form" if len(forms) == 1 else "Lines, and the band between them: growth forms"
        parts.append(f"{drawn} of Akaike weight {_LIGHTEST} or more: {names}.")
    if found.error is not None:
        inside = sum(one.inside for one in found.backtest)
        parts.append(
            f"Thick grey bars: each size as foretold from the smaller ones (95 %); {inside} of {len(found.backtest)} "
            f'hold what was measured. Mean error {score(found.error)}; of "it stays as it is" '
            f"{score(found.error_of_last)}, of a straight line {score(found.error_of_line)}."
        )
    return " ".join([*parts, *found.doubts.values()])
