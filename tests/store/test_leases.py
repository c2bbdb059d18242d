"""Several runs share one folder: one has a cell, and another takes it over once its run is gone."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.store import LeaseOwner, Leases, Store
from harness.store.lease_files import LEASES
from harness.store.leases import SILENT_SECONDS
from tests.builders import cell, result

PLACE = cell().place


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def leases(root: Path, name: str, clock: Clock | None = None) -> Leases:
    return Leases(LeaseOwner(root=root, name=name), clock=clock or Clock())


def test_of_many_runs_that_want_a_cell_one_gets_it(tmp_path: Path) -> None:
    (tmp_path / LEASES).mkdir()
    runs = [leases(tmp_path, f"far-{number}-ab") for number in range(8)]
    places = [cell(seed=seed).place for seed in range(25)]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda run: [place for place in places if run.claim(place)], runs))
    assert Counter(place for some in got for place in some) == Counter(places)
    for run, some in zip(runs, got, strict=True):
        assert [place for place in places if run.holds(place)] == some


def test_a_cell_that_is_given_back_is_free(tmp_path: Path) -> None:
    one, other = leases(tmp_path, "far-1-aa"), leases(tmp_path, "far-2-bb")
    with one:
        assert one.claim(PLACE)
        assert one.claim(PLACE), "it is its own"
        assert not other.claim(PLACE)
        other.release(PLACE)  # which it does not have
        assert one.holds(PLACE)
        one.release(PLACE)
        assert other.claim(PLACE)


def test_a_run_that_ends_gives_back_all_it_had_and_leaves_no_file(tmp_path: Path) -> None:
    with leases(tmp_path, "far-1-aa") as one:
        assert all(one.claim(cell(seed=seed).place) for seed in range(3))
    assert not (tmp_path / LEASES).exists()


def test_a_silent_run_is_taken_over_by_the_observers_own_clock_and_finds_out(tmp_path: Path) -> None:
    (tmp_path / LEASES).mkdir()
    clock = Clock()
    gone, other = leases(tmp_path, "far-1-aa"), leases(tmp_path, "far-2-bb", clock)
    assert gone.claim(PLACE)
    assert not other.claim(PLACE)
    clock.seconds = SILENT_SECONDS - 1
    assert not other.claim(PLACE)
    clock.seconds = SILENT_SECONDS + 1
    assert other.claim(PLACE)
    assert not gone.holds(PLACE)
    assert SILENT_SECONDS <= 110


def test_a_run_whose_beat_changes_keeps_its_cells_however_long_it_takes(tmp_path: Path) -> None:
    (tmp_path / LEASES).mkdir()
    clock = Clock()
    slow, other = leases(tmp_path, "far-1-aa"), leases(tmp_path, "far-2-bb", clock)
    assert slow.claim(PLACE)
    for beat in range(5):
        (tmp_path / LEASES / "far-1-aa.beat").write_text(f"{beat}")
        assert not other.claim(PLACE)
        clock.seconds += SILENT_SECONDS - 1


def test_a_run_of_this_machine_whose_process_is_gone_need_not_be_waited_for(tmp_path: Path) -> None:
    (tmp_path / LEASES).mkdir()
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    gone = leases(tmp_path, f"{socket.gethostname()}-{child}-abcd")
    here = Leases(LeaseOwner.of_this_process(tmp_path))
    assert gone.claim(PLACE)
    assert gone.claim(cell(seed=1).place)
    (tmp_path / LEASES / f"{socket.gethostname()}-{child}-abcd.beat").write_text("3")
    with here:
        assert here.claim(PLACE)
        assert not leases(tmp_path, "far-3-cc").claim(PLACE)
    assert not (tmp_path / LEASES).exists(), "what it left is cleared away"


def test_of_several_that_take_over_one_succeeds(tmp_path: Path) -> None:
    (tmp_path / LEASES).mkdir()
    gone = leases(tmp_path, "far-0-aa")
    places = [cell(seed=seed).place for seed in range(20)]
    assert all(gone.claim(place) for place in places)
    clocks = [Clock() for _ in range(6)]
    runs = [leases(tmp_path, f"far-{number + 1}-ab", clock) for number, clock in enumerate(clocks)]
    for run in runs:
        assert not run.claim(places[0])
    for clock in clocks:
        clock.seconds = SILENT_SECONDS + 1
    start = threading.Barrier(6)

    def race(run: Leases) -> list[object]:
        start.wait()
        return [place for place in places if run.claim(place)]

    with ThreadPoolExecutor(6) as pool:
        got = [place for some in pool.map(race, runs) for place in some]
    assert sorted(got) == sorted(places)


def test_a_file_that_is_no_lease_is_nobodys(tmp_path: Path) -> None:
    clock = Clock()
    one = leases(tmp_path, "far-1-aa", clock)
    with one:
        assert one.claim(PLACE)
        [path] = [path for path in (tmp_path / LEASES).iterdir() if path.suffix != ".beat"]
        path.write_text("garbage")
        other = leases(tmp_path, "far-2-bb", clock)
        assert not other.claim(PLACE)
        clock.seconds = SILENT_SECONDS + 1
        assert other.claim(PLACE)


@pytest.mark.parametrize("finished", [True, False])
def test_a_cell_that_another_run_has_finished_is_done(tmp_path: Path, *, finished: bool) -> None:
    store = Store(tmp_path)
    with leases(tmp_path, "far-1-aa") as mine:
        if finished:
            store.write(result())
        assert store.take(cell(), mine) == ("done" if finished else "mine")
        assert mine.holds(PLACE) is not finished
