"""An encoder learns a task with a head of its own: for the classes of texts, or for the labels of words.

The weights below the head are those of the model, and the head is new, unless the model has one for as many classes.
What comes out is kept as an ordinary model with its tokenizer, which `transformers` and the engine `encoder` read.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, PeftModel

from harness.catalog.asking import plain
from harness.engines.encoder.classifier import ClassifierLM
from harness.engines.encoder.lm import EncoderLM
from harness.engines.encoder.tagger import TaggerLM
from harness.engines.foreign import pickles
from harness.engines.loading import load_model
from harness.engines.protocol import EngineSettings
from harness.engines.treating import treat
from harness.engines.treating.matrices import matrices
from harness.engines.tuning.adapters import adapted
from harness.engines.tuning.lessons import Lesson, Lessons
from harness.engines.tuning.way import Learner, check_whole, set_dropout
from harness.errors import ModelError
from harness.specs import ModelSpec
from harness.treatments import Finetune, Lora

_HEADS = ("classifier", "score")
"""Modules that peft trains whole, by itself."""
_LEARNT = "parameters_learnt"
"""Key of config.json: how many parameters learnt."""


class NewHead:
    """An encoder learns with a head for one task."""

    def __init__(
        self, lm: EncoderLM, how: Finetune | Lora, model: ModelSpec, settings: EngineSettings, device: str
    ) -> None:
        check_whole(lm.model)
        if isinstance(how, Lora):
            matrices(lm.model)  # raises where too few weights are in linear layers
        self._lm, self._how, self._spec, self._settings, self._device = lm, how, model, settings, device

    def why_not(self, lessons: Lessons) -> str | None:
        """Why a task's documents cannot be learnt from; None when they can."""
        kind = _kind_of(lessons)
        config, auto = self._lm.model.config, kind.AUTO_MODEL_CLASS
        own_code = auto.__name__ in (getattr(config, "auto_map", None) or {})
        if not own_code and type(config) not in auto._model_mapping:
            what = "labels of words" if lessons.labels else "classes of texts"
            return f"transformers has no head for {what} for a {config.model_type}"
        if lessons.labels or (lessons.classes and len({*map(plain, lessons.classes)}) == len(lessons.classes)):
            return None
        return lessons.why_no_classes

    def learner(self, lessons: Lessons) -> Learner:
        """A model with a head for what is learnt, and the texts that it learns from."""
        model, fresh = self._with_head(_kind_of(lessons), lessons.labels or lessons.classes)
        if isinstance(self._how, Lora):
            model = _beside(model, self._how, fresh, "TOKEN_CLS" if lessons.labels else "SEQ_CLS")
        return Learner(model, [_row(lesson, each=bool(lessons.labels)) for lesson in lessons.lessons])

    def keep(self, trained: Any, folder: Path) -> None:
        """Write the model as users of transformers have theirs, with its tokenizer."""
        learnt = sum(one.numel() for one in trained.parameters() if one.requires_grad)
        whole = trained.merge_and_unload() if isinstance(trained, PeftModel) else trained
        setattr(whole.config, _LEARNT, learnt)
        whole.to(self._lm.model.dtype).save_pretrained(folder)
        self._lm.tokenizer.save_pretrained(folder)

    def put_on(self, folder: Path) -> int:
        """Let the kept model answer in the place of the loaded one; return the number of parameters that learnt."""
        self._lm.retrained = None  # its memory is free before the next one is loaded
        spec = replace(self._spec, path=str(folder))
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=self._settings.trust_remote_code)
        is_tagger = any(name.endswith("ForTokenClassification") for name in config.architectures or ())
        made = load_model(TaggerLM if is_tagger else ClassifierLM, spec, self._settings, self._device)
        made.weights = treat(made.model, spec)
        self._lm.retrained = made
        return int(getattr(config, _LEARNT))

    def _with_head(self, kind: type[ClassifierLM | TaggerLM], names: Sequence[str]) -> tuple[Any, list[str]]:
        """The model with a head for these classes or labels, in float32, and the names of the modules that are new."""
        config = copy.deepcopy(self._lm.model.config)
        config.id2label = dict(enumerate(names))
        config.label2id = {name: number for number, name in enumerate(names)}
        config.problem_type = None if kind is TaggerLM else "single_label_classification"
        if config.pad_token_id is None:
            config.pad_token_id = self._lm.padding  # by it a decoder with such a head finds the end of a text
        spec, settings = self._spec, self._settings
        with pickles(allowed=settings.allow_pickle):
            model, info = kind.AUTO_MODEL_CLASS.from_pretrained(
                spec.source,
                config=config,
                revision="main" if spec.path else spec.revision,
                dtype=torch.float32,
                trust_remote_code=settings.trust_remote_code,
                use_safetensors=None if settings.allow_pickle else True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        model.accepts_loss_kwargs = False  # such losses are means already, which Trainer takes for sums otherwise
        if self._how.dropout is not None:
            set_dropout(model, self._how.dropout)
        new = [*info["missing_keys"], *(one[0] for one in info["mismatched_keys"])]
        return model, sorted({name.rpartition(".")[0] for name in new})


def _kind_of(lessons: Lessons) -> type[ClassifierLM | TaggerLM]:
    return TaggerLM if lessons.labels else ClassifierLM


def _row(lesson: Lesson, *, each: bool) -> dict[str, list[int] | int]:
    """What the model is given; `each` token has a label, or the text has one class."""
    read, right = list(lesson.tokens[: lesson.prompt]), list(lesson.tokens[lesson.prompt :])
    return {"input_ids": read, "attention_mask": [1] * len(read), "labels": right if each else right[0]}


def _beside(model: Any, how: Lora, fresh: Sequence[str], kind: str) -> Any:
    """The model with a product of thin matrices beside each linear layer that is not new; what is new learns whole."""
    whole = [name for name in fresh if name.partition(".")[0] not in _HEADS]
    targets = [
        one
        for one in matrices(model)
        if one.attribute == "weight" and one.name not in fresh and one.name.partition(".")[0] not in _HEADS
    ]
    if not targets:
        raise ModelError("it has no linear layers with names of their own, beside which an update could learn")
    config = LoraConfig(
        task_type=kind,
        r=how.rank,
        lora_alpha=how.scale,  # type: ignore[arg-type]  # peft multiplies with it
        lora_dropout=how.dropout or 0.0,
        target_modules=[one.name for one in targets],
        modules_to_save=whole or None,
        fan_in_fan_out=any(one.flipped for one in targets),
    )
    return adapted(model.requires_grad_(False), config)
