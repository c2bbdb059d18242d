"""Scaling laws from published scores of other people's models, without training any.

Ruan, Maddison and Hashimoto 2024, "Observational Scaling Laws and the Predictability of Language Model Performance"
(arXiv 2405.10938): benchmark scores of many models lie near a space of few dimensions; in it families differ only in
how efficiently they turn compute into capability; and a downstream ability is a sigmoid of the leading components.

Three cautions. A benchmark that overlaps the target must not be among the predictors. Components of a handful of
models mean nothing: take `components` of published scores and `project` your own models on them. And every component
beyond the second or third is fitted to noise sooner than to ability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares
from scipy.special import expit, logit

from harness.analysis.stats import Array
from harness.errors import HarnessError

_START = 0.03
_ROUNDS = 1000
_SETTLED = 1e-10


@dataclass(frozen=True, kw_only=True, slots=True)
class Imputer:
    """Fills missing scores from the leading components of standardised scores."""

    mean: Array
    """Mean of each benchmark over the models it was fitted to, (p,)."""
    spread: Array
    """Standard deviation of each benchmark over them, (p,)."""
    centre: Array
    """Mean of the standardised scores once filled, (p,)."""
    axes: Array
    """Unit axes of the standardised scores, (components, p)."""
    bounds: tuple[float, float]
    """Filled scores are cut to this range."""

    def fill(self, scores: ArrayLike) -> Array:
        """The scores with what is missing (NaN) filled in, (n, p); scores that are there stay as they are."""
        given = np.asarray(scores, dtype=float)
        standard = (given - self.mean) / self.spread
        missing = np.isnan(standard)
        filled = np.where(missing, 0.0, standard)
        for _ in range(_ROUNDS):
            again = (filled - self.centre) @ self.axes.T @ self.axes + self.centre
            if not missing.any() or np.max(np.abs(again - filled)[missing]) < _SETTLED:
                break
            filled[missing] = again[missing]
        return np.where(missing, np.clip(filled * self.spread + self.mean, *self.bounds), given)


def imputer(scores: ArrayLike, *, components: int = 1, bounds: tuple[float, float] = (0.0, 1.0)) -> Imputer:
    """Iterated PCA imputation on standardised scores (Ruan et al. 2024, one component, cut to [0, 1]).

    Start from the mean, fit the components, replace what is missing by what they say, repeat until nothing moves.

    Args:
        scores: models by benchmarks, (n, p), NaN where missing; the models the law is fitted to and no others.
        components: dimensions of the reconstruction.
        bounds: range a score can have.

    Raises:
        HarnessError: a benchmark that fewer than two different scores are known of.
    """
    given = np.asarray(scores, dtype=float)
    for j, column in enumerate(given.T):
        if len(np.unique(column[~np.isnan(column)])) < 2:
            raise HarnessError(f"benchmark {j} needs at least two different scores to fill in others; leave it out")
    mean, spread = np.nanmean(given, axis=0), np.nanstd(given, axis=0)
    standard = (given - mean) / spread
    missing = np.isnan(standard)
    filled = np.where(missing, 0.0, standard)
    for _ in range(_ROUNDS):
        centre = filled.mean(axis=0)
        axes = np.linalg.svd(filled - centre, full_matrices=False)[2][:components]
        again = (filled - centre) @ axes.T @ axes + centre
        moved = np.max(np.abs(again - filled)[missing], initial=0.0)
        filled[missing] = again[missing]
        if moved < _SETTLED:
            break
    return Imputer(mean=mean, spread=spread, centre=centre, axes=axes, bounds=bounds)


class Components(NamedTuple):
    """Principal components of benchmark scores."""

    centre: Array
    """Mean score of each benchmark, (p,)."""
    axes: Array
    """Unit axes, (p or fewer, p), by falling variance; each points where scores rise on balance."""
    explained: Array
    """Share of the variance along each axis."""

    def project(self, scores: ArrayLike, count: int) -> Array:
        """Coordinates of models, (n, p) scores without gaps, on the first `count` axes, (n, count)."""
        return np.asarray((np.asarray(scores, dtype=float) - self.centre) @ self.axes[:count].T)


def components(scores: ArrayLike) -> Components:
    """Principal components of centred scores as Ruan et al. 2024 take them: benchmarks that vary more count more.

    The sign of an axis is arbitrary; here the loadings of each sum to 0 or more, so that PC-1 rises with ability.

    Args:
        scores: models by benchmarks, (n, p), without gaps: see `imputer`.

    >>> found = components([[0.2, 0.3], [0.4, 0.5], [0.6, 0.7]])
    >>> found.explained.round(3).tolist(), found.axes[0].round(3).tolist()
    ([1.0, 0.0], [0.707, 0.707])
    """
    given = np.asarray(scores, dtype=float)
    if np.isnan(given).any():
        raise HarnessError("components need scores without gaps; fill them with `imputer` first")
    centre = given.mean(axis=0)
    _, values, axes = np.linalg.svd(given - centre, full_matrices=False)
    axes = axes * np.where(axes.sum(axis=1) < 0, -1.0, 1.0)[:, None]
    return Components(centre=centre, axes=axes, explained=values**2 / np.sum(values**2))


@dataclass(frozen=True, kw_only=True, slots=True)
class SigmoidLaw:
    """y = c + (1 - c) sigmoid(b + w . x)."""

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


def fit_sigmoid_law(predictors: ArrayLike, score: ArrayLike, *, chance: float = 0.0, delta: float = 1.0) -> SigmoidLaw:
    """Sigmoid of a linear function of components, or of log compute, by Huber loss on chance-corrected scores.

    Ruan et al. 2024 with delta = 1, which is least squares for scores from 0 to 1. The predictors are standardised
    for the search, so that units and signs change nothing, and the search runs until it has converged: from the
    published start (b = 0, w = .03), and from the straight line through the logits. Stopped early, results depend
    on the arbitrary signs of the components.

    Args:
        predictors: of each model, (n, q).
        score: of each model, (n,).
        chance: score without the ability.
        delta: residual from which errors count linearly.

    Raises:
        HarnessError: not more models than parameters.
    """
    x, y = np.asarray(predictors, dtype=float), (np.asarray(score, dtype=float) - chance) / (1 - chance)
    if len(y) <= x.shape[1] + 1:
        raise HarnessError(f"{x.shape[1]} predictors need more than {x.shape[1] + 1} models; got {len(y)}")
    mean, spread = x.mean(axis=0), np.maximum(x.std(axis=0), np.finfo(float).tiny)
    design = np.column_stack([np.ones_like(y), (x - mean) / spread])
    published = np.append(0.0, _START * spread)
    line = np.linalg.lstsq(design, logit(np.clip(y, 0.01, 0.99)), rcond=None)[0]

    def residual(theta: Array) -> Array:
        return np.asarray(expit(design @ theta) - y)

    def gradient(theta: Array) -> Array:
        p = expit(design @ theta)
        return np.asarray((p * (1 - p))[:, None] * design)

    fits = [
        least_squares(
            residual,
            start,
            jac=gradient,
            loss="huber",
            f_scale=delta,
            ftol=1e-12,
            xtol=1e-12,
            gtol=1e-12,
            max_nfev=5000,
        )
        for start in (published, line)
    ]
    theta = min(fits, key=lambda fitted: fitted.cost).x
    weights = theta[1:] / spread
    return SigmoidLaw(bias=float(theta[0] - weights @ mean), weights=weights, chance=chance)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservationalLaw:
    """From benchmark scores to one downstream score."""

    imputer: Imputer
    """Fills gaps in the benchmarks."""
    components: Components
    """The space of capability."""
    curve: SigmoidLaw
    """The downstream score over it."""

    def predict(self, benchmarks: ArrayLike) -> Array:
        """Expected score, (n,), of models with these benchmark scores, (n, p), NaN where missing."""
        count = len(self.curve.weights)
        return self.curve.predict(self.components.project(self.imputer.fill(benchmarks), count))


def fit_observational_law(
    benchmarks: ArrayLike, score: ArrayLike, *, chance: float = 0.0, count: int = 2
) -> ObservationalLaw:
    """Imputation, components and sigmoid fitted to the same models; models to be predicted take no part in any of them.

    Args:
        benchmarks: models by benchmarks, (n, p), NaN where missing; none that overlaps the target.
        score: downstream score of each model, (n,).
        chance: downstream score without the ability.
        count: components the sigmoid uses.
    """
    filler = imputer(benchmarks)
    filled = filler.fill(benchmarks)
    space = components(filled)
    curve = fit_sigmoid_law(space.project(filled, count), score, chance=chance)
    return ObservationalLaw(imputer=filler, components=space, curve=curve)
