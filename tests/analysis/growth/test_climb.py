import numpy as np
import pytest
from scipy.stats import binom

from harness.analysis.growth import FORMS, Form
from harness.analysis.growth.climb import Batch, refined, searched
from harness.analysis.stats import Array

X = np.linspace(7.0, 10.0, 8)


def batch(k: Array, n: float = 200.0, chance: float = 0.25) -> Batch:
    """Curves over three decades, one per row of `k`."""
    curves = len(k)
    x = np.repeat(X[:, None], curves, axis=1)
    return Batch(x, k.T, np.full_like(x, n), np.full((1, curves), chance), np.repeat([[7.0], [10.0]], curves, axis=1))


def drawn(curves: int, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    y = 0.25 + 0.75 / (1 + np.exp(-rng.uniform(0.5, 5.0, (curves, 1)) * (X - rng.uniform(7.5, 10.0, (curves, 1)))))
    return batch(rng.binomial(200, y).astype(float))


def height(form: Form, some: Batch, theta: Array) -> Array:
    """Log-likelihood of parameters (p, B), binomial coefficients included and steepness free."""
    mu = np.clip(form.shape(theta.T, some.x.T, some.chance.T, some.ends.T)[0], 1e-9, 1 - 1e-9)
    return binom.logpmf(some.k.T, some.n.T, mu).sum(axis=1)


def test_a_search_begins_at_the_likeliest_points_of_the_grid() -> None:
    form, some = FORMS["power"], drawn(5)
    starts = searched(form, some)
    grid = np.stack(np.meshgrid(*form.grid, indexing="ij")).reshape(2, -1)
    all_heights = np.stack([height(form, some, np.repeat(point[:, None], 5, axis=1)) for point in grid.T])
    best = np.sort(all_heights, axis=0)[::-1][:5]
    assert starts.shape == (5, 2, 5)
    assert np.stack([height(form, some, start) for start in starts]) == pytest.approx(best, abs=0.1)


def test_a_search_in_parts_is_the_search_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    some = drawn(7)
    whole = searched(FORMS["logistic-top"], some)
    monkeypatch.setattr("harness.analysis.growth.climb._ON_GRID", 1)
    monkeypatch.setattr("harness.analysis.growth.climb._ONE_THREAD", 1)
    assert searched(FORMS["logistic-top"], some).tolist() == whole.tolist()


def test_curves_of_other_sizes_and_another_chance_are_searched_as_each_by_itself() -> None:
    one = drawn(6)
    x = one.x + np.where(np.arange(6) % 2, 0.5, 0.0)
    some = Batch(x, one.k, one.n, np.where(np.arange(6) < 3, 0.25, 0.1)[None], np.stack([x[0], x[-1]]))
    alone = [searched(FORMS["hinge"], some.rows([row])) for row in range(6)]
    assert searched(FORMS["hinge"], some).tolist() == np.concatenate(alone, axis=2).tolist()


@pytest.mark.parametrize("name", ["power", "logistic", "logistic-top", "quadratic-logit", "hinge"])
def test_a_climb_in_parts_is_the_climb_of_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    form, some = FORMS[name], drawn(30)
    starts, kept = searched(form, some), np.zeros(form.p, dtype=bool)
    whole = refined(form, some, starts, kept)
    monkeypatch.setattr("harness.analysis.growth.climb._CLIMBING", 40)
    assert refined(form, some, starts, kept)[1] == pytest.approx(whole[1], abs=1e-6)


@pytest.mark.parametrize("name", ["linear", "power", "error-power", "all-tokens", "logistic", "quadratic-logit"])
def test_a_climb_ends_where_no_small_step_leads_higher(name: str) -> None:
    form, some = FORMS[name], drawn(40, seed=1)
    theta, _ = refined(form, some, searched(form, some), np.zeros(form.p, dtype=bool))
    low, high = np.array(form.lower)[:, None], np.array(form.upper)[:, None]
    here = height(form, some, theta) - form.ridge @ theta**2 / 2
    for step in np.vstack([np.eye(form.p), -np.eye(form.p)]):
        near = np.clip(theta + 1e-3 * step[:, None] * np.maximum(np.abs(theta), 1e-2), low, high)
        assert np.all(height(form, some, near) - form.ridge @ near**2 / 2 < here + 1e-5)


def test_a_narrow_ridge_is_followed_to_its_end() -> None:
    # Begun far away, where the pull on both parameters is nearly the same and every damped step is short.
    form = FORMS["all-tokens"]
    some = batch(np.array([[60.0, 45, 56, 48, 50, 54, 70, 86]]))
    far = np.array([[[15.0], [10.0]]])
    reached = refined(form, some, far, np.zeros(2, dtype=bool))[1]
    assert reached == pytest.approx(refined(form, some, searched(form, some), np.zeros(2, dtype=bool))[1], abs=1e-5)


def test_the_best_of_several_starts_wins() -> None:
    form, some = FORMS["hinge"], drawn(20, seed=3)
    starts, kept = searched(form, some), np.zeros(2, dtype=bool)
    alone = [refined(form, some, start[None], kept)[1] for start in starts]
    assert refined(form, some, starts, kept)[1] == pytest.approx(np.max(alone, axis=0), abs=1e-6)


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if form.concave])
def test_one_start_is_enough_where_the_likelihood_has_one_maximum(name: str) -> None:
    form, some, rng = FORMS[name], drawn(40, seed=2), np.random.default_rng(3)
    assert searched(form, some).shape[0] == 1
    low, high = (np.array(ends)[:, None] for ends in (form.lower, form.upper))
    starts = np.clip(rng.uniform(low, high, (20, form.p, 40)), -3, 3)
    kept = np.zeros(form.p, dtype=bool)
    one, many = (refined(form, some, begin, kept)[1] for begin in (searched(form, some), starts))
    assert one == pytest.approx(many, abs=1e-4)
