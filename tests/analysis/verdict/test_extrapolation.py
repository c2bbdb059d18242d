import numpy as np
import pytest
from scipy.stats import binom

from harness.analysis.growth import Counts, stacked
from harness.analysis.verdict.extrapolation import apparent, held_out, narrow, pooled_bounds, sharp
from tests.builders.curves import counts

FLAT = (50, 48, 52, 49, 51, 50, 47, 53)
LINE = (50, 60, 70, 80, 90, 100, 110, 120)
STEP = (50, 48, 52, 49, 51, 50, 47, 150)
TWO = (50, 48, 52, 49, 51, 50, 148, 150)
EARLY = (50, 48, 52, 49, 148, 150, 152, 151)


def p_of(test: str, *curves: tuple[int, ...]) -> list[float]:
    some = counts(curves)
    return list({"ext": apparent, "sharp": sharp, "jump": lambda c: narrow(c, 0.05)}[test](some).p)


@pytest.mark.parametrize(("sizes", "tests"), [(2, ()), (3, ()), (4, (1,)), (5, (1,)), (6, (1, 2)), (12, (1, 2))])
def test_two_sizes_are_held_out_of_six_or_more_only(sizes: int, tests: tuple[int, ...]) -> None:
    assert held_out(sizes) == tests


def test_what_goes_on_as_before_is_no_surprise_and_a_jump_is() -> None:
    flat, line, step, two = p_of("ext", FLAT, LINE, STEP, TWO)
    assert min(flat, line) > 0.1
    assert max(step, two) < 1e-6


def test_a_jump_is_found_by_holding_out_as_many_sizes_as_made_it() -> None:
    found = apparent(counts((STEP, TWO)))
    assert found.held_out.tolist() == [1, 2]
    assert found.foreseen == pytest.approx([0.25, 0.25], abs=0.02)


def test_the_surprise_is_the_binomial_tail_above_the_best_law_times_two() -> None:
    found = apparent(counts((0, 0, 0, 0, 0, 0, 0, 3), chance=0.0))
    # With nothing below, every law foretells nothing, kept at 1e-9 of certainty or a little more.
    assert found.p[0] == pytest.approx(2 * binom.sf(2, 200, found.foreseen[0]), rel=1e-6)
    assert found.held_out[0] == 1


def test_a_lucky_size_does_not_foretell_any_jump_whatever() -> None:
    # Two hits more among the first sizes would let an unrestrained power law rise as steeply as asked for.
    (p,) = p_of("ext", (50, 49, 51, 50, 48, 51, 54, 150))
    assert p < 1e-6


def test_a_fall_at_the_largest_size_is_not_emergence() -> None:
    assert p_of("ext", (50, 60, 70, 80, 90, 100, 110, 50)) == [1.0]
    assert p_of("jump", LINE[::-1]) == [1.0]


def test_a_steep_power_law_fits_a_jump_at_the_last_size_but_not_one_before_it() -> None:
    line, step, two = p_of("sharp", LINE, STEP, TWO)
    assert line > 0.05
    assert two < 1e-6
    # One size above all others: with 75 points to go, even the steepest smooth curve shows at the size before.
    assert two < step


def test_a_break_further_down_is_found_where_holding_out_says_nothing() -> None:
    flat, line, early = p_of("jump", FLAT, LINE, EARLY)
    assert (flat, line) == (1.0, 1.0)
    assert early < 1e-6
    assert narrow(counts((EARLY,)), 0.05).held_out.tolist() == [4]


def test_a_wide_logistic_curve_has_no_break() -> None:
    x = np.linspace(7, 10, 12)
    y = 0.25 + 0.75 / (1 + np.exp(-2 * (x - 8.5)))
    assert narrow(counts(np.rint(y * 200)), 0.05).p[0] > 0.05


def test_a_later_size_at_chance_is_not_above_a_break() -> None:
    assert p_of("jump", (50, 48, 52, 49, 148, 150, 152, 51)) == [1.0]


def test_noise_between_runs_is_not_taken_for_a_break() -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(7, 10, 12)
    y = np.clip(0.25 + 0.05 * np.maximum(x - 8, 0) + rng.normal(0, 0.02, (60, 12)), 0, 1)
    p = narrow(counts(rng.binomial(2000, y), n=2000.0), 0.05).p
    assert (p < 0.01).mean() <= 0.05


def test_steps_of_flat_curves_are_rarely_called_surprising() -> None:
    rng = np.random.default_rng(1)
    flat = counts(rng.binomial(200, 0.25, (200, 8)))
    assert (apparent(flat).p < 0.01).mean() <= 0.02
    assert (narrow(flat, 0.05).p < 0.01).mean() <= 0.02


def test_curves_are_tested_together_as_they_are_alone() -> None:
    some = counts((FLAT, LINE, STEP, TWO, EARLY))
    for test in (apparent, sharp, lambda c: narrow(c, 0.05)):
        alone = [float(test(some.rows([row])).p[0]) for row in range(len(some))]
        assert test(some).p == pytest.approx(alone, rel=1e-3, abs=1e-12)


def test_units_of_scale_change_no_surprise() -> None:
    some = counts((LINE, STEP, TWO))
    moved = Counts(x=some.x + 3, k=some.k, n=some.n, chance=some.chance)
    for test in (apparent, sharp):
        assert test(moved).p == pytest.approx(test(some).p, rel=1e-3, abs=1e-12)


def test_pooled_bounds_are_those_of_clopper_and_pearson() -> None:
    low, high = (float(bound[0]) for bound in pooled_bounds(counts((3, 1, 4, 90)), 3))
    assert binom.sf(7, 600, low) == pytest.approx(0.05)
    assert binom.cdf(8, 600, high) == pytest.approx(0.05)


@pytest.mark.parametrize(("right", "at"), [(0, 0), (200, 1)])
def test_pooled_bounds_of_nothing_and_of_everything_touch_the_end(right: int, at: int) -> None:
    bounds = pooled_bounds(counts((right,) * 4), 3)
    assert bounds[at][0] == float(at)
    assert abs(bounds[1 - at][0] - at) < 0.01


def test_a_break_of_which_only_significance_is_asked_is_judged_the_same() -> None:
    rng = np.random.default_rng(0)
    level = np.where(np.arange(8) < 4, 0.25, rng.uniform(0.3, 0.6, (60, 1)))
    some = counts(rng.binomial(200, level + 0.02 * np.maximum(np.arange(8) - 4, 0)))
    exact, rough = narrow(some, 0.05).p, narrow(some, 0.05, needed=0.01).p
    significant = exact < 0.01
    assert 0 < significant.sum() < len(some)
    assert rough[significant] == pytest.approx(exact[significant])
    assert np.all(rough[~significant] >= 0.01)
    assert np.all(rough <= exact * (1 + 1e-6))


@pytest.mark.parametrize("sizes", [8, 12, 24])
def test_more_sizes_do_not_hide_a_narrow_rise(sizes: int) -> None:
    rng = np.random.default_rng(sizes)
    x = np.broadcast_to(np.linspace(7.0, 10.0, sizes), (100, sizes))
    share = 0.6 / (1 + np.exp(-2 * np.log(9) / 0.5 * (x - rng.uniform(8.5, 8.95, (100, 1)))))
    n = np.full(x.shape, 1000.0)
    some = Counts(x=x, k=rng.binomial(1000, share).astype(float), n=n, chance=np.zeros(100))
    assert (narrow(some, 0.05).p < 0.01).mean() >= 0.9


@pytest.mark.parametrize("run_sd", [0.0, 0.02, 0.05])
def test_a_rise_of_two_decades_is_not_narrow_whatever_its_runs_scatter(run_sd: float) -> None:
    rng = np.random.default_rng(2)
    x = np.broadcast_to(np.linspace(7.0, 10.0, 12), (300, 12))
    share = 0.6 / (1 + np.exp(-2 * np.log(9) / 2.0 * (x - rng.uniform(8.5, 9.0, (300, 1)))))
    trained = np.clip(share + 2 * run_sd * np.sqrt(share * (1 - share)) * rng.standard_normal(x.shape), 0, 1)
    n = np.full(x.shape, 900.0)
    some = Counts(x=x, k=rng.binomial(900, trained).astype(float), n=n, chance=np.zeros(300))
    assert (narrow(some, 0.05).p < 0.01).mean() <= 0.01


def test_a_rise_is_judged_the_same_beside_a_curve_that_spans_less() -> None:
    # It leaves chance a decade below the largest size, which only curves of more than a decade can do.
    late = counts((250, 250, 250, 250, 250, 307, 479, 650), n=1000.0)
    short = Counts(x=9.9 + (late.x - 7.0) / 30, k=late.k, n=late.n, chance=late.chance)
    beside = narrow(stacked([late, short]), 0.05).p[0]
    assert beside == pytest.approx(narrow(late, 0.05).p[0], rel=1e-3)


@pytest.mark.parametrize("sizes", [8, 24])
@pytest.mark.parametrize("decades", [1.05, 1.5])
def test_an_ability_that_sets_in_suddenly_and_gets_better_for_a_decade_makes_no_jump(
    sizes: int, decades: float
) -> None:
    rng, x = np.random.default_rng(0), np.linspace(7, 10, sizes)
    onset = rng.uniform(8.0, 8.6, (60, 1))
    y = 0.6 * (1 - 0.2 ** (np.maximum(x - onset, 0.0) / decades))
    some = counts(rng.binomial(1000, y), n=1000.0, chance=0.0)
    assert (narrow(some, 0.05).p < 0.01).mean() <= 0.02
    quick = 0.6 * (1 - 0.2 ** (np.maximum(x - onset, 0.0) / 0.4))
    assert (narrow(counts(rng.binomial(1000, quick), n=1000.0, chance=0.0), 0.05).p < 0.01).mean() >= 0.6


def test_models_at_one_place_of_the_axis_have_no_narrow_rise() -> None:
    step = counts((STEP,))
    together = Counts(x=np.full_like(step.x, 8.0), k=step.k, n=step.n, chance=step.chance)
    assert narrow(together, 0.05).p.tolist() == [1.0]


@pytest.mark.parametrize("chance", [0.0, 0.25])
@pytest.mark.parametrize("there", [2, 4, 5, 6])
def test_a_jump_to_the_best_score_is_no_straight_line_however_far_below_the_largest_size(
    there: int, chance: float
) -> None:
    # Ten sizes over three decades; from the jump on every document is right, and a steep line is cut there.
    right = [200 * chance] * (10 - there) + [200] * there
    assert narrow(counts(right, chance=chance), 0.05).p[0] < 1e-6


@pytest.mark.parametrize("chance", [0.0, 0.25])
def test_a_straight_line_that_takes_a_decade_to_the_best_score_is_not_narrow(chance: float) -> None:
    line = np.clip(chance + (1 - chance) * (np.arange(10) / 3 - 1), chance, 1.0)  # three sizes in every decade
    right = np.random.default_rng(5).binomial(500, np.tile(line, (40, 1)))
    assert (narrow(counts(right, n=500.0, chance=chance), 0.05).p < 0.01).mean() <= 0.05
