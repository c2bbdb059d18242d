"""`emergence verdicts`: what each headline curve shows, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Json, ResultsOrTable, Scale, Table
from harness.cli.output import print_json, print_line, print_paragraph, say, table, telling
from harness.cli.read import read_curves
from harness.errors import PlanError
from harness.wording import p_value, score

if TYPE_CHECKING:
    from harness.analysis.verdict import Verdict

_HEAD = ("family", "task", "shots", "setting", "metric", "small", "large", "verdict", "threshold (95 %)", "q")


def command(
    results: ResultsOrTable = None,
    table_file: Table = None,
    scale: Scale = "params",
    run_sd: Annotated[
        float | None,
        typer.Option(
            "--run-sd",
            help="Standard deviation of a score of one half between two training runs of one model; 0.006 unless told.",
        ),
    ] = None,
    reasons: Annotated[bool, typer.Option("--reasons", help="Say below the table why, in sentences.")] = False,
    as_json: Json = False,
) -> None:
    """Show one verdict per headline curve: label, threshold with interval, evidence, reasons.

    Columns: small and large, scores of the smallest and the largest size; threshold, where the curve passes chance by
    5 points of 100; q, trend over scale, corrected for all curves. Family and setting (prompt, and what curves
    cannot be joined for) have a column when there are several.
    """
    from harness.analysis.growth import RUN_SD
    from harness.analysis.verdict import judge, to_json

    spread = RUN_SD if run_sd is None else run_sd
    if not 0 <= spread < 0.5:
        raise PlanError(f"--run-sd {spread}: expected 0 or more, and less than 0.5")
    verdicts = judge(read_curves(results, table_file, scale, items=True), run_sd=spread)
    if as_json:
        print_json([to_json(verdict) for verdict in verdicts])
        return
    shown = _apart(verdicts)
    if not shown:
        return
    print(table(*telling(_HEAD, [_row(verdict) for verdict in shown], ("family", "setting"))))
    if not reasons:
        say("why: --reasons, or the report")
        return
    print_line()
    for verdict in shown:
        curve = verdict.curve
        text = f"{curve.family} {curve.task}, {curve.label}: {' '.join(verdict.reasons)}"
        print_paragraph(text)


def _apart(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those with models at several places of the axis; of the others only each family is said, once."""
    from harness.analysis.verdict import one_place

    kept, said = [], {}
    for verdict in verdicts:
        curve = verdict.curve
        if len(curve.points) > 1 and len(set(curve.x)) == 1:
            said[curve.family] = one_place(curve)
        else:
            kept.append(verdict)
    for family, reason in said.items():
        say(f"{family}: {reason}: nothing to judge")
    return kept


def _row(verdict: Verdict) -> tuple[object, ...]:
    from harness.analysis.verdict import in_words, threshold

    curve = verdict.curve
    return (
        curve.family,
        curve.task,
        curve.shots,
        curve.circumstances,
        curve.metric.name,
        score(curve.y[0]),
        score(curve.y[-1]),
        in_words(verdict),
        threshold(verdict),
        p_value(verdict.evidence["q_trend"]),
    )
