"""A forecast at a larger size, and how well such forecasts would have done at the sizes measured."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from harness.analysis.forecast import Forecast
from harness.analysis.growth import Trace
from harness.figures.axes import scale_axis, score_title
from harness.figures.levels import draw_levels
from harness.figures.lines import lines_of
from harness.figures.panel import add, draw_points
from harness.figures.style import COLOURS, DASHES, GREY, captioned, faint, layout, literal
from harness.wording import interval, number, score

_LIGHTEST = 0.1
"""Growth forms of less Akaike weight than this are left out of the picture."""


def forecast_figure(found: Forecast, traces: Sequence[Trace] = (), on_the_way: Sequence[Forecast] = ()) -> go.Figure:
    """Measured sizes, the forecast with its interval, and each size as it would have been forecast from smaller ones.

    Args:
        found: the forecast.
        traces: growth forms of the curve, extended to `found.at` by `traces(..., until=found.at)`. Those that take
            part in the forecast are drawn.
        on_the_way: forecasts between the largest size and `found.at`, from `analysis.forecast.on_the_way`; their
            intervals are a band that ends with that of the forecast.
    """
    curve = found.curve
    figure = go.Figure(layout=layout(f"{curve.family} {curve.task}: {curve.metric.name}, {curve.label}", height=420))
    axis = scale_axis([curve], titled=True, also=[found.at])
    forms = [t for t in traces if found.forms.get(t.form, (0.0, 0.0))[0] >= _LIGHTEST]
    add(figure, draw_levels([curve], axis))
    _draw_band(figure, [*on_the_way, found] if on_the_way else [])
    _draw_forms(figure, forms)
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
    figure.update_xaxes(axis)
    figure.update_yaxes(title_text=literal(score_title(curve)))
    return captioned(figure, _caption(found, forms, banded=bool(on_the_way)))


def _draw_band(figure: go.Figure, forecasts: Sequence[Forecast]) -> None:
    """The intervals of several forecasts as one area."""
    if forecasts:
        x, low, high = ([getattr(f, name) for f in forecasts] for name in ("at", "low", "high"))
        figure.add_trace(
            go.Scatter(
                x=[*x, *x[::-1]],
                y=[*high, *low[::-1]],
                name="95 % of one further model",
                mode="lines",
                line={"color": COLOURS[1], "width": 0},
                fill="toself",
                fillcolor=faint(COLOURS[1], 0.18),
                hoverinfo="skip",
            )
        )


def _draw_forms(figure: go.Figure, forms: Sequence[Trace]) -> None:
    for place, form in enumerate(forms):
        figure.add_trace(
            go.Scatter(
                x=form.x,
                y=form.y,
                name="growth forms",
                mode="lines",
                line={"color": COLOURS[0], "width": 1.4, "dash": DASHES[place % len(DASHES)]},
                legendgroup="growth forms",
                hovertemplate=f"{form.form}, weight {score(form.weight)}<extra></extra>",
                showlegend=place == 0,
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
                **_bars([h.high - h.value for h in forecasts], [h.value - h.low for h in forecasts], GREY),
                "thickness": 5,
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


def _caption(found: Forecast, forms: Sequence[Trace], *, banded: bool) -> str:
    curve = found.curve
    at = number(found.at)
    parts = [
        f"Diamond: the forecast. At {at}: {score(found.value)}, 95 % prediction interval "
        f"{interval(found.low, found.high)} for one model on as many documents as the largest. Thin bars: 95 % "
        f"interval of what was measured, {curve.documents}."
    ]
    if banded:
        parts.append("Band: that interval on the way from the largest model measured.")
    if forms:
        names = ", ".join(f"{form.form} ({score(found.forms[form.form][0])})" for form in forms)
        drawn = "Line: the growth form" if len(forms) == 1 else "Lines: the growth forms"
        parts.append(f"{drawn} of Akaike weight {_LIGHTEST} or more: {names}.")
    if found.error is not None:
        inside = sum(one.inside for one in found.backtest)
        parts.append(
            f"Thick grey bars: each {curve.noun} as foretold from those before it (95 %); {inside} of "
            f"{len(found.backtest)} "
            f'hold what was measured. Mean error {score(found.error)}; of "it stays as it is" '
            f"{score(found.error_of_last)}, of a straight line {score(found.error_of_line)}."
        )
    return " ".join([*parts, *found.doubts.values()])
