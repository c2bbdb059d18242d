"""The published laws as equations with fitted parameters, and what else the fits give.

Each class says in its first line what it predicts from what. How it is fitted, and its source, stand with the function
that returns it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from harness.analysis.stats import Array

IMPUTATION_ROUNDS = 1000
"""Most rounds in which missing scores are filled in."""
IMPUTATION_SETTLED = 1e-10
"""Largest change of a filled score, in standard deviations, at which the rounds end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenPowerLaw:
    """A loss or error rate y over scale x, a power law whose exponent changes once.

        y = a + b x^-c0 (1 + (x / d1)^(1 / f1))^(-c1 f1)

    Equation 1 of Caballero et al. 2023 with one break. With c1 = 0 it is a plain power law above the level a.
    """

    a: float
    """Level the law falls to, in units of y."""
    b: float
    """Height above `a` at x = 1, before the break, in units of y."""
    c0: float
    """Exponent before the break."""
    c1: float = 0.0
    """What the break adds to the exponent; 0 when there is no break."""
    d1: float = 1.0
    """Scale at the break, in the unit of x."""
    f1: float = 1.0
    """Width of the break, in factors of e of the scale; a small width is a sharp break."""

    def mean(self, x: Array) -> Array:
        """Expected y at scales `x`, (m,). Beyond the fitted sizes the law assumes that no further break comes."""
        theta = np.array([self.a, math.log(self.b), self.c0, self.c1, math.log(self.d1), math.log(self.f1)])
        return self.curve(theta, np.log(x))

    def rmsle(self, x: Array, y: Array) -> float:
        """Root mean square of ln(y + 1) - ln(expected + 1), the error the fit minimises."""
        return float(np.sqrt(np.mean((np.log1p(y) - np.log1p(self.mean(x))) ** 2)))

    @staticmethod
    def curve(theta: Array, log_x: Array) -> Array:
        """The law of many parameters at once, (..., m).

        Args:
            theta: a, ln b, c0, c1, ln d1 and ln f1, (..., 6).
            log_x: natural logarithms of the scales, (m,).
        """
        a, ln_b, c0, c1, ln_d, ln_f = (theta[..., i, None] for i in range(6))
        f = np.exp(ln_f)
        exponent = ln_b - c0 * log_x - c1 * f * np.logaddexp(0.0, (log_x - ln_d) / f)
        return np.asarray(a + np.exp(np.minimum(exponent, 700.0)))


@dataclass(frozen=True, kw_only=True, slots=True)
class ChinchillaLaw:
    """The loss of a model with N parameters after D training tokens (Hoffmann et al. 2022, "Chinchilla").

    L(N, D) = e^a N^-alpha + e^b D^-beta + E
    """

    a: float
    """Log of the coefficient of parameters."""
    b: float
    """Log of the coefficient of tokens."""
    alpha: float
    """Exponent of parameters."""
    beta: float
    """Exponent of tokens."""
    floor: float
    """Loss of an infinite model on infinite data, E."""

    def loss(self, params: ArrayLike, tokens: ArrayLike) -> Array:
        """Predicted loss of models of this many parameters and training tokens."""
        by_size = np.exp(self.a - self.alpha * np.log(params))
        by_data = np.exp(self.b - self.beta * np.log(tokens))
        return np.asarray(by_size + by_data + self.floor)


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeLossLaw:
    """The loss over training compute, for families whose sizes all saw the same amount of data.

    log10 L = intercept + slope log10 C,   C = 6 N D
    """

    intercept: float
    """log10 of the loss at one FLOP."""
    slope: float
    """Change of log10 L per factor 10 in compute; negative."""
    r2: float
    """Share of the variance of log10 L that the line explains."""

    def loss(self, params: ArrayLike, tokens: ArrayLike) -> Array:
        """Predicted loss of models of this many parameters and training tokens."""
        compute = np.log10(6.0 * np.asarray(params, dtype=float) * np.asarray(tokens, dtype=float))
        return np.asarray(10 ** (self.intercept + self.slope * compute))


@dataclass(frozen=True, kw_only=True, slots=True)
class OvertrainingLaw:
    """The loss of a model with N parameters trained on M tokens per parameter (Gadre et al. 2024).

    L(N, M) = alpha N^b + beta 6^(b/2) (M N)^b + E
    """

    alpha: float
    """Coefficient of parameters."""
    beta: float
    """Coefficient of tokens M N."""
    exponent: float
    """Shared exponent b, below 0: over-training shifts the law and does not bend it."""
    floor: float
    """Irreducible loss E."""

    def loss(self, params: ArrayLike, tokens: ArrayLike) -> Array:
        """Predicted loss of models of this many parameters and training tokens."""
        return np.asarray(self.terms(params, tokens, self.exponent) @ (self.alpha, self.beta, self.floor))

    @staticmethod
    def terms(params: ArrayLike, tokens: ArrayLike, exponent: float) -> Array:
        """What `alpha`, `beta` and `floor` are multiplied by for a given exponent, (..., 3)."""
        n, d = np.asarray(params, dtype=float), np.asarray(tokens, dtype=float)
        return np.stack(np.broadcast_arrays(n**exponent, 6 ** (exponent / 2) * d**exponent, 1.0), axis=-1)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskAccuracyLaw:
    """The accuracy on one task over the loss L of its right answers (Bhagia et al. 2024, step 2).

    Acc(L) = s / (1 + e^(-k (L - x0))) + t
    """

    s: float
    """Height of the sigmoid, -1 to 0: accuracy falls with the loss."""
    x0: float
    """Loss at the midpoint."""
    k: float
    """Steepness per unit of loss."""
    t: float
    """Accuracy at loss -infinity; t + s is the level of a model that knows nothing."""

    def accuracy(self, loss: ArrayLike) -> Array:
        """Predicted accuracy at these losses."""
        return np.asarray(self.s * expit(self.k * (np.asarray(loss, dtype=float) - self.x0)) + self.t)


@dataclass(frozen=True, kw_only=True, slots=True)
class AverageErrorLaw:
    """The error rate averaged over many tasks, over the loss L (Gadre et al. 2024).

    Err(L) = epsilon - k e^(-gamma L)
    """

    ceiling: float
    """Error at infinite loss, epsilon."""
    gain: float
    """Coefficient k."""
    rate: float
    """Decay gamma per unit of loss."""

    def error(self, loss: ArrayLike) -> Array:
        """Predicted error at these losses."""
        return np.asarray(self.ceiling - self.gain * np.exp(-self.rate * np.asarray(loss, dtype=float)))


@dataclass(frozen=True, kw_only=True, slots=True)
class SigmoidLaw:
    """A score over several predictors at once, such as log10 of compute or principal components.

    y = c + (1 - c) sigmoid(b + w . x)
    """

    bias: float
    """b."""
    weights: Array
    """w, one per predictor."""
    chance: float
    """Score without the ability, c."""

    def predict(self, predictors: ArrayLike) -> Array:
        """Expected score, (n,), at predictors (n, q)."""
        x = np.asarray(predictors, dtype=float)
        return np.asarray(self.chance + (1 - self.chance) * expit(self.bias + x @ self.weights))


@dataclass(frozen=True, kw_only=True, slots=True)
class Imputer:
    """Fills in missing benchmark scores from the scores a model has, by the leading components of all scores."""

    mean: Array
    """Mean of each of p benchmarks over the models that the imputer was fitted to, (p,)."""
    spread: Array
    """Standard deviation of each benchmark over these models, (p,)."""
    centre: Array
    """Mean of the standardised scores after the missing ones were filled in, (p,)."""
    axes: Array
    """Unit axes of the standardised scores, (components, p)."""
    bounds: tuple[float, float]
    """Smallest and largest score; what is filled in is cut to this range."""

    def fill(self, scores: ArrayLike) -> Array:
        """The scores, (n, p), with the missing ones (NaN) filled in; scores that are known stay as they are."""
        given = np.asarray(scores, dtype=float)
        standard = (given - self.mean) / self.spread
        missing = np.isnan(standard)
        filled = np.where(missing, 0.0, standard)
        for _ in range(IMPUTATION_ROUNDS):
            again = (filled - self.centre) @ self.axes.T @ self.axes + self.centre
            if not missing.any() or np.max(np.abs(again - filled)[missing]) < IMPUTATION_SETTLED:
                break
            filled[missing] = again[missing]
        return np.where(missing, np.clip(filled * self.spread + self.mean, *self.bounds), given)


class Components(NamedTuple):
    """Principal components of benchmark scores."""

    centre: Array
    """Mean score of each benchmark, (p,)."""
    axes: Array
    """Unit axes, (p or fewer, p), the axis of most variance first; along each of them scores rise on balance."""
    explained: Array
    """Share of the variance along each axis."""

    def project(self, scores: ArrayLike, count: int) -> Array:
        """Coordinates of models on the first `count` axes, (n, count), from their scores without gaps, (n, p)."""
        return np.asarray((np.asarray(scores, dtype=float) - self.centre) @ self.axes[:count].T)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservationalLaw:
    """One downstream score over the benchmark scores of a model (Ruan et al. 2024)."""

    imputer: Imputer
    """Fills gaps in the benchmarks."""
    components: Components
    """The few dimensions in which the benchmarks of all models lie."""
    curve: SigmoidLaw
    """The downstream score over these dimensions."""

    def predict(self, benchmarks: ArrayLike) -> Array:
        """Expected score, (n,), of models with these benchmark scores, (n, p), NaN where missing."""
        count = len(self.curve.weights)
        return self.curve.predict(self.components.project(self.imputer.fill(benchmarks), count))


@dataclass(frozen=True, kw_only=True, slots=True)
class Hinge:
    """A score that stays at a known floor up to an elbow and rises in a straight line beyond it."""

    at: float
    """Where the elbow is, in the unit of x. It lies left of all models when they lie on a straight line."""
    low: float | None
    """Lower end of its 95 % bootstrap interval; None without resamples."""
    high: float | None
    """Upper end of its 95 % bootstrap interval; None without resamples."""
    slope: float
    """Gain in score per unit of x beyond the elbow."""
    theta: float | None
    """How much more marked models score than others of the same compute; None when no marks were given."""
    theta_low: float | None
    """Lower end of its 95 % bootstrap interval; None without resamples or marks."""
    theta_high: float | None
    """Upper end of its 95 % bootstrap interval; None without resamples or marks."""
    floor: float
    """Score before the elbow, as it was given; it is not fitted."""
    n_below: int
    """Number of models at or before the elbow, which are all the evidence for the floor."""
    r2: float
    """Share of the variance that the hinge explains; negative when the mean alone would do better."""
    r2_linear: float
    """The same share for a straight line with a free intercept. Only a larger `r2` speaks for an elbow."""
    refusal: str | None
    """Why the elbow must not be read as a point of emergence; None when it may be."""


class Threshold(NamedTuple):
    """Where a score leaves the floor for models that were tuned on some number of documents."""

    documents: float
    """Number of documents."""
    at: float
    """The elbow, in the unit of x."""
    low: float | None
    """Lower end of its 95 % bootstrap interval; None without resamples."""
    high: float | None
    """Upper end of its 95 % bootstrap interval; None without resamples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningLaw:
    """How the elbow of a score moves with the number of documents that models are tuned on (Snell et al. 2024)."""

    shift: float
    """Decades of scale by which the elbow moves down for ten times as many documents."""
    shift_low: float | None
    """Lower end of its 95 % bootstrap interval; None without resamples. Above 0 tuning data move the elbow."""
    shift_high: float | None
    """Upper end of its 95 % bootstrap interval; None without resamples."""
    slope: float
    """Gain in score per unit of x beyond the elbow, the same for all amounts."""
    floor: float
    """Score before the elbow, as it was given; it is not fitted."""
    thresholds: tuple[Threshold, ...]
    """Those asked for, then those of the amounts that were tried."""
    r2: float
    """Share of the variance that the law explains."""
    refusal: str | None
    """Why the law must not be read, or not so far beyond what was tried; None when it may be."""


class Collapse(NamedTuple):
    """How well the loss explains a score, compared with other measures of scale."""

    loss: float
    """R² of a polynomial in the loss."""
    others: dict[str, float]
    """R² of a polynomial of the same degree in each other measure of scale, by name."""
    gain: float
    """R² of the loss minus R² of the best other measure."""
    gain_low: float
    """Lower end of the 95 % bootstrap interval of `gain`; the curves collapse on the loss when it is above 0."""
    gain_high: float
    """Upper end of the 95 % bootstrap interval of `gain`."""


class PassUntil(NamedTuple):
    """PU, the mean pass rate of each of m sizes (Hu et al. 2023)."""

    value: Array
    """Mean over documents, (m,)."""
    stderr: Array
    """Standard error of `value` over documents, (m,). Samples of one document count together, as they are alike."""


class PassRateLaw(NamedTuple):
    """The pass rate PU over x = log10 of scale: -ln PU is a power of scale (Hu et al. 2023).

    log10(-ln PU) = intercept + slope x
    """

    intercept: float
    """log10(-ln PU) at x = 0, that is at a scale of 1."""
    slope: float
    """Exponent; negative when larger models pass more often."""
    r2: float
    """Share of the variance of log10(-ln PU) that the line explains, unweighted."""

    def rate(self, x: Array) -> Array:
        """PU expected at positions `x` = log10 of scale."""
        return np.exp(-(10.0 ** (self.intercept + self.slope * x)))


class Curvature(NamedTuple):
    """How log10(-ln PU) over log10 of scale departs from a straight line."""

    curvature: float
    """Coefficient of the square in a parabola through the points."""
    low: float
    """Lower end of its 95 % bootstrap interval."""
    high: float
    """Upper end of its 95 % bootstrap interval."""

    @property
    def name(self) -> Literal["accelerating", "straight", "decelerating"]:
        """`accelerating` when the whole interval is below 0, `decelerating` when it is above 0, else `straight`."""
        return "accelerating" if self.high < 0 else "decelerating" if self.low > 0 else "straight"
