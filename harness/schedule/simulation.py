"""How long a schedule takes, by running it event by event with the decisions that a real run takes."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.schedule.dispatch import JOIN_SECONDS, Dispatcher, End, Give, Load
from harness.schedule.hardware import Need, Node
from harness.schedule.pieces import Lane, Piece

PART_OVERHEAD = 1.0
"""Seconds that each part of a cell takes beside its documents: the task and the demonstrations are read again."""


class Makespan(NamedTuple):
    """What a simulated run took."""

    seconds: float
    """Time from the first load to the last answer."""
    gpu_seconds: float
    """GPUs times the seconds that models lay on them, from the start of loading on."""
    loads: int
    """Number of times that a model was loaded."""
    parts: int
    """Number of parts that cells were cut into; 0 when all stayed whole."""


def simulate(
    lanes: Sequence[Lane],
    needs: Sequence[Need],
    nodes: Sequence[Node],
    *,
    workers: int | None = None,
    true_seconds: Callable[[Piece], float] | None = None,
    watch: Callable[[float, Dispatcher], None] | None = None,
) -> Makespan:
    """Run a schedule without models.

    Args:
        lanes: what is to be answered, with estimated times.
        needs: what a worker of each lane takes.
        nodes: the machines.
        workers: most models loaded at once; None for as many as the nodes hold.
        true_seconds: time that a piece really takes; None when the estimates are right.
        watch: called after each event, with the time.
    """
    dispatcher = Dispatcher(lanes, needs, nodes, workers=workers)
    events: list[tuple[float, int, float]] = []  # when, which worker, seconds of its piece
    busy: dict[int, tuple[float, float]] = {}  # worker -> when it was opened, its GPUs
    now = gpu_seconds = 0.0
    loads = parts = 0
    loading: set[int] = set()

    def begin(number: int, piece: Piece) -> None:
        nonlocal parts
        parts += piece.blocks is not None
        took = piece.seconds if true_seconds is None or piece.joins else true_seconds(piece)
        took += PART_OVERHEAD if piece.blocks is not None else 0.0
        heapq.heappush(events, (now + took, number, took))

    while True:
        for step in dispatcher.steps(now):
            match step:
                case Load():
                    loads += 1
                    loading.add(step.worker)
                    busy[step.worker] = now, needs[step.lane].gpus
                    heapq.heappush(events, (now + lanes[step.lane].load_seconds, step.worker, 0.0))
                case Give():
                    begin(step.worker, step.piece)
                case End():
                    opened, gpus = busy.pop(step.worker)
                    gpu_seconds += (now - opened) * gpus
                    dispatcher.ended(step.worker)
        if not events:
            assert dispatcher.done, "work waits that no node can take"
            return Makespan(seconds=now, gpu_seconds=gpu_seconds, loads=loads, parts=parts)
        if watch is not None:
            watch(now, dispatcher)
        now, number, took = heapq.heappop(events)
        if number in loading:
            loading.remove(number)
            dispatcher.opened(number)
        elif (joining := dispatcher.answered(number, now, took)) is not None:
            begin(number, joining)


def bound(
    lanes: Sequence[Lane],
    needs: Sequence[Need],
    nodes: Sequence[Node],
    *,
    workers: int | None = None,
    true_seconds: Callable[[Piece], float] | None = None,
) -> float:
    """Time that no schedule can beat: all work and one load of each model shared evenly, or the longest piece.

    A cell that can be cut is as long as its load and one block.
    """
    on_gpus = on_cpus = total = longest = 0.0
    for number, (lane, need) in enumerate(zip(lanes, needs, strict=True)):
        seconds = lane.load_seconds
        for place, job in enumerate(lane.jobs):
            piece = Piece(lane=number, job=place, task=job.task.name, seconds=job.seconds)
            took = piece.seconds if true_seconds is None else true_seconds(piece)
            seconds += took
            if lane.may_cut and job.blocks > 1:
                took = min(took, took / job.blocks + JOIN_SECONDS)
            longest = max(longest, lane.load_seconds + took)
        on_gpus += seconds * need.gpus
        on_cpus += 0.0 if need.gpus else seconds
        total += seconds
    gpus = sum(node.gpus for node in nodes)
    places = sum(node.workers for node in nodes)
    shares = [on_gpus / max(1, gpus), on_cpus / max(1, places), total / workers if workers else 0.0]
    return max(longest, *shares)
