"""Memory of a machine, and what a model takes of it when it runs on the CPU."""

from __future__ import annotations

from pathlib import Path

from harness.schedule.hardware import MARGIN, weight_bytes
from harness.specs import ModelSpec


def memory_needed(model: ModelSpec) -> float:
    """Bytes that a model takes of a machine's memory when it runs on the CPU."""
    return MARGIN * weight_bytes(model)


def total_memory() -> float:
    """Bytes of memory of this machine, or those that its container allows; infinite where it does not tell."""
    return min(_meminfo("MemTotal"), _group_limit())


def free_memory() -> float:
    """Bytes that can be taken without another program's losing any; infinite where the machine does not tell."""
    left = _group_limit()
    if left != float("inf"):
        left -= _number(Path("/sys/fs/cgroup/memory.current"), 0.0)
    return min(_meminfo("MemAvailable"), left)


def _group_limit() -> float:
    return _number(Path("/sys/fs/cgroup/memory.max"), float("inf"))


def _meminfo(name: str) -> float:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    return next((1024.0 * float(line.split()[1]) for line in lines if line.startswith(f"{name}:")), float("inf"))


def _number(path: Path, otherwise: float) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):  # "max" is no number
        return otherwise
