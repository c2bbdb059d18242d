import numpy as np
import pytest
from scipy.stats import false_discovery_control

from harness.analysis.stats import benjamini_hochberg

RNG = np.random.default_rng(0)


def test_benjamini_hochberg_skips_what_was_not_tested() -> None:
    assert benjamini_hochberg([None, 0.01, 0.02, 0.9]) == pytest.approx((None, 0.03, 0.03, 0.9))
    assert benjamini_hochberg([None]) == (None,)


def test_adjusted_p_values_are_those_of_scipy_stats() -> None:
    for size in (1, 2, 50):
        p = RNG.uniform(size=size) ** 3
        np.testing.assert_allclose(benjamini_hochberg(p.tolist()), false_discovery_control(p), rtol=1e-12)
