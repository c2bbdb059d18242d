"""Forecasts of scores with a floor and a best, by all growth forms at once, each with its Akaike weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from harness.analysis.curves import Curve, position
from harness.analysis.forecast.back_test import back_test
from harness.analysis.forecast.doubts import doubts
from harness.analysis.forecast.future_loss import predicted_loss
from harness.analysis.forecast.types import Forecast, FormForecast
from harness.analysis.growth import (
    CANDIDATES,
    FEWEST_TO_EXTRAPOLATE,
    FORMS,
    Counts,
    akaike_weights,
    counts_of,
    dispersion,
    documents_of,
    effective_documents,
    fit,
    refitted,
    run_sds,
    sizes_above_chance,
)
from harness.analysis.stats import CONFIDENCE, Array

GROWTH = ("const", *CANDIDATES)
"""Forms that a score may follow beyond the measured sizes, see `Fits.onward`. A curve that turns is not among them,
because nobody can say where it goes after the turn."""
_REPEATS = 20
"""Scores drawn around each redrawn curve."""
_LEAST = 0.05
"""Scores nearer to 0 or 1 than this have the noise of this score."""
_TRUST = 0.5
"""Power of the Akaike weights by which forms are drawn for the interval. The weights themselves say which form
describes the sizes measured; beyond these, forms that fit hardly worse go elsewhere. On simulated families this
gives intervals that hold what they promise."""


def with_floor(curve: Curve) -> Curve:
    """The curve with chance 0 where chance is not known, because growth forms need a floor to rise from."""
    return replace(curve, metric=replace(curve.metric, chance=0.0)) if curve.metric.chance is None else curve


def by_growth(
    curves: Sequence[Curve],
    at: float,
    losses: Mapping[str, float] | None,
    *,
    run_sd: float | None,
    draws: int,
    seed: int,
    back_tests: bool = True,
) -> list[Forecast]:
    """Forecasts of curves with equally many sizes, see `forecasts`.

    Args:
        curves: all countable once they have a floor.
        at: scale to forecast.
        losses: loss of each model by name, for two steps; None forecasts from the scale alone.
        run_sd: standard deviation of a score of one half between two training runs, for curves whose sizes have one
            run each.
        draws: redrawn curves behind each interval.
        seed: seed of the redrawing.
        back_tests: forecast known sizes from smaller ones too.
    """
    family = _family(curves, at, losses, run_sd)
    sizes = family.counts.sizes
    ahead = family.predicted(sizes, sizes, draws, seed)
    known = range(FEWEST_TO_EXTRAPOLATE, sizes) if back_tests else ()
    tests = [(size, family.predicted(size, size, draws, seed)) for size in known]
    begun = np.asarray(sizes_above_chance(family.counts).any(axis=1))
    forecasts = []
    for row, curve in enumerate(curves):
        best = curve.metric.best or 1.0
        backtest = tuple(back_test(curve, size, *one.interval(row, best), best=best) for size, one in tests)
        value, low, high = ahead.interval(row, best)
        forecast = Forecast(
            curve=curve,
            at=at,
            loss=None if losses is None else -float(ahead.at[row]),
            value=value,
            low=low,
            high=high,
            ahead=position(curve.scale, at) - curve.position[-1],
            forms={
                name: FormForecast(float(weight), best * float(one))
                for name, weight, one in zip(ahead.names, ahead.weights[:, row], ahead.each[:, row], strict=True)
            },
            backtest=backtest,
            doubts={},
        )
        forecasts.append(replace(forecast, doubts=doubts(forecast, begun=bool(begun[row]))))
    return forecasts


class _Prediction(NamedTuple):
    """Predictions for B curves, as shares of the best score."""

    value: Array
    """Median over the redrawn curves, (B,)."""
    low: Array
    """Lower end of the 95 % interval, (B,)."""
    high: Array
    """Upper end of the interval, (B,)."""
    weights: Array
    """Akaike weight of each form, (forms, B)."""
    each: Array
    """Prediction of each form, (forms, B)."""
    at: Array
    """Median of the positions predicted, (B,)."""
    names: tuple[str, ...]
    """Names of the forms."""

    def interval(self, row: int, best: float) -> tuple[float, float, float]:
        """Value, low and high of one curve, in units of the metric."""
        return best * float(self.value[row]), best * float(self.low[row]), best * float(self.high[row])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Family:
    """Curves of equally many sizes, as they are extrapolated."""

    counts: Counts
    """The curves over scale, or over minus the loss for two steps."""
    scales: Array
    """Every scale, and last the one to forecast, (B, m + 1)."""
    of_one_run: Array
    """Documents that the score of one training run of each size is worth, (B, m)."""
    positions: Array
    """The positions of these scales on the axis, (B, m + 1)."""
    losses: Array | None
    """Loss of every size, (B, m); None for a forecast from the scale alone."""

    def predicted(self, sizes: int, there: int, draws: int, seed: int) -> _Prediction:
        """The scores at scale number `there`, from the `sizes` smallest ones."""
        rng = np.random.default_rng(seed)
        if self.losses is None:
            target = self.positions[:, there, None]
        else:
            rows = zip(self.scales[:, :sizes], self.losses[:, :sizes], self.scales[:, there], strict=True)
            target = -np.stack([predicted_loss(x, loss, at).drawn(draws, rng) for x, loss, at in rows])
        # A size that is known is a mean over its runs; one that is not will be one run.
        known = there < self.counts.sizes
        documents = self.counts.n[:, there] if known else self.of_one_run[:, -1]
        return _predicted(self.counts.smallest(sizes), target, documents, draws, rng)


def _family(curves: Sequence[Curve], at: float, losses: Mapping[str, float] | None, run_sd: float | None) -> _Family:
    floored = [with_floor(curve) for curve in curves]
    counts = counts_of(floored, run_sd=run_sd)
    by_model = None if losses is None else np.array([[losses[name] for name in curve.models] for curve in curves])
    return _Family(
        counts=counts if by_model is None else replace(counts, x=-by_model),
        of_one_run=effective_documents(documents_of(floored), run_sds(floored, run_sd)[:, None]),
        scales=np.array([[*curve.x, at] for curve in curves]),
        positions=np.array([[*curve.position, position(curve.scale, at)] for curve in curves]),
        losses=by_model,
    )


def _predicted(counts: Counts, at: Array, n: Array, draws: int, rng: np.random.Generator) -> _Prediction:
    """Scores of the curves at positions `at`, (B, draws) or (B, 1) for all draws, on `n` documents, (B,)."""
    fits = [fit(FORMS[name], counts) for name in GROWTH if counts.sizes - FORMS[name].p - 1 > 0]
    by_fit = akaike_weights(fits, counts.sizes)
    share = by_fit**_TRUST / (by_fit**_TRUST).sum(axis=0)
    rows = np.arange(len(counts))
    best = share.argmax(axis=0)
    parameters = np.array([f.form.p for f in fits])[best]
    spread = dispersion(counts, np.stack([f.mean(counts.x) for f in fits])[best, rows], parameters)
    worth = counts.n / spread[:, None]
    discounted = replace(counts, k=worth * counts.k / counts.n, n=worth)
    # Half a success and half a failure more: a size that got nothing right could have got something.
    redrawn = worth[:, None] * _about(_halved(counts.k / counts.n, worth), worth + 1, draws, rng)
    mean, weight = np.empty((len(counts), draws)), np.empty((len(counts), draws))
    # A form that was drawn more often than its weight says counts less in the forecast itself.
    correction = dict(zip((f.form.name for f in fits), by_fit / np.maximum(share, 1e-300), strict=True))
    places = np.broadcast_to(at, mean.shape)
    for again in refitted(fits, share, discounted, redrawn, rng):
        mean[again.row, again.column] = again.fits.onward(places[again.row, again.column, None])[:, 0]
        weight[again.row, again.column] = correction[again.fits.form.name][again.row]
    value = _weighted_median(mean, weight)
    expected, of_one = _halved(mean, n[:, None]), (n / spread)[:, None]
    drawn = _about(expected, of_one, _REPEATS, rng)
    scores = _scattered(drawn, expected[:, None], of_one[:, None], rng).reshape(len(counts), -1)
    middle = np.median(at, axis=1)
    each = np.stack([f.onward(middle[:, None])[:, 0] for f in fits])
    low, high = np.quantile(scores, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=1)
    # Scores are whole numbers of documents: an end between two of them would leave out the score it rounds to.
    low, high = np.minimum(np.floor(low * n) / n, value), np.clip(np.ceil(high * n) / n, value, 1.0)
    return _Prediction(value, low, high, by_fit, each, middle, tuple(f.form.name for f in fits))


def _scattered(drawn: Array, share: Array, documents: Array, rng: np.random.Generator) -> Array:
    """Draws that vary near 0 and 1 as much as a score of `_LEAST` from there does.

    Documents hardly vary there, but training runs may, and how much is not known from sizes in the middle. On simulated
    families whose runs differ by as much at every score, intervals without this hold 90 % instead of 93 %.
    """
    lacking = np.maximum(_LEAST * (1 - _LEAST) - share * (1 - share), 0.0)
    noise = np.sqrt(lacking / documents) * rng.standard_normal(drawn.shape)
    return np.clip(drawn + noise, 0.0, 1.0)


def _weighted_median(values: Array, weights: Array) -> Array:
    """The value of each row below which half of its weight lies, (B,)."""
    order = np.argsort(values, axis=1)
    below = np.take_along_axis(weights, order, axis=1).cumsum(axis=1)
    middle = (below < below[:, -1:] / 2).sum(axis=1)
    return np.asarray(np.take_along_axis(values, order, axis=1)[np.arange(len(values)), middle])


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
