"""The most likely parameters of many curves at once: the best points of a grid, then damped Fisher scoring.

No optimiser runs in a Python loop over curves. Curves are the last axis of every array here, so that a sum over sizes
or parameters is a few additions of long rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from harness.analysis.growth.likelihood import clipped
from harness.analysis.growth.types import Form
from harness.analysis.stats import Array, Mask

_ROUNDS = 80
_NOTHING = 1e-6
"""Gain in log-likelihood not worth another step."""
_PROMISE = 1e-7
"""Gain that a full step promises below which a row has arrived."""
_STARTS = 5
"""Best grid points from which a fit is refined; one alone ends in the wrong valley for a few curves in a hundred, three
for a hinge whose kink they all put at the same side of a size."""
_FIRST, _LEAST, _MOST = 1e-2, 1e-9, 1e10
"""Damping to begin with, and its range."""
_STIFF = 1.0
"""Damping from which steps are so short that those which gain nothing lead nowhere."""
_AT_ONCE = 65_000
"""Grid points times sizes weighed in one go: what the caches of a processor hold."""
_CLIMBING = 250_000
"""Rows times sizes that climb together."""
_CRAMPED = 0.75
"""Share of rows still climbing below which the others are taken out of the arrays."""


class Batch(NamedTuple):
    """What the likelihood of B curves is made of."""

    x: Array
    """Positions, (m, B)."""
    k: Array
    """Successes, (m, B)."""
    n: Array
    """Documents, (m, B)."""
    chance: Array
    """(1, B)."""
    ends: Array
    """Anchors of the parameters, (2, B)."""

    def rows(self, chosen: Any) -> Batch:
        """Some of the curves, by index or mask."""
        return Batch(*(values[:, chosen] for values in self))

    def parts(self, numbers: int) -> Iterator[slice]:
        """All of the curves in runs of at most so many numbers in `x`."""
        sizes, curves = self.x.shape
        run = max(1, numbers // sizes)
        return (slice(first, first + run) for first in range(0, curves, run))


def searched(form: Form, some: Batch) -> Array:
    """The best grid points of each curve, (s, p, B)."""
    low, high = _bounds(form)
    points = np.clip(np.stack(np.meshgrid(*form.grid, indexing="ij")).reshape(form.p, -1), low, high)
    size, best = points.shape[1], []
    for part in some.parts(_AT_ONCE // size):
        # Point by point, all curves at each.
        tiled = Batch(*(np.tile(values, size) for values in some.rows(part)))
        repeated = np.repeat(points, tiled.x.shape[1] // size, axis=1)
        mu = clipped(_shape(form, repeated, tiled)[0])
        value = _loglik(tiled.k, tiled.n, mu).sum(axis=0).reshape(size, -1) - _cost(form, points)[:, None]
        best.append(np.argsort(-value, axis=0)[:_STARTS])
    return np.asarray(np.moveaxis(points[:, np.concatenate(best, axis=1)], 0, 1))


def refined(form: Form, some: Batch, starts: Array, kept: Mask) -> tuple[Array, Array]:
    """The best parameters reached from any start, (p, B), and their log-likelihood without coefficients, (B,).

    Args:
        form: which family of curves.
        some: the curves.
        starts: parameters to begin with, (s, p, B).
        kept: parameters that stay as they are, (p,).
    """
    many, _, curves = starts.shape
    theta, value = np.concatenate(list(starts), axis=1), np.empty(many * curves)
    all_of_them = some.rows(np.tile(np.arange(curves), many))
    for part in all_of_them.parts(_CLIMBING):
        theta[:, part], value[part] = _climb(form, all_of_them.rows(part), theta[:, part], kept)
    winner = value.reshape(many, curves).argmax(axis=0) * curves + np.arange(curves)
    return theta[:, winner], value[winner]


class _Standing(NamedTuple):
    """Where each row stands, and what it sees there."""

    theta: Array
    """Parameters, (p, B)."""
    value: Array
    """Log-likelihood less the cost of steepness, (B,)."""
    pull: Array
    """Its gradient, (p, B)."""
    information: Array
    """Its expected curvature, (p, p, B)."""

    def rows(self, chosen: Any) -> _Standing:
        return _Standing(*(values[..., chosen] for values in self))


def _climb(form: Form, some: Batch, theta: Array, kept: Mask) -> tuple[Array, Array]:
    """Damped Fisher scoring within bounds (Levenberg 1944; Osborne 1992), every row at its own damping.

    A parameter that stands at a bound and is pushed outwards keeps still while the others move.
    """
    low, high = _bounds(form)
    here = _seen(form, np.minimum(np.maximum(theta, low), high), some)
    summit, reached = here.theta.copy(), here.value.copy()
    live = np.arange(len(reached))
    damping, still = np.full(len(live), _FIRST), np.zeros(len(live), dtype=int)
    for _ in range(_ROUNDS):
        held = np.where(here.pull < 0, here.theta <= low, here.theta >= high) | kept[:, None]
        step, promised = _step(here.information, np.where(held, 0.0, here.pull), held, damping)
        there = _seen(form, np.minimum(np.maximum(here.theta + step, low), high), some)
        gain = there.value - here.value
        damping = _damping(here, there, damping)
        # A step that loses less than rounding does has nowhere to go either.
        still = np.where((np.abs(gain) < _NOTHING) & (damping > _STIFF), still + 1, 0)
        here = _Standing(*(np.where(gain >= 0, new, old) for new, old in zip(there, here, strict=True)))
        going = (promised > _PROMISE) & (still < 2) & (damping < _MOST)
        if np.count_nonzero(going) < _CRAMPED * len(live):
            summit[:, live], reached[live] = here.theta, here.value
            live, damping, still = live[going], damping[going], still[going]
            here, some = here.rows(going), some.rows(going)
            if not len(live):
                break
    summit[:, live], reached[live] = here.theta, here.value
    return summit, reached + _cost(form, summit)


def _damping(here: _Standing, there: _Standing, damping: Array) -> Array:
    """The damping of each row after a step, (B,).

    Where a form is not linear in its parameters the expected information is not the curvature, and lightly damped
    steps go past the summit and back for ever. A step s along the pull g that gained G has met the curvature
    s'Hs = 2 (g's - G) of a parabola; the next damping is the one that would have foreseen it (as Fletcher 1971 finds
    his from the value at a step that failed), within a factor of the last one.
    """
    gain, moved = there.value - here.value, there.theta - here.theta
    met = 2 * ((here.pull * moved).sum(axis=0) - gain)
    foreseen = ((here.information * moved).sum(axis=1) * moved).sum(axis=0)
    diagonal = np.arange(len(moved))
    stretch = (here.information[diagonal, diagonal] * moved**2).sum(axis=0)
    right = (met - foreseen) / np.maximum(stretch, 1e-300)
    better = gain >= 0
    least = np.where(better, np.maximum(damping / 8, _LEAST), damping * 4)
    most = np.where(better, np.maximum(damping * 1000, 4.0), damping * 64)
    return np.asarray(np.minimum(np.maximum(right, least), most))


def _seen(form: Form, theta: Array, some: Batch) -> _Standing:
    """The likelihood and its first derivatives; a curve keeps between 0 and 1 and has no slope where it would leave.

    A size there weighs a billion times as much as others and would stop every step of the curve through them.
    """
    mu, slopes = _shape(form, theta, some)
    within = (mu >= 0) & (mu <= 1)
    if not within.all():
        slopes = slopes * within
    mu = clipped(mu)
    weight = 1 / (mu * (1 - mu))
    weighted = slopes * (some.n * weight)
    pairs = [(i, j) for i in range(form.p) for j in range(i + 1)]
    # All that is summed over sizes, in one array: many small sums cost more than the numbers in them.
    terms = np.empty((1 + form.p + len(pairs), *mu.shape))
    terms[0] = _loglik(some.k, some.n, mu)
    np.multiply(slopes, (some.k - some.n * mu) * weight, out=terms[1 : 1 + form.p])
    for at, (i, j) in enumerate(pairs, start=1 + form.p):
        np.multiply(weighted[i], slopes[j], out=terms[at])
    sums = terms.sum(axis=1)
    information = np.empty((form.p, form.p, theta.shape[1]))
    for (i, j), value in zip(pairs, sums[1 + form.p :], strict=True):
        information[i, j] = information[j, i] = value
    ridge = form.ridge[:, None]
    information[np.arange(form.p), np.arange(form.p)] += ridge
    return _Standing(theta, sums[0] - _cost(form, theta), sums[1 : 1 + form.p] - ridge * theta, information)


def _step(information: Array, pull: Array, held: Mask, damping: Array) -> tuple[Array, Array]:
    """The damped step, (p, B), and the gain that an undamped one promises, (B,).

    A damped step along a narrow ridge promises little however far the summit is.
    """
    p = len(pull)
    diagonal = np.arange(p)
    # Scaled to a unit diagonal: parameters differ by orders of magnitude, and so would the damping.
    scale = 1 / np.sqrt(np.maximum(information[diagonal, diagonal], 1e-12))
    scaled = np.where(held, 0.0, scale)
    unit = information * scaled[:, None] * scaled
    unit[diagonal, diagonal] = 1.0
    both = np.stack([unit, unit], axis=2)
    both[diagonal, diagonal, 0] += damping
    wanted = np.stack([pull * scale] * 2, axis=1)
    steps = _solved(both, wanted.copy())
    return steps[:, 0] * scale, (wanted[:, 1] * steps[:, 1]).sum(axis=0) / 2


def _solved(matrix: Array, right: Array) -> Array:
    """Solutions of many tiny symmetric systems by elimination: matrix (p, p, ...), right side (p, ...), overwritten."""
    p = len(right)
    for i in range(p):
        pivot = np.maximum(matrix[i, i], 1e-9)
        matrix[i, i] = pivot
        for j in range(i + 1, p):
            factor = matrix[i, j] / pivot
            matrix[j, j:] -= factor * matrix[i, j:]
            right[j] -= factor * right[i]
    for i in reversed(range(p)):
        for j in range(i + 1, p):
            right[i] -= matrix[i, j] * right[j]
        right[i] /= matrix[i, i]
    return right


def _shape(form: Form, theta: Array, some: Batch) -> tuple[Array, Array]:
    """The curve, (m, B), and its slopes, (p, m, B)."""
    mu, slopes = form.shape(theta.T, some.x.T, some.chance.T, some.ends.T)
    return mu.T, slopes.transpose(2, 1, 0)


def _loglik(k: Array, n: Array, mu: Array) -> Array:
    """Of each size: k log mu + (n - k) log(1 - mu)."""
    return np.asarray(k * np.log(mu) + (n - k) * np.log1p(-mu))


def _cost(form: Form, theta: Array) -> Array:
    """What steepness takes off the log-likelihood, (B,)."""
    return np.asarray(form.ridge @ theta**2 / 2)


def _bounds(form: Form) -> tuple[Array, Array]:
    return np.array(form.lower)[:, None], np.array(form.upper)[:, None]
