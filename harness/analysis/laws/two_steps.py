"""From size and data to a loss, and from the loss to an accuracy: the laws of two-step forecasts.

Step 1 predicts a loss, step 2 turns it into an accuracy: `accuracy_law.accuracy(loss_law.loss(params, tokens))`. The
loss is that of the right answers of the task, in bits per byte (Bhagia et al. 2024, "Establishing Task Scaling Laws via
Compute-Efficient Model Ladders", arXiv 2412.04403). Step 2 can be trusted if it was fitted to losses on both sides of
the middle of its sigmoid; `accuracy_doubts` says when it was not.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares, minimize
from scipy.special import expit

from harness.analysis.laws.inputs import log_column
from harness.analysis.laws.types import ChinchillaLaw, ComputeLossLaw, TaskAccuracyLaw
from harness.analysis.stats import Array
from harness.errors import HarnessError
from harness.wording import number

HUBER_DELTA = 1e-3
"""Residual of the log loss above which errors count linearly, not squared (Hoffmann et al. 2022, equation 3)."""
_LOSS_STARTS = ((3.0, 6.0, 0.1, 0.2, 1.0), (8.0, 8.0, 0.5, 0.5, 0.5), (13.0, 3.0, 0.5, 0.2, 0.5))
_ACCURACY_START = (-1.0, 0.9, 3.0, 1.0)


def fit_chinchilla_law(
    params: ArrayLike, tokens: ArrayLike, loss: ArrayLike, *, delta: float = HUBER_DELTA
) -> ChinchillaLaw:
    """Loss over parameters and tokens: Huber loss on log residuals, all five parameters at least 0.

    Hoffmann et al. 2022 (arXiv 2203.15556), equations 2 and 3, as Bhagia et al. 2024 fit it to the loss of a task:
    L-BFGS-B from their start (a, b, alpha, beta, E) = (3, 6, .1, .2, 1) and from two others, of which the best counts.

    Args:
        params: parameters of each run, shape (n,).
        tokens: training tokens of each run, shape (n,).
        loss: final loss of each run, shape (n,); the mean of the last five evaluations is less noisy than the last one.
        delta: threshold of the Huber loss.

    Raises:
        HarnessError: fewer than 6 runs, a value that is not positive, or sizes and tokens that grow in proportion, so
            that their parts in the loss cannot be told apart.
    """
    log_n, log_d, log_l = (log_column(name, v) for name, v in (("params", params), ("tokens", tokens), ("loss", loss)))
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
    with np.errstate(over="ignore", invalid="ignore"):  # a search that starts badly may step far before it returns
        fits = [
            minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * 5, options=options)
            for start in _LOSS_STARTS
        ]
    a, b, alpha, beta, floor = (float(value) for value in min(fits, key=lambda fitted: fitted.fun).x)
    return ChinchillaLaw(a=a, b=b, alpha=alpha, beta=beta, floor=floor)


def fit_compute_loss_law(params: ArrayLike, tokens: ArrayLike, loss: ArrayLike) -> ComputeLossLaw:
    """Straight line of log loss over log compute.

    As the Llama 3 report (arXiv 2407.21783, section on scaling laws) does with the normalised negative log-likelihood
    of the right answers. The law has no irreducible loss, so that far beyond the data its predictions are too small.

    Args:
        params: parameters of each run, shape (n,).
        tokens: training tokens of each run, shape (n,).
        loss: final loss of each run, shape (n,).

    >>> law = fit_compute_loss_law([1e8, 1e9, 1e10], 3e11, [100.0, 10.0, 1.0])
    >>> round(law.slope, 6), round(float(law.loss(1e11, 3e11)), 6)
    (-1.0, 0.1)
    """
    log_c = np.log10(6.0) + (log_column("params", params) + log_column("tokens", tokens)) / np.log(10)
    log_l = log_column("loss", loss) / np.log(10)
    slope, intercept = np.polyfit(log_c, log_l, 1)
    r2 = float(np.corrcoef(log_c, log_l)[0, 1] ** 2)
    return ComputeLossLaw(intercept=float(intercept), slope=float(slope), r2=r2)


def fit_task_accuracy_law(
    loss: ArrayLike, accuracy: ArrayLike, *, anchor: tuple[float, float] | None = (0.0, 1.0)
) -> TaskAccuracyLaw:
    """Sigmoid from loss to accuracy by least squares, s in [-1, 0], x0 and k at least 0, t in [0, 1].

    Bhagia et al. 2024, step 2, fitted to all checkpoints as `settled_checkpoints` gives them. The search starts from
    their values (-1, .9, 3, 1), and from the middle of the data, which suits losses of another scale; the better fit
    counts.

    Args:
        loss: of each checkpoint, shape (n,).
        accuracy: of each checkpoint, shape (n,).
        anchor: a point (loss, accuracy) known without data, as a model of loss 0 makes no errors; None adds no point.
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
    return TaskAccuracyLaw(s=s, x0=x0, k=k, t=t)


def settled_checkpoints(values: ArrayLike, *, skip: float = 0.1, window: int = 5) -> Array:
    """Checkpoints of one run as step 2 takes them: without the first ones, then averaged (Bhagia et al. 2024).

    Each value is replaced by the mean of itself and those just before it.

    Args:
        values: a loss or score of each checkpoint in the order of training, shape (n,).
        skip: share of the checkpoints to drop at the beginning, rounded up.
        window: how many checkpoints each mean is over; fewer at the beginning.

    >>> settled_checkpoints([9.0, 1.0, 2.0, 3.0, 4.0], skip=0.2, window=2).tolist()
    [1.0, 1.5, 2.5, 3.5]
    """
    kept = np.asarray(values, dtype=float)
    kept = kept[ceil(skip * len(kept)) :]
    sums = np.concatenate([[0.0], np.cumsum(kept)])
    last = np.arange(1, len(kept) + 1)
    first = np.maximum(last - window, 0)
    return np.asarray((sums[last] - sums[first]) / (last - first))


def accuracy_doubts(law: TaskAccuracyLaw, fitted_losses: ArrayLike, loss: float) -> tuple[str, ...]:
    """Why not to trust an accuracy that the law predicts for a loss: one sentence each, empty when there is no reason.

    Args:
        law: the fitted sigmoid.
        fitted_losses: losses it was fitted to, without the anchor, shape (n,).
        loss: the loss that the accuracy is predicted for.
    """
    losses, middle = np.asarray(fitted_losses, dtype=float), number(law.x0)
    found = []
    if loss < losses.min():
        found.append(f"The predicted loss {number(loss)} is below all losses seen, {number(losses.min())} and more.")
    if losses.min() > law.x0:
        found.append(f"No model seen has passed the middle of the sigmoid, loss {middle}: its top is assumed.")
    if losses.max() < law.x0:
        found.append(f"Every model seen has passed the middle of the sigmoid, loss {middle}: its foot is assumed.")
    return tuple(found)
