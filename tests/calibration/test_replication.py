"""What runs say of each other's verdicts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.calibration.replication import GOAL, LABEL_HEAD, label_rows, simulated
from tests.calibration.runs import HALF_DECADE

pytestmark = pytest.mark.calibration


def test_a_second_run_of_a_narrow_rise_confirms_it() -> None:
    runs = simulated(HALF_DECADE, 0.006, 2)
    assert {run: len(of) for run, of in runs.items()} == {"first": 8, "second": 8}
    found = {row[1]: row for row in label_rows("toy", runs)}
    confirmed = found["emergent, confirmed"]
    assert len(confirmed) == len(LABEL_HEAD)
    assert int(str(confirmed[2])) >= 12
    assert int(str(confirmed[5])) >= GOAL * int(str(confirmed[3]))
    assert confirmed[-1] == "yes"


def test_a_verdict_that_another_run_denies_is_counted_as_contradicted() -> None:
    runs = simulated(HALF_DECADE[:1], 0.006, 1)
    flat = tuple(replace(row, verdict=replace(row.verdict, label="flat")) for row in runs["second"])
    (said, _) = label_rows("toy", {"first": runs["first"], "second": flat})
    assert said[1:6] == ("emergent, confirmed", 2, 2, 0, 0)
    assert said[-1] == "no"
