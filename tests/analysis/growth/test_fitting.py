from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binom

from harness.analysis.growth import FORMS, Counts, Fits, Form, dispersion, fit, loglik_terms, saturated
from harness.analysis.growth.fitting import leave_one_out
from harness.analysis.growth.likelihood import aicc
from harness.analysis.stats import Array
from tests.builders.curves import X, counts

SIZES = len(X)
ENDS = np.array([[7.0, 10.0]])


def without(some: Counts, size: int) -> Counts:
    """The same curves with nothing known about one size."""
    known = np.arange(some.sizes) != size
    return replace(some, k=some.k * known, n=some.n * known)


def drawn(curves: int, seed: int = 0, *, last: float = 11.0) -> Counts:
    """Logistic growth of all widths with midpoints up to `last`: some there from the start, some never."""
    rng = np.random.default_rng(seed)
    midpoint, slope = rng.uniform(6.5, last, (curves, 1)), rng.uniform(0.0, 6.0, (curves, 1))
    y = 0.25 + 0.75 / (1 + np.exp(-slope * (X - midpoint)))
    return counts(rng.binomial(200, np.clip(y, 0, 1)))


def searched(form: Form, one: Counts, starts: int = 12) -> float:
    """The best log-likelihood scipy finds from many places; one curve."""
    ends = one.x[:, [0, -1]]

    def loss(theta: Array) -> float:
        mu = np.clip(form.shape(theta[None], one.x, one.chance[:, None], ends)[0], 1e-9, 1 - 1e-9)
        return -float(loglik_terms(one.k, one.n, mu).sum())

    grid = np.stack(np.meshgrid(*form.grid, indexing="ij"), axis=-1).reshape(-1, form.p)
    near = sorted(grid, key=loss)[:: max(1, len(grid) // (4 * starts))][:starts]
    bounds = list(zip(form.lower, form.upper, strict=True))
    return -min(float(minimize(loss, start, method="L-BFGS-B", bounds=bounds).fun) for start in near)


def alone(form: Form, all_of_them: Counts) -> list[Fits]:
    return [fit(form, all_of_them.rows([row])) for row in range(len(all_of_them))]


@pytest.mark.parametrize("name", FORMS)
def test_curves_are_fitted_together_as_they_are_alone(name: str) -> None:
    some = drawn(12)
    together, apart = fit(FORMS[name], some), alone(FORMS[name], some)
    assert together.loglik == pytest.approx([float(f.loglik[0]) for f in apart], abs=1e-6)
    assert together.mean(X) == pytest.approx(np.vstack([f.mean(X) for f in apart]), abs=1e-4)


@pytest.mark.calibration
@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if form.closed is None])
def test_no_search_from_many_starts_finds_a_better_fit(name: str) -> None:
    # Curves that rise: on flat ones a cliff before the first size that was lucky may be likelier, and means nothing.
    some = drawn(12, seed=7, last=10.0)
    found = fit(FORMS[name], some).loglik
    best = np.array([searched(FORMS[name], some.rows([row])) for row in range(len(some))])
    # Slopes are held back a little, which costs at most this much; a hinge has a summit in each gap between sizes.
    assert np.all(found > best - (0.7 if name == "hinge" else 0.02))
    assert np.median(best - found) < 0.001


@pytest.mark.parametrize(("name", "places"), [("const", 1), ("step", SIZES - 1)])
def test_closed_forms_are_the_best_of_all_values(name: str, places: int) -> None:
    some, form = drawn(10, seed=2), FORMS[name]
    grid = [np.linspace(0.005, 0.995, 199)]
    grid = [(np.arange(places) + 0.5) / places, *grid] if name == "step" else grid
    found = fit(form, some)
    tried = [
        loglik_terms(some.k, some.n, form.shape(np.tile(t, (10, 1)), some.x, some.chance[:, None], ENDS)[0]).sum(axis=1)
        for t in np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, form.p)
    ]
    assert np.all(found.loglik >= np.max(tried, axis=0) - 1e-9)
    by_hand = binom.logpmf(some.k, some.n, found.mean(X)).sum(axis=1)
    assert found.loglik == pytest.approx(by_hand, abs=1e-6)


def test_a_hinge_that_reaches_a_perfect_score_is_not_stuck_there() -> None:
    some = counts(np.array([[55, 62, 46, 58, 100, 170, 193, 199], [110, 146, 154, 171, 179, 184, 196, 197]]))
    assert np.all(fit(FORMS["hinge"], some).loglik > np.array([-42.71, -70.55]))


def test_a_hinge_finds_the_side_of_a_size_on_which_its_kink_lies() -> None:
    some = counts([(62, 48, 56, 63, 76, 124, 157, 197), (56, 36, 60, 61, 67, 119, 152, 183)])
    # Just before the fourth size lies another summit, lower by .6 and 1.3.
    assert fit(FORMS["hinge"], some).theta[:, 0] * (SIZES - 1) == pytest.approx([3.255, 3.356], abs=0.01)


def test_the_log_likelihood_is_that_of_binomial_counts() -> None:
    some = drawn(5)
    fitted = fit(FORMS["logistic"], some)
    by_hand = binom.logpmf(some.k, some.n, fitted.mean(X)).sum(axis=1)
    assert fitted.loglik == pytest.approx(by_hand, abs=1e-6)
    assert saturated(some) == pytest.approx(binom.logpmf(some.k, some.n, some.k / some.n), abs=1e-6)


def test_exact_counts_of_a_curve_give_the_curve_back() -> None:
    y = 0.25 + 0.75 / (1 + np.exp(-2.0 * (X - 8.7)))
    fitted = fit(FORMS["logistic"], counts(y * 1e5, n=1e5))
    assert fitted.named(0)["k"] == pytest.approx(2.0, abs=0.01)
    assert fitted.reaches(np.array([0.625])) == pytest.approx(8.7, abs=0.001)
    assert fitted.mean(X)[0] == pytest.approx(y, abs=1e-4)


@pytest.mark.parametrize("name", FORMS)
def test_a_size_left_out_says_nothing(name: str) -> None:
    some = drawn(6)
    wild = Counts(x=some.x, k=np.where(np.arange(SIZES) == 3, 200 - some.k, some.k), n=some.n, chance=some.chance)
    one, other = (fit(FORMS[name], without(c, 3)) for c in (some, wild))
    assert one.loglik == pytest.approx(other.loglik)
    assert one.mean(X) == pytest.approx(other.mean(X))


def test_leaving_out_the_ends_keeps_the_anchors_of_the_parameters() -> None:
    some = drawn(4)
    whole, cut = fit(FORMS["logistic"], without(some, SIZES - 1)), fit(FORMS["logistic"], some.smallest(SIZES - 1))
    assert whole.loglik == pytest.approx(cut.loglik, abs=0.01)
    assert whole.mean(X[:-1]) == pytest.approx(cut.mean(X[:-1]), abs=0.01)


@pytest.mark.parametrize("name", FORMS)
def test_half_the_documents_say_the_same_with_half_the_weight(name: str) -> None:
    some = drawn(6, seed=3)
    halved = Counts(x=some.x, k=some.k / 2.5, n=some.n / 2.5, chance=some.chance)
    one, other = fit(FORMS[name], some), fit(FORMS[name], halved)
    best = (saturated(some).sum(axis=1) - one.loglik, saturated(halved).sum(axis=1) - other.loglik)
    assert best[1] == pytest.approx(best[0] / 2.5, abs=0.02)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("right", [0, 200])
def test_scores_of_nothing_and_of_everything_have_finite_fits(name: str, right: int) -> None:
    fitted = fit(FORMS[name], counts(np.full(SIZES, right)))
    assert np.isfinite(fitted.loglik).all()
    assert np.isfinite(fitted.theta).all()
    assert np.all((fitted.mean(X) >= 0) & (fitted.mean(X) <= 1))


@pytest.mark.parametrize("name", ["power", "logistic"])
def test_the_units_of_scale_move_a_curve_and_nothing_else(name: str) -> None:
    some = drawn(5)
    moved = Counts(x=some.x + 3, k=some.k, n=some.n, chance=some.chance)
    one, other = fit(FORMS[name], some), fit(FORMS[name], moved)
    assert other.loglik == pytest.approx(one.loglik)
    level = np.full(5, 0.4)
    assert other.reaches(level) == pytest.approx(one.reaches(level) + 3)


def test_a_refined_fit_is_as_good_as_one_searched_anew() -> None:
    some = drawn(20, seed=4)
    first = fit(FORMS["logistic"], some)
    again = fit(FORMS["logistic"], some, start=first.theta * 0.9)
    assert again.loglik == pytest.approx(first.loglik, abs=0.02)


def test_what_is_fixed_stays_where_it_was_put() -> None:
    some = drawn(5)
    held = fit(FORMS["logistic"], some, start=np.tile([0.0, 1.3], (5, 1)), fixed=("k",))
    assert held.theta[:, 1] == pytest.approx(1.3)
    assert np.all(held.loglik <= fit(FORMS["logistic"], some).loglik + 0.02)
    assert np.ptp(held.theta[:, 0]) > 0


def test_parameters_keep_to_their_bounds() -> None:
    steep = counts(np.where(X < 8.5, 50, 199))
    free, narrow = fit(FORMS["logistic"], steep), fit(FORMS["logistic"].bounded(upper={"k": 4.4}), steep)
    assert free.theta[0, 1] > 5
    assert narrow.theta[0, 1] == pytest.approx(4.4)
    assert narrow.loglik[0] < free.loglik[0] - 1


def test_the_criterion_counts_sizes_and_not_documents() -> None:
    loglik = np.array([-10.0])
    assert aicc(loglik, 0, 3) == pytest.approx(20)
    assert aicc(loglik, 2, 12) == pytest.approx(20 + 4 + 12 / 9)
    assert aicc(loglik, 3, 5) == pytest.approx(20 + 6 + 24)
    assert aicc(loglik, 3, 4) == math.inf


def test_each_size_is_foretold_from_all_others() -> None:
    y = 0.25 + 0.1 * (X - 7.0)
    even = np.rint(y * 200)
    odd = np.where(np.arange(SIZES) == 4, even + 60, even)
    plain, surprised = (leave_one_out(FORMS["linear"], counts(k))[0] for k in (even, odd))
    assert plain.shape == (SIZES,)
    assert surprised.argmin() == 4
    assert surprised[4] < plain[4] - 10
    by_hand = fit(FORMS["linear"], without(counts(odd), 4)).mean(X[4:5])[0, 0]
    assert surprised[4] == pytest.approx(binom.logpmf(odd[4], 200, (200 * by_hand + 0.5) / 201))


def test_a_fitted_zero_is_no_infinite_surprise() -> None:
    found = leave_one_out(FORMS["const"], counts(np.array([0, 0, 0, 0, 0, 1]), n=100.0, chance=0.0))
    assert np.isfinite(found).all()


def test_counts_scatter_about_their_mean_once_and_noisy_runs_more() -> None:
    rng = np.random.default_rng(0)
    mu = np.full((400, SIZES), 0.5)
    shifted = np.clip(mu + rng.normal(0, 0.05, mu.shape), 0, 1)
    quiet, noisy = (dispersion(counts(rng.binomial(1000, y), n=1000.0), mu, 0) for y in (mu, shifted))
    assert quiet.min() == 1.0
    # Variance between runs 0.05^2 over binomial variance 0.25 / 1000.
    assert noisy.mean() == pytest.approx(1 + 0.05**2 / 0.00025, rel=0.1)
    assert dispersion(counts(np.arange(3)), np.full((1, 3), 0.5), 3) == 1.0


def test_beyond_the_sizes_only_a_straight_line_falls() -> None:
    some = counts([180, 180, 178, 170, 150, 110, 70, 55])
    line, curve = (fit(FORMS[name], some) for name in ("linear", "logistic"))
    for on in (line, curve):
        assert on.onward(X) == pytest.approx(on.mean(X))
    beyond = np.array([11.0])
    assert line.onward(beyond) == pytest.approx(line.mean(beyond))
    assert curve.mean(beyond) < curve.mean(X[-1:]) - 0.02
    assert curve.onward(beyond) == pytest.approx(curve.mean(X[-1:]))
    rising = fit(FORMS["logistic"], counts([55, 70, 110, 150, 170, 178, 180, 180]))
    assert rising.onward(beyond) == pytest.approx(rising.mean(beyond))
