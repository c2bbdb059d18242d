"""Energy of one cell, by codecarbon: read from RAPL and NVML where these can be read, else estimated from rated power.

codecarbon is an extra, imported when a worker makes its meter. It can also read configuration files of the working and
the home folder, exchange data with servers, and write tables; here it does none of that. RAPL and NVML count a whole
processor and a whole GPU, whoever uses them; an estimate counts this process and its children.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import MachineError

if TYPE_CHECKING:
    from codecarbon import OfflineEmissionsTracker

log = logging.getLogger(__name__)

_T = TypeVar("_T")


def check_installed() -> None:
    """Check that energy can be measured.

    Raises:
        MachineError: codecarbon is missing.
    """
    if importlib.util.find_spec("codecarbon") is None:
        raise MachineError("--energy needs codecarbon: pip install codecarbon")


@functools.cache
def meter(device: str) -> Meter:
    """The meter of this process for models on `device`: finding out what can be read takes seconds, so there is one."""
    return Meter(device)


class Meter:
    """Measures one cell after the other. A measurement that fails gives None and a warning, never an exception."""

    def __init__(self, device: str) -> None:
        """Counts the GPUs that this process sees, unless `device` is the CPU."""
        self._tracker = _tried(lambda: _tracker(device))

    def start(self) -> None:
        """Start measuring a cell."""
        if self._tracker is not None:
            _tried(self._tracker.start_task)

    def stop(self) -> float | None:
        """Watt hours since the start; None when they could not be measured."""
        reading = None if self._tracker is None else _tried(self._tracker.stop_task)
        return None if reading is None else 1000.0 * float(reading.energy_consumed)


def _tracker(device: str) -> OfflineEmissionsTracker:
    emissions_tracker: Any = importlib.import_module("codecarbon.emissions_tracker")
    logging.getLogger("codecarbon").setLevel(logging.ERROR)  # the tracker logs before it sets its level
    # an empty list hides the GPUs; for codecarbon an empty variable hides none, unlike for torch
    hidden = device == "cpu" or os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    usual = emissions_tracker.get_hierarchical_config
    emissions_tracker.get_hierarchical_config = dict  # no option makes codecarbon ignore configuration files
    try:
        tracker: OfflineEmissionsTracker = emissions_tracker.OfflineEmissionsTracker(
            tracking_mode="process",
            output_methods=[],
            allow_multiple_runs=True,  # else a lock file, and handlers of its own for Ctrl-C
            country_iso_code="USA",  # for emissions, which are not used
            gpu_ids=[] if hidden else None,
            log_level="error",
        )
    finally:
        emissions_tracker.get_hierarchical_config = usual
    return tracker


def _tried(call: Callable[[], _T]) -> _T | None:
    try:
        return call()
    except Exception as error:  # broad: an error of a driver or the kernel must not make the cell fail
        log.warning("energy is not measured: %s: %s", type(error).__name__, error)
        return None
