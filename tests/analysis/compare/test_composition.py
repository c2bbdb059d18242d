"""A composite beside its parts: simulated ones whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.compare import TaskPart, compose
from harness.errors import PlanError
from tests.builders.curves import curve

N = 1000
SHARES = np.array([0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 1.0])
"""Share of answers that the part knows at each of eight sizes."""


def drawn(shares: np.ndarray, *, name: str, seed: int = 0, chance: float = 0.0):  # type: ignore[no-untyped-def]
    random = np.random.default_rng(seed)
    right = random.binomial(N, chance + (1 - chance) * shares)
    return curve([int(k) for k in right], n=N, name=name, chance=chance)


def test_a_product_of_parts_is_explained_although_it_looks_like_a_jump() -> None:
    part, whole = drawn(SHARES, name="digit"), drawn(SHARES**4, name="sum", seed=1)
    found = compose(whole, [TaskPart(part, 4.0)])
    assert found.answer == "explained"
    assert found.explained is not None
    assert found.explained > 0.99
    assert found.ratio_low < 1.0 < found.ratio_high
    assert found.ratio == pytest.approx(1.0, rel=0.1)
    assert [size.model for size in found.sizes] == list(whole.names)


def test_what_comes_later_than_its_parts_falls_short_of_them() -> None:
    part, whole = drawn(SHARES, name="digit"), drawn(SHARES**12, name="sum", seed=1)
    found = compose(whole, [TaskPart(part, 4.0)])
    assert found.answer == "falls short"
    assert found.ratio == pytest.approx(3.0, rel=0.15)
    assert found.ratio_low < 3.0 < found.ratio_high
    assert "digit" not in found.different
    assert whole.names[5] in found.different


def test_what_comes_earlier_exceeds_them() -> None:
    found = compose(drawn(SHARES, name="sum"), [TaskPart(drawn(SHARES, name="digit", seed=2), 4.0)])
    assert found.answer == "exceeds"


def test_guessing_is_taken_out_of_choices() -> None:
    part = drawn(SHARES, name="one", chance=0.25)
    whole = drawn(SHARES**2, name="two", seed=3, chance=0.25)
    assert compose(whole, [TaskPart(part, 2.0)]).answer == "explained"


def test_several_parts_are_multiplied() -> None:
    one, other = drawn(SHARES, name="one"), drawn(SHARES[::-1], name="other", seed=4)
    found = compose(drawn(SHARES * SHARES[::-1], name="both", seed=5), [TaskPart(one), TaskPart(other)])
    assert found.answer == "explained"


def test_few_documents_cannot_tell() -> None:
    part = curve([1, 4, 8, 12, 16, 18, 19, 20], n=20, name="digit", chance=0.0)
    whole = curve([0, 0, 1, 3, 8, 13, 17, 20], n=20, name="sum", chance=0.0)
    assert compose(whole, [TaskPart(part, 4.0)]).answer == "cannot tell"


@pytest.mark.parametrize("seed", range(5))
def test_a_true_product_is_rarely_called_anything_else(seed: int) -> None:
    part, whole = drawn(SHARES, name="part", seed=100 + seed), drawn(SHARES**2, name="whole", seed=200 + seed)
    assert not compose(whole, [TaskPart(part, 2.0)]).different


def test_a_score_that_is_no_share_is_refused() -> None:
    loss = curve([10] * 8, n=N, name="loss", higher_is_better=False)
    with pytest.raises(PlanError, match="loss: acc is not a share of right answers"):
        compose(loss, [TaskPart(drawn(SHARES, name="digit"))])
