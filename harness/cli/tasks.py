"""`emergence tasks`: what each task of the results can show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.option_groups import Choices, CurveSource, with_groups
from harness.cli.output import print_json, say, table, telling
from harness.cli.plan_options import IncludePath
from harness.cli.result_options import Json
from harness.cli.task_card import show_cards
from harness.errors import TableError
from harness.wording import number, percent, score

if TYPE_CHECKING:
    from harness.analysis.compare import TaskQuality
    from harness.analysis.curves import Curve

_HEAD = ("task", "shots", "metric", "models", "documents", "smallest gain")
_QUALITY = ("signal", "noise", "from", "ratio", "decisions")


@with_groups
def command(
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TASK]...", help="Show what these tasks ask, an example, and how their chance level was set."
        ),
    ] = None,
    source: CurveSource,
    chosen: Choices,
    metric: Annotated[str, typer.Option(help="The `headline` of a task, `all`, or the name of a metric.")] = "headline",
    quality: Annotated[
        bool,
        typer.Option(
            "--quality", help="Add signal and noise of each task, and whether small models order recipes as large ones."
        ),
    ] = False,
    include_path: IncludePath = None,
    as_json: Json = False,
) -> None:
    """Show what each task of the results has measured, and with --quality which tasks can show anything.

    With names: what these tasks ask, one example with its right answer, how chance was set, shots. Results that are
    there say what was asked; otherwise the file of the task does.

    Columns: smallest gain, over chance, that the documents of a task could show; signal, the largest less the smallest
    score of the finished models; noise, the standard deviation of late checkpoints, of training runs, or at least of
    documents; ratio, signal over noise, 2.8 or more where the best and the worst model differ by more than noise;
    decisions, the share of pairs of recipes that the smallest size orders as the largest one does.
    """
    if names:
        show_cards(names, source.results or Path("results"), include_path or (), as_json=as_json)
        return
    from harness.analysis.compare import task_qualities, task_quality_json

    finished = chosen.curves(source.curves(), metric)
    stages: tuple[Curve, ...] = ()
    if quality:
        try:
            stages = source.curves("tokens")
        except TableError:
            say("no column tokens: noise is that of training runs, or of documents")
    found = task_qualities(finished, stages)
    grain = _grain(finished)
    if as_json:
        rows = [task_quality_json(one) for one in found]
        kept = ("task", "shots", "metric", "models")
        print_json([row if quality else {name: row[name] for name in kept} for row in rows])
        return
    head = (*_HEAD, *_QUALITY) if quality else _HEAD
    print(table(*telling(head, [_row(one, grain, quality=quality) for one in found], ("shots",))))
    if quality and (weak := [one for one in found if one.separates is False]):
        say(f"{len(weak)} of {len(found)} tell no model from another: their signal is less than 2.8 times their noise")


_Key = tuple[str, int, str]


def _grain(curves: tuple[Curve, ...]) -> dict[_Key, tuple[int | None, float | None]]:
    """Most documents of each task, and the smallest gain over chance that they could show."""
    from harness.analysis.stats import detectable_effect

    found: dict[_Key, tuple[int | None, float | None]] = {}
    for curve in curves:
        key = (curve.task, curve.shots, curve.metric.name)
        for one in curve.estimates:
            n = one.n_known
            if n is not None and n > (found.get(key, (0, None))[0] or 0):
                chance = curve.metric.chance if one.proportion else None
                found[key] = (n, None if chance is None else detectable_effect(n, chance))
    return found


def _row(one: TaskQuality, grain: dict[_Key, tuple[int | None, float | None]], *, quality: bool) -> tuple[object, ...]:
    documents, gain = grain.get((one.task, one.shots, one.metric), (None, None))
    start = (one.task, one.shots, one.metric, one.models, documents, None if gain is None else score(gain))
    if not quality:
        return start
    first = one.decisions[0] if one.decisions else None
    return (
        *start,
        score(one.signal),
        score(one.noise),
        one.source,
        None if one.ratio is None else number(one.ratio, digits=2),
        None if first is None else f"{percent(first.accuracy)} of {first.pairs}",
    )
