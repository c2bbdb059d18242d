"""A run that is killed at any moment goes on where it stopped and ends as if nothing had happened."""

import re
import signal
import time
from pathlib import Path

import pytest

from harness.store import Store
from harness.store.leases import LEASES
from tests.builders.commands import EXECUTORS, start_run, write_toy


def content(store: Store) -> dict[str, object]:
    """What a results folder says, less where and when it was made."""
    return {r.cell.key: (r.scores, store.samples(r.cell), r.shots_effective, r.n_expected) for r in store.results()}


@pytest.mark.processes
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_killed_run_is_finished_without_doing_anything_twice(tmp_path: Path, executor: str) -> None:
    toy = write_toy(tmp_path / "toy", sleep=0.3)
    broken = Store(tmp_path / "broken")
    first = start_run(toy, broken.root, executor)
    deadline = time.monotonic() + 90
    while len(broken.done()) < 3:
        assert time.monotonic() < deadline, "no cells after 90 s"
        assert first.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept = {path: path.stat().st_mtime_ns for path in broken.root.rglob("cell.json")}
    assert 3 <= len(kept) < 16
    assert broken.problems() == ()

    second = start_run(toy, broken.root, executor)
    _, messages = second.communicate(timeout=120)
    assert second.returncode == 0, messages
    assert f"{len(kept)} of 16 cells are done already" in messages
    assert f"{16 - len(kept)} cells evaluated, 0 failed" in messages
    assert {path: path.stat().st_mtime_ns for path in kept} == kept

    whole = Store(tmp_path / "whole")
    assert start_run(toy, whole.root, "inline").wait(timeout=120) == 0
    assert content(broken) == content(whole)
    assert len(content(whole)) == 16


@pytest.mark.processes
@pytest.mark.parametrize("executor", EXECUTORS)
def test_two_runs_share_a_folder_and_evaluate_no_cell_twice(tmp_path: Path, executor: str) -> None:
    toy = write_toy(tmp_path / "toy", sleep=0.5)
    shared = Store(tmp_path / "shared")
    runs = [start_run(toy, shared.root, executor) for _ in range(2)]
    said = [run.communicate(timeout=180)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    evaluated = [int(match[1]) for text in said if (match := re.search(r"(\d+) cells evaluated, 0 failed", text))]
    assert sum(evaluated) == 16, said
    assert len(shared.done()) == 16
    assert shared.problems() == ()
    assert not (shared.root / LEASES).exists()
    assert all(record.ending == "finished" for record in shared.runs()[0])
