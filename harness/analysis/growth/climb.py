"""The most likely parameters of many curves at once: the best points of a grid, then damped Fisher scoring.

There is no Python loop over curves. Curves are the last axis of every array here, so that a sum over sizes or
parameters is a few additions of long rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from harness.analysis.growth.likelihood import clipped
from harness.analysis.growth.types import Form
from harness.analysis.stats import Array, Index, Mask

_ROUNDS = 80
"""Most steps of one search."""
_NOTHING = 1e-6
"""Gain in log-likelihood that is not worth another step."""
PROMISE = 1e-7
"""A search ends when a full step promises less gain than this, where nothing else is asked for."""
_STARTS = 5
"""Number of grid points from which each search starts. With one, a few curves in a hundred end in a local optimum; with
three, so does a hinge whose kink all three put on the same side of a size."""
_FIRST, _LEAST, _MOST = 1e-2, 1e-9, 1e10
"""First, smallest and largest damping."""
_STIFF = 1.0
"""Above this damping steps are so short that one without gain is followed by others without gain."""
_AT_ONCE = 33_000
"""Grid points, or rows, times sizes that are computed together, which is what the caches of a processor hold."""
_ON_GRID = 250_000
"""Grid points times curves whose likelihood is computed together."""
_ONE_THREAD = 260_000
"""Multiplications of one matrix product. OpenBLAS spreads larger ones over threads, which costs more than it saves
where another process works on the other cores."""
_CLIMBING = 250_000
"""Rows times sizes that are searched together."""
_CRAMPED = 0.75
"""When a smaller share of rows than this is still searching, the others are taken out of the arrays."""


class Batch(NamedTuple):
    """The numbers that the likelihood of B curves needs."""

    x: Array
    """Positions, (m, B)."""
    k: Array
    """Successes, (m, B)."""
    n: Array
    """Documents, (m, B)."""
    chance: Array
    """Level without the ability, (1, B)."""
    ends: Array
    """Anchors of the parameters, (2, B)."""

    def rows(self, chosen: Any) -> Batch:
        """Some of the curves, by index or mask."""
        return Batch(*(values[:, chosen] for values in self))

    def parts(self, numbers: int) -> Iterator[slice]:
        """Slices of the curves, each with at most so many numbers in `x`."""
        sizes, curves = self.x.shape
        return _slices(curves, numbers // sizes)


def _slices(rows: int, most: int) -> Iterator[slice]:
    run = max(1, most)
    return (slice(first, first + run) for first in range(0, rows, run))


def searched(form: Form, some: Batch) -> Array:
    """The best s grid points of each curve, (s, p, B)."""
    low, high = _bounds(form)
    points = np.clip(np.stack(np.meshgrid(*form.grid, indexing="ij")).reshape(form.p, -1), low, high)
    size, starts = points.shape[1], 1 if form.concave else _STARTS
    best = np.empty((some.x.shape[1], starts), dtype=int)
    for part in some.parts(_ON_GRID * len(some.x) // size):
        value = _on_grid(form, points, some.rows(part)) - _cost(form, points)
        found = np.argpartition(-value, starts - 1, axis=1)[:, :starts]
        best[part] = np.take_along_axis(found, np.argsort(-np.take_along_axis(value, found, axis=1), axis=1), axis=1)
    return np.asarray(np.moveaxis(points[:, best.T], 0, 1))


def _on_grid(form: Form, points: Array, some: Batch) -> Array:
    """Log-likelihood of every curve at every point, (B, points).

    Curves of one campaign have their sizes and their chance in common, so that the form is computed once for them.
    """
    size, (first, alike) = points.shape[1], _common(some)
    # Point by point, all sets of sizes at each.
    tiled = Batch(*(np.tile(values, size) for values in some.rows(first)))
    mu = clipped(_shape(form, np.repeat(points, len(first), axis=1), tiled)[0]).reshape(len(some.x), size, -1)
    right, wrong, failures = np.log(mu), np.log1p(-mu), some.n - some.k
    value = np.empty((len(alike), size))
    for one in range(len(first)):
        own = np.flatnonzero(alike == one)
        for part in _slices(len(own), _ONE_THREAD // mu[..., one].size):
            rows = own[part]
            value[rows] = some.k[:, rows].T @ right[..., one] + failures[:, rows].T @ wrong[..., one]
    return value


def _common(some: Batch) -> tuple[Index, Index]:
    """The first curve of each set that has sizes and chance in common, (sets,), and the set of each curve, (B,)."""
    common = np.concatenate([some.x, some.chance, some.ends])
    if (common == common[:, :1]).all():
        return np.zeros(1, dtype=int), np.zeros(common.shape[1], dtype=int)
    _, first, alike = np.unique(common, axis=1, return_index=True, return_inverse=True)
    return first, alike.reshape(-1)


def refined(form: Form, some: Batch, starts: Array, kept: Mask, promise: float = PROMISE) -> tuple[Array, Array]:
    """The best parameters that a search finds, (p, B), and their log-likelihood without coefficients, (B,).

    Args:
        form: the form to fit.
        some: the curves.
        starts: parameters to start from, (s, p, B).
        kept: True for parameters that do not change, (p,).
        promise: see `PROMISE`.
    """
    many, _, curves = starts.shape
    theta, value = np.concatenate(list(starts), axis=1), np.empty(many * curves)
    all_of_them = some.rows(np.tile(np.arange(curves), many))
    for part in all_of_them.parts(_CLIMBING):
        theta[:, part], value[part] = _climb(form, all_of_them.rows(part), theta[:, part], kept, promise)
    winner = value.reshape(many, curves).argmax(axis=0) * curves + np.arange(curves)
    return theta[:, winner], value[winner]


class _Standing(NamedTuple):
    """The parameters of each row in a step of the search, and the likelihood around them."""

    theta: Array
    """Parameters, (p, B)."""
    value: Array
    """Log-likelihood minus the cost of steepness, (B,)."""
    pull: Array
    """Gradient of `value`, (p, B)."""
    information: Array
    """Expected curvature of `value`, (p, p, B)."""

    def rows(self, chosen: Any) -> _Standing:
        return _Standing(*(values[..., chosen] for values in self))


def _climb(form: Form, some: Batch, theta: Array, kept: Mask, promise: float) -> tuple[Array, Array]:
    """Damped Fisher scoring within bounds (Levenberg 1944; Osborne 1992), every row with its own damping.

    A parameter at a bound that the gradient pushes outwards does not move, while the others do.
    """
    low, high = _bounds(form)
    here = _seen(form, np.minimum(np.maximum(theta, low), high), some)
    best, reached = here.theta.copy(), here.value.copy()
    live = np.arange(len(reached))
    damping, still = np.full(len(live), _FIRST), np.zeros(len(live), dtype=int)
    for _ in range(_ROUNDS):
        fixed = np.where(here.pull < 0, here.theta <= low, here.theta >= high) | kept[:, None]
        step, promised = _step(here.information, np.where(fixed, 0.0, here.pull), fixed, damping)
        there = _seen(form, np.minimum(np.maximum(here.theta + step, low), high), some)
        gain = there.value - here.value
        damping = _damping(here, there, damping)
        # A step that loses less than a rounding error has not failed, but there is nothing to gain either.
        still = np.where((np.abs(gain) < _NOTHING) & (damping > _STIFF), still + 1, 0)
        here = _Standing(*(np.where(gain >= 0, new, old) for new, old in zip(there, here, strict=True)))
        going = (promised > promise) & (still < 2) & (damping < _MOST)
        if np.count_nonzero(going) < _CRAMPED * len(live):
            best[:, live], reached[live] = here.theta, here.value
            live, damping, still = live[going], damping[going], still[going]
            here, some = here.rows(going), some.rows(going)
            if not len(live):
                break
    best[:, live], reached[live] = here.theta, here.value
    return best, reached + _cost(form, best)


def _damping(here: _Standing, there: _Standing, damping: Array) -> Array:
    """The damping of each row after a step, (B,).

    Where a form is not linear in its parameters, the expected information is not the curvature, and lightly damped
    steps may jump back and forth across the maximum for ever. A step s along the gradient g with gain G shows a
    curvature of s'Hs = 2 (g's - G). The next damping is the one that would have predicted this curvature, within some
    factors of the last damping (Fletcher 1971 does the same after a step that failed).
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
    """The likelihood and its first derivatives, a part of the rows after the other.

    Arrays of all rows would not fit into a processor's cache, and the system hands out memory for them each time anew.
    """
    rows = theta.shape[1]
    parts = math.ceil(rows * len(some.x) / _AT_ONCE)
    if parts < 2:
        return _seen_at_once(form, theta, some)
    ends = [rows * part // parts for part in range(parts + 1)]
    each = [_seen_at_once(form, theta[:, a:b], some.rows(slice(a, b))) for a, b in pairwise(ends)]
    return _Standing(*(np.concatenate(values, axis=-1) for values in zip(*each, strict=True)))


def _seen_at_once(form: Form, theta: Array, some: Batch) -> _Standing:
    """As `_seen`; where a curve would leave the range from 0 to 1, its slope counts as 0.

    A size at such a place has a billion times the weight of others, and would stop every step that improves these.
    """
    mu, slopes = _shape(form, theta, some)
    within = (mu >= 0) & (mu <= 1)
    if not within.all():
        slopes = slopes * within
    mu = clipped(mu)
    weight = 1 / (mu * (1 - mu))
    weighted = slopes * (some.n * weight)
    pairs = [(i, j) for i in range(form.p) for j in range(i + 1)]
    # Everything that is summed over sizes is put into one array, because many small sums take longer than one large
    # sum.
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


def _step(information: Array, pull: Array, fixed: Mask, damping: Array) -> tuple[Array, Array]:
    """The damped step, (p, B), and the gain that the undamped step promises, (B,).

    The gain of the damped step would not do: along a narrow ridge it is small however far the maximum is.
    """
    p = len(pull)
    diagonal = np.arange(p)
    # Scaled to a unit diagonal, because parameters differ by orders of magnitude, and their damping must not.
    scale = 1 / np.sqrt(np.maximum(information[diagonal, diagonal], 1e-12))
    scaled = np.where(fixed, 0.0, scale)
    unit = information * scaled[:, None] * scaled
    unit[diagonal, diagonal] = 1.0
    both = np.stack([unit, unit], axis=2)
    both[diagonal, diagonal, 0] += damping
    wanted = np.stack([pull * scale] * 2, axis=1)
    steps = _solved(both, wanted.copy())
    return steps[:, 0] * scale, (wanted[:, 1] * steps[:, 1]).sum(axis=0) / 2


def _solved(matrix: Array, right: Array) -> Array:
    """Solutions of many tiny symmetric systems by elimination; both arguments, (p, p, ...) and (p, ...), change."""
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
    """What is subtracted from the log-likelihood of steep curves, (B,)."""
    return np.asarray(form.ridge @ theta**2 / 2)


def _bounds(form: Form) -> tuple[Array, Array]:
    return np.array(form.lower)[:, None], np.array(form.upper)[:, None]
