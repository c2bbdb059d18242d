"""What the embedded family shows, from its checkpoints to the verdicts: abilities of every kind, over all trainings."""

from __future__ import annotations

import json

import pytest

from tests.builders.commands import Emergence

RUN = ("run", "--family", "embedded", "--executor", "inline")
ASKED = {
    "skill_shift": "0,2,4",
    "skill_halves": "0,4,8",
    "parity,override,modular_sum,topic": "0",
}


@pytest.fixture
def verdicts(emergence: Emergence) -> dict[tuple[str, int], dict[str, object]]:
    """(task, shots) -> the verdict, after a run of the tasks over all sizes and trainings."""
    for tasks, shots in ASKED.items():
        done = emergence(*RUN, "--task", tasks, "--shots", shots)
        assert done.code == 0, done.err
    return {(row["task"], row["shots"]): row for row in json.loads(emergence("verdicts", "--json").out)}


def test_abilities_of_every_kind_are_found_over_all_trainings(
    verdicts: dict[tuple[str, int], dict[str, object]],
) -> None:
    labels = {setting: row["label"] for setting, row in verdicts.items()}
    assert labels == {
        ("skill_shift", 0): "flat",
        ("skill_shift", 2): "emergent",
        ("skill_shift", 4): "emergent",
        ("skill_halves", 0): "flat",
        ("skill_halves", 4): "emergent",
        ("skill_halves", 8): "emergent",
        ("parity", 0): "flat",
        ("override", 0): "inverse",
        ("modular_sum", 0): "metric-artefact",
        ("topic", 0): "smooth",
    }
    emergent = [row for row in verdicts.values() if row["label"] == "emergent"]
    assert {row["qualifier"] for row in emergent} == {"sharp metric-robust"}  # and not unconfirmed
    assert [row["flips"] for row in emergent] == [[]] * 4  # no single size carries them
