from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from harness.analysis.curves.table import table_curves
from harness.analysis.verdict import Judged, Presence, judge, to_json
from tests.builders.commands import Emergence

ABSENT, THERE = 50, 160
"""Documents of 200 that runs without and with the ability have right; chance is 50."""
MIXED = [
    [ABSENT] * 5,
    [ABSENT] * 5,
    [ABSENT] * 4 + [THERE],
    [ABSENT, THERE, 150, 170, THERE],
    [THERE] * 5,
    [THERE] * 5,
]


def table(right: Sequence[Sequence[int]], **columns: object) -> pd.DataFrame:
    rows = [
        {"model": f"toy-{size}", "params": 1e6 * 4**size, "run": run, "k": k}
        for size, runs in enumerate(right)
        for run, k in enumerate(runs)
    ]
    common = {"family": "toy", "task": "colours", "metric": "acc", "n_shot": 0, "n": 200, "chance": 0.25}
    return pd.DataFrame(rows).assign(**{**common, **columns})


def judged(right: Sequence[Sequence[int]], **columns: object) -> Judged:
    (row,) = judge(table_curves(table(right, **columns)), draws=0)
    return row


def presence(right: Sequence[Sequence[int]]) -> Presence:
    found = judged(right).verdict.presence
    assert found is not None
    return found


def test_the_share_of_runs_with_the_ability_and_their_score_are_told_apart() -> None:
    found = presence(MIXED)
    assert [(one.model, one.present, one.runs, one.share) for one in found.sizes] == [
        ("toy-0", 0, 5, 0.0),
        ("toy-1", 0, 5, 0.0),
        ("toy-2", 1, 5, 0.2),
        ("toy-3", 4, 5, 0.8),
        ("toy-4", 5, 5, 1.0),
        ("toy-5", 5, 5, 1.0),
    ]
    assert [one.score for one in found.sizes] == [None, None, 0.8, 0.8, 0.8, 0.8]
    assert [one.score_absent for one in found.sizes] == [0.25, 0.25, 0.25, 0.25, None, None]
    assert found.sizes[3].gap == pytest.approx(0.5)


def test_half_of_the_runs_have_it_between_the_sizes_around_one_half() -> None:
    assert presence(MIXED).half == pytest.approx(1e6 * 4**2.5)
    assert presence(MIXED[3:]).half is None
    assert presence(MIXED[:3]).half is None


def test_intervals_are_of_runs_and_open_where_there_is_one() -> None:
    found = presence(MIXED)
    assert (found.sizes[2].score_low, found.sizes[2].score_high) == (None, None)
    low, high = found.sizes[3].score_low, found.sizes[3].score_high
    assert low == pytest.approx(0.8 - 3.182 * 0.0408 / 2, abs=0.001)
    assert high == pytest.approx(1.6 - (low or 0))
    assert found.sizes[0].share_high == pytest.approx(0.434, abs=0.001)


def test_luck_with_few_documents_is_no_ability() -> None:
    assert presence([[60, 50, 50, 50, 50]] * 4).sizes[0].present == 0
    assert presence([[61, 50, 50, 50, 50]] * 4).sizes[0].present == 1


def test_with_fewer_than_five_runs_nothing_is_said_of_their_distribution() -> None:
    few = judged([runs[:4] for runs in MIXED])
    assert few.verdict.presence is None
    assert to_json(few)["presence"] is None
    some = judged([MIXED[0][:1], *MIXED[1:]]).verdict.presence
    assert some is not None
    assert [one.model for one in some.sizes] == ["toy-1", "toy-2", "toy-3", "toy-4", "toy-5"]


def test_nothing_is_present_or_absent_without_a_chance_level() -> None:
    assert judged(MIXED, chance=None).verdict.presence is None


def test_reasons_name_the_sizes_at_which_only_some_runs_have_it() -> None:
    said = " ".join(judged(MIXED).verdict.reasons)
    assert "Only some training runs reach 0.300 (1 of 5 of toy-2, 4 of 5 of toy-3)" in said


def test_json_and_reasons_have_it_as_a_table(emergence: Emergence, tmp_path: object) -> None:
    path = f"{tmp_path}/t.csv"
    table(MIXED).to_csv(path, index=False)
    shown = emergence("verdicts", "--table", path, "--reasons").out
    assert "P(present)" in shown
    assert "toy-3     5                 4       0.800" in shown
    data = to_json(judged(MIXED))["presence"]
    assert data["level"] == pytest.approx(0.3)
    assert data["sizes"][3]["present"] == 4
