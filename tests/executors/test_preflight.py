"""What is missing on a node is said before the first cell, in a line that names the node."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import MachineError
from harness.executors.ray import look
from harness.executors.ray.memory import free_memory, memory_needed, total_memory
from harness.executors.ray.preflight import Seen, check_nodes, lacks, wanted_paths
from harness.executors.relocation import moved, package_folders
from harness.plan import RunPlan
from harness.schedule import Lane, lanes
from harness.treatments import teacher_path, treated
from harness.version import __version__
from tests import builders


def seen(name: str = "n1", *, gpus: float = 0.0, **changes: Any) -> Seen:
    usual = {"version": __version__, "python": platform.python_version(), "gpu": False, "memory": 8e9, "missing": []}
    return Seen(name=name, answer={**usual, **changes}, gpus=gpus)


def lane(params: int = 1000, engine: str = "tree", **changes: Any) -> Lane:
    return Lane(model=builders.model(params, **changes), engine=engine, jobs=())


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (seen(), None),
        (Seen(name="n1", answer=None), "node n1 does not answer in 25 s"),
        (Seen(name="n1", answer=None, error="no space left"), "node n1 cannot run a task: no space left"),
        (seen(version="0.1.0"), f"node n1 has version 0.1.0 of emergence-harness and this machine {__version__}"),
        (seen(error="No module named 'harness'"), f"node n1 lacks emergence-harness {__version__}: No module named"),
        (seen(python="2.7.1"), "node n1 runs Python 2.7.1 and this machine"),
        (seen(missing=["/m"]), "node n1 cannot read /m; expected under the same path as on this machine"),
        (seen(missing=["/m", "/n", "/o"]), "node n1 cannot read /m and 2 more; expected"),
        (seen(gpus=4.0), "node n1 has 4 GPU(s) by Ray's count, and none is seen there"),
        (seen(gpus=4.0, gpu=True), None),
    ],
)
def test_a_node_that_lacks_something_is_named_with_it(node: Seen, said: str | None) -> None:
    found = lacks(node, on_gpu=True)
    assert found == said if said is None else (found or "").startswith(said)


def test_a_gpu_that_no_model_asks_for_is_not_missed() -> None:
    assert lacks(seen(gpus=4.0), on_gpu=False) is None


def test_three_of_many_nodes_are_named() -> None:
    nodes = [seen(f"n{i}", missing=["/m"]) for i in range(5)]
    with pytest.raises(MachineError, match=r"^node n0 .*; node n1 .*; node n2 .*; and 2 more nodes; mend this"):
        check_nodes(nodes, [lane()], [0.0])


def test_a_model_that_no_nodes_memory_holds_is_refused_and_one_that_some_hold_is_not() -> None:
    nodes = [seen("small", memory=8e9), seen("large", memory=40e9)]
    check_nodes(nodes, [lane(7_000_000_000)], [0.0])
    with pytest.raises(MachineError, match=r"toy-9000000000 takes 43.2 GB in float32, and node large has .* 40.0 GB"):
        check_nodes(nodes, [lane(9_000_000_000)], [0.0])
    check_nodes(nodes, [lane(9_000_000_000)], [1.0])
    check_nodes(nodes, [lane(9_000_000_000, engine="simulated")], [0.0])
    assert memory_needed(builders.model(1000, dtype="bfloat16")) == 2400.0


def test_memory_of_this_machine_is_found() -> None:
    assert 0 < free_memory() <= total_memory() < 1e15


def test_a_node_looks_at_files_under_its_own_copy_of_the_package(tmp_path: Path) -> None:
    weights = f"{package_folders()[0]}/ladder/weights"
    elsewhere = ("/opt/elsewhere/harness", "/links/harness", "/opt/elsewhere/tasks", "/links/tasks")
    found = look.look_around(["/opt/elsewhere/harness/ladder/weights", str(tmp_path / "no")], elsewhere, {})
    assert found["missing"] == [str(tmp_path / "no")]
    assert found["version"] == __version__
    assert Path(weights).is_dir()


def test_a_node_without_the_package_says_so() -> None:
    source = Path(look.__file__).read_text() + "\nimport json\nprint(json.dumps(look_around([], [], {})))\n"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", source], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["error"].startswith("No module named 'harness' (by ")


def test_packaged_files_are_read_where_the_package_lies_on_the_node() -> None:
    here, there = package_folders(), ("/opt/x/harness", "/x/harness", "/opt/y/tasks", "/y/tasks")
    task = builders.task(
        config={"dataset_kwargs": {"data_files": {"test": "/opt/y/tasks/qa/data/t.jsonl"}}, "other": ["/opt/y/tasksX"]},
        data_files=(Path("/opt/y/tasks/qa/data/t.jsonl"),),
    )
    model = builders.model(path="/opt/x/harness/ladder/weights/m")
    [made] = lanes(RunPlan(cells=(builders.cell(of=task, model=model),), tasks={task.name: task}))
    [found] = moved(made, there, here).jobs
    assert found.cell.model.path == os.path.join(here[0], "ladder/weights/m")
    assert found.task.config["dataset_kwargs"]["data_files"]["test"] == os.path.join(here[2], "qa/data/t.jsonl")
    assert found.task.config["other"] == ["/opt/y/tasksX"]
    assert found.task.data_files == (Path(here[2], "qa/data/t.jsonl"),)
    assert wanted_paths([moved(made, there, here)]) == (os.path.join(here[2], "qa/data/t.jsonl"),)


def test_a_model_that_another_one_learns_from_is_looked_for_where_it_lies_on_the_node() -> None:
    here, there = package_folders(), ("/opt/x/harness", "/x/harness", "/opt/y/tasks", "/y/tasks")
    teacher = builders.model(4000, path="/opt/x/harness/ladder/weights/big")
    student = builders.model(path="/opt/x/harness/ladder/weights/m")
    (model,) = treated([student], ["distill:toy-4000"], {}, lambda *_: teacher)
    task = builders.task()
    made = moved(
        *lanes(RunPlan(cells=(builders.cell(model=model, engine="tree"),), tasks={task.name: task})), there, here
    )
    wanted = tuple(os.path.join(here[0], "ladder/weights", name) for name in ("m", "big"))
    assert wanted_paths([made]) == wanted
    assert teacher_path(made.jobs[0].cell.model.treatment) == wanted[1]
