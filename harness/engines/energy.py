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
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

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


class Reading(NamedTuple):
    """The energy of one piece of work."""

    wh: float
    """Watt hours in all."""
    measured_wh: float
    """Part of it that counters gave: RAPL for the processor, NVML for GPUs. The rest is estimated."""


class Meter:
    """Measures one cell after the other. A measurement that fails gives None and a warning, never an exception."""

    def __init__(self, device: str) -> None:
        """Counts the GPUs that this process sees, unless `device` is the CPU."""
        self._tracker = _tried(lambda: _tracker(device))
        self._before: Reading | None = None

    def start(self) -> None:
        """Start measuring a cell."""
        self._before = Reading(0.0, 0.0)
        self._begin()

    def stop(self) -> Reading | None:
        """The energy since the start, without what was measured apart; None when it could not be measured."""
        return _sum(self._before, self._end())

    def apart(self, work: Callable[[], _T]) -> tuple[_T, Reading | None]:
        """Do some work in the middle of a cell, such as a training, and measure it by itself."""
        self._before = _sum(self._before, self._end())
        self._begin()
        taken: Reading | None = None
        try:
            done = work()
        finally:
            taken = self._end()
            self._begin()
        return done, taken

    def _begin(self) -> None:
        if self._tracker is not None:
            _tried(self._tracker.start_task)

    def _end(self) -> Reading | None:
        said = None if self._tracker is None else _tried(self._tracker.stop_task)
        if said is None:
            return None
        counted = said.gpu_energy + (said.cpu_energy if _counts_processor(self._tracker) else 0.0)
        return Reading(1000.0 * float(said.energy_consumed), 1000.0 * float(counted))


def _sum(one: Reading | None, other: Reading | None) -> Reading | None:
    return None if one is None or other is None else Reading(one.wh + other.wh, one.measured_wh + other.measured_wh)


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


_COUNTERS = ("intel_rapl", "intel_power_gadget", "windows_emi")
"""What codecarbon calls reading a processor; all else is an estimate from its rated power."""


def _counts_processor(tracker: Any) -> bool:
    """True when the processor is read and not estimated; that of a Mac is always read."""
    kinds = [(type(one).__name__, getattr(one, "_mode", None)) for one in getattr(tracker, "_hardware", ())]
    return any(mode in _COUNTERS or name == "AppleSiliconChip" for name, mode in kinds)


def _tried(call: Callable[[], _T]) -> _T | None:
    try:
        return call()
    except Exception as error:  # broad: an error of a driver or the kernel must not make the cell fail
        log.warning("energy is not measured: %s: %s", type(error).__name__, error)
        return None
