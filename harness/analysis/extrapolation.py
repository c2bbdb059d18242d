"""Could the largest sizes be foreseen from the smaller ones? The two tests behind the word *emergent*.

`apparent`: an ability is emergent if it "is not present in smaller models but is present in larger models" and "cannot
be predicted simply by extrapolating the performance of smaller models" (Wei et al. 2022, section 2). The test
extrapolates simple growth laws fitted to the smaller sizes and asks how surprising the largest one is.

`sharp`: no smooth curve at all, fitted to every size, describes the jump. Far fewer curves pass: a steep power law of
which only the last size rises above the noise looks exactly like a step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import binom, chi2

from harness.analysis.fits import Counts, fit, saturated
from harness.analysis.forms import FORMS, Array

LAWS = ("linear", "power", "error-power")
"""What "simply extrapolating" means here: each law is tried, and the one that foresees the largest size best counts."""
HELD_OUT = (1, 2)
"""How many of the largest sizes are held out; two only where six sizes or more are known."""
_FEWEST_FOR_TWO = 6
SMOOTH_EXPONENT = 1.5
"""Steepest power law still called smooth: score times 10^1.5 per decade of scale."""
SMOOTH_WIDTH = 1.0
"""Narrowest rise still called smooth: decades between 10 % and 90 % of a logistic curve, 2 ln 9 / k."""


class Surprise(NamedTuple):
    """How badly the smaller sizes foretell the larger ones; arrays over curves."""

    p: Array
    """p value, (B,), largest over the laws, smallest over the numbers held out, times how many of these were tried."""
    held_out: Array
    """Number of largest sizes held out where `p` was smallest, (B,)."""
    foreseen: Array
    """Best prediction for the sizes held out, (B,)."""


def held_out(sizes: int) -> tuple[int, ...]:
    """Numbers of sizes to hold out of a curve of `sizes`; empty when nothing can be extrapolated."""
    return tuple(h for h in HELD_OUT if sizes - h >= (3 if h == 1 else _FEWEST_FOR_TWO - h))


def apparent(counts: Counts) -> Surprise:
    """p_ext: the chance of largest sizes this good if growth had gone on as among the smaller ones.

    For h in {1, 2}: fit each law to the m - h smallest sizes, predict the h largest, p = max over laws of
    P(K >= k | n, mu_predicted) with their documents pooled. The smaller of the two p, times two (Bonferroni). Plug-in:
    the error of the prediction itself is not in it, so the laws get their best case instead, the maximum over laws.

    Args:
        counts: at least four sizes.
    """
    tried, levels = [], []
    tests = held_out(counts.sizes)
    for h in tests:
        fits = [fit(FORMS[law], counts.smallest(counts.sizes - h)) for law in LAWS]
        n = counts.n[:, -h:]
        k, whole = np.floor(counts.k[:, -h:].sum(axis=1) + 1e-9), np.floor(n.sum(axis=1) + 1e-9)
        # A larger mean makes the tail larger: the maximum over laws is the law that predicts most.
        foreseen = np.max([(f.mean(counts.x[:, -h:]) * n).sum(axis=1) / n.sum(axis=1) for f in fits], axis=0)
        tried.append(binom.sf(k - 1, whole, foreseen))
        levels.append(foreseen)
    return _corrected(np.array(tried), np.array(levels), tests)


def sharp(counts: Counts) -> Surprise:
    """p_sharp: likelihood ratio of the largest sizes leaving the best smooth curve.

    D = 2 [l(first m - h) + l_saturated(last h) - l(all)], smallest over smooth forms, against chi-squared with h
    degrees of freedom, for h in {1, 2}; the smaller p times two. Smooth forms are the power law with an exponent up to
    `SMOOTH_EXPONENT` per decade and the logistic curve at least `SMOOTH_WIDTH` decades wide. Positions must be log10
    of a scale.

    Args:
        counts: at least four sizes.
    """
    forms = (
        FORMS["power"].bounded(upper={"b": SMOOTH_EXPONENT * np.log(10)}),
        FORMS["logistic"].bounded(upper={"k": 2 * np.log(9) / SMOOTH_WIDTH}),
    )
    by_itself = saturated(counts)
    everything = [fit(form, counts) for form in forms]
    tried, levels = [], []
    tests = held_out(counts.sizes)
    for h in tests:
        parts = [fit(form, counts.smallest(counts.sizes - h)) for form in forms]
        ratios = [
            2 * (part.loglik + by_itself[:, -h:].sum(axis=1) - whole.loglik)
            for part, whole in zip(parts, everything, strict=True)
        ]
        tried.append(chi2.sf(np.maximum(np.min(ratios, axis=0), 0.0), h))
        levels.append(np.max([part.mean(counts.x)[:, -1] for part in parts], axis=0))
    return _corrected(np.array(tried), np.array(levels), tests)


def _corrected(p: Array, levels: Array, tests: tuple[int, ...]) -> Surprise:
    best = p.argmin(axis=0)
    at = np.arange(p.shape[1])
    return Surprise(
        p=np.minimum(p[best, at] * len(tests), 1.0), held_out=np.array(tests)[best], foreseen=levels[best, at]
    )
