from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import MOST_POINTS, Curve, neighbours_joined
from harness.analysis.curves.table import table_curves
from harness.analysis.verdict import judge

NUMBER = 600


def checkpoints(number: int = NUMBER, *, n: int = 400, jump: bool = False) -> Curve:
    """One model after many amounts of training, evenly spaced as checkpoints are: most of them late."""
    tokens = np.linspace(1e9, 3e11, number)
    at = np.log10(tokens)
    rise = 1 / (1 + np.exp(-(at - 10.5) * (40 if jump else 3)))
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"tokens": tokens, "params": 1e9, "k": rng.binomial(n, 0.25 + 0.5 * rise), "n": n})
    frame["model"] = [f"toy@step{step}" for step in range(number)]
    (drawn,) = table_curves(frame.assign(family="toy", task="t", metric="acc", n_shot=0, chance=0.25), "tokens")
    return drawn


def test_a_curve_of_few_points_stays_as_it_is() -> None:
    few = checkpoints(MOST_POINTS)
    assert neighbours_joined(few) is few


def test_neighbours_are_joined_with_the_documents_of_one_of_them() -> None:
    whole = checkpoints()
    joined = neighbours_joined(whole)
    assert 8 < len(joined.points) <= MOST_POINTS
    assert joined.joined_from == NUMBER
    assert set(joined.n) == {400}
    assert joined.points[0] == whole.points[0]
    last = joined.points[-1]
    together = whole.points[-1 - int(last.name.split()[-1].rstrip(")")) :]
    assert last.name.startswith(f"{together[0].name} (and the next ")
    assert last.x == pytest.approx(10 ** np.mean(np.log10([p.x for p in together])))
    assert last.estimate.value == pytest.approx(np.mean([p.estimate.value for p in together]))


def test_documents_of_joined_points_are_averaged() -> None:
    whole = checkpoints(60, n=4)
    items = np.zeros((60, 1, 4))
    for row, y in enumerate(whole.y):
        items[row, 0, : round(4 * y)] = 1.0
    joined = neighbours_joined(replace(whole, items=items), most=10)
    assert joined.items is not None
    assert joined.items.mean(axis=(1, 2)) == pytest.approx(joined.y)


def test_points_at_one_place_are_not_joined() -> None:
    whole = checkpoints(60)
    here = replace(whole, points=tuple(replace(p, x=1e9) for p in whole.points))
    assert neighbours_joined(here) is here


@pytest.mark.parametrize(("jump", "label"), [(False, "smooth"), (True, "emergent")])
def test_many_checkpoints_are_judged_as_the_curve_they_draw(jump: bool, label: str) -> None:
    whole = checkpoints(jump=jump)
    (row,) = judge([whole])
    assert row.curve is whole
    assert row.verdict.label == label
    assert row.verdict.threshold_low is not None
    assert row.verdict.threshold_high is not None
    true = 10 ** (10.5 - np.log(9) / (40 if jump else 3))
    assert row.verdict.threshold_low < true < row.verdict.threshold_high
    assert any(sentence.startswith("600 checkpoints, judged as") for sentence in row.verdict.reasons)
