"""Treatments: what is done to the weights of a model before it answers, and the variant of the model that this makes.

Nothing here loads a model: what a treatment does to tensors is in `harness.engines.treating`.
"""

from harness.treatments.choosing import (
    BUILT_IN,
    PLAIN,
    TREATING,
    check_engine,
    is_taken,
    name_of,
    treated,
    treatment_named,
)
from harness.treatments.types import METHODS, Method, Prune, Quantise, Treatment, method_from, method_of

__all__ = [
    "BUILT_IN",
    "METHODS",
    "PLAIN",
    "TREATING",
    "Method",
    "Prune",
    "Quantise",
    "Treatment",
    "check_engine",
    "is_taken",
    "method_from",
    "method_of",
    "name_of",
    "treated",
    "treatment_named",
]
