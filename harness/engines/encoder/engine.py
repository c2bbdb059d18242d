"""The engine: which of the three kinds of encoders a model is, and what it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import transformers

from harness.catalog import check_local_model
from harness.catalog.asking import gets_new_head, why_not_answered, why_not_trained
from harness.catalog.models.architectures import Head, head_of, labels_of
from harness.engines.encoder.classifier import ClassifierLM
from harness.engines.encoder.lm import EncoderLM
from harness.engines.encoder.masked import MaskedLM
from harness.engines.encoder.tagger import TaggerLM
from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.loading import load_model
from harness.engines.protocol import CellPart, EngineSettings
from harness.engines.unreadable import unreadable
from harness.errors import HarnessError, ModelError
from harness.plan import Cell
from harness.records import CellResult, Tuning
from harness.schedule import Lane
from harness.specs import ModelSpec, TaskSpec

_KINDS: Mapping[Head, type[EncoderLM]] = {"masked": MaskedLM, "classifier": ClassifierLM, "tagger": TaggerLM}


class EncoderEngine(LmEvalEngine):
    """An engine for one encoder of transformers, with the head that its config names."""

    _head: Head
    _labels: tuple[str, ...]

    def __init__(self, model: ModelSpec, settings: EngineSettings) -> None:
        """Load the model."""
        super().__init__(model, settings)
        self._gets_new_head = gets_new_head(model)
        self._before_training = self._lm

    def close(self) -> None:
        """Free the model, and the one that was made of it."""
        del self._before_training
        super().close()

    @staticmethod
    def refusals(lane: Lane, settings: EngineSettings) -> Mapping[int, HarnessError]:
        """None: what a model cannot answer is found when the plan is made, or when its config has come."""
        return {}

    def evaluate(self, cell: Cell, task: TaskSpec) -> CellResult:
        """Answer every document of the cell."""
        self._check(cell, task)
        return super().evaluate(cell, task)

    def answer_part(self, cell: Cell, task: TaskSpec, documents: range) -> CellPart:
        """Answer some documents of the cell."""
        self._check(cell, task)
        return super().answer_part(cell, task, documents)

    def join_parts(self, cell: Cell, task: TaskSpec, parts: Sequence[CellPart]) -> CellResult:
        """The result of the cell from the answers to all its documents."""
        self._check(cell, task)
        return super().join_parts(cell, task, parts)

    def _check(self, cell: Cell, task: TaskSpec) -> None:
        """Check, before anything is trained, that the model can answer a cell.

        Raises:
            HarnessError: it cannot.
        """
        if self._gets_new_head:
            reason = why_not_trained(cell, task)
        else:
            reason = why_not_answered(self._head, self._labels, cell, task)
        if reason is not None:
            raise HarnessError(reason)

    def _tuned(self, cell: Cell, task: TaskSpec) -> Tuning | None:
        """Let the variant with the head that was trained for the task answer; it is made of the model as it was."""
        self._lm = self._before_training
        tuning = super()._tuned(cell, task)
        if self._before_training.retrained is not None:
            self._lm = self._before_training.retrained
        return tuning

    def _load(self, model: ModelSpec) -> EncoderLM:
        if model.path is not None:
            check_local_model(model)
        try:
            config = transformers.AutoConfig.from_pretrained(
                model.source,
                revision="main" if model.path else model.revision,
                trust_remote_code=self._settings.trust_remote_code,
            ).to_dict()
        except Exception as error:  # a damaged folder can make transformers raise any exception
            raise unreadable(model, error) from error
        self._head, self._labels = head_of(config), labels_of(config)
        if self._head not in _KINDS:
            raise ModelError(f"{model.name}: is no encoder alone; expected --engine tree or seq2seq, or none named")
        return load_model(_KINDS[self._head], model, self._settings, self._device)
