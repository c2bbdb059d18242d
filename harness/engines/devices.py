"""Devices by name, and whether this machine has one. Loads no torch, so that a run can be refused at once."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from harness.errors import MachineError

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,4})?")
_DRIVERS = tuple(map(Path, ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "/dev/nvhost-gpu")))
"""Device files of NVIDIA GPUs, of AMD GPUs, of either under WSL, and of NVIDIA's Jetson."""
_HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def check_device(name: str, *, here: bool) -> None:
    """Check that this is the name of a device, and that this machine has the device.

    On a worker of a cluster it takes a minute until torch reports this, and lm-eval takes any other word for the CPU.

    Args:
        name: `auto`, `cpu`, `cuda`, `cuda:0`, ... or `mps`.
        here: False when the models run on other machines, of which nothing is known.

    Raises:
        MachineError: there is no such device, or this machine does not have it.
    """
    if not _DEVICE.fullmatch(name):
        raise MachineError(f"--device {name}: expected auto, cpu, cuda, the number of a GPU such as cuda:0, or mps")
    if here and name.startswith("cuda") and (reason := why_no_gpu()):
        raise MachineError(f"--device {name}: {reason}; expected auto or cpu")
    if here and name == "mps" and sys.platform != "darwin":
        raise MachineError("--device mps: only a Mac has it; expected auto, cpu or cuda")


def why_no_gpu() -> str | None:
    """Why torch will find no GPU on this machine; None when there may be one."""
    for variable in _HIDING:
        if os.environ.get(variable, "0").strip() in ("", "-1"):
            return f"{variable} hides every GPU"
    if sys.platform.startswith("linux") and not any(driver.exists() for driver in _DRIVERS):
        return "no GPU is seen here"
    return None
