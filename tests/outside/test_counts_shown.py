"""What was found in a task's documents is told with its results."""

from __future__ import annotations

import json
from pathlib import Path

from harness.store import Store
from tests.builders import cell, result
from tests.builders.commands import Emergence


def test_copies_and_ambiguous_labels_stand_in_status_and_report(tmp_path: Path, emergence: Emergence) -> None:
    """Nobody reads a header (lm-eval#4145, PR#1447)."""
    Store(tmp_path / "results").write(result(cell(shots=2), n_copies=3, n_ambiguous=1))
    told = emergence("status").out
    assert "copies: colours: 3 of 4 documents among the demonstrations" in told
    assert "labels: colours: 1 of 4 are a number and a text of options" in told
    data = json.loads(emergence("status", "--json").out)
    assert (data["copies"], data["ambiguous_labels"]) == ({"colours": 3}, {"colours": 1})
    emergence("report", "-o", "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "3 of 4 documents had a copy among the demonstrations, which was left out for them" in page
    assert "1 of 4 labels are the number of one option, and read so, and the text of another" in page


def test_results_without_them_say_nothing(tmp_path: Path, emergence: Emergence) -> None:
    """Also results from before they were counted."""
    Store(tmp_path / "results").write(result(cell(shots=2)))
    told = emergence("status").out
    assert "copies" not in told
    assert "labels" not in told
