"""Every test behind a verdict, for many curves at once, before any is corrected."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.analysis.curves import Curve, shape
from harness.analysis.growth import (
    FEWEST_TO_EXTRAPOLATE,
    FORMS,
    Counts,
    Fits,
    dispersion,
    effective_documents,
    first_persistent,
    fit,
    sizes_above_chance,
)
from harness.analysis.stats import (
    LUCKY_MATCHES,
    PRACTICAL_EFFECT,
    Array,
    Index,
    Mask,
    Trends,
    above_chance_p,
    trend,
    trends,
)
from harness.analysis.stats.distributions import binom
from harness.analysis.verdict.extrapolation import apparent, narrow, pooled_bounds, pooled_high, sharp
from harness.analysis.verdict.types import CurveTests
from harness.analysis.verdict.ushape import arms

ALPHA_EXT = 0.01
"""Level of the tests behind the word emergent: the claim asks for more than a trend."""
LONE_RUN_SD = 0.034
"""Spread between training runs assumed where too few sizes are known to see it in the curve: the largest found among
reruns on ten common tasks (BoolQ, OLMo ladder)."""


def weigh(
    counts: Counts,
    *,
    foresee: Mask | None = None,
    jumps: bool = True,
    decades: bool = True,
    noise: Array | None = None,
    lone_run_sd: float | None = None,
    needed: float = ALPHA_EXT,
) -> CurveTests:
    """All tests on curves of equally many sizes, scores and chance as shares of the best score.

    Args:
        counts: the curves, documents already discounted for the noise between runs.
        foresee: curves worth extrapolating, (B,); None extrapolates all.
        jumps: compute `p_sharp`, which qualifies a verdict but decides none, and an exact `p_jump` everywhere. Without
            this, a `p_jump` that is not significant may be smaller than the exact one.
        needed: largest `p_jump` that is significant, where `jumps` are not asked for.
        decades: positions are log10 of a scale, so that widths in decades have a meaning.
        noise: dispersion of each curve where it is known already, (B,); None estimates it.
        lone_run_sd: noise between runs assumed by the extrapolation tests, for curves with too few sizes to show their
            own; None takes the counts as they are.
    """
    # Sizes at one place have no trend; rounding may make their distances from the mean not quite 0.
    apart = counts.x[:, 0] < counts.x[:, -1]
    line = Trends(*(np.where(apart, of, np.nan) for of in trends(counts.x, counts.k, counts.n)))
    y = counts.k / counts.n
    above = sizes_above_chance(counts)
    fits = _fitted(counts) if noise is None else {}
    spread, freedom = _dispersion(counts, fits) if noise is None else (noise, np.ones(len(counts), dtype=int))
    wary = counts if lone_run_sd is None else _with_run_noise(counts, lone_run_sd)
    foretold = _extrapolated(wary, spread, foresee=foresee, jumps=jumps, decades=decades, needed=needed)
    low, high = _below(counts, foretold.held_out)
    jump_below_high = _below(counts, foretold.jump_held_out)[1]
    steps = shape(y)
    turning = arms(counts.x, counts.k, counts.n, effect=PRACTICAL_EFFECT)
    return CurveTests(
        counts=counts,
        unit=np.ones(len(counts)),
        effect=np.full(len(counts), PRACTICAL_EFFECT),
        z_trend=line.z,
        p_trend=line.p,
        reach=line.fitted_range,
        reach_error=line.fitted_range_stderr,
        p_top=_p_top(counts),
        top=y[:, -1] - counts.chance,
        above=above,
        first=first_persistent(above),
        dispersion=spread,
        freedom=freedom,
        fits=fits,
        turn=turning.turn,
        p_turn=turning.p,
        below_low=low,
        below_high=high,
        jump_below_high=jump_below_high,
        lowest=y.min(axis=1) - counts.chance,
        breakthroughness=steps.breakthroughness,
        linearity=steps.linearity,
        **foretold._asdict(),
    )


def weigh_alone(curve: Curve) -> CurveTests:
    """The trend and the tests against chance of one curve that is not `countable`: a loss, or a score of unknown error.

    No growth law is fitted, because without a lowest and a best score nobody knows how far the curve could go.
    """
    metric = curve.metric
    direction = 1 if metric.higher_is_better else -1
    scale = max(abs(metric.best or 0.0), abs(metric.chance or 0.0))
    unit = scale or 1.0
    found = trend(curve.position, curve.run_estimates) if len(set(curve.x)) > 1 else None
    y = direction * np.array([curve.y]) / unit
    none, m = np.full(1, np.nan), len(curve.points)
    of_each = [above_chance_p(e, metric) for e in curve.run_estimates]
    above = np.array([[p is not None and p < 0.05 / m for p in of_each]])
    steps = shape(y)
    p_top = of_each[-1]
    return CurveTests(
        counts=None,
        unit=np.full(1, unit),
        effect=np.full(1, PRACTICAL_EFFECT if scale else 0.0),
        z_trend=none if found is None else np.array([direction * found.z]),
        p_trend=none if found is None else np.array([found.p]),
        reach=none if found is None else np.array([direction * found.fitted_range / unit]),
        reach_error=none if found is None else np.array([found.fitted_range_stderr / unit]),
        p_top=none if p_top is None else np.array([p_top]),
        top=none if metric.chance is None else y[:, -1] - direction * metric.chance / unit,
        above=above,
        first=first_persistent(above),
        dispersion=np.ones(1),
        freedom=np.ones(1, dtype=int),
        fits={},
        turn=np.zeros(1, dtype=int),
        p_turn=none,
        p_ext=none,
        p_ext_noise=none,
        held_out=np.ones(1, dtype=int),
        foreseen=none,
        below_low=none,
        below_high=none,
        lowest=none if metric.chance is None else y.min(axis=1) - direction * metric.chance / unit,
        p_sharp=none,
        p_jump=none,
        jump_held_out=np.ones(1, dtype=int),
        jump_below_high=none,
        breakthroughness=steps.breakthroughness,
        linearity=steps.linearity,
    )


def worth_extrapolating(counts: Counts, effect: float) -> Mask:
    """Which curves end clearly above chance after smaller sizes near it, (B,): only these can be called emergent.

    Args:
        counts: the curves.
        effect: gain over chance that matters, as a share of the best score.
    """
    near, there = np.zeros(len(counts), dtype=bool), counts.k[:, -1] / counts.n[:, -1] > counts.chance + effect
    for sizes in range(3, counts.sizes):
        left = np.flatnonzero(there & ~near)
        near[left] = pooled_high(counts.rows(left), sizes) < counts.chance[left] + effect
    return near


class _Extrapolated(NamedTuple):
    """What the tests of `extrapolation` say of B curves; the fields are those of `CurveTests`."""

    p_ext: Array
    p_ext_noise: Array
    held_out: Index
    foreseen: Array
    p_sharp: Array
    p_jump: Array
    jump_held_out: Index


def _extrapolated(
    counts: Counts, spread: Array, *, foresee: Mask | None, jumps: bool, decades: bool, needed: float
) -> _Extrapolated:
    """The tests of `extrapolation` on the curves worth it; the arguments are those of `weigh`."""
    absent = [np.full(len(counts), np.nan) for _ in range(5)]
    p_ext, p_ext_noise, foreseen, p_sharp, p_jump = absent
    held_out, jump_held_out = np.ones(len(counts), dtype=int), np.ones(len(counts), dtype=int)
    found = _Extrapolated(p_ext, p_ext_noise, held_out, foreseen, p_sharp, p_jump, jump_held_out)
    chosen = np.arange(len(counts)) if foresee is None else np.flatnonzero(foresee)
    if counts.sizes < FEWEST_TO_EXTRAPOLATE or not len(chosen):
        return found
    some = counts.rows(chosen)
    surprise = apparent(some)
    p_ext[chosen], p_ext_noise[chosen] = surprise.p, surprise.p
    foreseen[chosen], found.held_out[chosen] = surprise.foreseen, surprise.held_out
    doubtful = np.flatnonzero((p_ext < ALPHA_EXT) & (spread > 1.0))
    if len(doubtful):
        p_ext_noise[doubtful] = apparent(_discounted(counts.rows(doubtful), spread[doubtful])).p
    if jumps and decades:
        p_sharp[chosen] = sharp(some).p
    if decades:
        broken = narrow(some, PRACTICAL_EFFECT, needed=math.inf if jumps else math.nextafter(needed, 1.0))
        p_jump[chosen], jump_held_out[chosen] = broken.p, broken.held_out
    return found


def _with_run_noise(counts: Counts, run_sd: float) -> Counts:
    """The same scores on as many documents as are left when the noise between training runs is counted."""
    n = effective_documents(counts.n, run_sd)
    return replace(counts, k=counts.k / counts.n * n, n=n)


def _discounted(counts: Counts, spread: Array) -> Counts:
    return replace(counts, k=counts.k / spread[:, None], n=counts.n / spread[:, None])


def _fitted(counts: Counts) -> dict[str, Fits]:
    return {name: fit(form, counts) for name, form in FORMS.items() if counts.sizes > max(form.p, 2)}


def _dispersion(counts: Counts, fitted: Mapping[str, Fits]) -> tuple[Array, Index]:
    """Scatter about the best form of each curve, and the sizes that form leaves free."""
    if not fitted:
        return np.ones(len(counts)), np.ones(len(counts), dtype=int)
    fits = list(fitted.values())
    # The correction of AICc does not exist for two parameters on three sizes; a straight line must be in the race.
    small = counts.sizes - 2 - 1 <= 0
    criteria = [2 * f.form.p - 2 * f.loglik if small else f.aicc(counts.sizes) for f in fits]
    best = np.stack(criteria).argmin(axis=0)
    spread = np.choose(best, [dispersion(counts, f.mean(counts.x), f.form.p) for f in fits])
    return spread, counts.sizes - np.array([f.form.p for f in fits])[best]


def _p_top(counts: Counts) -> Array:
    n = np.floor(counts.n[:, -1] + 1e-9)
    k = np.minimum(np.floor(counts.k[:, -1] + 1e-6), n)
    return np.asarray(binom.sf(k - 1, n, np.maximum(counts.chance, LUCKY_MATCHES)))


def _below(counts: Counts, out: Index) -> tuple[Array, Array]:
    """Bounds of the pooled score of all but the largest sizes.

    Args:
        counts: the curves.
        out: how many of the largest sizes to leave out of each curve, (B,).
    """
    low, high = np.empty(len(counts)), np.empty(len(counts))
    for left_out in np.unique(out):
        rows = out == left_out
        low[rows], high[rows] = pooled_bounds(counts.rows(rows), max(counts.sizes - int(left_out), 1))
    return low, high
