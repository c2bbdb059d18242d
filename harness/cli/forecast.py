"""`emergence forecast`: the score of a larger model of each family, and how well such forecasts were so far."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.option_groups import Choices, CurveSource, Drawing, with_groups
from harness.cli.output import print_json, print_line, print_paragraph, say, table, telling
from harness.cli.result_options import Json, ScaleAxis
from harness.errors import PlanError
from harness.wording import interval, number, quantity, score

if TYPE_CHECKING:
    from harness.analysis.curves import Curve
    from harness.analysis.forecast import Forecast, NoForecast

_HEAD = (
    "family",
    "task",
    "shots",
    "setting",
    "metric",
    "largest",
    "score",
    "forecast",
    "95 % interval",
    "back-test error",
    "inside",
    "note",
)


@with_groups
def command(
    *,
    at: Annotated[str, typer.Option("--at", help="Scale to forecast at, such as 7e9, 7B or 1.4T; or a loss.")],
    source: CurveSource,
    scale: ScaleAxis = "params",
    chosen: Choices,
    metric: Annotated[
        str, typer.Option(help="The headline of each task, `all`, or the name of a metric.", show_default=True)
    ] = "headline",
    by_loss: Annotated[
        bool, typer.Option("--by-loss", help="Forecast the loss from the scale, and the score from the loss.")
    ] = False,
    with_loss: Annotated[
        bool,
        typer.Option(
            "--with-loss", help="Weigh this forecast in two steps with the one from the scale, by their back-tests."
        ),
    ] = False,
    reasons: Annotated[
        bool, typer.Option("--reasons", help="Add the reasons to doubt each forecast, in sentences.")
    ] = False,
    drawing: Drawing,
    as_json: Json = False,
) -> None:
    """Show the score expected at a larger scale, with a 95 % prediction interval and its back-test.

    The back-test forecasts every size from the fifth on from the sizes below it. Columns: back-test error, the mean
    absolute error of these forecasts, and in brackets that of "the same as the size before"; inside, how many of these
    sizes fell into the 95 % interval of their forecast.
    """
    from harness.analysis.forecast import forecasts, to_json, weighed_forecasts

    if by_loss and with_loss:
        raise PlanError("--by-loss and --with-loss: expected one of them")
    drawing.check()
    curves = chosen.curves(source.curves(scale), metric)
    losses = _losses(source.curves("loss"), curves) if by_loss or with_loss else None
    if losses is not None and with_loss:
        rows = weighed_forecasts(curves, scale_of(at), losses)
    else:
        rows = forecasts(curves, scale_of(at), losses=losses)
    if drawing.figure is not None:
        drawing.write(_figures(rows, losses if by_loss else None), f"Forecasts at {at}")
    if as_json:
        print_json([to_json(one) for one in rows])
        return
    print(table(*telling(_HEAD, [_row(one) for one in rows], ("setting",))))
    if not reasons:
        say("why to doubt a forecast: --reasons")
        return
    print_line()
    for one in rows:
        text = f"{one.curve.family} {one.curve.task}, {one.curve.label}: {' '.join(_doubts(one).values())}"
        if _doubts(one):
            print_paragraph(text)


def scale_of(text: str) -> float:
    """The number that a text such as `7B` stands for.

    >>> scale_of("7e9"), scale_of("7B"), scale_of("1.4T"), scale_of("410m"), scale_of("2.5")
    (7000000000.0, 7000000000.0, 1400000000000.0, 410000000.0, 2.5)

    Raises:
        PlanError: the text is not a number above 0.
    """
    read = quantity(text)
    value = math.nan if read is None else float(read)
    if not 0 < value < math.inf:
        raise PlanError(f"--at {text}: expected a number above 0, such as 7e9, 7B or 1.4T")
    return value


def _losses(over_loss: Iterable[Curve], of: Iterable[Curve]) -> dict[str, float]:
    """Loss of each size of some curves; of several checkpoints the smallest, which is that of the most trained one.

    Of several training runs it is the mean.
    """
    points = sorted((p for curve in over_loss for p in curve.points), key=lambda p: -p.x)
    known = {(run.model, run.run): run.x for point in points for run in point.runs}
    return {
        point.model: sum(known[run.model, run.run] for run in point.runs) / len(point.runs)
        for curve in of
        for point in curve.points
        if all((run.model, run.run) in known for run in point.runs)
    }


def _figures(rows: Iterable[Forecast | NoForecast], losses: dict[str, float] | None) -> list[Any]:
    """One figure for each curve that has a forecast."""
    from harness.analysis.forecast import Forecast, on_the_way
    from harness.analysis.growth import traces
    from harness.figures import forecast_figure

    forecasted = [one for one in rows if isinstance(one, Forecast)]
    if not forecasted:
        return []
    curves, at = [one.curve for one in forecasted], forecasted[0].at
    forms, ways = traces(curves, until=at), on_the_way(curves, at, losses=losses)
    return [forecast_figure(*parts) for parts in zip(forecasted, forms, ways, strict=True)]


def _row(one: Forecast | NoForecast) -> tuple[object, ...]:
    from harness.analysis.forecast import Forecast

    curve = one.curve
    setting = (curve.family, curve.task, curve.shots, curve.circumstances)
    start = (*setting, curve.metric.name, number(curve.x[-1]), score(curve.y[-1]))
    if not isinstance(one, Forecast):
        return (*start, None, None, None, None, one.reason)
    errors = None if one.error is None else f"{score(one.error)} ({score(one.error_of_last)})"
    inside = f"{sum(step.inside for step in one.backtest)} of {len(one.backtest)}" if one.backtest else None
    return (*start, score(one.value), interval(one.low, one.high), errors, inside, ", ".join(one.doubts) or None)


def _doubts(one: Forecast | NoForecast) -> dict[str, str]:
    from harness.analysis.forecast import Forecast

    return dict(one.doubts) if isinstance(one, Forecast) else {"refused": one.reason}
