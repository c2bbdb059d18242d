"""Does a curve fall and then rise, or rise and then fall? The two-lines test, on sizes and on single models.

A significant quadratic term does not show a U, because any curve that levels off has one. The two-lines test asks for
two significant slopes of opposite sign, one on either side (Simonsohn 2018, "Two Lines: A Valid Alternative to the
Invalid Testing of U-Shaped Relationships With Quadratic Regressions"). A U can be hidden where easy documents, on which
scores rise, are mixed with hard ones, on which they fall first (Wu and Lo 2025); `by_difficulty` separates them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness.analysis.stats import Array, Index
from harness.analysis.stats.distributions import norm
from harness.analysis.stats.distributions import t as student

FEWEST_PER_ARM = 3
"""Sizes (or models) a line needs before its slope can be called a trend."""
_LINES = 4
"""Parameters of two lines: sizes beyond these show how far the sizes scatter about them."""
_LEAST = 0.05
"""Scores nearer to 0 or 1 are taken to vary like this one when the scatter of sizes is weighed."""
BREAKS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Where along the models the line may break, as quantiles of scale."""


class Arms(NamedTuple):
    """The two arms of B curves, split where the evidence for a turn is strongest."""

    p: Array
    """Larger of the two arms' two-sided p, times the number of splits; 1 where `turn` is 0, (B,)."""
    turn: Index
    """1 for a fall and then a rise (U), -1 for a rise and then a fall (inverted U), 0 when no split counts, (B,); it
    does not depend on `p`."""
    first_right: Index
    """Index of the smallest size of the right arm; 0 where `turn` is 0, (B,)."""
    z: Array
    """Trend of the left and the right arm, positive when it rises; 0 where `turn` is 0, (B, 2)."""
    reach: Array
    """Rise of each arm's line over its own sizes, in units of the score; 0 where `turn` is 0, (B, 2)."""


def arms(x: Array, k: Array, n: Array, *, effect: float) -> Arms:
    """Two-lines test of counts: the Cochran-Armitage trend (Armitage 1955) of either arm.

    All sizes up to a split form the left arm and all others the right one. A split counts when each arm has at least
    `FEWEST_PER_ARM` sizes, the arms run in opposite directions and each changes by at least `effect`. m sizes have
    m - 5 splits, and the best one's p is multiplied by their number (Bonferroni). The size at the turn belongs to one
    arm only: shared by both, one unlucky training run would bend both at once, which makes 3 to 7 times as many false
    turns. Training runs differ by more than their documents explain, and a few unlucky ones would make a turn: either
    trend is divided by the root of the Pearson dispersion about the two lines (quasi-binomial, at least 1; McCullagh
    and Nelder 1989, section 4.5), and where the sizes scatter its p is that of Student's t with m - 4 degrees of
    freedom.

    Args:
        x: positions, (B, m), ascending along m.
        k: successes, (B, m); may be fractional.
        n: documents, (B, m); 0 leaves a size out.
        effect: change of an arm that matters, in units of the score.

    >>> k = np.array([[60.0, 50.0, 40.0, 30.0, 30.0, 40.0, 50.0, 60.0]])
    >>> found = arms(np.arange(8.0)[None], k, np.full((1, 8), 100.0), effect=0.05)
    >>> found.turn.item(), bool(found.p.item() < 0.001), found.reach.round(2).tolist()
    (1, True, [[-0.3, 0.3]])
    """
    y = np.divide(k, n, out=np.zeros_like(k, dtype=float), where=n > 0)
    return _arms(x, y, n, binomial=True, effect=effect)


def arms_of_scores(x: Array, y: Array, stderr: Array, *, effect: float) -> Arms:
    """Two-lines test of scores with known errors, by the weighted straight line of either arm; otherwise as `arms`.

    Args:
        x: positions, (B, m), ascending along m.
        y: scores, (B, m).
        stderr: standard error of each score, (B, m), above 0; infinity leaves a size out.
        effect: change of an arm that matters, in units of the score.
    """
    return _arms(x, y, stderr**-2.0, binomial=False, effect=effect)


def _arms(x: Array, y: Array, weight: Array, *, binomial: bool, effect: float) -> Arms:
    curves, sizes = y.shape
    known = np.cumsum(weight > 0, axis=1)
    best = Arms(
        np.ones(curves), np.zeros(curves, int), np.zeros(curves, int), np.zeros((curves, 2)), np.zeros((curves, 2))
    )
    tests = np.zeros(curves)
    for split in range(FEWEST_PER_ARM, sizes - FEWEST_PER_ARM + 1):
        lines = [
            _line(x[:, side], y[:, side], weight[:, side], binomial=binomial)
            for side in (slice(None, split), slice(split, None))
        ]
        z, reach, misfit = (np.stack([line[part] for line in lines], axis=1) for part in (0, 1, 2))
        free = np.maximum(known[:, -1] - _LINES, 1)
        scatter = misfit.sum(axis=1) / free
        z = z / np.sqrt(np.maximum(scatter, 1.0))[:, None]
        left = known[:, split - 1]
        # After a size left out the split is the same as the one before it: tested once.
        new = weight[:, split - 1] > 0
        testable = (left >= FEWEST_PER_ARM) & (known[:, -1] - left >= FEWEST_PER_ARM) & new
        tests += testable
        weaker = np.abs(z).min(axis=1)
        p = 2 * np.where(scatter > 1.0, student.sf(weaker, free), norm.sf(weaker))
        turns = testable & (z[:, 0] * z[:, 1] < 0) & (np.abs(reach).min(axis=1) >= effect) & (p < best.p)
        best.p[turns] = p[turns]
        best.turn[turns] = np.sign(z[turns, 1]).astype(int)
        best.first_right[turns] = split
        best.z[turns] = z[turns]
        best.reach[turns] = reach[turns]
    return best._replace(p=np.where(best.turn == 0, 1.0, np.minimum(best.p * tests, 1.0)))


def _line(x: Array, y: Array, weight: Array, *, binomial: bool) -> tuple[Array, Array, Array]:
    """Trend statistic, rise over the sizes and chi-squared about the weighted straight line of each curve."""
    total = np.maximum(weight.sum(axis=1), 1e-300)
    centred = x - ((weight * x).sum(axis=1) / total)[:, None]
    level = (weight * y).sum(axis=1) / total
    covariance = (weight * y * centred).sum(axis=1)
    spread = (weight * centred**2).sum(axis=1)
    variance = level * (1 - level) if binomial else np.ones_like(level)
    sloped = spread > 1e-12 * total
    slope = np.divide(covariance, spread, out=np.zeros_like(level), where=sloped)
    z = np.divide(covariance, np.sqrt(variance * spread), out=np.zeros_like(level), where=sloped & (variance > 1e-12))
    informative = weight > 0
    reach = np.where(informative, x, -np.inf).max(axis=1) - np.where(informative, x, np.inf).min(axis=1)
    line = level[:, None] + slope[:, None] * centred
    spread_of_each = np.maximum(line * (1 - line), _LEAST * (1 - _LEAST)) if binomial else np.ones_like(y)
    misfit = (weight * (y - line) ** 2 / spread_of_each).sum(axis=1)
    return z, np.where(np.isfinite(reach), slope * reach, 0.0), misfit


class TwoLines(NamedTuple):
    """Two straight lines through single models, meeting at a break."""

    at: float
    """Scale at the break, in the unit of x."""
    t_left: float
    """Slope before the break over its standard error."""
    t_right: float
    """Slope after the break over its standard error."""
    p: float
    """Larger of the two slopes' two-sided p, times the number of breaks tried; 1 when they do not turn."""

    @property
    def turn(self) -> int:
        """1 for a fall and then a rise (U), -1 for a rise and then a fall (inverted U), 0 for neither."""
        return 0 if self.t_left * self.t_right >= 0 else 1 if self.t_right > 0 else -1


def two_lines(x: Array, y: Array) -> TwoLines | None:
    """Two-lines test of single models, which scatter by more than their documents explain.

    At each of the `BREAKS`, one least-squares line is fitted to the models up to it and another to those above it; the
    two need not meet (interrupted regression, Simonsohn 2018), and their errors are robust to heteroscedasticity (HC3,
    Long and Ervin 2000). Of the breaks with slopes of opposite sign the one with the smallest p is reported; when there
    is none, the one with the smallest p of all. Models of one family are not independent of each other, so a p near the
    level of significance is weaker than it looks.

    Args:
        x: scale of each model, usually log10 of training compute, (models,).
        y: its score, higher is better, (models,).

    Returns:
        None when no break leaves three models on either side.
    """
    found = []
    for at in np.quantile(x, BREAKS):
        left = x <= at
        if min(left.sum(), (~left).sum()) < FEWEST_PER_ARM:
            continue
        (t_left, p_left), (t_right, p_right) = (_slope(x[side], y[side]) for side in (left, ~left))
        found.append(TwoLines(float(at), t_left, t_right, max(p_left, p_right)))
    if not found:
        return None
    best = min(found, key=lambda lines: (lines.turn == 0, lines.p))
    return best._replace(p=min(best.p * len(found), 1.0) if best.turn else 1.0)


def _slope(x: Array, y: Array) -> tuple[float, float]:
    """Slope over its HC3 error, and its two-sided p from Student's t; (0, 1) where there is no slope to test."""
    centred = x - x.mean()
    spread = float(centred @ centred)
    if spread == 0:
        return 0.0, 1.0
    slope = float(centred @ y) / spread
    leverage = 1 / len(x) + centred**2 / spread
    # A point that alone decides the slope has leverage 1 and no residual: it adds nothing to the error.
    residual = np.divide(
        y - y.mean() - slope * centred, 1 - leverage, out=np.zeros_like(centred), where=leverage < 1 - 1e-12
    )
    error = float(np.sqrt(np.sum((centred * residual) ** 2))) / spread
    if error == 0:
        return 0.0, 1.0
    return slope / error, float(2 * student.sf(abs(slope / error), len(x) - 2))


class ByDifficulty(NamedTuple):
    """Mean score of every model on groups of documents, from easy to hard."""

    y: Array
    """Mean scores, (groups, models), easiest group first."""
    stderr: Array
    """Their standard errors over documents, (groups, models)."""
    n: Index
    """Documents in each group, (groups,)."""


def by_difficulty(scores: Array, *, groups: int = 3) -> ByDifficulty:
    """The curve of every difficulty group, free of regression to the mean.

    If documents were ranked by the same models that are then tested on them, noise would become shape: documents on
    which small models had bad luck would form the "hard" group, and every later model would do better there. Therefore
    the models are divided into two halves, alternating by size. Each half ranks the documents by its mean scores, and
    the other half is tested on the groups that this makes.

    Args:
        scores: of each model on each document, (models, documents), higher is better, models ascending with scale;
            at least two models and two documents per group.
        groups: how many.
    """
    models, documents = scores.shape
    if models < 2 or documents < 2 * groups:
        raise ValueError(f"{models} models x {documents} documents cannot be halved and split in {groups} groups")
    half = np.arange(models) % 2
    y, stderr = np.empty((groups, models)), np.empty((groups, models))
    for tested in (0, 1):
        # stable: of equally hard documents the earlier one counts as easier, on every machine
        ranked = np.argsort(-scores[half != tested].mean(axis=0), kind="stable")
        for group, members in enumerate(np.array_split(ranked, groups)):
            part = scores[half == tested][:, members]
            y[group, half == tested] = part.mean(axis=1)
            stderr[group, half == tested] = part.std(axis=1, ddof=1) / np.sqrt(len(members))
    n = np.array([len(members) for members in np.array_split(np.arange(documents), groups)])
    return ByDifficulty(y, stderr, n)
