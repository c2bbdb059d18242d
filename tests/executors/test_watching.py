"""What is said while nothing comes back, each thing once."""

from __future__ import annotations

from harness.executors.ray.watching import Watched, Watcher

TOTAL = {"CPU": 8.0, "GPU": 4.0}


def news(watcher: Watcher, *workers: Watched, free: float = 0.0) -> list[str]:
    return list(watcher.news(workers, free={"GPU": free}, total=TOTAL))


def test_a_cell_that_hangs_is_named_after_a_minute_with_the_time_of_its_end() -> None:
    watcher = Watcher()
    hung = Watched(number=1, what="cell", seconds=61.0, expected=2.0, deadline=600.0)
    assert news(watcher, hung) == [
        "cell has been answered for 1 min 1 s, and was expected to take 2 s; its process is ended after 10 min"
    ]
    assert news(watcher, hung) == []


def test_a_long_cell_is_not_slow_and_neither_is_a_model_that_loads() -> None:
    long = Watched(number=1, what="cell", seconds=3000.0, expected=1000.0)
    loads = Watched(number=2, what="model", seconds=3000.0)
    assert news(Watcher(), long, loads) == []


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
