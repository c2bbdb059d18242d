"""What one node of a cluster can see of a run. Sent to the node as a whole, since the node may lack this package.

So it imports the standard library only, and this package where it is there.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from typing import Any

DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "/dev/nvhost-gpu")
"""Device files of GPUs, as `harness.engines.devices` looks for them."""


def look_around(paths: Sequence[str], folders: Sequence[str], environment: dict[str, str]) -> dict[str, Any]:
    """What is here: plain values by name, so that any version of this package can read them.

    Args:
        paths: files and folders that workers will read.
        folders: where the package lies on the machine of the driver.
        environment: variables that workers will have.
    """
    found: dict[str, Any] = {"python": platform.python_version(), "gpu": any(map(os.path.exists, DEVICES))}
    os.environ.update(environment)
    try:
        from harness.version import __version__

        found["version"] = __version__
        from harness.executors.ray.memory import total_memory
        from harness.executors.relocation import package_folders, relocated
    except ImportError as error:
        found["error"] = f"{error} (by {sys.executable})"
        return found
    here = package_folders()
    found["memory"] = total_memory()
    found["missing"] = [path for path in paths if not os.access(relocated(path, tuple(folders), here), os.R_OK)]
    return found
