"""Columns as the laws take them, checked number by number, and resamples of their rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.stats import Array
from harness.errors import HarnessError


def finite_column(name: str, values: ArrayLike) -> Array:
    """One column as an array of numbers.

    Args:
        name: what the column is called in the error.
        values: the column, shape (n,).

    Raises:
        HarnessError: a value is not a finite number.
    """
    found = np.asarray(values, dtype=float)
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        raise HarnessError(f"{name}[{wrong[0]}] is {found[wrong[0]]}; expected a number")
    return found


def log_column(name: str, values: ArrayLike) -> Array:
    """Natural logarithms of one column, at least of shape (1,).

    Args:
        name: what the column is called in the error.
        values: the column, shape (n,), or one number for all.

    Raises:
        HarnessError: a value is not a positive number.
    """
    found = np.atleast_1d(np.asarray(values, dtype=float))
    wrong = np.flatnonzero(~(found > 0) | ~np.isfinite(found))
    if len(wrong):
        raise HarnessError(f"{name}[{wrong[0]}] is {found[wrong[0]]}; expected a positive number")
    return np.asarray(np.log(found))


def group_resamples(groups: Sequence[object], resamples: int, rng: np.random.Generator) -> Array:
    """How often each observation is drawn when whole groups are drawn with replacement, (resamples, n)."""
    names = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    member = np.array([names[name] for name in groups])
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return np.asarray(counts[:, member], dtype=float)
