import math

import numpy as np
import pytest
from scipy.stats import chi2

from harness.analysis.growth import FORMS, fit
from harness.analysis.growth.profile import profile, profile_interval
from tests.builders.curves import X, counts

GRADUAL = tuple(np.rint(200 * (0.25 + 0.75 / (1 + np.exp(-1.5 * (X - 9.0))))).astype(int))


def test_the_profile_is_highest_at_the_fit_and_never_above_it() -> None:
    some = counts(GRADUAL)
    best = fit(FORMS["logistic"], some)
    values = np.linspace(0.5, 3.0, 26)
    along = profile(best, 1, values, some)
    assert np.all(along <= best.loglik[0] + 0.001)
    assert values[along.argmax()] == pytest.approx(best.named(0)["k"], abs=0.1)


def test_a_profile_interval_ends_where_chi_squared_says() -> None:
    some = counts(GRADUAL)
    best = fit(FORMS["logistic"], some)
    values = np.linspace(0.5, 3.0, 251)
    along = profile(best, 1, values, some)
    low, high = profile_interval(values, along)
    for end in (low, high):
        drop = 2 * (along.max() - np.interp(end, values, along))
        assert drop == pytest.approx(chi2.ppf(0.95, 1), abs=0.01)
    assert low < best.named(0)["k"] < high
    assert profile_interval(values, along, 0.5)[0] > low


def test_a_profile_that_never_falls_leaves_its_end_open() -> None:
    values = np.linspace(0, 1, 11)
    assert profile_interval(values, np.zeros(11)) == (-math.inf, math.inf)
    low, high = profile_interval(values, -40 * np.maximum(0.5 - values, 0))
    assert 0.4 < low < 0.5
    assert high == math.inf
