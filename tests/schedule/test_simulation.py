"""Schedules as a whole: how long they take, and what they never do."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

from harness.schedule import BLOCK, Dispatcher, End, Give, Lane, Load, Need, Node, Piece, bound, needs, simulate
from tests.benchmarks.schedule import GPU_BYTES, KNOWN, WRONG, rows, study
from tests.benchmarks.schedule import nodes as study_nodes
from tests.builders.schedules import lane, nodes


@pytest.mark.parametrize("costs", ["known", "wrong"])
def test_a_large_study_ends_near_its_bound(costs: str) -> None:
    [row] = rows(rounds=1, sizes=(512,), costs=(costs,))
    assert 1.0 <= row.worst <= (KNOWN if costs == "known" else WRONG)


@pytest.mark.parametrize(("gpus", "costs"), [(8, "wrong"), (64, "known"), (512, "wrong"), (512, "known")])
def test_the_time_left_is_right_within_a_quarter_from_a_fifth_of_the_time_on(gpus: int, costs: str) -> None:
    [row] = rows(rounds=1, sizes=(gpus,), costs=(costs,))
    assert row.eta_lowest >= 0.75
    assert row.eta_highest <= 1.25


def test_the_time_left_counts_loads_and_follows_what_was_measured() -> None:
    made = [lane({"t": [100.0] * 4}, load=10.0, gpus=1.0), lane({"u": [100.0]}, name="m1", load=50.0, gpus=1.0)]
    dispatcher = Dispatcher(made, [Need(gpus=1.0)] * 2, nodes(gpus=1))
    assert dispatcher.seconds_left(0.0) == 10.0 + 400.0 + 50.0 + 100.0
    [load] = dispatcher.steps(0.0)
    assert isinstance(load, Load)
    dispatcher.opened(load.worker, 20.0)
    [give] = dispatcher.steps(20.0)
    assert isinstance(give, Give)
    assert dispatcher.seconds_left(20.0) == 400.0 + 50.0 + 100.0
    dispatcher.answered(give.worker, 320.0, 300.0)  # three times as long, also for the model that is not loaded yet
    left = dispatcher.seconds_left(320.0)
    assert 300.0 + 50.0 + 100.0 < left < 3 * 300.0 + 50.0 + 3 * 100.0
    assert left == pytest.approx(300.0 * 2.77 + 50.0 + 100.0 * 2.25, rel=0.05)


def test_one_model_is_shared_by_all_gpus() -> None:
    made = [lane({f"t{i}": [100.0] * 4 for i in range(8)}, load=10.0, gpus=1.0)]
    run = simulate(made, [needs(made[0].model, nodes(gpus=8))], nodes(gpus=8))
    assert (run.loads, run.seconds) == (8, 10.0 + 3200 / 8)


def test_a_model_is_not_loaded_again_where_loading_takes_longer_than_the_work() -> None:
    made = [lane({"t": [1.0] * 20}, load=100.0, gpus=1.0)]
    run = simulate(made, [Need(gpus=1.0)], nodes(gpus=8))
    assert (run.loads, run.seconds) == (1, 120.0)


def test_a_long_cell_is_cut_for_idle_workers_and_a_lone_worker_leaves_it_whole() -> None:
    made = [lane({"long": [3600.0]}, load=10.0, documents=14_000, gpus=1.0)]
    shared = simulate(made, [Need(gpus=1.0)], nodes(gpus=8))
    alone = simulate(made, [Need(gpus=1.0)], nodes(gpus=1))
    assert shared.seconds < 3600 / 8 * 1.25
    assert shared.parts >= 8
    assert (alone.parts, alone.seconds) == (0, 3610.0)


def test_a_cell_of_few_documents_is_never_cut() -> None:
    made = [lane({"short": [3600.0]}, documents=BLOCK, gpus=1.0)]
    assert simulate(made, [Need(gpus=1.0)], nodes(gpus=8)).parts == 0


def test_no_more_models_are_loaded_at_once_than_was_asked() -> None:
    made = [lane({"a": [10.0] * 4}, name=f"m{i}", gpus=1.0) for i in range(4)]
    run = simulate(made, [Need(gpus=1.0)] * 4, nodes(gpus=8), workers=2)
    assert run.seconds == pytest.approx(160 / 2)


def test_a_bound_counts_one_load_of_each_model_and_the_longest_piece() -> None:
    made = [lane({"a": [10.0] * 4}, load=5.0, gpus=1.0)]
    assert bound(made, [Need(gpus=1.0)], nodes(gpus=2)) == 45 / 2
    assert bound(made, [Need(gpus=1.0)], nodes(gpus=8)) == 15.0
    assert bound(made, [Need()], nodes(workers=2)) == 45 / 2


def drive(  # noqa: PLR0912
    made: Sequence[Lane], wanted: Sequence[Need], at: Sequence[Node], seed: int
) -> Dispatcher:
    """A run with random times and deaths of workers, which checks every step."""
    drawn = random.Random(seed)
    dispatcher = Dispatcher(made, wanted, at)
    on: dict[str, float] = defaultdict(float)
    of: dict[int, tuple[str, float]] = {}
    busy: dict[int, bool] = {}
    covered: Counter[tuple[int, int]] = Counter()
    now = 0.0
    while True:
        for step in dispatcher.steps(now):
            match step:
                case Load(worker=worker, lane=number, node=node):
                    of[worker] = node, wanted[number].gpus
                    on[node] += wanted[number].gpus
                    assert on[node] <= next(n.gpus for n in at if n.name == node) + 1e-6
                    busy[worker] = True
                case Give(worker=worker):
                    assert worker in of
                    assert worker not in busy
                    busy[worker] = False
                case End(worker=worker):
                    assert worker not in busy
                    node, gpus = of.pop(worker)
                    on[node] -= gpus
                    dispatcher.ended(worker)
        if not busy:
            break
        now += drawn.random()
        worker = drawn.choice(sorted(busy))
        loading = busy.pop(worker)
        if drawn.random() < 0.2:
            node, gpus = of.pop(worker)
            on[node] -= gpus
            if (piece := dispatcher.lost(worker)) is not None:
                dispatcher.again(piece)
        elif loading:
            dispatcher.opened(worker)
        else:
            piece = dispatcher._workers[worker].piece
            assert piece is not None
            if not piece.joins:
                job = made[piece.lane].jobs[piece.job]
                covered[piece.lane, piece.job] += len(piece.blocks or range(job.blocks))
            if dispatcher.answered(worker, now, drawn.random() * 100) is not None:
                busy[worker] = False
    assert dispatcher.done
    for number, each in enumerate(made):
        for place, job in enumerate(each.jobs):
            assert covered[number, place] == job.blocks
    return dispatcher


@pytest.mark.parametrize("seed", range(8))
def test_every_block_is_answered_once_and_no_gpu_is_overfilled_whatever_dies(seed: int) -> None:
    drawn = random.Random(seed)
    gpus = [0.1, 0.5, 1.0, 1.0, 2.0, 4.0, 0.0]
    made = [
        lane(
            {f"t{i}": [drawn.uniform(1, 2000) for _ in range(3)] for i in range(3)},
            name=f"m{number}",
            load=drawn.uniform(0, 50),
            documents=drawn.choice([20, 5000]),
            gpus=each,
        )
        for number, each in enumerate(gpus)
    ]
    drive(made, [Need(gpus=each) for each in gpus], nodes(2, gpus=4), seed)


def test_a_model_on_several_gpus_is_not_kept_waiting_by_small_ones() -> None:
    small = [lane({"t": [50.0] * 40}, name=f"s{i}", gpus=1.0) for i in range(8)]
    large = lane({"t": [10.0] * 2}, name="large", gpus=4.0)
    made = [*small, large]
    run = simulate(made, [*[Need(gpus=1.0)] * 8, Need(gpus=4.0)], nodes(gpus=4))
    assert run.seconds <= 1.05 * bound(made, [*[Need(gpus=1.0)] * 8, Need(gpus=4.0)], nodes(gpus=4))


def test_large_models_of_one_size_wait_for_each_other_and_are_loaded_once() -> None:
    made = [lane({"t": [10.0] * 5}, name=f"m{i}", load=30.0, gpus=2.0) for i in range(3)]
    run = simulate(made, [Need(gpus=2.0)] * 3, nodes(gpus=2))
    assert (run.loads, run.seconds) == (3, 3 * 80.0)


def test_a_node_that_was_kept_for_a_model_is_free_when_its_cells_are_answered_elsewhere() -> None:
    small, large = lane({"t": [10.0] * 6}, name="small", gpus=1.0), lane({"t": [5.0]}, name="large", gpus=4.0)
    dispatcher = Dispatcher([small, large], [Need(gpus=1.0), Need(gpus=4.0)], nodes(gpus=4))
    loads = [step for step in dispatcher.steps(0.0) if isinstance(step, Load)]
    assert len(loads) == 4
    dispatcher.opened(loads[0].worker)
    assert [type(step) for step in dispatcher.steps(0.0)] == [End]  # the node is kept for the large model
    dispatcher.ended(loads[0].worker)
    dispatcher.drop(Piece(lane=1, job=0, task="t", seconds=5.0))  # which another run has answered
    assert [type(step) for step in dispatcher.steps(1.0)] == [Load]


@pytest.mark.parametrize("seed", range(4))
def test_several_large_models_are_all_answered_whatever_dies(seed: int) -> None:
    gpus = [2.0, 2.0, 2.0, 4.0, 4.0, 1.0, 0.5]
    made = [
        lane({"t": [100.0] * 4}, name=f"m{number}", load=5.0, documents=3000, gpus=each)
        for number, each in enumerate(gpus)
    ]
    drive(made, [Need(gpus=each) for each in gpus], nodes(2, gpus=4), seed)


def test_the_models_of_the_study_share_gpus_only_where_memory_and_size_allow() -> None:
    at = study_nodes(8)
    for each in study(0):
        need = needs(each.model, at)
        weights = 4 * each.model.params
        assert weights <= need.gpus * GPU_BYTES if need.gpus < 1 else need.gpus == 1
