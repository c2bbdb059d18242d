"""Did an ability emerge? Tests on curves, the rules that weigh them, thresholds, and reasons in sentences."""

from harness.analysis.verdict.family_findings import FamilyFindings, Finding, findings, in_short
from harness.analysis.verdict.judging import judge, judge_each, judged_rows, to_json
from harness.analysis.verdict.rows import centred, partner_rows, with_traces
from harness.analysis.verdict.studies import Study, resolutions, study
from harness.analysis.verdict.types import (
    CurveRow,
    Evidence,
    Flip,
    Judged,
    Label,
    LargestStep,
    PartnerTrend,
    Presence,
    PresenceAtSize,
    Tone,
    Verdict,
)
from harness.analysis.verdict.ushape import ByDifficulty, by_difficulty, two_lines
from harness.analysis.verdict.words import (
    PLAIN_WORDS,
    TableRow,
    evidence_text,
    evidence_texts,
    label_text,
    same_place_text,
    shown_change,
    table_row,
    threshold_text,
    tone_of,
)

__all__ = [
    "PLAIN_WORDS",
    "ByDifficulty",
    "CurveRow",
    "Evidence",
    "FamilyFindings",
    "Finding",
    "Flip",
    "Judged",
    "Label",
    "LargestStep",
    "PartnerTrend",
    "Presence",
    "PresenceAtSize",
    "Study",
    "TableRow",
    "Tone",
    "Verdict",
    "by_difficulty",
    "centred",
    "evidence_text",
    "evidence_texts",
    "findings",
    "in_short",
    "judge",
    "judge_each",
    "judged_rows",
    "label_text",
    "partner_rows",
    "resolutions",
    "same_place_text",
    "shown_change",
    "study",
    "table_row",
    "threshold_text",
    "to_json",
    "tone_of",
    "two_lines",
    "with_traces",
]
