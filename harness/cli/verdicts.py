"""`emergence verdicts`: what each headline curve shows, and why."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Json, Results, Scale
from harness.cli.output import count, print_json, say, table
from harness.cli.read import read_store


def command(
    results: Results = Path("results"),
    scale: Scale = "params",
    reasons: Annotated[bool, typer.Option("--reasons", help="Say below the table why, in sentences.")] = False,
    as_json: Json = False,
) -> None:
    """Show one verdict per curve with the evidence behind it."""
    from harness.analysis.curves import curves
    from harness.analysis.verdict import judge, to_json

    done, failures, _ = read_store(results)
    verdicts = judge(curves(done, failures, scale=scale))
    if as_json:
        print_json([to_json(verdict) for verdict in verdicts])
        return
    rows = []
    for verdict in verdicts:
        curve = verdict.curve
        start = "" if verdict.reliable_from is None else count(verdict.reliable_from)
        first, last = curve.points[0].estimate.value, curve.points[-1].estimate.value
        label = " ".join(filter(None, (verdict.label, verdict.qualifier)))
        scores = (f"{first:.3f}", f"{last:.3f}")
        rows.append((curve.family, curve.task, curve.shots, curve.metric.name, *scores, label, start))
    head = ("family", "task", "shots", "metric", "smallest", "largest", "verdict", f"above chance from ({scale})")
    print(table(head, rows))
    if reasons:
        print()
    for verdict in verdicts if reasons else ():
        curve = verdict.curve
        text = f"{curve.family} {curve.task}, {curve.label}: {' '.join(verdict.reasons)}"
        print(textwrap.fill(text, width=118, subsequent_indent="    "))
    if not reasons:
        say("why: --reasons, or the report")
