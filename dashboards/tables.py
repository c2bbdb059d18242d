"""Tables of the dashboard: what was found as rows for people, or as the numbers behind a figure. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from harness.analysis.compare import Comparison
from harness.analysis.curves import Curve
from harness.analysis.curves.frame import point_rows
from harness.analysis.verdict import EVIDENCE, PLAIN_WORDS, Row, Verdict, row


def counted(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """The verdicts behind the bars."""
    rows = [(v.curve.family, v.curve.task, v.curve.label, PLAIN_WORDS[v.label]) for v in verdicts]
    return pd.DataFrame(rows, columns=["family", "task", "setting", "verdict"])


def points(curves: Iterable[Curve]) -> pd.DataFrame:
    """A row per point of the curves, with the columns of `emergence curves --json`."""
    return pd.DataFrame(point_rows(curves))


def verdicts(of: Iterable[Verdict]) -> pd.DataFrame:
    """A row per verdict. Numbers stay numbers, so that they can be sorted by size."""
    numbers = dict.fromkeys(("Threshold", "Above chance from", "Change", "q"), "Float64")
    return pd.DataFrame([_line(verdict) for verdict in of]).astype(numbers)


def _line(verdict: Verdict) -> dict[str, object]:
    """One verdict as a row of the table."""
    curve, said = verdict.curve, row(verdict)
    return {
        "Family": curve.family,
        "Task": curve.task,
        "Setting": curve.label,
        "Verdict": said.verdict,
        "Threshold": verdict.threshold,
        "95 % interval": _interval(said),
        "Above chance from": verdict.reliable_from,
        "Change": verdict.evidence["range"],
        "q": verdict.evidence["q_trend"],
        "Deciding sizes": len(verdict.flips),
        "Why": said.why,
    }


def _interval(said: Row) -> str:
    """`108k-402k`: a threshold in words without its number, which stands in a column of its own, to be sorted by."""
    number, _, interval = said.threshold.partition(" ")
    return interval.strip("()") or number


def evidence(verdict: Verdict) -> pd.DataFrame:
    """The numbers behind a verdict, each with what it is."""
    known = [(name, value, EVIDENCE[name]) for name, value in verdict.evidence.items() if value is not None]
    return pd.DataFrame(known, columns=["Evidence", "Value", "What it is"])


def comparisons(of: Iterable[Comparison]) -> pd.DataFrame:
    """A row per comparison."""
    return pd.DataFrame(
        [
            {
                "task": one.task,
                "setting": one.setting,
                "metric": one.metric.name,
                "n": one.scores.n,
                "a": one.scores.mean_a,
                "b": one.scores.mean_b,
                "difference": one.scores.difference,
                "ci_low": one.scores.low,
                "ci_high": one.scores.high,
                "p": one.scores.p,
                "q": one.q,
                "better": one.better,
                "detectable": one.scores.detectable,
            }
            for one in of
        ]
    )
