"""What would a larger model of the family score, how sure is that, and would the same forecast have been right before?

Scores with a floor and a best are forecast by all growth forms at once, each with its Akaike weight; losses by a power
law with a floor. Every forecast comes with a back-test: each size from the fifth on, foretold in the same way from the
smaller ones, beside the two forecasts that need no statistics. A forecast that does not beat those is not worth much.

No method here foresees an ability that has not begun to show: its absence at small sizes fits every later rise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from harness.analysis.curves import Curve, position
from harness.analysis.forecast.doubts import doubts
from harness.analysis.forecast.loss_law import extrapolated
from harness.analysis.forecast.types import Forecast, Held, NoForecast
from harness.analysis.growth import (
    CANDIDATES,
    FEWEST_TO_EXTRAPOLATE,
    FORMS,
    RUN_SD,
    Counts,
    akaike_weights,
    countable,
    counts_of,
    dispersion,
    fit,
    refitted,
    sizes_above_chance,
)
from harness.analysis.stats import CONFIDENCE, Array

GROWTH = ("const", *CANDIDATES)
"""Forms a score may follow beyond the sizes measured, see `Fits.onward`. A curve that turns is not among them: where it
goes after the turn is a guess."""
_REPEATS = 20
"""Scores drawn around each redrawn curve."""


def forecast(
    curve: Curve,
    at: float,
    *,
    losses: Mapping[str, float] | None = None,
    run_sd: float = RUN_SD,
    draws: int = 200,
    seed: int = 0,
) -> Forecast | NoForecast:
    """`forecasts` of one curve."""
    return forecasts([curve], at, losses=losses, run_sd=run_sd, draws=draws, seed=seed)[0]


def forecasts(
    curves: Iterable[Curve],
    at: float,
    *,
    losses: Mapping[str, float] | None = None,
    run_sd: float = RUN_SD,
    draws: int = 200,
    seed: int = 0,
) -> tuple[Forecast | NoForecast, ...]:
    """The score of each curve at a larger scale, in the order given.

    Countable scores: the curve is redrawn from its counts, each redrawn curve is fitted by one form drawn by its
    Akaike weight (Buckland, Burnham and Augustin 1997), and the median of their predictions is the forecast. Around
    each prediction scores are drawn with the noise of documents and training runs; their quantiles are the interval.
    Counts that lie further from the best form than chance allows are worth fewer documents (quasi-binomial; McCullagh
    and Nelder 1989).

    Losses and log-likelihoods: a power law with a floor, least squares of the logarithm, and the linearised prediction
    interval ln y +- t s sqrt(1 + h) (Bates and Watts 1988, chapter 2).

    Two steps, where the losses of the models are known: this law from scale to loss, and growth forms from loss to
    score (as Grattafiori et al. 2024, section 3.2.1, and Bhagia et al. 2024 chain a loss law and a sigmoid). Each
    redrawn curve is asked at a loss drawn from its own prediction interval, so that the errors of both steps count.

    Args:
        curves: of any sizes and metrics.
        at: scale to forecast, above 0, in the unit of each curve's axis.
        losses: loss of each model by name, to forecast in two steps; None forecasts from the scale alone.
        run_sd: standard deviation of a score of one half between two training runs of one configuration.
        draws: redrawn curves behind each interval.
        seed: of the redrawing.
    """
    made: dict[int, Forecast | NoForecast] = {}
    batches: dict[int, list[int]] = {}
    given = list(curves)
    for place, curve in enumerate(given):
        sizes = len(set(curve.x))
        if sizes < FEWEST_TO_EXTRAPOLATE:
            reason = f"Only {sizes} size{'s' * (sizes > 1)}: a forecast needs at least {FEWEST_TO_EXTRAPOLATE}."
            made[place] = NoForecast(curve, reason)
        elif losses is not None and (lacking := _no_second_step(curve, losses)):
            made[place] = NoForecast(curve, lacking)
        elif countable(_with_floor(curve)):
            batches.setdefault(len(curve.points), []).append(place)
        else:
            made[place] = _by_power_law(curve, at)
    for places in batches.values():
        batch = _by_growth([given[place] for place in places], at, losses, run_sd, draws, seed)
        made.update(zip(places, batch, strict=True))
    return tuple(made[place] for place in range(len(given)))


def to_json(found: Forecast | NoForecast) -> dict[str, Any]:
    """The forecast as plain data; the numbers of a curve that cannot be carried on are null."""
    curve, made = found.curve, found if isinstance(found, Forecast) else None
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
        "at": made and made.at,
        "loss": made and made.loss,
        "forecast": made and made.value,
        "low": made and made.low,
        "high": made and made.high,
        "ahead": made and made.ahead,
        "error": made and made.error,
        "error_of_last": made and made.error_of_last,
        "error_of_line": made and made.error_of_line,
        "coverage": made and made.coverage,
        "backtest": [{**held._asdict(), "inside": held.inside} for held in made.backtest] if made else [],
        "forms": {name: {"weight": share, "forecast": value} for name, (share, value) in made.forms.items()}
        if made
        else {},
        "doubts": dict(found.doubts) if isinstance(found, Forecast) else {"refused": found.reason},
    }


def _no_second_step(curve: Curve, losses: Mapping[str, float]) -> str | None:
    """Why scores of this curve cannot be forecast from losses; None when they can."""
    if not countable(_with_floor(curve)) or curve.scale == "loss":
        return "Two steps need a score from 0 to a best one with known errors, over a size."
    if unknown := [name for name in curve.models if name not in losses]:
        return f"Two steps need the loss of every model; not known of {', '.join(unknown)}."
    falling = [losses[name] for name in curve.models]
    if min(falling) <= 0 or any(b >= a for a, b in pairwise(falling)):
        return "Two steps need losses above 0 that fall from each size to the next."
    return None


def _with_floor(curve: Curve) -> Curve:
    """The curve with chance 0 where chance is not known: growth forms need some floor to rise from."""
    return replace(curve, metric=replace(curve.metric, chance=0.0)) if curve.metric.chance is None else curve


class _Foretold(NamedTuple):
    """Predictions for B curves, as shares of the best score."""

    value: Array
    """(B,)."""
    low: Array
    """(B,)."""
    high: Array
    """(B,)."""
    weights: Array
    """Akaike weight of each form, (forms, B)."""
    each: Array
    """Prediction of each form, (forms, B)."""
    at: Array
    """Median of the positions asked for, (B,)."""
    names: tuple[str, ...]
    """The forms."""


def _by_growth(
    curves: Sequence[Curve],
    at: float,
    losses: Mapping[str, float] | None,
    run_sd: float,
    draws: int,
    seed: int,
) -> list[Forecast]:
    """Curves of equally many sizes."""
    counts = counts_of([_with_floor(curve) for curve in curves], run_sd=run_sd)
    scales = np.array([[*curve.x, at] for curve in curves])
    loss = None if losses is None else np.array([[losses[name] for name in curve.models] for curve in curves])
    if loss is not None:
        counts = replace(counts, x=-loss)

    def from_smaller(sizes: int, there: int) -> _Foretold:
        """The score at scale number `there`, from the smallest sizes."""
        rng = np.random.default_rng(seed)
        if loss is None:
            target = np.array([[position(c.scale, x)] for c, x in zip(curves, scales[:, there].tolist(), strict=True)])
        else:
            laws = [extrapolated(*of) for of in zip(scales[:, :sizes], loss[:, :sizes], scales[:, there], strict=True)]
            target = -np.stack([law.drawn(draws, rng) for law in laws])
        documents = counts.n[:, min(there, counts.sizes - 1)]
        return _foretell(counts.smallest(sizes), target, documents, draws, rng)

    found = from_smaller(counts.sizes, counts.sizes)
    tests = [(size, from_smaller(size, size)) for size in range(FEWEST_TO_EXTRAPOLATE, counts.sizes)]
    above = np.asarray(sizes_above_chance(counts).any(axis=1))
    made = []
    for row, curve in enumerate(curves):
        best = curve.metric.best or 1.0
        held = tuple(
            _held(curve, size, *(best * float(v[row]) for v in (part.value, part.low, part.high)), best=best)
            for size, part in tests
        )
        one = Forecast(
            curve=curve,
            at=at,
            loss=None if loss is None else -float(found.at[row]),
            value=best * float(found.value[row]),
            low=best * float(found.low[row]),
            high=best * float(found.high[row]),
            ahead=position(curve.scale, at) - curve.position[-1],
            forms={
                name: (float(share), best * float(value))
                for name, share, value in zip(found.names, found.weights[:, row], found.each[:, row], strict=True)
            },
            backtest=held,
            doubts={},
        )
        made.append(replace(one, doubts=doubts(one, begun=bool(above[row]))))
    return made


def _foretell(counts: Counts, at: Array, n: Array, draws: int, rng: np.random.Generator) -> _Foretold:
    """Scores of the curves at positions `at`, (B, draws) or (B, 1) for all draws, on `n` documents, (B,)."""
    fits = [fit(FORMS[name], counts) for name in GROWTH if counts.sizes - FORMS[name].p - 1 > 0]
    share = akaike_weights(fits, counts.sizes)
    rows = np.arange(len(counts))
    best = share.argmax(axis=0)
    spread = dispersion(
        counts,
        np.stack([f.mean(counts.x) for f in fits])[best, rows],
        np.array([f.form.p for f in fits])[best],
    )
    worth = counts.n / spread[:, None]
    discounted = replace(counts, k=worth * counts.k / counts.n, n=worth)
    # Half a success and half a failure more: a size that got nothing right could have got something.
    redrawn = worth[:, None] * _about(_halved(counts.k / counts.n, worth), worth + 1, draws, rng)
    mean = np.empty((len(counts), draws))
    places = np.broadcast_to(at, mean.shape)
    for again in refitted(fits, share, discounted, redrawn, rng):
        mean[again.row, again.column] = again.fits.onward(places[again.row, again.column, None])[:, 0]
    value = np.median(mean, axis=1)
    scores = _about(_halved(mean, n[:, None]), (n / spread)[:, None], _REPEATS, rng).reshape(len(counts), -1)
    low, high = np.quantile(scores, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=1)
    # Scores are whole numbers of documents: an end between two of them would leave out the score it rounds to.
    low, high = np.minimum(np.floor(low * n) / n, value), np.clip(np.ceil(high * n) / n, value, 1.0)
    middle = np.median(at, axis=1)
    each = np.stack([f.onward(middle[:, None])[:, 0] for f in fits])
    return _Foretold(value, low, high, share, each, middle, tuple(f.form.name for f in fits))


def _halved(share: Array, documents: Array) -> Array:
    """Shares of documents with half a success and half a failure added."""
    return (share * documents + 0.5) / (documents + 1)


def _about(share: Array, documents: Array, draws: int, rng: np.random.Generator) -> Array:
    """Scores that may come of expected shares, (B, draws, m), from shares (B, m) and so many documents, (B, m or 1).

    Beta distributed, with the variance share (1 - share) / (documents + 1). A binomial would put them on a grid as
    coarse as the documents are few, and scatter leaves few.
    """
    size = (len(share), draws, share.shape[1])
    return rng.beta((share * documents)[:, None], ((1 - share) * documents)[:, None], size=size)


def _by_power_law(curve: Curve, at: float) -> Forecast | NoForecast:
    """A loss that falls, or a log-likelihood that rises, to a floor."""
    y, sign = np.array(curve.y), -1.0 if curve.metric.higher_is_better else 1.0
    if curve.scale == "loss" or not (sign * y > 0).all():
        reason = f"{curve.metric.name} is neither a score from 0 to a best one with known errors nor a loss over size."
        return NoForecast(curve, reason)
    x, loss = np.array(curve.x), sign * y
    found = extrapolated(x, loss, at)
    tests = []
    for size in range(FEWEST_TO_EXTRAPOLATE, len(x)):
        if len(set(curve.x[:size])) < FEWEST_TO_EXTRAPOLATE:
            continue
        made = extrapolated(x[:size], loss[:size], float(x[size]))
        tests.append(_held(curve, size, sign * made.value, *sorted(sign * end for end in made.ends()), best=None))
    low, high = sorted(sign * end for end in found.ends())
    one = Forecast(
        curve=curve,
        at=at,
        loss=None,
        value=sign * found.value,
        low=low,
        high=high,
        ahead=position(curve.scale, at) - curve.position[-1],
        forms={"power law with a floor": (1.0, sign * found.value)},
        backtest=tuple(tests),
        doubts={},
    )
    return replace(one, doubts=doubts(one, begun=True))


def _held(curve: Curve, size: int, value: float, low: float, high: float, *, best: float | None) -> Held:
    at, y = np.array(curve.position), np.array(curve.y)
    line = float(np.polyval(np.polyfit(at[:size], y[:size], 1), at[size]))
    return Held(
        model=curve.models[size],
        x=curve.x[size],
        measured=curve.y[size],
        value=value,
        low=low,
        high=high,
        last=curve.y[size - 1],
        line=line if best is None else min(max(line, 0.0), best),
    )
