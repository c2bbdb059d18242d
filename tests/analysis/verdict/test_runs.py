"""Training runs of a size in verdicts: counted as runs, and their noise held against every claim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves.table import table_curves
from harness.analysis.growth import counts_of, run_sds
from harness.analysis.verdict import Judged, judge, to_json
from tests.builders.curves import DIP, FALL, FLAT, RISE, STEP, curve

SD = 0.05


def table(
    right: Sequence[float], runs: Sequence[int] | int, *, sd: float = SD, n: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Sizes that get `right` of 200 documents on average, several training runs of each; names tell the runs apart."""
    rng = np.random.default_rng(seed)
    of_size = [runs] * len(right) if isinstance(runs, int) else runs
    rows = []
    for size, (mean, number) in enumerate(zip(np.array(right) / 200, of_size, strict=True)):
        for run in range(number):
            p = float(np.clip(mean + 2 * sd * np.sqrt(mean * (1 - mean)) * rng.standard_normal(), 0, 1))
            rows.append({"model": f"toy-{size}-r{run}", "params": 1e7 * 10 ** (3 * size / 7), "k": rng.binomial(n, p)})
    common = {"family": "toy", "task": "colours", "metric": "acc", "n_shot": 0, "n": n, "chance": 0.25}
    return pd.DataFrame(rows).assign(**common)


def judged(right: Sequence[float], runs: Sequence[int] | int = 3, draws: int = 0, **options: float) -> Judged:
    (row,) = judge(table_curves(table(right, runs, **options)), draws=draws)  # type: ignore[arg-type]
    return row


def test_runs_are_counted_as_runs_and_never_as_sizes() -> None:
    row = judged(RISE)
    assert len(row.curve.points) == 8
    assert to_json(row)["runs"] == [3] * 8
    assert "over 8 sizes × 3 runs" in row.verdict.reasons[0]


def test_two_sizes_with_many_runs_are_two_sizes() -> None:
    row = judged(RISE[:2], 12)
    assert row.verdict.label == "inconclusive"
    assert row.verdict.reasons[0] == "Cannot tell: 2 sizes × 12 runs, at least 3 are needed."


def test_unequal_numbers_of_runs_are_named_from_the_fewest_to_the_most() -> None:
    assert judged(RISE, [1, 2, 5, 3, 1, 1, 2, 4]).curve.sizes == "8 sizes, 1 to 5 runs"
    assert judged(RISE, 1).curve.sizes == "8 sizes"


def test_the_noise_between_runs_is_estimated_and_replaces_the_assumed_one() -> None:
    evidence = judged(RISE, 5).verdict.evidence
    assert evidence.run_sd == pytest.approx(SD, rel=0.25)
    assert evidence.run_freedom == pytest.approx(32, abs=2)
    assert (one := judged(RISE, 1).verdict.evidence).run_freedom is None
    assert one.run_sd == 0.006


def test_one_size_with_two_runs_is_no_reason_to_believe_in_less_noise_than_is_assumed() -> None:
    (drawn,) = table_curves(table(RISE, [2, *[1] * 7], sd=0.0))
    assert run_sds([drawn], 0.03).item() == 0.03
    (drawn,) = table_curves(table(RISE, 3, sd=0.0))
    assert run_sds([drawn], 0.03).item() < 0.02


def test_a_mean_over_runs_has_its_share_of_the_noise() -> None:
    (drawn,) = table_curves(table(RISE, [1, *[4] * 7]))
    sd = run_sds([drawn], 0.0).item()
    counts = counts_of([drawn], run_sd=0.0)
    assert 1 / counts.n[0, 0] == pytest.approx(1 / 1000 + 4 * sd**2, rel=0.05)
    assert 1 / counts.n[0, 1] == pytest.approx(1 / 1000 + sd**2, rel=0.05)


def test_intervals_of_points_hold_the_noise_between_runs() -> None:
    (drawn,) = table_curves(table(RISE, [1, *[4] * 7]))
    alone, of_four = (p.high - p.low for p in drawn.points[:2])  # type: ignore[operator]
    assert alone > 1.5 * of_four > 1.5 * 2 * 1.96 * SD / 2 * 0.8


@pytest.mark.calibration
@pytest.mark.parametrize("right", [FLAT, RISE, FALL], ids=["flat", "rise", "fall"])
def test_noise_between_runs_makes_no_jump_and_no_turn(right: Sequence[int]) -> None:
    drawn = [c for seed in range(8) for c in table_curves(table(right, 3, sd=0.08, seed=seed).assign(task=f"t{seed}"))]
    labels = [row.verdict.label for row in judge(drawn, draws=0, together=False)]
    assert not {"emergent", "u-shaped", "inverted-u"} & {*labels}


def test_runs_make_a_jump_and_a_turn_sure_that_single_runs_hide() -> None:
    assert judged(STEP, 5).verdict.label == "emergent"
    found = [[judged(DIP, runs, sd=0.08, seed=seed).verdict.label for seed in range(4)] for runs in (1, 8)]
    assert [labels.count("u-shaped") for labels in found] < [2, 4]
    assert found[1].count("u-shaped") == 4


def test_a_jump_that_several_runs_of_the_largest_size_show_is_confirmed() -> None:
    alone, repeated = (judged(STEP, runs, sd=0.01).verdict for runs in (1, 3))
    assert alone.label == repeated.label == "emergent"
    assert "unconfirmed" in (alone.qualifier or "")
    assert "unconfirmed" not in (repeated.qualifier or "")
    assert [flip.model for flip in repeated.flips] == ["toy-7"]


def test_reasons_say_how_much_runs_differ_and_that_models_were_taken_for_runs() -> None:
    reasons = " ".join(judged(RISE).verdict.reasons)
    assert "Training runs of one size differ by a standard deviation of 0.0" in reasons
    assert "degrees of freedom from 8 sizes × 3 runs" in reasons
    assert "n = 1,000 documents per training run" in reasons
    assert "Models of one size, such as toy-0-r0 and toy-0-r1, are taken for its training runs." in reasons
    quiet = " ".join(judged(RISE, sd=0.0).verdict.reasons)
    assert "differ by no more than their documents explain" in quiet


def test_curves_of_single_runs_are_judged_as_before() -> None:
    (row,) = judge([curve(RISE)], draws=0)
    assert row.curve.noise is None
    assert not [sentence for sentence in row.verdict.reasons if "raining run" in sentence]


def test_runs_of_a_loss_widen_the_error_of_its_trend() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {
            "model": f"toy-{size}-r{run}",
            "params": 10.0 ** (7 + size),
            "value": 3.0 - 0.05 * size + 0.2 * rng.standard_normal(),
        }
        for size in range(4)
        for run in range(3)
    ]
    common = {"family": "toy", "task": "text", "metric": "loss", "n_shot": 0, "stderr": 0.001, "n": 1000}
    (row,) = judge(table_curves(pd.DataFrame(rows).assign(**common)), draws=0)
    assert row.verdict.evidence.run_sd == pytest.approx(0.2, rel=0.5)
    assert abs(row.verdict.evidence.z_trend or 99) < 5
