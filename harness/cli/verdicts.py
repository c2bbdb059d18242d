"""`emergence verdicts`: what each headline curve shows, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.option_groups import Choices, CurveSource, with_groups
from harness.cli.output import print_json, print_line, print_paragraph, say, table, telling
from harness.cli.result_options import Json, ScaleAxis
from harness.errors import PlanError
from harness.wording import interval, p_value, score

if TYPE_CHECKING:
    from harness.analysis.verdict import Judged, Presence

VERDICT_HEAD = ("family", "task", "shots", "setting", "metric", "small", "large", "verdict", "threshold (95 %)", "q")


@with_groups
def command(
    *,
    source: CurveSource,
    scale: ScaleAxis = "params",
    chosen: Choices,
    run_sd: Annotated[
        float | None,
        typer.Option(
            "--run-sd",
            help="Standard deviation of a score of one half between two training runs of one model; unless told, what "
            "published reruns of the task show (MMLU subjects 0.028, WSC 0.037), otherwise 0.006.",
        ),
    ] = None,
    reasons: Annotated[bool, typer.Option("--reasons", help="Add the reasons for each verdict, in sentences.")] = False,
    as_json: Json = False,
) -> None:
    """Show one verdict per headline curve: label, threshold with interval, evidence, reasons.

    Columns: small and large, scores of the smallest and the largest size; threshold, where the curve passes chance by
    5 points of 100; q, trend over scale, corrected for all curves, also those that --family, --task and --shots leave
    out. Family and setting (prompt, and what curves
    cannot be joined for) have a column when there are several.

    Where sizes have five training runs or more, --reasons adds how many of them have the ability, and their mean score.
    """
    from harness.analysis.verdict import to_json

    if run_sd is not None and not 0 <= run_sd < 0.5:
        raise PlanError(f"--run-sd {run_sd}: expected 0 or more, and less than 0.5")
    every = source.verdicts(scale, run_sd=run_sd)
    shown = {id(curve) for curve in chosen.curves([row.curve for row in every])}
    # judged together whatever is shown: a curve picked out of many and judged alone looks surer than it is
    judged = [row for row in every if id(row.curve) in shown]
    if as_json:
        print_json([to_json(row) for row in judged])
        return
    apart = _apart(judged)
    if not apart:
        return
    _say_in_short(apart, {} if source.table else _to_come(source.results or Path("results")))
    print(table(*telling(VERDICT_HEAD, [verdict_cells(row) for row in apart], ("family", "setting"))))
    if not reasons:
        say("why: --reasons, or the report")
        return
    print_line()
    for row in apart:
        print_paragraph(f"{row.curve.family} {row.curve.task}, {row.curve.label}: {' '.join(row.verdict.reasons)}")
        if row.verdict.presence is not None:
            print_line()
            print(_over_runs(row.verdict.presence))
            print_line()


def _say_in_short(judged: Sequence[Judged], to_come: Mapping[str, int]) -> None:
    """The answer in a sentence for each family, on stderr: the table below it is data."""
    from harness.analysis.verdict import findings

    for one in findings(judged, to_come=to_come):
        say(" ".join(filter(None, (f"{one.family}: {one.sentence}", one.counts_what, one.provisional))))


def _to_come(folder: Path) -> Mapping[str, int]:
    """Cells that runs are still to evaluate, by family; the results are read again only while one goes on."""
    from harness.runs.progress import cells_to_come
    from harness.store import Store

    store, now = Store(folder), datetime.now(UTC)
    records, _ = store.runs()
    if not any(record.state(now) == "going on" for record in records):
        return {}
    outcomes = store.outcomes()
    return cells_to_come(outcomes.results, outcomes.failures, records, now)


def _over_runs(presence: Presence) -> str:
    """A table of the training runs of each size that have the ability."""
    head = (
        "size",
        "runs",
        "with the ability",
        "P(present)",
        "95 % interval",
        "score given it",
        "95 % interval",
        "without",
    )
    return table(
        head,
        [
            (
                one.model,
                one.runs,
                one.present,
                score(one.share),
                interval(one.share_low, one.share_high),
                score(one.score),
                interval(one.score_low, one.score_high),
                score(one.score_absent),
            )
            for one in presence.sizes
        ],
    )


def _apart(judged: Iterable[Judged]) -> list[Judged]:
    """The rows with models at several places of the axis; of the others stderr names each family, once."""
    from harness.analysis.verdict import same_place_text

    kept, left_out = [], {}
    for row in judged:
        curve = row.curve
        if len(curve.points) > 1 and len(set(curve.x)) == 1:
            left_out[curve.family] = same_place_text(curve)
        else:
            kept.append(row)
    for family, reason in left_out.items():
        say(f"{family}: {reason}: nothing to judge")
    return kept


def verdict_cells(row: Judged) -> tuple[object, ...]:
    """One line of the table."""
    from harness.analysis.verdict import label_text, threshold_text

    curve = row.curve
    return (
        curve.family,
        curve.task,
        curve.shots,
        curve.circumstances,
        curve.metric.name,
        score(curve.y[0]),
        score(curve.y[-1]),
        label_text(row.verdict),
        threshold_text(row),
        p_value(row.verdict.evidence.q_trend),
    )
