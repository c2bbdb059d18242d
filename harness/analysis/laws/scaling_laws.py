"""From size and data to loss, and from loss to accuracy: the laws of two-step forecasts.

Step 1 predicts a loss, step 2 turns it into an accuracy; `accuracy.accuracy(law.loss(params, tokens))` chains them.
The loss is that of the task's own right answers, in bits per byte (Bhagia et al. 2024, "Establishing Task Scaling
Laws via Compute-Efficient Model Ladders", arXiv 2412.04403). Step 2 can be trusted where it has seen losses on both
sides of the sigmoid; `doubts` says where it has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares, minimize
from scipy.special import expit

from harness.analysis.stats import Array
from harness.errors import HarnessError

HUBER_DELTA = 1e-3
"""Residual of the log loss from which the fit of the loss law counts it linearly (Hoffmann et al. 2022, equation 3)."""
_LOSS_STARTS = ((3.0, 6.0, 0.1, 0.2, 1.0), (8.0, 8.0, 0.5, 0.5, 0.5), (13.0, 3.0, 0.5, 0.2, 0.5))
_ACCURACY_START = (-1.0, 0.9, 3.0, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class LossLaw:
    """L(N, D) = e^a N^-alpha + e^b D^-beta + E."""

    a: float
    """Log of the coefficient of parameters."""
    b: float
    """Log of the coefficient of tokens."""
    alpha: float
    """Exponent of parameters."""
    beta: float
    """Exponent of tokens."""
    floor: float
    """Loss of an infinite model on infinite data, E."""

    def loss(self, params: ArrayLike, tokens: ArrayLike) -> Array:
        """Predicted loss of models of this many parameters and training tokens."""
        by_size = np.exp(self.a - self.alpha * np.log(params))
        by_data = np.exp(self.b - self.beta * np.log(tokens))
        return np.asarray(by_size + by_data + self.floor)


def fit_loss_law(params: ArrayLike, tokens: ArrayLike, loss: ArrayLike, *, delta: float = HUBER_DELTA) -> LossLaw:
    """Loss over parameters and tokens: Huber loss on log residuals, all five parameters at least 0.

    Hoffmann et al. 2022 (arXiv 2203.15556), equations 2 and 3, as Bhagia et al. 2024 fit it to the loss of a task:
    L-BFGS-B from (a, b, alpha, beta, E) = (3, 6, .1, .2, 1), their start, and from two more; the best one counts.

    Args:
        params: parameters of each run, shape (n,).
        tokens: training tokens of each run, shape (n,).
        loss: final loss of each run, shape (n,); the mean of the last five evaluations is less noisy than the last.
        delta: of the Huber loss.

    Raises:
        HarnessError: fewer than 6 runs, a value that is not positive, or sizes and tokens that move together.
    """
    log_n, log_d, log_l = (logs(name, v) for name, v in (("params", params), ("tokens", tokens), ("loss", loss)))
    if len(log_l) < 6:
        raise HarnessError(f"the loss law has 5 parameters and needs at least 6 runs; got {len(log_l)}")
    if np.linalg.matrix_rank(np.column_stack([np.ones_like(log_n), log_n, log_d]), tol=1e-6) < 3:
        raise HarnessError(
            "parameters and tokens of these runs move together, so their parts in the loss cannot be told apart; "
            "add runs of one size on different amounts of data, or fit the loss over compute"
        )

    def objective(theta: Array) -> tuple[float, Array]:
        a, b, alpha, beta, floor = theta
        by_size, by_data = np.exp(a - alpha * log_n), np.exp(b - beta * log_d)
        mean = by_size + by_data + floor
        off = np.log(mean) - log_l
        pull = np.clip(off, -delta, delta)
        total = float(np.sum(pull * (off - pull / 2)))  # Huber: u²/2 inside delta, delta (|u| - delta/2) outside
        parts = np.stack([by_size, by_data, -by_size * log_n, -by_data * log_d, np.ones_like(mean)])
        return total, np.asarray(parts @ (pull / mean))

    options = {"ftol": 0.0, "gtol": 1e-10, "maxiter": 100_000, "maxfun": 100_000}
    fits = [
        minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * 5, options=options)
        for start in _LOSS_STARTS
    ]
    a, b, alpha, beta, floor = (float(value) for value in min(fits, key=lambda fitted: fitted.fun).x)
    return LossLaw(a=a, b=b, alpha=alpha, beta=beta, floor=floor)


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeLaw:
    """log10 L = intercept + slope log10 C, with C = 6 N D: for families whose sizes share one amount of data."""

    intercept: float
    """log10 of the loss at one FLOP."""
    slope: float
    """Change of log10 L per factor 10 in compute; negative."""
    r2: float
    """Share of the variance of log10 L that the line explains."""

    def loss(self, params: ArrayLike, tokens: ArrayLike) -> Array:
        """Predicted loss of models of this many parameters and training tokens."""
        compute = np.log10(6.0 * np.asarray(params, dtype=float) * np.asarray(tokens, dtype=float))
        return np.asarray(10 ** (self.intercept + self.slope * compute))


def fit_compute_law(params: ArrayLike, tokens: ArrayLike, loss: ArrayLike) -> ComputeLaw:
    """Straight line of log loss over log compute.

    As the Llama 3 report (arXiv 2407.21783, section on scaling laws) does with the normalised negative log-likelihood
    of the right answers. Without an irreducible loss it errs low far beyond the data.

    Args:
        params: parameters of each run, shape (n,).
        tokens: training tokens of each run, shape (n,).
        loss: final loss of each run, shape (n,).

    >>> law = fit_compute_law([1e8, 1e9, 1e10], 3e11, [100.0, 10.0, 1.0])
    >>> round(law.slope, 6), round(float(law.loss(1e11, 3e11)), 6)
    (-1.0, 0.1)
    """
    log_c = np.log10(6.0) + (logs("params", params) + logs("tokens", tokens)) / np.log(10)
    log_l = logs("loss", loss) / np.log(10)
    slope, intercept = np.polyfit(log_c, log_l, 1)
    r2 = float(np.corrcoef(log_c, log_l)[0, 1] ** 2)
    return ComputeLaw(intercept=float(intercept), slope=float(slope), r2=r2)


@dataclass(frozen=True, kw_only=True, slots=True)
class AccuracyLaw:
    """Acc(L) = s / (1 + e^(-k (L - x0))) + t."""

    s: float
    """Height of the sigmoid, -1 to 0: accuracy falls with the loss."""
    x0: float
    """Loss at the midpoint."""
    k: float
    """Steepness per unit of loss."""
    t: float
    """Accuracy at loss -infinity; t + s is the level of a model that knows nothing."""

    def accuracy(self, loss: ArrayLike) -> Array:
        """Predicted accuracy at these losses."""
        return np.asarray(self.s * expit(self.k * (np.asarray(loss, dtype=float) - self.x0)) + self.t)


def fit_accuracy_law(
    loss: ArrayLike, accuracy: ArrayLike, *, anchor: tuple[float, float] | None = (0.0, 1.0)
) -> AccuracyLaw:
    """Sigmoid from loss to accuracy by least squares, s in [-1, 0], x0 and k at least 0, t in [0, 1].

    Bhagia et al. 2024, step 2, on all checkpoints after `settled`. Started from their (-1, .9, 3, 1) and from the
    middle of the data, which serves losses of another scale; the better fit counts.

    Args:
        loss: of each checkpoint, shape (n,).
        accuracy: of each checkpoint, shape (n,).
        anchor: one more point (loss, accuracy) that is known without data: no loss, no errors; None for none.
    """
    x, y = np.array(loss, dtype=float), np.array(accuracy, dtype=float)
    span = max(float(np.ptp(x)), 0.1)
    middle = (-max(float(np.ptp(y)), 0.1), max(float(np.median(x)), 0.1), 4 / span, min(float(y.max()), 1.0))
    if anchor is not None:
        x, y = np.append(x, anchor[0]), np.append(y, anchor[1])

    def residual(theta: Array) -> Array:
        s, x0, k, t = theta
        return np.asarray(s * expit(k * (x - x0)) + t - y)

    def gradient(theta: Array) -> Array:
        s, x0, k, _ = theta
        up = expit(k * (x - x0))
        bend = s * up * (1 - up)
        return np.column_stack([up, -bend * k, bend * (x - x0), np.ones_like(x)])

    bounds = ([-1, 0, 0, 0], [0, np.inf, np.inf, 1])
    fits = [least_squares(residual, s, jac=gradient, bounds=bounds, max_nfev=10_000) for s in (_ACCURACY_START, middle)]
    s, x0, k, t = (float(value) for value in min(fits, key=lambda fitted: fitted.cost).x)
    return AccuracyLaw(s=s, x0=x0, k=k, t=t)


def settled(values: ArrayLike, *, skip: float = 0.1, window: int = 5) -> Array:
    """Checkpoints of one run as step 2 takes them: the first part dropped, then a trailing mean (Bhagia et al. 2024).

    Args:
        values: in training order, shape (n,).
        skip: share of the checkpoints to drop, rounded up.
        window: checkpoints in the mean; fewer at the beginning.

    >>> settled([9.0, 1.0, 2.0, 3.0, 4.0], skip=0.2, window=2).tolist()
    [1.0, 1.5, 2.5, 3.5]
    """
    kept = np.asarray(values, dtype=float)
    kept = kept[ceil(skip * len(kept)) :]
    sums = np.concatenate([[0.0], np.cumsum(kept)])
    last = np.arange(1, len(kept) + 1)
    first = np.maximum(last - window, 0)
    return np.asarray((sums[last] - sums[first]) / (last - first))


def doubts(law: AccuracyLaw, seen: ArrayLike, asked: float) -> tuple[str, ...]:
    """Why an accuracy predicted at loss `asked` rests on less than it seems; empty when nothing speaks against it.

    Args:
        law: the fitted sigmoid.
        seen: losses it was fitted to, without the anchor, shape (n,).
        asked: loss the accuracy is predicted at.
    """
    losses = np.asarray(seen, dtype=float)
    found = []
    if asked < losses.min():
        found.append(f"The predicted loss {asked:.3g} is below all losses seen, {losses.min():.3g} and more.")
    if losses.min() > law.x0:
        found.append(f"No model seen has passed the middle of the sigmoid, loss {law.x0:.3g}: its top is assumed.")
    if losses.max() < law.x0:
        found.append(f"Every model seen has passed the middle of the sigmoid, loss {law.x0:.3g}: its foot is assumed.")
    return tuple(found)


def logs(name: str, values: ArrayLike) -> Array:
    """Natural logarithms of one column; `name` says in the error which one holds a number that has none."""
    found = np.atleast_1d(np.asarray(values, dtype=float))
    wrong = np.flatnonzero(~(found > 0) | ~np.isfinite(found))
    if len(wrong):
        raise HarnessError(f"{name}[{wrong[0]}] is {found[wrong[0]]}; expected a positive number")
    return np.asarray(np.log(found))
