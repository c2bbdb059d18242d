"""How long a plan takes on a cluster with GPUs, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.cli.option_values import memory_bytes
from harness.engines.protocol import CUTTING
from harness.estimate import LoadTime, RunTime, run_time
from harness.plan import RunPlan
from harness.schedule import Node
from harness.wording import counted, duration, number

GPU_MEMORY = "80GB"
"""Memory of one GPU unless told."""
WORKERS_PER_GPU = 10
"""Worker processes that the CPUs of a node are taken to allow for each of its GPUs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterTime:
    """Time and cost of a run on a cluster."""

    gpus: int
    """Number of GPUs."""
    gpu_bytes: float
    """Memory of one."""
    price: float | None
    """Price of one GPU for an hour; None when not told."""
    took: RunTime
    """How long the run takes."""

    @property
    def paid_hours(self) -> float:
        """GPU hours that are paid for: all GPUs from the beginning to the end."""
        return self.gpus * self.took.seconds / 3600

    @property
    def used_hours(self) -> float:
        """GPU hours during which models lie on the GPUs."""
        return self.took.gpu_seconds / 3600

    @property
    def cost(self) -> float | None:
        """Price of the paid hours; None when no price was told."""
        return None if self.price is None else self.paid_hours * self.price

    def lines(self) -> Iterator[str]:
        """What `emergence plan` says."""
        took = self.took
        where = f"on {counted(self.gpus, 'GPU')} of {self.gpu_bytes / 1e9:g} GB"
        bound = f"no less than {duration(took.bound_seconds)} in any order"
        loads = f"{counted(took.loads, 'load')} of models, {counted(took.parts, 'part')} of long cells"
        yield f"{where}: about {duration(took.seconds)}, and {bound}; {loads}"
        cost = "" if self.cost is None else f", {self.cost:.2f} at {self.price:g} per GPU hour"
        if not took.gpu_seconds:
            yield f"no model of these cells takes a GPU; {number(self.paid_hours)} GPU hours of cluster{cost}"
            return
        yield f"{number(self.used_hours)} GPU hours of work in {number(self.paid_hours)} GPU hours of cluster{cost}"

    def as_data(self) -> dict[str, float | int | None]:
        """For `--json`."""
        return {
            "gpus": self.gpus,
            "gpu_memory_bytes": self.gpu_bytes,
            "seconds": self.took.seconds,
            "bound_seconds": self.took.bound_seconds,
            "gpu_hours": self.paid_hours,
            "gpu_hours_used": self.used_hours,
            "price_per_gpu_hour": self.price,
            "cost": self.cost,
            "model_loads": self.took.loads,
            "cell_parts": self.took.parts,
        }


def cluster_time(
    plan: RunPlan,
    gpus: int,
    gpu_memory: str | None,
    gpus_per_node: int,
    price: float | None,
    *,
    pace: float,
    loading: LoadTime,
) -> ClusterTime:
    """Time and cost of the cells of a plan.

    Args:
        plan: what is to be evaluated.
        gpus: number of GPUs.
        gpu_memory: memory of one, such as `80GB`; None for `GPU_MEMORY`.
        gpus_per_node: GPUs of each node but the last.
        price: price of one GPU for an hour.
        pace: measured over estimated seconds of cells that are done.
        loading: tells the time to load a cell's model.

    Raises:
        PlanError: the memory is no size.
        MachineError: no node can hold a model.
    """
    size = memory_bytes(gpu_memory or GPU_MEMORY, "--gpu-memory")
    sizes = [gpus_per_node] * (gpus // gpus_per_node) + [rest for rest in [gpus % gpus_per_node] if rest]
    nodes = [
        Node(name=f"node-{place}", workers=WORKERS_PER_GPU * n, gpus=n, gpu_bytes=size) for place, n in enumerate(sizes)
    ]
    took = run_time(plan, nodes, pace=pace, loading=loading, cutting=CUTTING)
    return ClusterTime(gpus=gpus, gpu_bytes=size, price=price, took=took)
