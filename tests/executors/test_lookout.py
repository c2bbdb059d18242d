"""What is said while a run goes on, by the time that passes for it."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from harness.executors.ray import lookout as looking
from harness.executors.ray.lookout import Lookout
from harness.executors.vigil import Still
from harness.plan import RunPlan
from harness.schedule import lanes
from tests.builders import cell, task


class Fleet:
    """A fleet whose workers have nothing to say."""

    busy = ()

    def __init__(self) -> None:
        self.asked = 0

    def __len__(self) -> int:
        return self.asked


class Out:
    """Takes messages."""

    def send(self, kind: str, value: object = None) -> None:
        self.last = kind, value


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(looking.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("works", [True, False])
def test_cells_wait_for_a_node_only_where_no_worker_has_been_asked_anything_for_long(
    clock: list[float], caplog: pytest.LogCaptureFixture, *, works: bool
) -> None:
    fleet = Fleet()
    lookout = Lookout((), fleet, Out(), lambda piece: None)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        for _ in range(8):
            fleet.asked = 2 * works
            lookout.tell(lambda: 9.0)
            fleet.asked = 0  # all have come back just when it is looked
            clock[0] += 5.0
            lookout.watch({}, waiting=0, unplaced=7, nodes=1)
    said = [record.getMessage() for record in caplog.records]
    assert said == ([] if works else [said[0]])
    assert works or said[0].startswith("7 cells wait for a node: of 1 node in the cluster none takes a worker")


def test_the_time_left_is_told_every_two_seconds(clock: list[float]) -> None:
    out = Out()
    lookout = Lookout((), Fleet(), out, lambda piece: None)  # type: ignore[arg-type]
    clock[0] = 10.0
    lookout.tell(lambda: 77.0)
    assert out.last == ("at", ())
    clock[0] = 13.0
    lookout.tell(lambda: 55.0)
    assert out.last == ("left", 55.0)


def test_what_a_worker_does_before_it_answers_is_told_with_its_cell() -> None:
    asked = lanes(RunPlan(cells=(cell(engine="simulated"),), tasks={"colours": task()}), seconds=lambda *_: 1.0)
    worker = SimpleNamespace(
        lane=0, job=0, doing="answer", node="n1", pid=7, gpus=0.0, still=Still(doing="training, step 2 of 9")
    )
    fleet, out = Fleet(), Out()
    fleet.busy = (worker,)  # type: ignore[assignment]
    Lookout(asked, fleet, out, lambda piece: None).tell(lambda: 9.0)  # type: ignore[arg-type]
    kind, (place,) = out.last  # type: ignore[misc]
    assert (kind, place.cell, place.doing) == ("at", cell().label, "training, step 2 of 9")
