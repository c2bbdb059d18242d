"""The ways to train a model, by the settings that ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.engines.tuning.adapters import LowRank, Prefixing, SoftPrompting
from harness.engines.tuning.distilling import Distilling
from harness.engines.tuning.probing import Probing
from harness.engines.tuning.way import AllWeights, TuningWay, check_whole
from harness.treatments import ClassifierHead, Distill, Finetune, Lora, PrefixTuning, PromptTuning, TaskTraining

_WAYS: Mapping[type[TaskTraining], Callable[[Any, Any], TuningWay]] = {
    Finetune: AllWeights,
    Lora: LowRank,
    PromptTuning: SoftPrompting,
    PrefixTuning: Prefixing,
    ClassifierHead: Probing,
}


def way_for(how: TaskTraining, lm: Any, params: int = 0, open_teacher: Callable[[], Any] | None = None) -> TuningWay:
    """The way to train a loaded model.

    Args:
        how: the settings.
        lm: the model.
        params: its parameters, by which a teacher is larger.
        open_teacher: loads the model that it is to learn from, where it is to learn from one.

    Raises:
        ModelError: the model does not suit it.
    """
    check_whole(lm.model)
    if isinstance(how, Distill):
        assert open_teacher is not None
        return Distilling(lm, how, params, open_teacher)
    return _WAYS[type(how)](lm, how)
