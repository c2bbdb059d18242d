"""What would a larger model of the family score, how sure is that, and would the same forecast have been right before?

Scores with a floor and a best are forecast by all growth forms at once, each with its Akaike weight; losses by a power
law with a floor. Every forecast comes with a back-test: each size from the fifth on, foretold in the same way from the
smaller ones, beside the two forecasts that need no statistics. A forecast that does not beat those is not worth much.

No method here foresees an ability that has not begun to show: its absence at small sizes fits every later rise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from harness.analysis.bnsl import Law, power_law_with_floor
from harness.analysis.bootstrap import RUN_SD, from_counts
from harness.analysis.curves import Curve, position
from harness.analysis.distributions import binom, t
from harness.analysis.evidence import FEWEST_TO_EXTRAPOLATE, countable, counts_of
from harness.analysis.fits import Counts, dispersion, fit
from harness.analysis.forms import FORMS, Array
from harness.analysis.thresholds import CANDIDATES, reliable, weights
from harness.analysis.uncertainty import CONFIDENCE

GROWTH = ("const", *CANDIDATES)
"""Forms a score may follow beyond the sizes measured. A curve that turns is not among them: where it goes after the
turn is a guess."""
FEWEST_TO_TRUST = 5
"""Sizes below which growth forms cannot be told apart and nothing can be back-tested."""
FARTHEST = 1.0
"""Decades ahead up to which a forecast is more than a guess; the back-test goes one size ahead."""
_DISAGREE = 0.1
"""Share of the best score by which forms of some weight must part to be said to disagree, and what some weight is."""
_CLEARLY = 1.25
"""How many times the error of the naive forecast makes a forecast clearly worse."""
_HUGE = 300.0
"""Logarithm of the largest factor by which a loss may be off; more has no meaning and no place in a float."""
_REPEATS = 20
"""Scores drawn around each redrawn curve."""


class Held(NamedTuple):
    """One size foretold from the smaller ones; scores in units of the metric."""

    model: str
    """The model that was held out."""
    x: float
    """Its scale, in the unit of the axis."""
    measured: float
    """What it scored."""
    value: float
    """What was foretold."""
    low: float
    """Lower end of the 95 % prediction interval."""
    high: float
    """Upper end of the interval."""
    last: float
    """Naive: the score of the largest of the smaller sizes."""
    line: float
    """Naive: the straight line through the smaller sizes, kept between 0 and the best score."""

    @property
    def inside(self) -> bool:
        """True when the measured score lies in the interval."""
        return self.low - 1e-9 <= self.measured <= self.high + 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a model of one more size would score."""

    curve: Curve
    """The curve that was carried on."""
    at: float
    """Scale of the forecast, in the unit of the axis."""
    loss: float | None
    """Loss foretold for that scale, the first of two steps; None for a forecast from the scale alone."""
    value: float
    """Median of what it may score, in units of the metric."""
    low: float
    """Lower end of the 95 % interval for the score of one model on as many documents as the largest size had."""
    high: float
    """Upper end of that interval."""
    ahead: float
    """Distance from the largest size: decades, or units of a loss; negative within the sizes measured."""
    forms: Mapping[str, tuple[float, float]]
    """Each growth form's weight and its own forecast."""
    backtest: tuple[Held, ...]
    """Each size from the fifth on, foretold from the smaller ones; empty below five sizes."""
    doubts: Mapping[str, str]
    """Why not to trust it: a word and a sentence each; empty when nothing speaks against it."""

    @property
    def error(self) -> float | None:
        """Mean absolute error of the back-test; None without one."""
        return self._mean([abs(held.value - held.measured) for held in self.backtest])

    @property
    def coverage(self) -> float | None:
        """Share of back-tests inside their 95 % interval; None without one."""
        return self._mean([float(held.inside) for held in self.backtest])

    @property
    def error_of_last(self) -> float | None:
        """Mean absolute error of "it stays as it is"; None without a back-test."""
        return self._mean([abs(held.last - held.measured) for held in self.backtest])

    @property
    def error_of_line(self) -> float | None:
        """Mean absolute error of the straight line; None without a back-test."""
        return self._mean([abs(held.line - held.measured) for held in self.backtest])

    @staticmethod
    def _mean(values: Sequence[float]) -> float | None:
        return float(np.mean(values)) if values else None


class NoForecast(NamedTuple):
    """A curve that cannot be carried on."""

    curve: Curve
    """The curve."""
    reason: str
    """Why, for people."""


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
    Akaike weight (Buckland, Burnham and Augustin 1997), and around each prediction scores are drawn with the noise of
    documents and training runs. Median and quantiles of all these scores are the forecast. Counts that lie further
    from the best form than chance allows are worth fewer documents (quasi-binomial; McCullagh and Nelder 1989).

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
            laws = [_extrapolated(*of) for of in zip(scales[:, :sizes], loss[:, :sizes], scales[:, there], strict=True)]
            target = -np.stack([law.drawn(draws, rng) for law in laws])
        documents = counts.n[:, min(there, counts.sizes - 1)]
        return _foretell(counts.smallest(sizes), target, documents, draws, rng)

    found = from_smaller(counts.sizes, counts.sizes)
    tests = [(size, from_smaller(size, size)) for size in range(FEWEST_TO_EXTRAPOLATE, counts.sizes)]
    above = np.asarray(reliable(counts).any(axis=1))
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
        made.append(replace(one, doubts=_doubts(one, begun=bool(above[row]))))
    return made


def _foretell(counts: Counts, at: Array, n: Array, draws: int, rng: np.random.Generator) -> _Foretold:
    """Scores of the curves at positions `at`, (B, draws) or (B, 1) for all draws, on `n` documents, (B,)."""
    fits = [fit(FORMS[name], counts) for name in GROWTH if counts.sizes - FORMS[name].p - 1 > 0]
    share = weights(fits, counts.sizes)
    rows = np.arange(len(counts))
    best = share.argmax(axis=0)
    spread = dispersion(
        counts,
        np.stack([f.mean(counts.x) for f in fits])[best, rows],
        np.array([f.form.p for f in fits])[best],
    )
    # Half a success and half a failure more: a size that got nothing right could have got something.
    worth = counts.n / spread[:, None]
    smooth = Counts(
        x=counts.x, k=(worth * counts.k / counts.n + 0.5) * worth / (worth + 1), n=worth, chance=counts.chance
    )
    redrawn = from_counts(smooth, draws, rng)
    drawn = (rng.random((1, len(counts), draws)) > np.cumsum(share, axis=0)[:-1, :, None]).sum(axis=0)
    mean = np.empty((len(counts), draws))
    places = np.broadcast_to(at, mean.shape)
    for index, fitted in enumerate(fits):
        row, column = np.nonzero(drawn == index)
        if len(row):
            some = Counts(x=counts.x[row], k=redrawn[row, column], n=worth[row], chance=counts.chance[row])
            mean[row, column] = fit(fitted.form, some, start=fitted.theta[row]).mean(places[row, column, None])[:, 0]
    whole = np.maximum(np.rint(n / spread), 1)[:, None, None]
    expected = np.repeat((whole * mean[:, :, None] + 0.5) / (whole + 1), _REPEATS, axis=2)
    scores = (rng.binomial(whole.astype(int), expected) / whole).reshape(len(counts), -1)
    low, value, high = np.quantile(scores, [(1 - CONFIDENCE) / 2, 0.5, (1 + CONFIDENCE) / 2], axis=1)
    middle = np.median(at, axis=1)
    each = np.stack([f.mean(middle[:, None])[:, 0] for f in fits])
    return _Foretold(value, low, high, share, each, middle, tuple(f.form.name for f in fits))


def _by_power_law(curve: Curve, at: float) -> Forecast | NoForecast:
    """A loss that falls, or a log-likelihood that rises, to a floor."""
    y, sign = np.array(curve.y), -1.0 if curve.metric.higher_is_better else 1.0
    if curve.scale == "loss" or not (sign * y > 0).all():
        reason = f"{curve.metric.name} is neither a score from 0 to a best one with known errors nor a loss over size."
        return NoForecast(curve, reason)
    x, loss = np.array(curve.x), sign * y
    found = _extrapolated(x, loss, at)
    tests = []
    for size in range(FEWEST_TO_EXTRAPOLATE, len(x)):
        if len(set(curve.x[:size])) < FEWEST_TO_EXTRAPOLATE:
            continue
        made = _extrapolated(x[:size], loss[:size], float(x[size]))
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
    return replace(one, doubts=_doubts(one, begun=True))


class _Loss(NamedTuple):
    """A loss foretold by a law."""

    value: float
    """Expected."""
    error: float
    """Standard error of the logarithm of one new loss."""
    free: int
    """Degrees of freedom behind `error`."""

    def ends(self) -> tuple[float, float]:
        """Its prediction interval."""
        factor = math.exp(min(float(t.ppf((1 + CONFIDENCE) / 2, self.free)) * self.error, _HUGE))
        return self.value / factor, self.value * factor

    def drawn(self, draws: int, rng: np.random.Generator) -> Array:
        """Losses it may turn out to be, (draws,)."""
        return np.asarray(self.value * np.exp(np.clip(rng.standard_t(self.free, draws) * self.error, -_HUGE, _HUGE)))


def _extrapolated(x: Array, loss: Array, at: float) -> _Loss:
    """Loss at `at` by a power law with a floor."""
    law = power_law_with_floor(x, loss)
    slopes, residual = _log_slopes(law, x), np.log(loss) - np.log(law.mean(x))
    free = len(x) - slopes.shape[1]
    here = _log_slopes(law, np.array([at]))[0]
    leverage = float(here @ np.linalg.pinv(slopes.T @ slopes) @ here)
    error = math.sqrt(float(residual @ residual) / free * (1 + leverage))
    return _Loss(float(law.mean(np.array([at]))[0]), error, free)


def _log_slopes(law: Law, x: Array) -> Array:
    """Slopes of ln y in ln b, c0 and, where there is a floor, a; (len(x), 2 or 3)."""
    mean = law.mean(x)
    above = (mean - law.a) / mean
    columns = [above, -above * np.log(x)] + ([1 / mean] if law.a > 0 else [])
    return np.stack(columns, axis=1)


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


def _doubts(of: Forecast, *, begun: bool) -> dict[str, str]:
    """Why not to trust a forecast.

    Args:
        of: the forecast.
        begun: some size is reliably above chance.
    """
    curve, sizes, said = of.curve, len(of.curve.points), {}
    if not begun:
        said["at chance"] = (
            "No size is reliably above chance. An ability that has not begun to show cannot be foreseen: this says "
            "where the score goes if it does not emerge."
        )
    if sizes < FEWEST_TO_TRUST:
        said["few sizes"] = f"Only {sizes} sizes: growth forms cannot be told apart, and nothing can be back-tested."
    reach = curve.position[-1] - curve.position[0]
    if of.ahead > (reach / 2 if curve.scale == "loss" else FARTHEST):
        unit = "units of loss" if curve.scale == "loss" else "decades"
        said["far"] = f"{of.ahead:.2g} {unit} beyond the largest size, much further than the back-test goes."
    sign = 1 if curve.metric.higher_is_better else -1
    top = curve.estimates[-1]
    if of.ahead > 0 and sign * (top.value - curve.y[0]) > 0 and sign * (top.value - of.value) > 2 * (top.stderr or 0.0):
        said["below the largest"] = f"The forecast is worse than what {curve.models[-1]} scores already."
    away, apart = abs(of.value - top.value), max(curve.y) - min(curve.y)
    if of.ahead > 0 and curve.metric.best and away > max(apart, _DISAGREE * curve.metric.best):
        said["leap"] = (
            f"The forecast lies {away:.3g} from the largest size, further than any two of the sizes measured lie apart."
        )
    if of.ahead <= 0:
        said["not ahead"] = f"{curve.models[-1]} is as large or larger: nothing is extrapolated."
    heavy = [(value, name) for name, (share, value) in of.forms.items() if share >= _DISAGREE]
    (least, low_form), (most, high_form) = min(heavy), max(heavy)
    if curve.metric.best and most - least > _DISAGREE * curve.metric.best:
        said["forms disagree"] = (
            f"Forms that fit about as well part by then: {low_form} says {least:.3g}, {high_form} {most:.3g}."
        )
    missed, tests = sum(not held.inside for held in of.backtest), len(of.backtest)
    if missed and binom.sf(missed - 1, tests, 1 - CONFIDENCE) <= 0.05 + 1e-9:
        said["missed before"] = f"{missed} of {tests} back-tests lie outside their 95 % interval."
    if of.error is not None and of.error_of_last is not None and of.error > _CLEARLY * of.error_of_last:
        said["no better than last"] = (
            f"In the back-test the score of the size before was closer: off by {of.error_of_last:.3g}, "
            f"not {of.error:.3g}."
        )
    if curve.metric.chance is None and curve.metric.higher_is_better and curve.metric.best:
        said["no chance level"] = "The chance level is not known and taken as 0."
    return said
