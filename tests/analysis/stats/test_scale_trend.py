import math

import pytest

from harness.analysis.stats import Estimate, trend, trend_of_each


def proportion(k: float, n: int) -> Estimate:
    return Estimate(k / n, None, n, 1, True)


def test_trend_equals_cochran_armitage_by_hand() -> None:
    # k = 2, 5, 8 of 10 at x = 0, 1, 2: p = .5, z = (8 - 2) / sqrt(.25 * 10 * 2)
    found = trend((0, 1, 2), [proportion(k, 10) for k in (2, 5, 8)])
    assert found is not None
    assert found.z == pytest.approx(6 / math.sqrt(5))
    assert found.fitted_range == pytest.approx(0.6)
    assert found.p == pytest.approx(0.00729, abs=1e-5)


def test_trend_weighs_documents() -> None:
    # By hand: n = 10, 30, 10; x-bar = 1; sum n y (x - 1) = 4; p = 18/50; spread = 20.
    found = trend((0, 1, 2), [proportion(2, 10), proportion(10, 30), proportion(6, 10)])
    assert found is not None
    assert found.z == pytest.approx(4 / math.sqrt(0.36 * 0.64 * 20))


def test_all_scores_at_zero_have_no_trend_but_a_known_precision() -> None:
    found = trend((0, 1, 2), [proportion(0, 100)] * 3)
    assert found is not None
    assert (found.z, found.p, found.fitted_range) == (0.0, 1.0, 0.0)
    assert 0 < found.fitted_range_stderr < 0.02


def test_trend_of_fractions_uses_their_own_spread() -> None:
    points = [Estimate(v, 0.1, 25, 1, False) for v in (1.0, 2.0, 3.0)]
    found = trend((0, 1, 2), points)
    assert found is not None
    # s = .1 * sqrt(25) = .5; z = 50 / sqrt(.25 * 50)
    assert found.z == pytest.approx(50 / math.sqrt(12.5))


def test_one_scale_has_no_trend() -> None:
    assert trend((1.0,), [proportion(5, 10)]) is None
    assert trend((), []) is None


def test_trends_of_many_curves_are_those_of_each() -> None:
    counts = [((0, 1, 2), [proportion(k, 10) for k in (2, 5, 8)]), ((0, 2, 3), [proportion(k, 20) for k in (9, 4, 1)])]
    fractions = ((0.5, 1, 2), [Estimate(v, 0.1, 25, 1, False) for v in (1.0, 2.0, 3.0)])
    unknown = ((0, 1), [Estimate(v, None, 25, 1, False) for v in (1.0, 2.0)])
    given = [counts[0], unknown, fractions, ((), ()), counts[1]]
    found = trend_of_each(given)
    assert [one is None for one in found] == [False, True, False, True, False]
    for (x, scores), together in zip(given, found, strict=True):
        alone = trend(x, scores)
        assert (alone is None) == (together is None)
        if alone is not None:
            assert together == pytest.approx(alone, rel=1e-12)
