"""Loss and average error of over-trained models from a handful of small runs.

Gadre et al. 2024, "Language models scale reliably with over-training and on downstream tasks" (arXiv 2403.08540):
training on more tokens per parameter than is optimal shifts the curve of loss over compute without bending it, and the
error averaged over many tasks falls exponentially with the loss. To chain the two laws, write
`error_law.error(loss_law.loss(params, tokens))`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from harness.analysis.laws.inputs import log_column
from harness.analysis.laws.types import AverageErrorLaw, OvertrainingLaw
from harness.analysis.stats import Array
from harness.errors import HarnessError


def fit_overtraining_law(params: ArrayLike, tokens: ArrayLike, loss: ArrayLike) -> OvertrainingLaw:
    """Loss over parameters and tokens with one exponent, from as few as five small runs (Gadre et al. 2024).

    Least squares on the loss. For a given exponent the other parameters follow by linear regression, so that only the
    exponent is searched for, and the result depends on no starting values.

    Args:
        params: parameters of each run, shape (n,).
        tokens: training tokens of each run, shape (n,); at least two different numbers of tokens per parameter.
        loss: validation loss of each run, shape (n,).

    Raises:
        HarnessError: fewer than 5 runs, or all of them have the same number of tokens per parameter.
    """
    n, d, y = (np.exp(log_column(name, v)) for name, v in (("params", params), ("tokens", tokens), ("loss", loss)))
    if len(y) < 5 or np.ptp(np.log(d / n)) < 1e-6:
        raise HarnessError("the law needs at least 5 runs, of at least two different numbers of tokens per parameter")
    exponent, (alpha, beta, floor) = _searched(lambda b: OvertrainingLaw.terms(n, d, b), y, -np.geomspace(2, 0.01, 200))
    return OvertrainingLaw(alpha=alpha, beta=beta, exponent=exponent, floor=floor)


def fit_average_error_law(loss: ArrayLike, error: ArrayLike) -> AverageErrorLaw:
    """Average top-1 error over many tasks as a function of loss (Gadre et al. 2024), by least squares.

    Use it for averages over tasks. A single task may stay at chance up to a threshold of its own.

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
    return AverageErrorLaw(ceiling=ceiling, gain=float(gain * np.exp(rate * origin)), rate=rate)


def _searched(design: Callable[[float], Array], y: Array, grid: Array) -> tuple[float, tuple[float, ...]]:
    """The best value of the one nonlinear parameter, and the linear parameters that go with it."""

    def solve(value: float) -> tuple[float, Array]:
        columns = design(value)
        beta = np.linalg.lstsq(columns, y, rcond=None)[0]
        return float(np.sum((y - columns @ beta) ** 2)), np.asarray(beta)

    best = int(np.argmin([solve(value)[0] for value in grid]))
    ends = sorted((float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])))
    value = float(minimize_scalar(lambda v: solve(v)[0], bounds=ends, method="bounded", options={"xatol": 1e-10}).x)
    return value, tuple(float(b) for b in solve(value)[1])
