"""Loss and average error of over-trained models from a handful of small runs.

Gadre et al. 2024, "Language models scale reliably with over-training and on downstream tasks" (arXiv 2403.08540):
training on more tokens per parameter than is optimal shifts the loss over compute without bending it, and the error
averaged over many tasks falls exponentially as the loss does. `error.error(law.loss(params, tokens))` chains the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from harness.analysis.laws.scaling_laws import logs
from harness.analysis.stats import Array
from harness.errors import HarnessError


@dataclass(frozen=True, kw_only=True, slots=True)
class OvertrainingLaw:
    """L(N, M) = alpha N^b + beta 6^(b/2) (M N)^b + E, with M = tokens per parameter."""

    alpha: float
    """Coefficient of parameters."""
    beta: float
    """Coefficient of tokens M N."""
    exponent: float
    """Shared exponent b, below 0: over-training shifts the law and does not bend it."""
    floor: float
    """Irreducible loss E."""

    def loss(self, params: ArrayLike, tokens: ArrayLike) -> Array:
        """Predicted loss of models of this many parameters and training tokens."""
        return np.asarray(_overtraining(params, tokens, self.exponent) @ (self.alpha, self.beta, self.floor))


def fit_overtraining_law(params: ArrayLike, tokens: ArrayLike, loss: ArrayLike) -> OvertrainingLaw:
    """Loss over parameters and tokens with one exponent, from as few as five small runs (Gadre et al. 2024).

    Least squares on the loss. For a given exponent the rest is linear, so the exponent is searched and nothing
    depends on a start.

    Args:
        params: parameters of each run, shape (n,).
        tokens: training tokens of each run, shape (n,); at least two different numbers of tokens per parameter.
        loss: validation loss of each run, shape (n,).

    Raises:
        HarnessError: fewer than 5 runs, or all with the same number of tokens per parameter.
    """
    n, d, y = (np.exp(logs(name, v)) for name, v in (("params", params), ("tokens", tokens), ("loss", loss)))
    if len(y) < 5 or np.ptp(np.log(d / n)) < 1e-6:
        raise HarnessError("the law needs at least 5 runs, of at least two different numbers of tokens per parameter")
    exponent, (alpha, beta, floor) = _searched(lambda b: _overtraining(n, d, b), y, -np.geomspace(2, 0.01, 200))
    return OvertrainingLaw(alpha=alpha, beta=beta, exponent=exponent, floor=floor)


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorLaw:
    """Err(L) = epsilon - k e^(-gamma L)."""

    ceiling: float
    """Error at infinite loss, epsilon."""
    gain: float
    """Coefficient k."""
    rate: float
    """Decay gamma per unit of loss."""

    def error(self, loss: ArrayLike) -> Array:
        """Predicted error at these losses."""
        return np.asarray(self.ceiling - self.gain * np.exp(-self.rate * np.asarray(loss, dtype=float)))


def fit_error_law(loss: ArrayLike, error: ArrayLike) -> ErrorLaw:
    """Average top-1 error over many tasks as a function of loss (Gadre et al. 2024), by least squares.

    Meant for averages over tasks: one task alone may stay at chance until its own threshold.

    Args:
        loss: of each run, shape (n,), n >= 4.
        error: 1 - accuracy of each run, shape (n,).

    Raises:
        HarnessError: fewer than 4 runs.
    """
    x, y = np.asarray(loss, dtype=float), np.asarray(error, dtype=float)
    if len(y) < 4:
        raise HarnessError(f"the error law has 3 parameters and needs at least 4 runs; got {len(y)}")
    origin = x.mean()  # e^(-gamma L) at L = 10 nats would be lost beside the constant

    def design(rate: float) -> Array:
        return np.column_stack([np.ones_like(x), -np.exp(-rate * (x - origin))])

    rate, (ceiling, gain) = _searched(design, y, np.geomspace(0.01, 50, 200))
    return ErrorLaw(ceiling=ceiling, gain=float(gain * np.exp(rate * origin)), rate=rate)


def _overtraining(params: ArrayLike, tokens: ArrayLike, b: float) -> Array:
    n, d = np.asarray(params, dtype=float), np.asarray(tokens, dtype=float)
    return np.stack(np.broadcast_arrays(n**b, 6 ** (b / 2) * d**b, 1.0), axis=-1)


def _searched(design: Callable[[float], Array], y: Array, grid: Array) -> tuple[float, tuple[float, ...]]:
    """The one nonlinear parameter with least squares left over, and the linear ones that go with it."""

    def solve(value: float) -> tuple[float, Array]:
        columns = design(value)
        beta = np.linalg.lstsq(columns, y, rcond=None)[0]
        return float(np.sum((y - columns @ beta) ** 2)), np.asarray(beta)

    best = int(np.argmin([solve(value)[0] for value in grid]))
    ends = sorted((float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])))
    value = float(minimize_scalar(lambda v: solve(v)[0], bounds=ends, method="bounded", options={"xatol": 1e-10}).x)
    return value, tuple(float(b) for b in solve(value)[1])
