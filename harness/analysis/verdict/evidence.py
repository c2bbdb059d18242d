"""What a curve gives to weigh: every test behind a verdict, for many curves at once, before any is corrected."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

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
from harness.analysis.verdict.extrapolation import apparent, jump, pooled_bounds, sharp
from harness.analysis.verdict.ushape import arms

ALPHA_EXT = 0.01
"""Level of the tests behind the word emergent: the claim asks for more than a trend."""
LONE_RUN_SD = 0.034
"""Spread between training runs assumed where too few sizes are known to see it in the curve: the largest found among
reruns on ten common tasks (BoolQ, OLMo ladder)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Tests on B curves with m sizes each; scores as shares of the best one. NaN where a test does not exist."""

    counts: Counts | None
    """The curves, with documents discounted for the noise between runs; None for scores that are no counts."""
    unit: Array
    """What one stands for in units of the metric, (B,)."""
    effect: Array
    """Change that matters, as a share of `unit`; 0 for a metric without a scale, (B,)."""
    z_trend: Array
    """Cochran-Armitage statistic over the positions, positive when the score rises, (B,)."""
    p_trend: Array
    """Its two-sided p, (B,)."""
    reach: Array
    """Rise of the weighted straight line from the smallest to the largest size, (B,)."""
    reach_error: Array
    """Standard error of `reach`, (B,)."""
    p_top: Array
    """Exact one-sided p of the largest size against chance, (B,)."""
    top: Array
    """Gain of the largest size over chance, (B,)."""
    above: Mask
    """Sizes reliably above chance, (B, m)."""
    first: Index
    """Index of the first size from which all are above chance; m when there is none, (B,)."""
    dispersion: Array
    """Pearson dispersion about the form that describes the curve best, at least 1, (B,): noise between runs that the
    documents do not account for."""
    freedom: Index
    """Sizes minus parameters of that form, (B,)."""
    fits: Mapping[str, Fits]
    """The forms that were fitted to find it, by name; empty where it was known."""
    turn: Index
    """1 falls then rises, -1 rises then falls, 0 neither; whatever `p_turn` is, (B,)."""
    p_turn: Array
    """Larger p of the two arms, corrected over where they meet, (B,)."""
    arms: Array
    """Rise of each arm over its own sizes, (B, 2)."""
    p_ext: Array
    """Apparent emergence, see `extrapolation.apparent`, (B,)."""
    p_ext_noise: Array
    """The same with documents discounted for `dispersion`, where `p_ext` is small and the curve scatters, (B,)."""
    held_out: Index
    """Sizes held out where `p_ext` was smallest, (B,); 1 where it was not computed."""
    foreseen: Array
    """Best prediction for the sizes held out, (B,)."""
    below_low: Array
    """Lower 95 % bound (one-sided, exact) of the score of all sizes but those held out, pooled, (B,)."""
    below_high: Array
    """Upper 95 % bound (one-sided, exact) of the same, (B,)."""
    lowest: Array
    """Distance from chance of the smallest score of the curve, (B,)."""
    p_sharp: Array
    """Sharp emergence, see `extrapolation.sharp`, (B,)."""
    p_jump: Array
    """Sharp emergence further down the curve, see `extrapolation.jump`, (B,)."""
    breakthroughness: Array
    """B, (B,)."""
    linearity: Array
    """L, (B,)."""


def weigh(
    counts: Counts,
    *,
    foresee: Mask | None = None,
    jumps: bool = True,
    decades: bool = True,
    noise: Array | None = None,
    lone_run_sd: float | None = None,
) -> Evidence:
    """All tests on curves of equally many sizes, scores and chance as shares of the best score.

    Args:
        counts: the curves, documents already discounted for the noise between runs.
        foresee: curves worth extrapolating, (B,); None extrapolates all.
        jumps: compute `p_sharp`, which qualifies a verdict and decides none, and `p_jump` also where it decides none;
            else a `p_jump` that is not significant may be too small.
        decades: positions are log10 of a scale, so that widths in decades have a meaning.
        noise: dispersion of each curve where it is known already, (B,); None finds it.
        lone_run_sd: noise between runs assumed by the extrapolation tests, for curves with too few sizes to show their
            own; None takes the counts as they are.
    """
    # Sizes at one place have no trend; rounding may make their distances from the mean not quite 0.
    apart = counts.x[:, 0] < counts.x[:, -1]
    line = Trends(*(np.where(apart, of, np.nan) for of in trends(counts.x, counts.k, counts.n)))
    y = counts.k / counts.n
    above = sizes_above_chance(counts)
    wary = counts
    if lone_run_sd is not None:
        n = effective_documents(counts.n, lone_run_sd)
        wary = Counts(x=counts.x, k=y * n, n=n, chance=counts.chance)
    p_ext, p_ext_noise, foreseen, p_sharp, p_jump = (np.full(len(counts), np.nan) for _ in range(5))
    fits = _fitted(counts) if noise is None else {}
    found, freedom = _dispersion(counts, fits) if noise is None else (noise, np.ones(len(counts), dtype=int))
    out = np.ones(len(counts), dtype=int)
    chosen = np.arange(len(counts)) if foresee is None else np.flatnonzero(foresee)
    if counts.sizes >= FEWEST_TO_EXTRAPOLATE and len(chosen):
        some = wary.rows(chosen)
        surprise = apparent(some)
        p_ext[chosen], foreseen[chosen], out[chosen] = surprise.p, surprise.foreseen, surprise.held_out
        p_ext_noise[chosen] = surprise.p
        doubtful = np.flatnonzero((p_ext < ALPHA_EXT) & (found > 1.0))
        if len(doubtful):
            p_ext_noise[doubtful] = apparent(_discounted(wary.rows(doubtful), found[doubtful])).p
        if jumps and decades:
            p_sharp[chosen] = sharp(some).p
        if decades:
            unforeseen = np.maximum(surprise.p, p_ext_noise[chosen]) < ALPHA_EXT
            asked = np.flatnonzero(np.full(len(chosen), jumps) | ~unforeseen)
            broken = jump(some.rows(asked), PRACTICAL_EFFECT, needed=math.inf if jumps else ALPHA_EXT)
            p_jump[chosen[asked]] = broken.p
            inner = (broken.p < ALPHA_EXT) & ~unforeseen[asked]
            out[chosen[asked[inner]]] = broken.held_out[inner]
    low, high = _below(counts, out)
    described = shape(y)
    turning = arms(counts.x, counts.k, counts.n, effect=PRACTICAL_EFFECT)
    return Evidence(
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
        dispersion=found,
        freedom=freedom,
        fits=fits,
        turn=turning.turn,
        p_turn=turning.p,
        arms=turning.reach,
        p_ext=p_ext,
        p_ext_noise=p_ext_noise,
        held_out=out,
        foreseen=foreseen,
        below_low=low,
        below_high=high,
        lowest=y.min(axis=1) - counts.chance,
        p_sharp=p_sharp,
        p_jump=p_jump,
        breakthroughness=described.breakthroughness,
        linearity=described.linearity,
    )


def weigh_alone(curve: Curve) -> Evidence:
    """Trend and distance from chance of one curve that is not `countable`: a loss, or a score of unknown error.

    No growth law is fitted: where a score may go is not known without a floor and a best.
    """
    metric = curve.metric
    direction = 1 if metric.higher_is_better else -1
    scale = max(abs(metric.best or 0.0), abs(metric.chance or 0.0))
    unit = scale or 1.0
    found = trend(curve.position, curve.estimates) if len(set(curve.x)) > 1 else None
    y = direction * np.array([curve.y]) / unit
    none, m = np.full(1, np.nan), len(curve.points)
    of_each = [above_chance_p(e, metric) for e in curve.estimates]
    above = np.array([[p is not None and p < 0.05 / m for p in of_each]])
    described = shape(y)
    p_top = of_each[-1]
    return Evidence(
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
        arms=np.zeros((1, 2)),
        p_ext=none,
        p_ext_noise=none,
        held_out=np.ones(1, dtype=int),
        foreseen=none,
        below_low=none,
        below_high=none,
        lowest=none if metric.chance is None else y.min(axis=1) - direction * metric.chance / unit,
        p_sharp=none,
        p_jump=none,
        breakthroughness=described.breakthroughness,
        linearity=described.linearity,
    )


def worth_extrapolating(counts: Counts, effect: float) -> Mask:
    """Curves that end clearly above chance after smaller sizes near it: the only ones that can be called emergent."""
    near = np.zeros(len(counts), dtype=bool)
    for sizes in range(3, counts.sizes):
        near |= pooled_bounds(counts, sizes)[1] < counts.chance + effect
    return np.asarray(near & (counts.k[:, -1] / counts.n[:, -1] > counts.chance + effect))


def _discounted(counts: Counts, dispersion: Array) -> Counts:
    return replace(counts, k=counts.k / dispersion[:, None], n=counts.n / dispersion[:, None])


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
    """Bounds of the pooled score of all but the largest sizes, a number of its own left out of each curve."""
    low, high = np.empty(len(counts)), np.empty(len(counts))
    for left_out in np.unique(out):
        rows = out == left_out
        low[rows], high[rows] = pooled_bounds(counts.rows(rows), max(counts.sizes - int(left_out), 1))
    return low, high
