"""The device that torch computes on: which one it is, how people call it, and its memory."""

from __future__ import annotations

import gc

import torch

from harness.engines.provenance import host
from harness.errors import MachineError


def usable_device(asked: str) -> str:
    """The device name to pass to torch.

    Raises:
        MachineError: the worker has no such device.
    """
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = asked.partition(":")
    known = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if int(number or 0) >= known.get(kind, 0):
        raise MachineError(f"--device {asked}: torch {torch.__version__} finds no such device on {host()}")
    return asked


def device_name(device: str) -> str:
    """A device for people, a GPU with its model."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device


def free_unused_memory() -> None:
    """Give back the memory that nothing uses any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def peak_memory() -> int | None:
    """Most bytes of GPU memory that tensors took since `forget_peak`, all GPUs together; None without one."""
    if not torch.cuda.is_available():
        return None
    return sum(torch.cuda.max_memory_allocated(device) for device in range(torch.cuda.device_count()))


def forget_peak() -> None:
    """Begin anew to look for the most memory."""
    if torch.cuda.is_available():
        for device in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(device)
