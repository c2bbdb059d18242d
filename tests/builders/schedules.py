"""Lanes, nodes and runs of schedules, whose times are chosen by the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.schedule import Job, Lane, Node
from tests.builders.cells import cell, model, task


def lane(
    seconds: Mapping[str, Sequence[float]],
    *,
    name: str = "m",
    load: float = 0.0,
    documents: int = 20,
    **changes: Any,
) -> Lane:
    """A lane of one model: task name -> seconds of its cells, which differ in their seed."""
    of = model(name=name, **changes)
    return Lane(
        model=of,
        engine="simulated",
        load_seconds=load,
        may_cut=True,
        jobs=tuple(
            Job(
                cell=cell(of=spec, model=of, shots=1, seed=seed, engine="simulated"),
                task=spec,
                seconds=took,
            )
            for spec, times in ((task(name, n_docs=documents), times) for name, times in seconds.items())
            for seed, took in enumerate(times)
        ),
    )


def nodes(count: int = 1, *, gpus: int = 0, workers: int = 8, gpu_bytes: float = 80e9) -> list[Node]:
    """Equal nodes."""
    return [Node(name=f"n{i}", workers=workers, gpus=gpus, gpu_bytes=gpu_bytes) for i in range(count)]
