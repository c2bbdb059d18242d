"""The trainings that a results folder keeps: what each learnt from, how long it took, and its loss curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.bounded.files import read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import HEADER_BYTES, UnreadableError
from harness.store.headers import Problem
from harness.store.variants import CARD, Variants, variants_folder
from harness.wording import natural_order

if TYPE_CHECKING:
    from pydantic import TypeAdapter

LossPoint = tuple[int, float]
"""A step, and the loss there, in nats per token of the answers, or per class."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptTraining:
    """One training, as its card tells."""

    model: str
    """Name of the model."""
    family: str
    """Its family."""
    revision: str
    """Commit, or fingerprint of a local folder, of the weights that it began with."""
    variant: str
    """The variant that it made."""
    task: str
    """Task whose training split it learnt from."""
    prompt: str
    """Prompt that the documents were asked with."""
    seed: int
    """Seed of all its draws."""
    documents: int
    """Documents that it learnt from."""
    left_out: int
    """Training documents that a test document asks too, and that were not learnt."""
    learning_rate: float
    """Highest learning rate."""
    steps: int
    """Steps of the optimiser."""
    loss: tuple[LossPoint, ...]
    """Mean loss of the steps since the point before; empty for a training of very few steps."""
    development_loss: tuple[LossPoint, ...]
    """Loss on the development split; empty without one."""
    started_at: datetime
    """When it began (UTC)."""
    seconds: float
    """Time that it took, in all tries."""
    resumed: int
    """Number of tries that went on from a checkpoint."""
    energy_wh: float | None = None
    """Energy in watt hours; None when it was not measured."""
    folder: str = ""
    """Where it lies, below the folder of all variants."""

    @property
    def name(self) -> str:
        """Model, variant and seed, which tell it from others on the same task."""
        return f"{self.model} {self.variant} seed {self.seed}"


class Trainings(NamedTuple):
    """What a results folder keeps of trainings."""

    trainings: tuple[KeptTraining, ...]
    """Those that can be read, by task, model, variant and seed."""
    problems: tuple[Problem, ...]
    """Cards that cannot."""


def trainings(results: Path) -> Trainings:
    """The trainings of a results folder; empty where nothing was trained."""
    root = variants_folder(results)
    found: list[KeptTraining] = []
    problems: list[Problem] = []
    for name in Variants(root).names():
        read = _read(root / name / CARD, name)
        (problems if isinstance(read, Problem) else found).append(read)  # type: ignore[arg-type]
    found.sort(key=lambda one: (one.task, natural_order(one.model), natural_order(one.variant), one.seed))
    return Trainings(tuple(found), tuple(problems))


def _read(card: Path, name: str) -> KeptTraining | Problem:
    from pydantic import ValidationError

    try:
        said = parsed_json(read_bytes(card, HEADER_BYTES), finite=True)
        if not isinstance(said, Mapping):
            return Problem(path=card, message="is no card of a training: expected an object")
        made: KeptTraining = _adapter().validate_python({**said, "folder": name})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return Problem(path=card, message=f"is no card of a training: {where}: {first['msg']}")
    except (OSError, UnreadableError) as error:
        return Problem(path=card, message=str(error))
    return made


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(KeptTraining)
