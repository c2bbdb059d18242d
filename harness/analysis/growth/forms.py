"""The forms of growth: how a score may depend on scale, its slopes for the fit, and where it reaches a level."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.special import expit, logit

from harness.analysis.growth.types import Form
from harness.analysis.stats import LUCKY_MATCHES, Array


def _sloped(mu: Array, *slopes: Array) -> tuple[Array, Array]:
    """A curve and its slopes in each parameter, in the memory order of `Form.shape`."""
    return mu, np.stack([slope.T for slope in slopes]).T


def _passed(height: Array, start: Array, slope: Array, anchor: Array) -> Array:
    """Position at which a straight line reaches a height; at `anchor` its height is `start`."""
    return np.asarray(anchor + (height - start) / slope)


def _constant(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    return _sloped(np.repeat(theta, x.shape[1], axis=1), np.ones_like(x))


def _linear(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """A straight line, given by its heights at both ends of the fitted sizes; beyond them it is cut at 0 and 1."""
    span = np.maximum(ends[:, 1:] - ends[:, :1], 1e-12)
    along = (x - ends[:, :1]) / span
    return _sloped(theta[:, :1] * (1 - along) + theta[:, 1:] * along, 1 - along, along)


def _linear_inverse(theta: Array, level: Array, chance: Array, ends: Array) -> Array:
    slope = (theta[:, 1] - theta[:, 0]) / (ends[:, 1] - ends[:, 0])
    return _passed(level, theta[:, 0], slope, ends[:, 0])


def _power(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """Mean is c + (1 - c) exp(a + b (x - x_max)): the gain over chance is a power of scale with exponent b / ln 10."""
    at = x - ends[:, 1:]
    gain = (1 - chance) * np.exp(np.minimum(theta[:, :1] + theta[:, 1:] * at, 0.0))
    return _sloped(chance + gain, gain, gain * at)


def _power_inverse(theta: Array, level: Array, chance: Array, ends: Array) -> Array:
    return _passed(np.log((level - chance) / (1 - chance)), theta[:, 0], theta[:, 1], ends[:, 1])


def _error_power(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """Mean is 1 - (1 - c) exp(-exp(a)) 10^(-b (x - x_min)): the error is a power of scale, and at most 1 - c."""
    at = (x - ends[:, :1]) * math.log(10)
    head = np.exp(theta[:, :1])
    error = (1 - chance) * np.exp(-np.maximum(head + theta[:, 1:] * at, 0.0))
    return _sloped(1 - error, error * head, error * at)


def _error_power_inverse(theta: Array, level: Array, chance: Array, ends: Array) -> Array:
    fallen = np.log((1 - chance) / (1 - level))
    return _passed(fallen, np.exp(theta[:, 0]), theta[:, 1] * math.log(10), ends[:, 0])


def _middle(ends: Array) -> Array:
    return (ends[:, :1] + ends[:, 1:]) / 2


def _all_tokens(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """Mean is c + (1 - c) exp(-exp(a - b (x - x_mid))).

    It is the probability that all tokens of an answer are right, when the loss per token is a power of scale (Schaeffer
    et al. 2023, equation 3). It is also the direct law -log Q' = A C^-alpha of a score Q' corrected for chance, without
    any answer of several tokens (Krajewski et al. 2025, arXiv:2512.08894).
    """
    at = x - _middle(ends)
    loss = np.exp(np.minimum(theta[:, :1] - theta[:, 1:] * at, 50.0))
    gain = (1 - chance) * np.exp(-loss)
    slope = gain * loss
    return _sloped(chance + gain, -slope, slope * at)


def _all_tokens_inverse(theta: Array, level: Array, chance: Array, ends: Array) -> Array:
    loss = -np.log((level - chance) / (1 - chance))
    return _passed(np.log(loss), theta[:, 0], -theta[:, 1], _middle(ends)[:, 0])


def _logistic(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """Mean is c + (1 - c) sigma(a + k (x - x_mid)); the midpoint is x_mid - a / k."""
    at = x - _middle(ends)
    s = expit(theta[:, :1] + theta[:, 1:] * at)
    gain = (1 - chance) * s
    slope = gain * (1 - s)
    return _sloped(chance + gain, slope, slope * at)


def _logistic_inverse(theta: Array, level: Array, chance: Array, ends: Array) -> Array:
    return _passed(logit((level - chance) / (1 - chance)), theta[:, 0], theta[:, 1], _middle(ends)[:, 0])


def _logistic_top(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """Mean is c + (t - c) sigma(a + k (x - x_mid)): like `logistic`, ending at t instead of 1."""
    at = x - _middle(ends)
    s = expit(theta[:, :1] + theta[:, 1:2] * at)
    room = theta[:, 2:] - chance
    gain = room * s
    slope = gain * (1 - s)
    return _sloped(chance + gain, slope, slope * at, s)


def _logistic_top_inverse(theta: Array, level: Array, chance: Array, ends: Array) -> Array:
    share = (level - chance) / (theta[:, 2] - chance)
    return _passed(logit(share), theta[:, 0], theta[:, 1], _middle(ends)[:, 0])


def _quadratic_logit(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """Mean is sigma(a + b u + d u^2) with u = x - x_mid: the form with fewest parameters that can turn."""
    at = x - _middle(ends)
    s = expit(theta[:, :1] + theta[:, 1:2] * at + theta[:, 2:] * at**2)
    slope = s * (1 - s)
    return _sloped(s, slope, slope * at, slope * at**2)


def _hinge(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """Mean is c + b (x - x0)+; x0 lies `share` of the way from the smallest to the largest size."""
    span = ends[:, 1:] - ends[:, :1]
    at = x - ends[:, :1] - theta[:, :1] * span
    after = np.maximum(at, 0.0)
    rising = at > 0
    return _sloped(chance + theta[:, 1:] * after, -theta[:, 1:] * span * rising, after)


def _hinge_inverse(theta: Array, level: Array, chance: Array, ends: Array) -> Array:
    return _passed(level, chance, theta[:, 1], ends[:, 0] + theta[:, 0] * (ends[:, 1] - ends[:, 0]))


def _hinge_top(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """Mean is c + (t - c) (1 - e^{-b (x - x0)+}): chance up to x0, then a rise that levels off towards t.

    What t is still away falls as a power of scale. Exact matches during training grow like this: an ability sets in
    suddenly, and then gets better for a long time.
    """
    span = ends[:, 1:] - ends[:, :1]
    at = x - ends[:, :1] - theta[:, :1] * span
    after = np.maximum(at, 0.0)
    left = np.exp(-theta[:, 1:2] * after)
    room = theta[:, 2:] - chance
    moved = -room * theta[:, 1:2] * left * span * (at > 0)
    return _sloped(chance + room * (1 - left), moved, room * after * left, 1 - left)


def _hinge_top_inverse(theta: Array, level: Array, chance: Array, ends: Array) -> Array:
    start = ends[:, 0] + theta[:, 0] * (ends[:, 1] - ends[:, 0])
    return start - np.log1p(-(level - chance) / (theta[:, 2] - chance)) / theta[:, 1]


def _step(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """Chance up to x0, a constant level after it; x0 lies `share` of the way from the smallest to the largest size."""
    after = x - ends[:, :1] > theta[:, :1] * (ends[:, 1:] - ends[:, :1])
    floor = np.maximum(chance, LUCKY_MATCHES)
    mu = np.where(after, theta[:, 1:], floor)
    return _sloped(mu, np.zeros_like(mu), after.astype(float))


def _step_inverse(theta: Array, level: Array, chance: Array, ends: Array) -> Array:
    return np.where(theta[:, 1] >= level, ends[:, 0] + theta[:, 0] * (ends[:, 1] - ends[:, 0]), np.inf)


def _best_constant(x: Array, k: Array, n: Array, chance: Array, ends: Array) -> Array:
    return np.asarray(k.sum(axis=1, keepdims=True) / np.maximum(n.sum(axis=1, keepdims=True), 1e-300))


def _best_step(x: Array, k: Array, n: Array, chance: Array, ends: Array) -> Array:
    """The best of the m - 1 gaps between sizes; the step is put in the middle of its gap."""
    floor = np.maximum(chance, LUCKY_MATCHES)[:, None]
    above_k, above_n = (values[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:] for values in (k, n))
    level = np.clip(above_k / np.maximum(above_n, 1e-300), 1e-9, 1 - 1e-9)
    gain = above_k * np.log(level / floor) + (above_n - above_k) * np.log((1 - level) / (1 - floor))
    best, rows = gain.argmax(axis=1), np.arange(len(x))
    middle = (x[rows, best] + x[rows, best + 1]) / 2
    share = (middle - ends[:, 0]) / np.maximum(ends[:, 1] - ends[:, 0], 1e-12)
    return np.stack([share, level[rows, best]], axis=1)


_LEVELS = (0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95)
_SLOPES = (-8.0, -2.0, -0.7, 0.0, 0.4, 0.8, 1.5, 3.0, 6.0, 15.0, 40.0)
_SHARES = tuple(np.linspace(-0.5, 0.999, 60).tolist())
_RISES = tuple(np.geomspace(0.005, 3.0, 16).tolist())

FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form(name="const", parameters=("level",), shape=_constant, closed=_best_constant, lower=(0.0,), upper=(1.0,)),
        Form(
            name="linear",
            parameters=("smallest", "largest"),
            shape=_linear,
            inverse=_linear_inverse,
            lower=(0.0, 0.0),
            upper=(1.0, 1.0),
            grid=(_LEVELS, _LEVELS),
            concave=True,
        ),
        Form(
            name="power",
            parameters=("a", "b"),
            slopes=("b",),
            shape=_power,
            inverse=_power_inverse,
            lower=(-30.0, 0.0),
            upper=(0.0, 200.0),
            grid=(
                (-8.0, -5.0, -3.5, -2.5, -1.8, -1.2, -0.7, -0.3, -0.1),
                (0.0, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 40.0, 100.0),
            ),
        ),
        Form(
            name="error-power",
            parameters=("a", "b"),
            slopes=("b",),
            shape=_error_power,
            inverse=_error_power_inverse,
            lower=(-20.0, 0.0),
            upper=(4.0, 20.0),
            grid=((-12.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0), (0.0, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0)),
        ),
        Form(
            name="all-tokens",
            parameters=("a", "b"),
            slopes=("b",),
            shape=_all_tokens,
            inverse=_all_tokens_inverse,
            lower=(-20.0, 0.0),
            upper=(40.0, 60.0),
            grid=(
                (-3.0, -1.5, -0.5, 0.3, 0.8, 1.3, 2.0, 3.0, 6.0, 15.0),
                (0.0, 0.1, 0.3, 0.6, 1.0, 2.0, 4.0, 10.0, 30.0),
            ),
        ),
        Form(
            name="logistic",
            parameters=("a", "k"),
            slopes=("k",),
            shape=_logistic,
            inverse=_logistic_inverse,
            lower=(-300.0, -60.0),
            upper=(300.0, 60.0),
            grid=((-60.0, -20.0, -10.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0), _SLOPES),
        ),
        Form(
            name="logistic-top",
            parameters=("a", "k", "top"),
            slopes=("k",),
            shape=_logistic_top,
            inverse=_logistic_top_inverse,
            lower=(-300.0, -60.0, 0.0),
            upper=(300.0, 60.0, 1.0),
            grid=((-60.0, -20.0, -6.0, -3.0, -1.0, 0.0, 1.0, 3.0), _SLOPES, (0.1, 0.2, 0.35, 0.5, 0.7, 0.9)),
        ),
        Form(
            name="quadratic-logit",
            parameters=("a", "b", "d"),
            slopes=("b", "d"),
            shape=_quadratic_logit,
            lower=(-100.0, -50.0, -50.0),
            upper=(100.0, 50.0, 50.0),
            grid=((-6.0, -3.0, -1.0, 0.0, 1.0), (-3.0, -1.0, 0.0, 1.0, 3.0), (-2.0, -0.5, 0.0, 0.5, 2.0)),
            concave=True,
        ),
        Form(
            name="hinge",
            parameters=("share", "slope"),
            shape=_hinge,
            inverse=_hinge_inverse,
            lower=(-0.5, 0.0),
            upper=(0.9999, 50.0),
            grid=(_SHARES, _RISES),
        ),
        Form(
            name="hinge-top",
            parameters=("share", "b", "top"),
            slopes=("b",),
            shape=_hinge_top,
            inverse=_hinge_top_inverse,
            lower=(-0.5, 0.0, 0.0),
            upper=(0.9999, 60.0, 1.0),
            grid=(_SHARES[::4], (0.2, 0.5, 1.0, 1.6, 3.0, 8.0, 25.0), (0.15, 0.3, 0.45, 0.6, 0.9)),
        ),
        Form(
            name="step",
            parameters=("share", "level"),
            shape=_step,
            inverse=_step_inverse,
            lower=(-1.0, 0.0),
            upper=(1.0, 1.0),
            closed=_best_step,
        ),
    )
}
"""All forms by name. The forms that grow from a floor have the chance level as their floor."""
