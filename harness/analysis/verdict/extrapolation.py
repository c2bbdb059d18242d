"""Could the largest sizes be foreseen from the smaller ones? The two tests behind the word *emergent*.

`apparent`: an ability is emergent if it "is not present in smaller models but is present in larger models" and "cannot
be predicted simply by extrapolating the performance of smaller models" (Wei et al. 2022, section 2). The test
extrapolates simple growth laws fitted to the smaller sizes and asks how surprising the largest one is.

`sharp`: no smooth curve at all, fitted to every size, describes the jump. Far fewer abilities pass this test, because a
steep power law of which only the last size rises above the noise looks exactly like a step. `jump` asks the same of a
rise with several sizes above it, about which the largest sizes, held out, say nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from harness.analysis.growth import FORMS, Counts, Form, dispersion, fit, fit_smallest, loglik_terms, saturated
from harness.analysis.stats import LUCKY_MATCHES, Array, Index
from harness.analysis.stats.distributions import beta, binom, chi2

LAWS = ("linear", "power", "error-power")
"""Growth laws that count as "simply extrapolating". All are tried, and the one that predicts the largest size best is
taken."""
STEEPEST_EXPECTED = 7.0
"""Spread of the slopes that a law is expected to have before any count is seen, in nats per decade (7 nats are a factor
of 1000). Without it, two sizes at chance of which the second was lucky would predict any jump whatever. Growth that
shows in the counts is not held back."""
HELD_OUT = (1, 2)
"""How many of the largest sizes are held out, one after the other; two only of curves of six sizes or more."""
_FEWEST_FOR_TWO = 6
SMOOTH_EXPONENT = 1.5
"""Steepest power law still called smooth: score times 10^1.5 per decade of scale."""
SMOOTH_WIDTH = 1.0
"""Narrowest rise still called smooth: decades between 10 % and 90 % of a logistic curve, 2 ln 9 / k."""


_STEEPEST = 2 * np.log(9) / SMOOTH_WIDTH


class Surprise(NamedTuple):
    """How surprising the largest sizes of B curves are to what was fitted to the smaller ones."""

    p: Array
    """p value, (B,): the largest over the laws, then the smallest over the numbers of sizes held out, multiplied by how
    many such numbers were tried."""
    held_out: Array
    """How many of the largest sizes were held out where `p` was smallest, (B,)."""
    foreseen: Array
    """Best prediction for the sizes held out, (B,)."""


def held_out(sizes: int) -> tuple[int, ...]:
    """How many sizes to hold out of a curve of so many sizes: each number is tried; none when it has too few.

    >>> held_out(3), held_out(5), held_out(8)
    ((), (1,), (1, 2))
    """
    return tuple(h for h in HELD_OUT if sizes - h >= (3 if h == 1 else _FEWEST_FOR_TWO - h))


def apparent(counts: Counts) -> Surprise:
    """p_ext: the probability of scores this good at the largest sizes if growth had gone on as among the smaller ones.

    For h in {1, 2}: fit each law to the m - h smallest sizes, predict the h largest, and take p = max over laws of
    P(K >= k | n, mu_predicted) with the documents of the h sizes pooled. The result is the smaller of the two p, times
    two (Bonferroni). The error of the prediction itself is not counted; taking the most favourable law makes up for it.

    Args:
        counts: at least four sizes.
    """
    laws = [FORMS[law].restrained(STEEPEST_EXPECTED) for law in LAWS]
    tried, levels = [], []
    tests = held_out(counts.sizes)
    each = [fit_smallest(law, counts, [counts.sizes - h for h in tests]) for law in laws]
    for h, fits in zip(tests, zip(*each, strict=True), strict=True):
        n = counts.n[:, -h:]
        k, whole = np.floor(counts.k[:, -h:].sum(axis=1) + 1e-9), np.floor(n.sum(axis=1) + 1e-9)
        # A larger mean makes the tail larger: the maximum over laws is the law that predicts most.
        foreseen = np.max([(f.mean(counts.x[:, -h:]) * n).sum(axis=1) / n.sum(axis=1) for f in fits], axis=0)
        tried.append(binom.sf(k - 1, whole, foreseen))
        levels.append(foreseen)
    return _corrected(np.array(tried), np.array(levels), tests)


def sharp(counts: Counts) -> Surprise:
    """p_sharp: likelihood ratio of the largest sizes leaving the best smooth curve.

    D = 2 [l(first m - h) + l_saturated(last h) - l(all)], the smallest over smooth forms, is held against chi-squared
    with h degrees of freedom, for h in {1, 2}; the result is the smaller p times two. Smooth forms are the power law
    with an exponent up to `SMOOTH_EXPONENT` per decade and the logistic curve at least `SMOOTH_WIDTH` decades wide.
    Positions must be log10 of a scale.

    Args:
        counts: at least four sizes.
    """
    by_itself = saturated(counts)
    tried, levels = [], []
    tests = held_out(counts.sizes)
    numbers = [counts.sizes - h for h in (0, *tests)]
    everything, *cut = zip(*(fit_smallest(form, counts, numbers) for form in _smooth_forms()), strict=True)
    for h, parts in zip(tests, cut, strict=True):
        ratios = [
            2 * (part.loglik + by_itself[:, -h:].sum(axis=1) - whole.loglik)
            for part, whole in zip(parts, everything, strict=True)
        ]
        tried.append(chi2.sf(np.maximum(np.min(ratios, axis=0), 0.0), h))
        levels.append(np.max([part.mean(counts.x)[:, -1] for part in parts], axis=0))
    return _corrected(np.array(tried), np.array(levels), tests)


def jump(counts: Counts, effect: float, *, needed: float = math.inf) -> Surprise:
    """p_jump: likelihood ratio of "chance, then a line" against the best smooth curve, over all sizes.

    D = 2 [l(chance, first j) + l(line, last m - j) - l(smooth, all)] / phi is held against chi-squared with 2 degrees
    of freedom, for every j with three sizes before it and two after; the result is the smallest p times the number of
    j. phi >= 1 is the Pearson dispersion about the broken curve, so that noise between runs is not taken for a break. A
    j counts only when the first j sizes, pooled, are below chance + `effect` (upper 95 % bound) and each later one is
    above it.

    Args:
        counts: the curves; positions must be log10 of a scale.
        effect: gain over chance that matters.
        needed: only p below this must be exact. Once a curve's p is above it, no further smooth curve is tried on it,
            though a better fit would make p larger still.
    """
    places = range(3, counts.sizes - 1)
    clear = counts.k / counts.n > (counts.chance + effect)[:, None]
    p = np.ones((len(counts), max(len(places), 1)))
    possible = np.zeros(p.shape, dtype=bool)
    for at, j in enumerate(places):
        absent = pooled_bounds(counts, j)[1] < counts.chance + effect
        possible[:, at] = absent & clear[:, j:].all(axis=1)
    topped = FORMS["logistic-top"].bounded(upper={"k": _STEEPEST})
    worth = possible.any(axis=1)
    row, column = np.nonzero(possible)
    if len(row):
        broken, scatter = _broken(counts.rows(row), places.start + column)
        best = np.full(len(counts), -np.inf)
        p[row, column] = 0.0
        # The costliest form comes last: every smooth curve that fits better raises p, and few curves are left by then.
        for form in (FORMS["linear"], FORMS["error-power"], *_smooth_forms(), topped):
            asked = np.flatnonzero(worth & (p.min(axis=1) * p.shape[1] < needed))
            if len(asked):
                best[asked] = np.maximum(best[asked], fit(form, counts.rows(asked)).loglik)
                p[row, column] = chi2.sf(np.maximum(2 * (broken - best[row]) / scatter, 0.0), 2)
    return Surprise(
        p=np.minimum(p.min(axis=1) * p.shape[1], 1.0),
        held_out=np.where(worth, counts.sizes - 3 - p.argmin(axis=1), 1),
        foreseen=np.full(len(counts), np.nan),
    )


def _broken(counts: Counts, j: Index) -> tuple[Array, Array]:
    """Log-likelihood and dispersion of the broken curve: chance for the first j sizes, a line for the others.

    Args:
        counts: the curves.
        j: number of sizes at chance of each curve, (B,).

    Returns:
        Both of shape (B,).
    """
    before = np.arange(counts.sizes) < j[:, None]
    floor = np.maximum(counts.chance, LUCKY_MATCHES)[:, None]
    ends = np.stack([counts.x[np.arange(len(counts)), j], counts.x[:, -1]], axis=1)
    line = fit(FORMS["linear"], counts.only(~before), ends=ends)
    absent = (loglik_terms(counts.k, counts.n, floor) * before).sum(axis=1)
    return absent + line.loglik, dispersion(counts, np.where(before, floor, line.mean(counts.x)), 2)


def pooled_bounds(counts: Counts, sizes: int) -> tuple[Array, Array]:
    """Exact one-sided 95 % bounds of the score of the smallest sizes, pooled (Clopper and Pearson 1934)."""
    k, n = counts.k[:, :sizes].sum(axis=1), counts.n[:, :sizes].sum(axis=1)
    low = np.where(k > 0, beta.ppf(0.05, np.maximum(k, 1e-9), n - k + 1), 0.0)
    return low, np.where(k < n, beta.ppf(0.95, k + 1, np.maximum(n - k, 1e-9)), 1.0)


def _smooth_forms() -> tuple[Form, ...]:
    return (
        FORMS["power"].bounded(upper={"b": SMOOTH_EXPONENT * np.log(10)}),
        FORMS["logistic"].bounded(upper={"k": _STEEPEST}),
    )


def _corrected(p: Array, levels: Array, tests: tuple[int, ...]) -> Surprise:
    best = p.argmin(axis=0)
    at = np.arange(p.shape[1])
    return Surprise(
        p=np.minimum(p[best, at] * len(tests), 1.0), held_out=np.array(tests)[best], foreseen=levels[best, at]
    )
