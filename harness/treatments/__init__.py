"""Treatments: what is done to the weights of a model before it answers, and the variant of the model that this makes.

Nothing here loads a model: what a treatment does to tensors is in `harness.engines.treating`, and training in
`harness.engines.tuning`.
"""

from harness.treatments.choosing import (
    BUILT_IN,
    PLAIN,
    check_engine,
    check_trainable,
    engines_for,
    is_taken,
    name_of,
    treated,
    treatment_named,
    with_amounts,
)
from harness.treatments.training import (
    ClassifierHead,
    Distill,
    Finetune,
    Lora,
    PrefixTuning,
    PromptTuning,
    TaskTraining,
)
from harness.treatments.types import (
    METHODS,
    Method,
    Prune,
    Quantise,
    Treatment,
    identity_of,
    method_from,
    method_of,
    moved_teacher,
    teacher_on_hub,
    teacher_path,
)

__all__ = [
    "BUILT_IN",
    "METHODS",
    "PLAIN",
    "ClassifierHead",
    "Distill",
    "Finetune",
    "Lora",
    "Method",
    "PrefixTuning",
    "PromptTuning",
    "Prune",
    "Quantise",
    "TaskTraining",
    "Treatment",
    "check_engine",
    "check_trainable",
    "engines_for",
    "identity_of",
    "is_taken",
    "method_from",
    "method_of",
    "moved_teacher",
    "name_of",
    "teacher_on_hub",
    "teacher_path",
    "treated",
    "treatment_named",
    "with_amounts",
]
