"""Could the largest sizes be foreseen from the smaller ones? The two tests behind the word *emergent*.

`apparent`: an ability is emergent if it "is not present in smaller models but is present in larger models" and "cannot
be predicted simply by extrapolating the performance of smaller models" (Wei et al. 2022, section 2). The test
extrapolates simple growth laws fitted to the smaller sizes and asks how surprising the largest one is.

`sharp`: no smooth curve at all, fitted to every size, describes the jump. Far fewer abilities pass this test, because a
steep power law of which only the last size rises above the noise looks exactly like a step. `narrow` asks of a rise
anywhere on the curve whether it is narrower than a decade: with several sizes above it, the largest ones say nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from harness.analysis.growth import FORMS, Counts, Fits, Form, dispersion, fit, fit_smallest, saturated
from harness.analysis.stats import Array, Index, widened
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
_STEEPEST_LEVELLING = np.log(5) / SMOOTH_WIDTH
"""The same of a rise that sets in suddenly and levels off: four fifths of it take so many decades."""
_SHOWS = 0.1
"""Level at which sizes scatter by more than documents explain."""
_ALIKE = 3
"""Digits behind the point in which the decades that two curves span, and their chance, agree when fitted together."""


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


def narrow(counts: Counts, effect: float, *, needed: float = math.inf) -> Surprise:
    """p_jump: likelihood ratio of a rise of any width against the best smooth curve, over all sizes.

    D = 2 [l(logistic curve with a top, any width) - l(best smooth curve)] / phi against half a chi-squared with 1
    degree of freedom: of a rise that takes exactly `SMOOTH_WIDTH` decades half of all draws look wider, and there D is
    0 (Chernoff 1954; Self and Liang 1987, case 5). Smooth curves are those of `sharp`, the straight line, the power law
    of the error, a logistic curve with a top at least `SMOOTH_WIDTH` decades wide, a straight line that leaves chance
    at least so far below the largest size and would take as long to the best score, and a rise that sets in suddenly
    and levels off, four fifths of which take as long. phi is the scatter about the free curve, see `_scatter`, so that
    noise between runs is not taken for a jump. With no noise the test finds nearly as many rises as any test at its
    level can (`tests/calibration/bound.py`).

    A curve is asked only when its smallest sizes, three or more, pooled, are below chance + `effect` (upper 95 % bound)
    and the largest one is above it. A curve that saturates after its jump is one of these: more sizes make the test
    stronger, while a comparison with a straight line after the jump loses every such curve.

    Args:
        counts: the curves; positions must be log10 of a scale.
        effect: gain over chance that matters.
        needed: only p below this must be exact. Once a curve's p is above it, no further smooth curve is tried on it,
            though a better fit would make p larger still.
    """
    p, absent = np.ones(len(counts)), _absent_sizes(counts, effect)
    apart = counts.x[:, 0] < counts.x[:, -1]
    asked = np.flatnonzero(apart & (absent > 0) & (counts.k[:, -1] / counts.n[:, -1] > counts.chance + effect))
    if len(asked):
        some = counts.rows(asked)
        free = fit(FORMS["logistic-top"], some)
        scatter = _scatter(some, free)
        best = np.full(len(asked), -np.inf)
        p[asked] = 0.0
        # The costliest form last: every smooth curve that fits better raises p, and few are still asked for then.
        smooth: list[Callable[[Counts], Array]] = [
            *(partial(_loglik, form) for form in (FORMS["linear"], FORMS["error-power"], *_smooth_forms())),
            _long_hinge,
            partial(_loglik, _long_levelling()),
            partial(_loglik, _wide_logistic()),
        ]
        for loglik in smooth:
            open_ = np.flatnonzero(p[asked] < needed)
            if len(open_):
                best[open_] = np.maximum(best[open_], loglik(some.rows(open_)))
                p[asked] = _one_sided(2 * (free.loglik - best) / scatter)
    return Surprise(
        p=p,
        held_out=np.where(absent > 0, counts.sizes - absent, 1),
        foreseen=np.full(len(counts), np.nan),
    )


def _one_sided(ratio: Array) -> Array:
    """The p value of a likelihood ratio of one parameter that can only be off to one side."""
    return np.where(ratio > 0, chi2.sf(np.maximum(ratio, 0.0), 1) / 2, 1.0)


def _scatter(counts: Counts, free: Fits) -> Array:
    """How much more sizes scatter about a fit than documents and the assumed noise between runs explain, (B,).

    It is 1 where the scatter is not significant: the scatter of few sizes is above 1 in half of all curves without any
    noise, and to divide by it would lose true jumps. Where it is significant, noise is known from few sizes only, and
    is enlarged as by Student's t, see `widened`.
    """
    spread = dispersion(counts, free.mean(counts.x), free.form.p)
    freedom = counts.sizes - free.form.p
    if freedom <= 0:
        return spread
    shows = chi2.sf(spread * freedom, freedom) < _SHOWS
    return np.where(shows, np.maximum(spread * widened(freedom), 1.0), 1.0)


def _absent_sizes(counts: Counts, effect: float) -> Index:
    """How many of the smallest sizes (three or more) are together below chance + `effect`, (B,); 0 when none are."""
    most = np.zeros(len(counts), dtype=int)
    for sizes in range(3, counts.sizes):
        most[pooled_high(counts, sizes) < counts.chance + effect] = sizes
    return most


def _wide_logistic() -> Form:
    """A logistic curve with a top whose rise takes `SMOOTH_WIDTH` decades or more."""
    return FORMS["logistic-top"].bounded(upper={"k": _STEEPEST})


def _long_levelling() -> Form:
    """A rise that sets in suddenly and levels off, of which four fifths take `SMOOTH_WIDTH` decades or more."""
    return FORMS["hinge-top"].bounded(upper={"b": _STEEPEST_LEVELLING})


def _loglik(form: Form, counts: Counts) -> Array:
    return fit(form, counts).loglik


def _long_hinge(counts: Counts) -> Array:
    """Log-likelihood of a straight line that leaves chance and takes `SMOOTH_WIDTH` decades or more, (B,).

    It leaves chance at least so far below the largest size, and is no steeper than one that reaches the best score
    after so many decades: a line is cut at the best score, and a steeper one would stand for any jump to it.

    Where the line may leave chance depends on the decades that a curve spans, and how steep it may be on chance, so
    that curves which agree in both are fitted together.
    """
    alike = np.round(np.column_stack([counts.x[:, -1] - counts.x[:, 0], counts.chance]), _ALIKE)
    loglik = np.empty(len(counts))
    for span, chance in np.unique(alike, axis=0):
        rows = np.flatnonzero((alike == (span, chance)).all(axis=1))
        longest = {"share": max(1.0 - SMOOTH_WIDTH / span, 0.0), "slope": (1.0 - chance) / SMOOTH_WIDTH}
        loglik[rows] = fit(FORMS["hinge"].bounded(upper=longest), counts.rows(rows)).loglik
    return loglik


def pooled_bounds(counts: Counts, sizes: int) -> tuple[Array, Array]:
    """Exact one-sided 95 % bounds of the score of the smallest sizes, pooled (Clopper and Pearson 1934)."""
    k, n = counts.k[:, :sizes].sum(axis=1), counts.n[:, :sizes].sum(axis=1)
    return np.where(k > 0, beta.ppf(0.05, np.maximum(k, 1e-9), n - k + 1), 0.0), pooled_high(counts, sizes)


def pooled_high(counts: Counts, sizes: int) -> Array:
    """The upper one of `pooled_bounds`, (B,)."""
    k, n = counts.k[:, :sizes].sum(axis=1), counts.n[:, :sizes].sum(axis=1)
    return np.where(k < n, beta.ppf(0.95, k + 1, np.maximum(n - k, 1e-9)), 1.0)


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
