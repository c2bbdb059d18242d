"""Cells and plans: which numbers are to be produced, and what makes two of them comparable. Pure."""

from harness.plan.cell import AUTO_ENGINE, DEFAULT_ENGINE, DESCRIPTIVE_FIELDS, Cell, Place
from harness.plan.naming import ModelId, by_size, labels, model_id, model_names, size_setting
from harness.plan.setting import AXES, MODEL_AXES, QUESTION_AXES, Axis, Setting, Value, axes, model_identity, setting_of
from harness.plan.slicing import Slice, sliced
from harness.plan.sweeping import ALL, RunPlan, Sweep, expand

__all__ = [
    "ALL",
    "AUTO_ENGINE",
    "AXES",
    "DEFAULT_ENGINE",
    "DESCRIPTIVE_FIELDS",
    "MODEL_AXES",
    "QUESTION_AXES",
    "Axis",
    "Cell",
    "ModelId",
    "Place",
    "RunPlan",
    "Setting",
    "Slice",
    "Sweep",
    "Value",
    "axes",
    "by_size",
    "expand",
    "labels",
    "model_id",
    "model_identity",
    "model_names",
    "setting_of",
    "size_setting",
    "sliced",
]
