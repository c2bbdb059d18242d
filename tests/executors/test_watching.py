"""What is said while nothing comes back, each thing once."""

from __future__ import annotations

import pytest

from harness.executors.ray.watching import Watched, Watcher
from harness.executors.vigil import Still

TOTAL = {"CPU": 8.0, "GPU": 4.0}


def news(watcher: Watcher, *workers: Watched, free: float = 0.0) -> list[str]:
    return list(watcher.news(workers, free={"GPU": free}, total=TOTAL))


def test_a_cell_that_is_slow_is_named_after_a_minute_with_the_time_of_its_end() -> None:
    watcher = Watcher()
    slow = Watched(number=1, what="cell", seconds=61.0, expected=2.0, deadline=600.0, still=Still(documents=3, of=9))
    assert news(watcher, slow) == [
        "cell is slow: 3 of 9 documents answered; it has been answered for 1 min 1 s, and was expected to take 2 s; "
        "its process is ended after 10 min"
    ]
    assert news(watcher, slow) == []


def test_a_long_cell_is_not_slow_and_neither_is_a_model_that_loads() -> None:
    long = Watched(number=1, what="cell", seconds=3000.0, expected=1000.0)
    loads = Watched(number=2, what="model", seconds=3000.0)
    assert news(Watcher(), long, loads) == []


@pytest.mark.parametrize(
    ("longest", "quiet", "expected", "said"),
    [
        (None, 41.0, 2.0, True),  # nothing has come of a short cell
        (None, 41.0, 100.0, False),  # of a long one something comes after a while
        (1.0, 41.0, 1000.0, True),  # steps came each second, and no more
        (30.0, 41.0, 2.0, False),  # steps take so long here
        (30.0, 151.0, 2.0, True),
    ],
)
def test_what_computes_and_comes_no_further_is_told_apart_from_long_steps(
    longest: float | None, quiet: float, expected: float, said: bool
) -> None:
    still = Still(documents=1, of=5, quiet_seconds=quiet, idle_seconds=1.0, longest_seconds=longest)
    at = Watched(number=1, what="cell", seconds=50.0, expected=expected, documents=5, deadline=600.0, still=still)
    assert [line.startswith("cell: 1 of 5 documents answered; the process") for line in news(Watcher(), at)] == (
        [True] if said else []
    )


def test_a_model_that_is_loaded_without_computing_is_named_and_so_is_one_that_waits_for_memory() -> None:
    stuck = Watched(number=1, what="m", seconds=50.0, still=Still(idle_seconds=41.0))
    assert "the process loading it has computed nothing for 41 s: it hangs, or waits" in news(Watcher(), stuck)[0]
    short = Watched(number=2, what="m", seconds=50.0, still=Still(waits_for="8.0 GB of memory on n1"))
    assert news(Watcher(), short) == ["m waits for 8.0 GB of memory on n1, since 50 s"]


def test_what_waits_for_gpus_that_others_hold_says_so_after_half_a_minute() -> None:
    watcher = Watcher()
    assert news(watcher, Watched(number=1, what="big", seconds=29.0, pending=True, gpus=2.0)) == []
    assert news(watcher, Watched(number=1, what="big", seconds=31.0, pending=True, gpus=2.0), free=1.0) == [
        "big waits for 2 GPU on one node, since 31 s: of 4 in the cluster 1 are free, and the others are held by this "
        "run or by other jobs"
    ]
    assert news(watcher, Watched(number=1, what="big", seconds=60.0, pending=True, gpus=2.0)) == []


def test_cells_of_other_runs_are_waited_for_in_words() -> None:
    watcher = Watcher()
    assert list(watcher.others(3, 10.0)) == []
    assert "waiting for 3 cells" in next(watcher.others(3, 31.0))
    assert list(watcher.others(3, 60.0)) == []
    assert list(watcher.others(0, 60.0)) == []


def test_cells_that_no_node_takes_are_named() -> None:
    watcher = Watcher()
    assert list(watcher.others(0, 29.0, unplaced=4, nodes=2)) == []
    [line] = watcher.others(0, 31.0, unplaced=4, nodes=2)
    assert line.startswith("4 cells wait for a node: of 2 nodes in the cluster none takes a worker for them now")
