"""A model is gone with all that it started before the next one is loaded, and what fitted into memory is remembered."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.engines.protocol import ENGINES, EngineSettings
from harness.executors.ray import keeper as keeping
from harness.executors.ray.keeper import Keeper
from harness.executors.relocation import package_folders
from harness.executors.worker import Duty
from harness.plan import RunPlan
from harness.schedule import Lane, lanes
from tests import builders
from tests.executors.engines import LARGE, PATHS, TOY

pytestmark = pytest.mark.processes


def lane(folder: Path, name: str, variant: str | None = None, **config: str) -> Lane:
    model = builders.model(name=name, path=str(folder), variant=variant)
    task = builders.task(config=config)
    [made] = lanes(RunPlan(cells=(builders.cell(of=task, model=model, engine="toy"),), tasks={task.name: task}))
    return made


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    duty = Duty(settings=EngineSettings(), engines={**ENGINES, "toy": TOY}, level=30)
    made = Keeper(duty, PATHS, package_folders())
    yield made
    made.close(end=True)


def memory_of_children() -> int:
    """Bytes of memory that the processes started by this one hold."""
    return sum(child.memory_info().rss for child in children())


def children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [child for child in found if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_a_model_is_gone_with_its_memory_and_its_children_before_the_next_is_loaded(
    keeper: Keeper, tmp_path: Path
) -> None:
    before, running = memory_of_children(), len(children())
    first = keeper.open(lane(tmp_path, "first", "large"), {}, fresh=False)
    assert first.refused == ()
    assert memory_of_children() - before > LARGE
    assert len(children()) - running == 2  # the model, and what it started
    assert keeper.close(end=True).pid is None
    assert len(children()) == running
    assert memory_of_children() - before < LARGE / 10
    second = keeper.open(lane(tmp_path, "second"), {}, fresh=False)
    assert second.pid not in (None, first.pid)
    assert len(children()) - running == 1


def test_a_fresh_process_takes_the_place_of_one_that_may_be_broken(keeper: Keeper, tmp_path: Path) -> None:
    first = keeper.open(lane(tmp_path, "first"), {}, fresh=False)
    again = keeper.open(lane(tmp_path, "first"), {}, fresh=True)
    assert again.pid != first.pid
    assert first.pid is not None
    assert not psutil.pid_exists(first.pid)
    answer = keeper.answer(0).answer
    assert answer is not None
    assert pickle.loads(answer.outcome).cell.model.name == "first"


def test_a_model_waits_for_memory_that_others_have_taken(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([0.0, 0.0, 0.0, 0.0, 1e12])
    monkeypatch.setattr(keeping, "free_memory", lambda: next(free))
    monkeypatch.setattr(keeping.time, "sleep", lambda seconds: None)
    assert keeper.open(lane(tmp_path, "first"), {}, fresh=False).refused == ()
    assert next(free, None) is None


def test_a_keeper_says_how_far_its_process_is_when_it_takes_long(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINGER_SECONDS", "1.5")
    said = keeper.open(lane(tmp_path, "first", do="linger"), {}, fresh=False)
    monkeypatch.setattr(keeping, "TELL_SECONDS", 0.0)
    said = keeper.answer(0)
    assert said.still is not None
    while said.still is not None:
        said = keeper.go_on()
    assert said.answer is not None
