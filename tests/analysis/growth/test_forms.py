import numpy as np
import pytest

from harness.analysis.growth import FORMS, Fits
from harness.analysis.stats import LUCKY_MATCHES, Array

ENDS = np.array([[7.0, 10.0]])
CHANCE = np.array([0.2])
X = np.array([[7.1, 7.9, 8.6, 9.3, 10.0, 10.4]])

TYPICAL = {
    "const": (0.4,),
    "linear": (0.25, 0.7),
    "power": (-1.0, 1.7),
    "error-power": (-2.0, 0.2),
    "all-tokens": (0.5, 1.2),
    "logistic": (-0.5, 1.9),
    "logistic-top": (-0.5, 1.9, 0.8),
    "quadratic-logit": (-0.3, 0.7, -0.4),
    "hinge": (0.35, 0.3),
    "hinge-top": (0.25, 1.1, 0.7),
    "step": (0.5, 0.6),
}
"""One set of parameters per form that rises from about chance, well inside its bounds."""
RISING = sorted(name for name, form in FORMS.items() if form.inverse)


def mean(name: str, theta: Array, x: Array = X) -> Array:
    return FORMS[name].shape(theta, x, CHANCE[:, None], ENDS)[0]


def test_every_form_is_tried_here() -> None:
    assert set(TYPICAL) == set(FORMS)


@pytest.mark.parametrize("name", TYPICAL)
def test_slopes_are_the_derivatives_of_the_shape(name: str) -> None:
    theta = np.array([TYPICAL[name]])
    slopes = FORMS[name].shape(theta, X, CHANCE[:, None], ENDS)[1]
    assert slopes.shape == (1, X.shape[1], FORMS[name].p)
    for place in range(FORMS[name].p):
        nudge = np.zeros_like(theta)
        nudge[0, place] = 1e-6
        by_hand = (mean(name, theta + nudge) - mean(name, theta - nudge)) / 2e-6
        assert slopes[:, :, place] == pytest.approx(by_hand, abs=1e-6), FORMS[name].parameters[place]


@pytest.mark.parametrize("name", RISING)
@pytest.mark.parametrize("level", [0.35, 0.45, 0.55])
def test_the_inverse_finds_the_place_where_the_shape_has_the_level(name: str, level: float) -> None:
    form, theta = FORMS[name], np.array([TYPICAL[name]])
    assert form.inverse is not None
    at = form.inverse(theta, np.array([level]), CHANCE, ENDS)
    # A step has no place where it is at the level, only one before and one after.
    around = mean(name, theta, at[:, None] + np.array([[-1e-6, 1e-6]]))[0]
    assert around[0] <= level <= around[1]
    if name != "step":
        assert around == pytest.approx(level, abs=1e-5)


@pytest.mark.parametrize("name", RISING)
def test_a_level_the_curve_starts_above_was_reached_before_the_smallest_size(name: str) -> None:
    theta = np.array([TYPICAL[name]])
    fits = Fits(form=FORMS[name], theta=theta, loglik=np.zeros(1), chance=CHANCE, ends=ENDS)
    assert fits.reaches(np.array([0.1])) == -np.inf
    assert ENDS[0, 0] < fits.reaches(np.array([0.5])) < ENDS[0, 1] + 1


@pytest.mark.parametrize(
    ("name", "level"), [("logistic-top", 0.85), ("hinge-top", 0.75), ("step", 0.65), ("all-tokens", 1.01)]
)
def test_a_level_above_the_top_of_a_curve_is_never_reached(name: str, level: float) -> None:
    theta = np.array([TYPICAL[name]])
    fits = Fits(form=FORMS[name], theta=theta, loglik=np.zeros(1), chance=CHANCE, ends=ENDS)
    assert fits.reaches(np.array([level])) == np.inf


def test_a_falling_curve_never_rises_to_a_level() -> None:
    fits = Fits(form=FORMS["linear"], theta=np.array([[0.6, 0.3]]), loglik=np.zeros(1), chance=CHANCE, ends=ENDS)
    assert fits.reaches(np.array([0.7])) == np.inf


@pytest.mark.parametrize("name", ["power", "all-tokens", "logistic", "logistic-top", "hinge", "hinge-top"])
def test_curves_of_an_ability_leave_chance_and_never_fall_below_it(name: str) -> None:
    far = mean(name, np.array([TYPICAL[name]]), np.array([[-40.0, 0.0, 7.0, 8.5]]))[0]
    assert far[:2] == pytest.approx(CHANCE[0], abs=1e-4)
    assert np.all(np.diff(far) >= 0)


@pytest.mark.parametrize("name", ["power", "error-power", "all-tokens", "logistic"])
def test_without_a_top_growth_ends_at_a_perfect_score(name: str) -> None:
    assert mean(name, np.array([TYPICAL[name]]), np.array([[60.0]])) == pytest.approx(1.0, abs=1e-6)


def test_an_error_power_law_divides_the_log_of_the_error_evenly() -> None:
    error = 1 - mean("error-power", np.array([[-2.0, 0.2]]), np.array([[7.0, 8.0, 9.0]]))[0]
    assert error[1:] / error[:-1] == pytest.approx(10**-0.2)


def test_a_power_law_multiplies_the_gain_over_chance_evenly() -> None:
    gain = mean("power", np.array([[-1.0, 1.7]]), np.array([[7.0, 8.0, 9.0]]))[0] - CHANCE
    assert gain[1:] / gain[:-1] == pytest.approx(np.exp(1.7))


def test_the_loss_behind_all_tokens_right_is_a_power_law() -> None:
    right = (mean("all-tokens", np.array([[0.5, 1.2]]), np.array([[7.0, 8.0, 9.0]]))[0] - CHANCE) / (1 - CHANCE)
    loss = -np.log(right)
    assert loss[1:] / loss[:-1] == pytest.approx(np.exp(-1.2))


def test_below_a_step_even_a_task_without_chance_has_lucky_matches() -> None:
    low = FORMS["step"].shape(np.array([[0.5, 0.6]]), X[:, :2], np.zeros((1, 1)), ENDS)[0]
    assert low == pytest.approx(LUCKY_MATCHES)


@pytest.mark.parametrize("name", TYPICAL)
def test_bounds_and_starting_values_stand_for_every_parameter(name: str) -> None:
    form = FORMS[name]
    assert len(form.lower) == len(form.upper) == form.p == len(TYPICAL[name])
    assert (form.closed is None) == (len(form.grid) == form.p)
    assert set(form.slopes) <= set(form.parameters)


def test_a_form_can_be_narrowed_without_changing_the_one_it_comes_from() -> None:
    wide = FORMS["logistic"]
    narrow = wide.bounded(lower={"a": -1.0}, upper={"k": 4.4})
    assert (narrow.lower, narrow.upper) == ((-1.0, wide.lower[1]), (wide.upper[0], 4.4))
    assert wide is FORMS["logistic"]
    assert wide.upper[1] == 60.0


def test_a_restrained_form_holds_back_its_slopes_only() -> None:
    assert FORMS["power"].restrained(7.0).ridge == pytest.approx([0.0, 1 / 49])
    assert FORMS["linear"].restrained(7.0).ridge == pytest.approx([0.0, 0.0])


def test_a_hinge_with_a_top_comes_nearer_to_it_by_the_same_factor_with_each_decade() -> None:
    lacking = 0.7 - mean("hinge-top", np.array([[0.0, 1.1, 0.7]]), np.array([[7.0, 8.0, 9.0]]))[0]
    assert lacking[0] == pytest.approx(0.5)
    assert lacking[1:] / lacking[:-1] == pytest.approx(np.exp(-1.1))
