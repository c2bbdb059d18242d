"""What a run records of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from harness.runs.record import Progress, RunRecord, planned
from tests.builders.cells import cell, model

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
CELLS = tuple(cell(model=model(size), shots=shots) for size in (1000, 4000) for shots in (0, 2))
"""What the run was to evaluate."""


def record(**changes: Any) -> RunRecord:
    """A run of the four `CELLS`, a minute old, that has done two."""
    base = RunRecord(
        started_at=START,
        heard_at=START + timedelta(minutes=1),
        host="node-7",
        pid=4321,
        command="emergence run --suite toy",
        done_before=3,
        progress=Progress(total=4, done=1, failed=1, first_seconds=20.0, elapsed_seconds=40.0),
        plan=planned(CELLS),
    )
    return replace(base, **changes)
