"""The variants of one loaded model: for each task that it is asked, the one that was trained on it.

A variant that is there already is taken from the results folder, and one that is not is trained and put there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from harness.engines import pulse
from harness.engines.documents import DocumentCache
from harness.engines.encoder.lm import EncoderLM
from harness.engines.energy import Reading, meter
from harness.engines.loading import load_model
from harness.engines.protocol import EngineSettings
from harness.engines.provenance import ENGINE_PACKAGES, host, versions
from harness.engines.torch_device import free_unused_memory
from harness.engines.transformers_lm import TransformersLM
from harness.engines.tuning.learning import CHECKPOINTS, Learnt, learn
from harness.engines.tuning.lessons import Lessons, lessons_of
from harness.engines.tuning.new_head import NewHead
from harness.engines.tuning.probing import Probing
from harness.engines.tuning.way import TuningWay
from harness.engines.tuning.ways import way_for
from harness.errors import HarnessError, MachineError, ModelError
from harness.plan import Cell
from harness.records import Tuning
from harness.specs import ModelSpec, TaskSpec
from harness.store.variants import Variants, variant_name
from harness.treatments import Distill, Finetune, Lora, TaskTraining, identity_of, method_from
from harness.wording import counted, duration

log = logging.getLogger(__name__)

_PADDING = {"input_ids": 0, "attention_mask": 0, "labels": -100, "states": 0}
"""What fills rows up: no loss and no attention is there."""
_EDITION = 1
"""Counts up when the same settings come to train otherwise: variants of before are then not taken."""


class Tuner:
    """Trains a loaded model for the tasks that it is asked."""

    def __init__(self, lm: Any, model: ModelSpec, settings: EngineSettings, data: DocumentCache, device: str) -> None:
        """See whether the model can be trained so at all.

        Raises:
            ModelError: it cannot.
        """
        assert model.treatment is not None
        how = method_from(model.treatment)
        assert isinstance(how, TaskTraining)
        self._lm, self._spec, self._settings, self._data, self._device = lm, model, settings, data, device
        self._how = how
        self._parameters = sum(parameter.numel() for parameter in lm.model.parameters())
        self._temporary = None if settings.variants else tempfile.TemporaryDirectory(prefix="emergence-variants-")
        self._variants = Variants(Path(settings.variants or self._temporary.name))  # type: ignore[union-attr]
        self._worn: tuple[object, ...] | None = None
        self._tuning: Tuning | None = None
        try:
            self._way = self._way_for(lm, how)
        except ModelError as error:
            raise self._cannot(error) from error

    def _way_for(self, lm: Any, how: TaskTraining) -> TuningWay:
        if isinstance(lm, EncoderLM) and isinstance(how, Finetune | Lora):
            return NewHead(lm, how, self._spec, self._settings, self._device)
        return way_for(how, lm, self._spec.params, self._teacher)

    def close(self) -> None:
        """Remove what was kept for this model alone."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def prepare(self, cell: Cell, task: TaskSpec) -> Tuning:
        """Make the loaded model the variant for a cell, and say how it was made.

        Raises:
            HarnessError: there is nothing to learn from, or the training failed.
        """
        asked = (task.name, task.digest, cell.prompt, cell.chat, cell.system, cell.format, cell.seed)
        if asked != self._worn or self._tuning is None:
            self._worn = None
            lessons = lessons_of(
                self._lm,
                cell,
                task,
                self._data,
                documents=self._how.documents,
                seed=self._seed(cell),
                allow_code=self._settings.allow_code,
            )
            name = variant_name(self._spec, task.name, self._key(cell, lessons))
            if self._variants.card(name) is None and (reason := self._way.why_not(lessons)) is not None:
                raise HarnessError(
                    f"task {task.name}: {self._spec.name} cannot be made {self._spec.variant} for it: {reason}"
                )
            with self._variants.making(name, waiting=lambda: pulse.doing("another worker trains it")) as making:
                if making is not None:
                    making.card.update(self._made(cell, task, lessons, making.folder))
            pulse.doing("")
            card = self._variants.card(name)
            assert card is not None
            learnt = self._way.put_on(self._variants.folder(name))
            self._tuning = _tuning(name, card, learnt)
            self._worn = asked
        return self._tuning

    def _teacher(self) -> TransformersLM:
        """The model that this one is to learn from, loaded as it is."""
        how, spec = self._how, self._spec
        assert isinstance(how, Distill)
        teacher = replace(
            spec,
            name=how.teacher,
            path=how.teacher_path,
            revision=str(how.teacher_revision),
            params=int(how.teacher_params or 0),
            variant=None,
            treatment=None,
            tuned=False,
        )
        return load_model(TransformersLM, teacher, self._settings, self._device)

    def _seed(self, cell: Cell) -> int:
        return self._how.seed + cell.seed

    def _key(self, cell: Cell, lessons: Lessons) -> str:
        """What decides the weights that come out, as 16 hex digits."""
        spec = self._spec
        decides: list[object] = [
            spec.name,
            spec.revision,
            spec.dtype,
            identity_of(spec.treatment or ""),
            self._seed(cell),
            lessons.digest,
            _EDITION,
        ]
        if isinstance(self._way, NewHead | Probing):
            decides.append(lessons.labels or lessons.classes)
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]

    def _made(self, cell: Cell, task: TaskSpec, lessons: Lessons, folder: Path) -> dict[str, Any]:
        """Train a copy of the model, write what came out, and say how."""
        started_at = datetime.now(UTC)
        pulse.doing(f"training on {counted(len(lessons.lessons), 'document')}")
        try:
            learnt, energy = self._measured(lambda: self._trained(cell, lessons, folder))
        except (torch.cuda.OutOfMemoryError, MemoryError) as error:
            raise MachineError(
                f"{self._spec.name}: memory ran out while it was trained; expected `accumulate` in a treatment of your "
                "own, which lets fewer documents through at a time"
            ) from error
        log.info("%s trained on %s in %s", self._spec.name, task.name, duration(learnt.seconds))
        spec = self._spec
        return {
            "model": spec.name,
            "family": spec.family,
            "revision": spec.revision,
            "dtype": spec.dtype,
            "variant": spec.variant,
            "treatment": json.loads(identity_of(spec.treatment or "{}")),
            "task": task.name,
            "task_digest": task.digest,
            "prompt": cell.prompt,
            "seed": self._seed(cell),
            "documents": len(lessons.lessons),
            "left_out": lessons.left_out,
            "shortened": lessons.shortened,
            "data_digest": lessons.digest,
            "learning_rate": self._how.rate_for(self._parameters),
            "steps": learnt.steps,
            "started_at": started_at.isoformat(),
            "seconds": learnt.seconds,
            "energy_wh": None if energy is None else energy.wh,
            "resumed": learnt.resumed,
            "loss": [list(point) for point in learnt.loss],
            "development_loss": [list(point) for point in learnt.development],
            "device": self._device,
            "host": host(),
            "versions": dict(versions((*ENGINE_PACKAGES, "accelerate", "peft"))),
        }

    def _measured(self, train: Callable[[], Learnt]) -> tuple[Learnt, Reading | None]:
        """What a training gives, and its energy, which is none of the cell's; None unless the run measures energy."""
        return meter(self._settings.device).apart(train) if self._settings.energy else (train(), None)

    def _trained(self, cell: Cell, lessons: Lessons, folder: Path) -> Learnt:
        torch.manual_seed(self._seed(cell))
        try:
            copy, rows, loss_of = self._way.learner(lessons)
        except ModelError as error:
            raise self._cannot(error) from error
        learnt = learn(
            copy,
            rows,
            self._how,
            rate=self._how.rate_for(self._parameters),
            seed=self._seed(cell),
            padding={**_PADDING, "input_ids": self._lm.padding} if isinstance(self._lm, EncoderLM) else _PADDING,
            folder=folder,
            device=self._device,
            loss_of=loss_of,
        )
        self._way.keep(copy, folder)
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # with the optimiser's state, three times the model
        del copy, loss_of
        free_unused_memory()
        return learnt

    def _cannot(self, error: ModelError) -> ModelError:
        return ModelError(f"{self._spec.name}: cannot be made {self._spec.variant}: {error}")


def _tuning(name: str, card: Mapping[str, Any], learnt: int) -> Tuning:
    loss, development = card["loss"], card["development_loss"]
    return Tuning(
        folder=name,
        documents=int(card["documents"]),
        left_out=int(card["left_out"]),
        steps=int(card["steps"]),
        seconds=float(card["seconds"]),
        energy_wh=None if (wh := card.get("energy_wh")) is None else float(wh),
        parameters=learnt,
        loss=float(loss[-1][1]) if loss else None,
        development_loss=min(float(value) for _, value in development) if development else None,
    )
