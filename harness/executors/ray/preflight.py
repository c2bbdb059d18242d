"""Look at every node before the first cell, so that a run is refused in one line that names the node."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from harness.engines.protocol import WITHOUT_MODEL
from harness.errors import MachineError
from harness.executors.ray import look as looking
from harness.executors.ray.memory import memory_needed, total_memory
from harness.executors.relocation import package_folders
from harness.schedule import Lane
from harness.treatments import teacher_path
from harness.version import __version__
from harness.wording import cut

SECONDS = 25.0
"""Time that nodes have to answer."""
_ON_TORCH = frozenset({"tree", "lm-eval", "seq2seq", "encoder", "vllm"})
"""Engines that need the GPU which Ray gives them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one node answered."""

    name: str
    """Name of its machine."""
    answer: Mapping[str, Any] | None
    """What `look_around` found; None when it did not answer in time."""
    error: str = ""
    """Why it could not look; empty when it could."""
    gpus: float = 0.0
    """GPUs that Ray says it has."""


def wanted_paths(lanes: Sequence[Lane]) -> tuple[str, ...]:
    """Files and folders that workers will read: local models, those that they learn from, data and code of tasks."""
    loaded = [lane.model for lane in lanes if lane.engine not in WITHOUT_MODEL]
    models = [path for model in loaded for path in (model.path, teacher_path(model.treatment)) if path is not None]
    tasks = {id(job.task): job.task for lane in lanes for job in lane.jobs}
    files = [str(path) for task in tasks.values() for path in (*task.data_files, *task.code_files)]
    folders = [str(task.data_folder) for task in tasks.values() if task.data_folder is not None]
    return tuple(dict.fromkeys([*models, *files, *folders]))


def looked_at(
    nodes: Mapping[str, Mapping[str, Any]],
    lanes: Sequence[Lane],
    environment: Mapping[str, str],
    *,
    seconds: float = SECONDS,
) -> dict[str, Seen]:
    """Id of each node on which workers may run -> what it answered."""
    ray.cloudpickle.register_pickle_by_value(looking)  # type: ignore[no-untyped-call]
    task = ray.remote(num_cpus=0, max_retries=0)(looking.look_around)
    paths, folders = wanted_paths(lanes), package_folders()
    asked = {
        node_id: task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)).remote(
            paths, folders, dict(environment)
        )
        for node_id, node in nodes.items()
        if node["Resources"].get("CPU", 0.0) >= 1.0  # a head that takes no work needs nothing
    }
    ready, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=seconds) if asked else ([], [])
    return {node_id: _seen(nodes[node_id], ref, ref in ready) for node_id, ref in asked.items()}


def _seen(node: Mapping[str, Any], ref: Any, answered: bool) -> Seen:
    name, gpus = node["NodeManagerHostname"], node["Resources"].get("GPU", 0.0)
    if not answered:
        ray.cancel(ref, force=True)
        return Seen(name=name, answer=None, gpus=gpus)
    try:
        return Seen(name=name, answer=ray.get(ref), gpus=gpus)
    except RayError as error:
        lines = str(error).strip().splitlines()
        return Seen(name=name, answer=None, error=cut(lines[-1] if lines else type(error).__name__), gpus=gpus)


def lacks(seen: Seen, *, on_gpu: bool) -> str | None:
    """What a node lacks, in a sentence that names it; None when it has everything.

    Args:
        seen: what it answered.
        on_gpu: True when models of the run ask for GPUs.
    """
    node, answer = f"node {seen.name}", seen.answer
    if answer is None:
        return f"{node} {f'cannot run a task: {seen.error}' if seen.error else f'does not answer in {SECONDS:.0f} s'}"
    if answer.get("version") not in (None, __version__):
        return f"{node} has version {answer['version']} of emergence-harness and this machine {__version__}"
    if "error" in answer:
        return f"{node} lacks emergence-harness {__version__}: {answer['error']}"
    if answer["python"].split(".")[:2] != platform.python_version().split(".")[:2]:
        return f"{node} runs Python {answer['python']} and this machine {platform.python_version()}"
    if missing := answer["missing"]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"{node} cannot read {missing[0]}{more}; expected under the same path as on this machine"
    if on_gpu and seen.gpus and not answer["gpu"]:
        return f"{node} has {seen.gpus:g} GPU(s) by Ray's count, and none is seen there"
    return None


def equipment(seen: Seen) -> str:
    """What a node has, in words."""
    answer = seen.answer or {}
    gpus = f"{seen.gpus:g} GPU(s), " if seen.gpus else ""
    return f"emergence-harness {answer.get('version')}, {gpus}{answer.get('memory', 0.0) / 1e9:.1f} GB of memory"


def check_nodes(seen: Sequence[Seen], lanes: Sequence[Lane], gpus: Sequence[float]) -> None:
    """Check that each node has what the run needs, and that each model fits into the memory of one.

    Args:
        seen: what the nodes answered.
        lanes: the lanes.
        gpus: GPUs that a worker of each lane takes.

    Raises:
        MachineError: a node lacks something.
    """
    on_gpu = any(g and lane.engine in _ON_TORCH for lane, g in zip(lanes, gpus, strict=True))
    problems = [problem for each in seen if (problem := lacks(each, on_gpu=on_gpu))]
    if problems:
        more = f"; and {len(problems) - 3} more nodes" if len(problems) > 3 else ""
        raise MachineError(f"{'; '.join(problems[:3])}{more}; mend this, or take the node out of the cluster")
    memory = {each.name: each.answer["memory"] for each in seen if each.answer}
    check_memory(memory, [lane for lane, g in zip(lanes, gpus, strict=True) if not g])


def check_memory(memory: Mapping[str, float], lanes: Sequence[Lane]) -> None:
    """Check that models that run on the CPU fit into the memory of a node.

    Raises:
        MachineError: one does not.
    """
    largest = max(memory, key=memory.__getitem__, default=None)
    if largest is None:
        return
    for lane in lanes:
        needed = memory_needed(lane.model)
        if lane.engine not in WITHOUT_MODEL and needed > memory[largest]:
            raise MachineError(
                f"{lane.model.name} takes {needed / 1e9:.1f} GB in {lane.model.dtype}, and node {largest} has the most "
                f"memory, {memory[largest] / 1e9:.1f} GB; expected a GPU, a smaller dtype, or a choice of other models"
            )


def check_this_machine(lanes: Sequence[Lane], gpus: Sequence[float]) -> None:
    """The same for a private Ray, whose only node has this package and these files.

    Raises:
        MachineError: a model does not fit into memory.
    """
    check_memory({os.uname().nodename: total_memory()}, [lane for lane, g in zip(lanes, gpus, strict=True) if not g])
