"""Tables of the dashboard: findings as rows for people, or the numbers behind a figure. Streamlit is not needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd
from pandas.api.types import is_float_dtype

from harness.analysis.compare import Comparison
from harness.analysis.curves import Curve
from harness.analysis.curves.frame import point_rows
from harness.analysis.forecast import Forecast, NoForecast
from harness.analysis.verdict import (
    Evidence,
    Judged,
    TableRow,
    evidence_text,
    evidence_texts,
    kind_text,
    shown_change,
    table_row,
)
from harness.wording import number, score, signed, small_probability

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

VERDICT_NUMBERS = {"Threshold": number, "Above chance from": number, "Change": signed, "q": small_probability}
"""How the table of verdicts writes its numbers, by heading."""
COMPARISON_NUMBERS = {
    **dict.fromkeys(("a", "b", "detectable"), score),
    **dict.fromkeys(("difference", "ci_low", "ci_high"), signed),
    **dict.fromkeys(("p", "q"), small_probability),
}
"""As `VERDICT_NUMBERS`, for the table of comparisons."""
FORECAST_NUMBERS = {
    "Largest": number,
    **dict.fromkeys(("Score", "Forecast", "95 % from", "95 % to", "Back-test error"), score),
}
"""As `VERDICT_NUMBERS`, for the table of forecasts."""


def written(table: pd.DataFrame, numbers: Mapping[str, Callable[[Any], str]]) -> Styler:
    """The table with numbers as everywhere else in words, and still sorted by their size; missing ones are empty.

    Args:
        table: any.
        numbers: heading -> how its numbers are written; other columns stay as they are.
    """
    return table.style.format({name: write for name, write in numbers.items() if name in table}, na_rep="")


def scores(table: pd.DataFrame) -> dict[str, Callable[[Any], str]]:
    """For `written`: every column of fractions is one of scores."""
    return {str(name): score for name, dtype in table.dtypes.items() if is_float_dtype(dtype)}


def verdict_bars(judged: Iterable[Judged]) -> pd.DataFrame:
    """The verdicts that the bars count, a row each."""
    rows = [(r.curve.family, r.curve.task, r.curve.label, kind_text(r.verdict)) for r in judged]
    return pd.DataFrame(rows, columns=["family", "task", "setting", "verdict"])


def points(curves: Iterable[Curve]) -> pd.DataFrame:
    """A row per point of the curves, with the columns of `emergence curves --json`; of training runs their number."""
    return pd.DataFrame([{**row, "runs": len(row["runs"])} for row in point_rows(curves)])


def verdicts(judged: Iterable[Judged]) -> pd.DataFrame:
    """A row per verdict. Numbers stay numbers, so that they can be sorted by size."""
    numbers = dict.fromkeys(("Threshold", "Above chance from", "Change", "q"), "Float64")
    return pd.DataFrame([_line(row) for row in judged]).astype(numbers)


def _line(judged: Judged) -> dict[str, object]:
    """One judged curve as a row of the table: heading -> cell."""
    verdict, words = judged.verdict, table_row(judged)
    return {
        "Family": words.family,
        "Task": words.task,
        "Setting": words.setting,
        "Verdict": words.verdict,
        "Threshold": verdict.threshold,
        "95 % interval": _interval(words),
        "Above chance from": verdict.reliable_from,
        "Change": shown_change(judged.curve, verdict.evidence),
        "q": verdict.evidence.q_trend,
        "Deciding sizes": len(verdict.flips),
        "Why": words.why,
    }


def _interval(words: TableRow) -> str:
    """`108k-402k`: a threshold in words without its number, which stands in a column of its own, to be sorted by."""
    threshold, _, interval = words.threshold.partition(" ")
    return interval.strip("()") or threshold


def evidence(of: Evidence) -> pd.DataFrame:
    """The numbers behind a verdict, each with what it is."""
    texts = evidence_texts()
    known = [(name, evidence_text(name, value), texts[name]) for name, value in asdict(of).items() if value is not None]
    return pd.DataFrame(known, columns=["Evidence", "Value", "What it is"])


def forecast_table(of: Iterable[Forecast | NoForecast]) -> pd.DataFrame:
    """A row per curve: what is expected, how well such forecasts did, and why to doubt this one."""
    numbers = dict.fromkeys(FORECAST_NUMBERS, "Float64")
    return pd.DataFrame([_forecast(one) for one in of]).astype(numbers)


def _forecast(one: Forecast | NoForecast) -> dict[str, object]:
    curve = one.curve
    found = one if isinstance(one, Forecast) else None
    tested = f"{sum(test.inside for test in found.backtest)} of {len(found.backtest)}" if found else ""
    return {
        "Family": curve.family,
        "Task": curve.task,
        "Setting": curve.label,
        "Metric": curve.metric.name,
        "Largest": curve.x[-1],
        "Score": curve.y[-1],
        "Forecast": found and found.value,
        "95 % from": found and found.low,
        "95 % to": found and found.high,
        "Back-test error": found and found.error,
        "Back-tests inside": tested,
        "Doubts": " ".join(one.doubts.values()) if isinstance(one, Forecast) else one.reason,
    }


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
