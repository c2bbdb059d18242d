"""What `--track` asks for, read and checked before anything is evaluated."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.errors import MachineError, PlanError, unknown


class KnownTracker(NamedTuple):
    """A tracker that can follow a run."""

    title: str
    """What people call it."""
    package: str
    """The package that Python imports."""
    where: str
    """What stands behind the colon of `tensorboard:DIR`, in capitals."""
    usual: str | None
    """What it is when nothing stands there; None for a folder beside the results."""


TRACKERS: Mapping[str, KnownTracker] = {
    "tensorboard": KnownTracker("TensorBoard", "tensorboard", "DIR", None),
    "wandb": KnownTracker("Weights & Biases", "wandb", "PROJECT", "emergence"),
    "mlflow": KnownTracker("MLflow", "mlflow", "EXPERIMENT", "emergence"),
    "trackio": KnownTracker("Trackio", "trackio", "PROJECT", "emergence"),
}
"""Name in `--track`, which is the name of the extra too -> the tracker."""
BESIDE = ".tensorboard"
"""Folder below the results in which TensorBoard's files lie unless another one is named."""


class AskedTracker(NamedTuple):
    """A tracker, and where it keeps what it is told."""

    name: str
    """One of `TRACKERS`."""
    where: str
    """Folder, project or experiment."""

    @property
    def words(self) -> str:
        """What was asked, as `--track` takes it."""
        return f"{self.name}:{self.where}"


def asked_trackers(
    texts: Sequence[str], results: Path, *, remote: bool = False, option: str = "--track"
) -> tuple[AskedTracker, ...]:
    """The trackers that texts such as `tensorboard`, `tensorboard:DIR` or `wandb:PROJECT` ask for, each once.

    Args:
        texts: what stands behind each `--track`.
        results: the results folder.
        remote: whether results lie in an object store, which TensorBoard's files cannot lie beside.
        option: what the messages call the option.

    Raises:
        PlanError: a text asks for no known tracker, or does not say where.
        MachineError: the package of a tracker is not installed.
    """
    asked = tuple(dict.fromkeys(_asked(text, results, remote, option) for text in texts))
    for one in asked:
        _check_installed(one.name, option)
    return asked


def _asked(text: str, results: Path, remote: bool, option: str) -> AskedTracker:
    name, colon, where = (part.strip() for part in text.partition(":"))
    if (tracker := TRACKERS.get(name)) is None:
        raise PlanError(f"{option}: {unknown('tracker', name, TRACKERS)}")
    if colon and not where:
        raise PlanError(f"{option} {text}: expected {name}:{tracker.where}, or {name} alone")
    if where or tracker.usual is not None:
        return AskedTracker(name, where or str(tracker.usual))
    if remote:
        raise PlanError(f"{option} {name}: results lie in an object store; expected {name}:{tracker.where}")
    return AskedTracker(name, str(results / BESIDE))


def _check_installed(name: str, option: str) -> None:
    package = TRACKERS[name].package
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:  # a folder that only has the name, such as W&B's own ./wandb
        raise MachineError(f"{option} {name} needs {package}: pip install 'emergence-harness[{name}]'")
