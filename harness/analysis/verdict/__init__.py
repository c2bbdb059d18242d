"""Did an ability emerge? Evidence, rules, thresholds and reasons."""

from harness.analysis.verdict.centred import Centred, centred
from harness.analysis.verdict.reasons import PLAIN_WORDS, one_place
from harness.analysis.verdict.study import (
    Row,
    Study,
    headline,
    in_words,
    number,
    partner,
    resolutions,
    row,
    scale_text,
    study,
    threshold,
)
from harness.analysis.verdict.types import EVIDENCE, Verdict
from harness.analysis.verdict.verdict import judge, to_json

__all__ = [
    "EVIDENCE",
    "PLAIN_WORDS",
    "Centred",
    "Row",
    "Study",
    "Verdict",
    "centred",
    "headline",
    "in_words",
    "judge",
    "number",
    "one_place",
    "partner",
    "resolutions",
    "row",
    "scale_text",
    "study",
    "threshold",
    "to_json",
]
