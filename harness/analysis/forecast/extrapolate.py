"""What would a larger model of the family score, how sure is that, and would the same forecast have been right before?

Scores with a floor and a best are forecast by all growth forms at once, each with its Akaike weight, and losses by a
power law with a floor. Every forecast comes with a back-test: each size from the fifth on is forecast in the same way
from the smaller ones, and compared with two forecasts that need no statistics. A forecast that is no better than those
is not worth much.

No method here foresees an ability of which nothing shows yet, because any later rise agrees with small sizes at chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from harness.analysis.curves import Curve, neighbours_joined, position, scale_value
from harness.analysis.forecast.by_growth import by_growth, with_floor
from harness.analysis.forecast.by_power_law import by_power_law
from harness.analysis.forecast.types import Forecast, NoForecast
from harness.analysis.forecast.weighed import weighed
from harness.analysis.growth import FEWEST_TO_EXTRAPOLATE, RUN_SD, countable
from harness.wording import counted

MOST_FORECAST = 32
"""Points that a forecast rests on; of more, such as the checkpoints of a long training, neighbours are joined."""


def forecasts(
    curves: Iterable[Curve],
    at: float,
    *,
    losses: Mapping[str, float] | None = None,
    run_sd: float | None = RUN_SD,
    draws: int = 200,
    seed: int = 0,
    back_tests: bool = True,
) -> tuple[Forecast | NoForecast, ...]:
    """The score of each curve at a larger scale, in the order of the curves.

    Countable scores: the curve is redrawn from its counts, and each redrawn curve is fitted by one form, chosen at
    random. The median of the predictions, each form with its Akaike weight, is the forecast (Buckland, Burnham and
    Augustin 1997). For the interval forms are drawn by a power of that weight, because forms that describe the sizes
    about equally well go different ways beyond them. Around each prediction, scores are drawn with the noise of
    documents and training runs, and their quantiles are the interval. Counts that lie further from the best form than
    chance allows are worth fewer documents (quasi-binomial; McCullagh and Nelder 1989). Among the forms is the direct
    law of Krajewski et al. 2025 (arXiv:2512.08894), -log Q' = A C^-alpha for a score Q' corrected for chance: it is
    `all-tokens`.

    Training runs of one size are one point, at their mean. Back-tests predict the mean over the runs of a size that is
    known; a forecast is one of a single run.

    Losses and log-likelihoods: a power law with a floor, fitted by least squares of the logarithm, and the linearised
    prediction interval ln y +- t s sqrt(1 + h) (Bates and Watts 1988, chapter 2).

    Two steps, where the losses of the models are known: this law from scale to loss, and growth forms from loss to
    score (as Grattafiori et al. 2024, section 3.2.1, and Bhagia et al. 2024 chain a loss law and a sigmoid). The score
    of each redrawn curve is predicted at a loss drawn from the interval of the first step, so that the errors of both
    steps count.

    Of more than `MOST_FORECAST` points neighbours are joined, see `neighbours_joined`.

    Args:
        curves: curves of any sizes and metrics.
        at: scale to forecast, above 0, in the unit of each curve's axis.
        losses: loss of each model by name, to forecast in two steps; None forecasts from the scale alone.
        run_sd: standard deviation of a score of one half between two training runs of one configuration, for curves
            whose sizes have one run each; of others it is estimated. None assumes what published reruns show of each
            task, which are upper bounds: careful for a claim, and too wide for an interval.
        draws: redrawn curves behind each interval.
        seed: seed of the redrawing.
        back_tests: forecast known sizes from smaller ones too, which takes most of the time.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"family": "mine", "task": "sums", "metric": "acc", "n_shot": 0, "chance": 0.25, "n": 200,
    ...     "model": ["1m", "4m", "16m", "64m", "256m"], "params": [1e6, 4e6, 1.6e7, 6.4e7, 2.56e8],
    ...     "k": [51, 70, 96, 120, 141]})
    >>> from harness.notebook import read_curves
    >>> [forecast] = forecasts(read_curves(table), 1e9)
    >>> forecast.low < forecast.value < forecast.high
    True
    """
    whole = tuple(curves)
    given = [neighbours_joined(curve, MOST_FORECAST) for curve in whole]
    results: dict[int, Forecast | NoForecast] = {}
    batches: dict[int, list[int]] = {}
    for place, curve in enumerate(given):
        if reason := _reason_not_to(curve, losses):
            results[place] = NoForecast(curve, reason)
        elif countable(with_floor(curve)):
            batches.setdefault(len(curve.points), []).append(place)
        else:
            results[place] = by_power_law(curve, at)
    for places in batches.values():
        batch = by_growth(
            [given[place] for place in places],
            at,
            losses,
            run_sd=run_sd,
            draws=draws,
            seed=seed,
            back_tests=back_tests,
        )
        results.update(zip(places, batch, strict=True))
    return tuple(_of_whole(results[place], curve) for place, curve in enumerate(whole))


def on_the_way(
    curves: Iterable[Curve], at: float, *, losses: Mapping[str, float] | None = None, steps: int = 6
) -> tuple[tuple[Forecast, ...], ...]:
    """Forecasts between the largest size of each curve and `at`, for a band; none where `at` is not beyond that size.

    Args:
        curves: as for `forecasts`.
        at: where the way ends, itself not among them.
        losses: as for `forecasts`.
        steps: how many forecasts each curve has, at equal distances along the axis; the first is at its largest size.
    """
    whole = tuple(curves)
    found: dict[int, list[Forecast]] = {place: [] for place in range(len(whole))}
    starts: dict[float, list[int]] = {}
    for place, curve in enumerate(whole):
        if position(curve.scale, at) > position(curve.scale, curve.x[-1]):
            starts.setdefault(curve.x[-1], []).append(place)
    for start, places in starts.items():
        scale = whole[places[0]].scale
        first, last = position(scale, start), position(scale, at)
        for step in range(steps):
            there = scale_value(scale, first + step / steps * (last - first))
            batch = forecasts([whole[place] for place in places], there, losses=losses, back_tests=False)
            for place, one in zip(places, batch, strict=True):
                found[place] += [one] if isinstance(one, Forecast) else []
    return tuple(tuple(found[place]) for place in range(len(whole)))


def _of_whole(result: Forecast | NoForecast, curve: Curve) -> Forecast | NoForecast:
    """The forecast as one of the whole curve, whose neighbours may have been joined for it."""
    if isinstance(result, NoForecast):
        return result._replace(curve=curve)
    return replace(result, curve=curve, ahead=position(curve.scale, result.at) - curve.position[-1])


def weighed_forecasts(
    curves: Iterable[Curve],
    at: float,
    losses: Mapping[str, float],
    *,
    run_sd: float | None = RUN_SD,
    draws: int = 200,
    seed: int = 0,
) -> tuple[Forecast | NoForecast, ...]:
    """The score of each curve at a larger scale, from the scale alone and in two steps, weighed by their back-tests.

    A curve that cannot be forecast in two steps, because the losses of its models are not known or do not fall, is
    forecast from the scale alone. The arguments are those of `forecasts`.
    """
    given = tuple(curves)
    direct = forecasts(given, at, run_sd=run_sd, draws=draws, seed=seed)
    stepped = forecasts(given, at, losses=losses, run_sd=run_sd, draws=draws, seed=seed)
    return tuple(
        weighed(one, two) if isinstance(one, Forecast) and isinstance(two, Forecast) else one
        for one, two in zip(direct, stepped, strict=True)
    )


def to_json(result: Forecast | NoForecast) -> dict[str, Any]:
    """A forecast as plain data; where a curve cannot be forecast, the numbers are null and `doubts` says why."""
    curve, forecast = result.curve, result if isinstance(result, Forecast) else None
    last = curve.points[-1]
    return {
        "family": curve.family,
        "task": curve.task,
        "shots": curve.shots,
        "prompt": curve.prompt,
        "metric": curve.metric.name,
        "scale": curve.scale,
        "conditions": curve.conditions,
        "largest": {"model": last.model, "x": last.x, "value": last.estimate.value},
        "runs": list(curve.runs),
        "at": forecast and forecast.at,
        "loss": forecast and forecast.loss,
        "forecast": forecast and forecast.value,
        "low": forecast and forecast.low,
        "high": forecast and forecast.high,
        "ahead": forecast and forecast.ahead,
        "error": forecast and forecast.error,
        "error_of_last": forecast and forecast.error_of_last,
        "error_of_line": forecast and forecast.error_of_line,
        "coverage": forecast and forecast.coverage,
        "backtest": [{**test._asdict(), "inside": test.inside} for test in forecast.backtest] if forecast else [],
        "forms": {name: {"weight": one.weight, "forecast": one.value} for name, one in forecast.forms.items()}
        if forecast
        else {},
        "doubts": dict(result.doubts) if isinstance(result, Forecast) else {"refused": result.reason},
    }


def _reason_not_to(curve: Curve, losses: Mapping[str, float] | None) -> str | None:
    """Why a curve cannot be forecast from its sizes, or from losses where they are given; None when it can."""
    sizes = len(set(curve.x))
    if sizes < FEWEST_TO_EXTRAPOLATE:
        return f"Only {counted(sizes, curve.noun)}: a forecast needs at least {FEWEST_TO_EXTRAPOLATE}."
    if losses is None:
        return None
    if not countable(with_floor(curve)) or curve.scale == "loss":
        return "Two steps need a score from 0 to a best one with known errors, over a size."
    if unknown := [name for name in curve.models if name not in losses]:
        return f"Two steps need the loss of every model; not known of {', '.join(unknown)}."
    falling = [losses[name] for name in curve.models]
    if min(falling) <= 0 or any(b >= a for a, b in pairwise(falling)):
        return "Two steps need losses above 0 that fall from each size to the next."
    return None
