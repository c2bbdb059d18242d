"""Scaling laws from published scores of other people's models, without training any.

Ruan, Maddison and Hashimoto 2024, "Observational Scaling Laws and the Predictability of Language Model Performance"
(arXiv 2405.10938): benchmark scores of many models lie near a space of few dimensions; in it families differ only in
how efficiently they turn compute into capability; and a downstream ability is a sigmoid of the leading components.

Three cautions. A benchmark that overlaps the target must not be among the predictors. Components of a handful of models
mean nothing: take `principal_components` of published scores, and `project` your own models on them. And components
beyond the second or third describe noise rather than ability.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares
from scipy.special import expit, logit

from harness.analysis.laws.types import (
    IMPUTATION_ROUNDS,
    IMPUTATION_SETTLED,
    Components,
    Imputer,
    ObservationalLaw,
    SigmoidLaw,
)
from harness.analysis.stats import Array
from harness.errors import HarnessError

_START = 0.03


def fit_imputer(scores: ArrayLike, *, components: int = 1, bounds: tuple[float, float] = (0.0, 1.0)) -> Imputer:
    """Iterated PCA imputation on standardised scores (Ruan et al. 2024, one component, cut to [0, 1]).

    Missing scores start at the mean of their benchmark. Then components are fitted and the missing scores are replaced
    by what the components predict, until they no longer change.

    Args:
        scores: models by benchmarks, (n, p), NaN where missing; only models that the law is fitted to.
        components: dimensions of the reconstruction.
        bounds: smallest and largest possible score.

    Raises:
        HarnessError: of one benchmark fewer than two different scores are known.
    """
    given = np.asarray(scores, dtype=float)
    for j, column in enumerate(given.T):
        if len(np.unique(column[~np.isnan(column)])) < 2:
            raise HarnessError(f"benchmark {j} needs at least two different scores to fill in others; leave it out")
    mean, spread = np.nanmean(given, axis=0), np.nanstd(given, axis=0)
    standard = (given - mean) / spread
    missing = np.isnan(standard)
    filled = np.where(missing, 0.0, standard)
    for _ in range(IMPUTATION_ROUNDS):
        centre = filled.mean(axis=0)
        axes = np.linalg.svd(filled - centre, full_matrices=False)[2][:components]
        again = (filled - centre) @ axes.T @ axes + centre
        moved = np.max(np.abs(again - filled)[missing], initial=0.0)
        filled[missing] = again[missing]
        if moved < IMPUTATION_SETTLED:
            break
    return Imputer(mean=mean, spread=spread, centre=centre, axes=axes, bounds=bounds)


def principal_components(scores: ArrayLike) -> Components:
    """Principal components of centred scores as Ruan et al. 2024 take them: benchmarks that vary more count more.

    The sign of an axis is arbitrary. Here the loadings of each axis sum to 0 or more, so that the first component rises
    with ability.

    Args:
        scores: models by benchmarks, (n, p), without gaps; `fit_imputer` fills gaps.

    Raises:
        HarnessError: a score is missing.

    >>> found = principal_components([[0.2, 0.3], [0.4, 0.5], [0.6, 0.7]])
    >>> found.explained.round(3).tolist(), found.axes[0].round(3).tolist()
    ([1.0, 0.0], [0.707, 0.707])
    """
    given = np.asarray(scores, dtype=float)
    if np.isnan(given).any():
        raise HarnessError("components need scores without gaps; fill them with `fit_imputer` first")
    centre = given.mean(axis=0)
    _, values, axes = np.linalg.svd(given - centre, full_matrices=False)
    axes = axes * np.where(axes.sum(axis=1) < 0, -1.0, 1.0)[:, None]
    return Components(centre=centre, axes=axes, explained=values**2 / np.sum(values**2))


def fit_sigmoid_law(predictors: ArrayLike, score: ArrayLike, *, chance: float = 0.0, delta: float = 1.0) -> SigmoidLaw:
    """Sigmoid of a linear function of components, or of log compute, by Huber loss on chance-corrected scores.

    As Ruan et al. 2024 do it with delta = 1, which for scores from 0 to 1 is least squares. The predictors are
    standardised for the search, so that their units and signs do not matter. The search starts twice, from the
    published values (b = 0, w = .03) and from the straight line through the logits, and runs until it has converged:
    a search that stops early depends on the arbitrary signs of the components.

    Args:
        predictors: of each model, (n, q).
        score: of each model, (n,).
        chance: score without the ability.
        delta: residual above which errors count linearly and no longer by their square.

    Raises:
        HarnessError: there are not more models than parameters.
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


def fit_observational_law(
    benchmarks: ArrayLike, score: ArrayLike, *, chance: float = 0.0, count: int = 2
) -> ObservationalLaw:
    """Imputer, components and sigmoid, all three fitted to the same models.

    Models whose score is to be predicted must not be among them.

    Args:
        benchmarks: models by benchmarks, (n, p), NaN where missing; none may overlap the target.
        score: downstream score of each model, (n,).
        chance: downstream score without the ability.
        count: how many components the sigmoid uses.
    """
    filler = fit_imputer(benchmarks)
    filled = filler.fill(benchmarks)
    space = principal_components(filled)
    curve = fit_sigmoid_law(space.project(filled, count), score, chance=chance)
    return ObservationalLaw(imputer=filler, components=space, curve=curve)
