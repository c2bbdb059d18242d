"""The protocol of executors, which run lanes, so that no other module depends on Ray."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.engines.protocol import EngineSettings
from harness.errors import HarnessError, PlanError, unknown
from harness.lazy import import_large
from harness.records import Outcome
from harness.schedule import Lane
from harness.store import LeaseOwner
from harness.wording import quoted

FORWARDED = (
    *("HF_TOKEN", "HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "EMERGENCE_LIMITS"),
)
"""Variables that decide what a model's process can read, on whatever machine it runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutorSettings:
    """Where lanes run, and how many at the same time."""

    workers: int | None = None
    """Maximum number of models loaded at the same time; None takes it from the machine's CPUs or GPUs."""
    address: str | None = None
    """Ray cluster to join (`HOST:PORT` or `auto`); None starts a private one."""
    grace_seconds: float = 20.0
    """Time that cells have to come back after SIGTERM; batch systems kill about 30 seconds after it."""
    forwarded: tuple[str, ...] = FORWARDED
    """Environment variables that models' processes on other machines get from this one, where they are set here."""
    cell_seconds: float | None = None
    """Most time that a cell, or a part of one, may take; None for ten times its estimate, and ten minutes at least."""
    lease: LeaseOwner | None = None
    """The run for which cells are taken one by one, as others may evaluate the same ones into the same folder; None to
    answer all without asking. What others have done is left out of the outcomes and counted in `elsewhere`."""
    gpu_bytes: float | None = None
    """Memory of one GPU; None asks the nodes."""


_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})", re.ASCII)


def check_address(address: str) -> None:
    """Check that an address can be that of a Ray cluster, before anything is started.

    Raises:
        PlanError: it cannot.

    >>> check_address("10.0.0.7:6379")
    """
    found = _ADDRESS.fullmatch(address)
    if address != "auto" and not (found and 0 < int(found[2]) < 2**16):
        raise PlanError(
            f"--address {quoted(address)}: expected HOST:PORT of the head of a Ray cluster, such as 10.0.0.7:6379, or "
            "auto on one of its nodes"
        )


class Executor(Protocol):
    """Runs lanes and yields the outcome of every job exactly once, in the order in which they finish."""

    def run(self, lanes: Sequence[Lane], settings: EngineSettings) -> Generator[Outcome, None, None]:
        """One outcome per job; the error of a cell and the death of a worker are failures, not exceptions.

        Closing the iterator early ends every process it started.
        """
        ...


EXECUTORS: dict[str, str] = {
    "inline": "harness.executors.inline:InlineExecutor",
    "ray": "harness.executors.ray.executor:RayExecutor",
}
"""Executor name -> `module:class`."""


def open_executor(name: str, settings: ExecutorSettings) -> Executor:
    """The executor called `name`.

    Raises:
        HarnessError: the executor is not known.
    """
    if name not in EXECUTORS:
        raise HarnessError(unknown("executor", name, EXECUTORS))
    module, attribute = EXECUTORS[name].split(":")
    executor: Executor = getattr(import_large(module), attribute)(settings)
    return executor
