"""Did an ability emerge? Evidence, rules, thresholds and reasons."""

from harness.analysis.verdict.centred import Centred, centred
from harness.analysis.verdict.reasons import PLAIN_WORDS, one_place
from harness.analysis.verdict.study import (
    Row,
    Study,
    evidence_text,
    headline,
    in_words,
    partner,
    resolutions,
    row,
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
    "evidence_text",
    "headline",
    "in_words",
    "judge",
    "one_place",
    "partner",
    "resolutions",
    "row",
    "study",
    "threshold",
    "to_json",
]
