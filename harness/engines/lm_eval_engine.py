"""The engine that lm-eval users know: transformers models through lm-eval's own `HFLM`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import transformers

from harness.engines.answers import answer_part_with, evaluate_with, join_with
from harness.engines.documents import DocumentCache
from harness.engines.joined import joined_answers
from harness.engines.loading import is_out_of_memory, load_model
from harness.engines.protocol import CellPart, EngineSettings
from harness.engines.torch_device import device_name, forget_peak, free_unused_memory, peak_memory, usable_device
from harness.engines.transformers_lm import TransformersLM
from harness.engines.treating import treat
from harness.errors import HarnessError
from harness.plan import Cell
from harness.records import CellResult, Tuning
from harness.schedule import Lane
from harness.specs import ModelSpec, TaskSpec
from harness.wording import duration

if TYPE_CHECKING:
    from harness.engines.tuning import Tuner

log = logging.getLogger(__name__)

Made = TypeVar("Made")


class LmEvalEngine:
    """One model loaded by transformers and evaluated through lm-eval."""

    def __init__(self, model: ModelSpec, settings: EngineSettings) -> None:
        _quiet()
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        self._settings = settings
        self._device = usable_device(settings.device)
        if (model.gpus or 0) >= 1 and settings.device == "auto" and self._device == "cpu":
            log.warning("%s asks for %g GPU(s) and runs on the CPU, as no GPU is seen here", model.name, model.gpus)
        self._data = DocumentCache()
        self._local, self._told = model.path is not None, False  # for local models the warning comes before the run
        started = time.perf_counter()
        self._lm = self._load(model)
        self._lm.weights = treat(self._lm.model, model)
        self._tuner = _tuner(self._lm, model, settings, self._data, self._device) if model.tuned else None
        took, where = duration(time.perf_counter() - started), device_name(self._device)
        log.info("%s loaded in %s on %s as %s", model.name, took, where, model.dtype)

    @staticmethod
    def refusals(lane: Lane, settings: EngineSettings) -> Mapping[int, HarnessError]:
        """Jobs that are refused before the model's weights are loaded, by their positions."""
        return joined_answers(lane)

    def evaluate(self, cell: Cell, task: TaskSpec) -> CellResult:
        """Answer every document of the cell. When memory runs out, the batch size is halved, also for later cells."""
        tuning = self._tuned(cell, task)
        forget_peak()
        result = self._smaller_until_it_fits(
            lambda: evaluate_with(self._lm, cell, task, device=device_name(self._device), **self._with), cell
        )
        peak = peak_memory() if self._device.startswith("cuda") else None
        made = replace(result.provenance, weights=self._lm.weights, tuning=tuning, peak_bytes=peak)
        return replace(result, provenance=made)

    def answer_part(self, cell: Cell, task: TaskSpec, documents: range) -> CellPart:
        """Answer some documents of the cell."""
        self._tuned(cell, task)
        return self._smaller_until_it_fits(
            lambda: answer_part_with(self._lm, cell, task, documents, **self._with), cell
        )

    def join_parts(self, cell: Cell, task: TaskSpec, parts: Sequence[CellPart]) -> CellResult:
        """The result of the cell from the answers to all its documents."""
        tuning = self._tuned(cell, task)
        where = device_name(self._device)
        result = self._smaller_until_it_fits(
            lambda: join_with(self._lm, cell, task, parts, device=where, **self._with), cell
        )
        return replace(result, provenance=replace(result.provenance, weights=self._lm.weights, tuning=tuning))

    def _tuned(self, cell: Cell, task: TaskSpec) -> Tuning | None:
        """Make the model the variant that was trained on the task; None for a model that is the same for all tasks."""
        if self._tuner is None:
            return None
        self._lm.begin(cell.seed)
        try:
            return self._tuner.prepare(cell, task)
        finally:
            self._lm.forget()

    @property
    def _with(self) -> dict[str, Any]:
        return {"data": self._data, "settings": self._settings}

    def _smaller_until_it_fits(self, work: Callable[[], Made], cell: Cell) -> Made:
        while True:
            try:
                return self._at_work(work, cell)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or not self._lm.can_shrink:
                    raise
            # outside the except block: the traceback would keep the failed batch alive
            self._lm.shrink()
            free_unused_memory()

    def take_over(self, before: LmEvalEngine) -> None:
        """Ask the cells of the engine before as they were put together for its model, as far as they are the same."""
        self._data.cells = before._data.cells

    def close(self) -> None:
        """Free the model, and the documents of tasks."""
        if self._tuner is not None:
            self._tuner.close()
        del self._lm, self._tuner
        self._data = DocumentCache(self._data.cells)
        free_unused_memory()

    def _load(self, model: ModelSpec) -> TransformersLM:
        return load_model(TransformersLM, model, self._settings, self._device)

    def _at_work(self, work: Callable[[], Made], cell: Cell) -> Made:
        # tasks that sample draw the same texts every time
        torch.manual_seed(cell.seed)
        self._lm.begin(cell.seed)
        if not (self._told or cell.chat or self._local) and self._lm.tokenizer.chat_template is not None:
            log.warning(
                "%s: asked in plain text in spite of a chat template; see --apply-chat-template", cell.model.name
            )
            self._told = True
        try:
            return work()
        finally:
            self._lm.forget()


def _tuner(lm: TransformersLM, model: ModelSpec, settings: EngineSettings, data: DocumentCache, device: str) -> Tuner:
    from harness.engines.tuning import Tuner  # peft takes a second to import, which few runs need

    return Tuner(lm, model, settings, data, device)


def _quiet() -> None:
    """Switch off progress bars and advice of the libraries, which are noise in a worker's log."""
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
