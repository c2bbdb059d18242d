from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import Curve, Scale
from harness.analysis.curves.table import table_curves

TOKENS = (1e9, 4e9, 1.6e10, 6.4e10)


def trained(params: Sequence[float] = (1e8, 1e9), *, tokens: Sequence[float] = TOKENS, named: str) -> pd.DataFrame:
    """Every size after every amount of training; `named` says what its checkpoints are called."""
    rows = [
        {
            "model": named.format(params=f"{p / 1e6:.0f}m", step=step),
            "params": p,
            "tokens": t,
            "loss": 5 - 0.2 * np.log10(p * t),
            "k": 50 + 10 * step + (20 if p > 1e8 else 0),
        }
        for p in params
        for step, t in enumerate(tokens)
    ]
    return pd.DataFrame(rows).assign(family="toy", task="sums", metric="acc", n_shot=0, n=200, chance=0.25)


def only(frame: pd.DataFrame, scale: Scale) -> Curve:
    (curve,) = table_curves(frame, scale)
    return curve


@pytest.mark.parametrize("named", ["toy-{params}@step{step}", "toy-{params}-step{step}"])
@pytest.mark.parametrize("scale", ["params", "params_active", "flops"])
def test_sizes_stand_on_an_axis_with_their_last_checkpoint_alone(scale: Scale, named: str) -> None:
    curve = only(trained(named=named), scale)
    assert curve.y == pytest.approx((80 / 200, 100 / 200))
    assert (curve.left_out, curve.noun) == (6, "size")


def test_checkpoints_of_a_single_size_are_a_curve_over_compute() -> None:
    curve = only(trained((1e8,), named="toy@step{step}"), "flops")
    assert curve.y == pytest.approx((0.25, 0.3, 0.35, 0.4))
    assert (curve.left_out, curve.noun) == (0, "checkpoint")
    assert curve.names == ("toy@step0", "toy@step1", "toy@step2", "toy@step3")
    assert curve.models == ("toy",) * 4


@pytest.mark.parametrize("named", ["toy-{params}@step{step}", "toy-{params}-step{step}"])
def test_all_checkpoints_of_all_sizes_are_joined_by_their_loss(named: str) -> None:
    curve = only(trained(named=named), "loss")
    assert len(curve.points) == 8
    assert (curve.left_out, curve.noun) == (0, "checkpoint")


def test_sizes_whose_checkpoints_have_names_of_their_own_have_a_curve_each_over_tokens() -> None:
    drawn = table_curves(trained((1.001e9, 1.002e9), named="toy-{params}-step{step}"), "tokens")
    assert [(c.split, c.x) for c in drawn] == [("size 1,001,000,000", TOKENS), ("size 1,002,000,000", TOKENS)]
    assert len({c.setting for c in drawn}) == 2


def test_two_differently_trained_models_of_equally_many_parameters_are_two_models() -> None:
    frame = trained(tokens=TOKENS[:2], named="toy-{params}-{step}")
    assert len(only(frame, "params").points) == 4
    assert only(frame, "params").left_out == 0


def test_runs_of_a_size_that_were_equally_trained_share_its_point_on_the_axis_of_size() -> None:
    runs = [trained(named=f"run{run}-{{params}}-step{{step}}") for run in (1, 2)]
    curve = only(pd.concat(runs), "params")
    assert curve.x == (1e8, 1e9)
    assert curve.runs == (2, 2)
    assert curve.left_out == 12


def test_a_checkpoint_without_a_name_is_named_by_its_training() -> None:
    curve = only(trained((1e8,), named="toy"), "tokens")
    assert curve.names[:2] == ("toy after 1B tokens", "toy after 4B tokens")
