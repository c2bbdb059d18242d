import pandas as pd
import pytest

from harness.analysis.compare import task_qualities
from harness.analysis.curves.table import table_curves
from tests.builders.tables import counted


def test_noise_comes_from_training_runs_where_no_checkpoints_show_it() -> None:
    runs = [counted([k + more for k in range(50, 130, 10)], run=name) for name, more in (("a", 0), ("b", 4))]
    (found,) = task_qualities(table_curves(pd.concat(runs)), ())
    assert found.source == "training runs"
    assert found.noise == pytest.approx(0.02 / 2**0.5)
    assert found.separates


def test_recipes_that_score_the_same_count_one_half_and_sizes_need_not_agree_to_the_last_digit() -> None:
    frames = []
    for recipe, (small, large), size in (("a", (100, 150), 1.0), ("b", (100, 120), 1.004), ("c", (90, 160), 1.0)):
        for params, k in ((1e8 * size, small), (1e9 * size, large)):
            row = {"family": recipe, "model": f"{recipe}{params}", "params": params, "k": k, "n": 200}
            frames.append(row | {"task": "t", "metric": "acc", "n_shot": 0})
    (found,) = task_qualities(table_curves(pd.DataFrame(frames)), ())
    # a and b tie at the small size; c is last there and first at the large one.
    assert found.decisions == ((1e8, pytest.approx(0.5 / 3), 3),)


def test_a_single_model_has_no_signal() -> None:
    (found,) = task_qualities(table_curves(counted([50])), ())
    assert (found.signal, found.ratio, found.separates, found.decisions) == (None, None, None, ())
