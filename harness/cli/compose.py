"""`emergence compose`: is a composite ability explained by the scores of its parts?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.option_groups import CurveSource, Drawing, with_groups
from harness.cli.option_values import split, whole_numbers
from harness.cli.output import print_json, print_line, print_paragraph, table
from harness.cli.result_options import FamilyChoice, Json, ScaleAxis, ShotChoice
from harness.errors import PlanError, unknown
from harness.wording import counted, interval, number, p_value, percent, quoted, score, signed

if TYPE_CHECKING:
    from harness.analysis.compare import Composition
    from harness.analysis.curves import Curve

_HEAD = ("size", "model", "score", "95 % interval", "from parts", "95 % interval", "difference", "95 % interval", "p")
_ANSWERS = {
    "explained": "its parts explain it: at every size the score lies within 10 points of 100 of what they give",
    "falls short": "it falls short of its parts, so that to put them together is an ability of its own",
    "exceeds": "it exceeds its parts, so that it is solved in another way, or the parts are harder to ask for alone",
    "both": "its parts do not explain it: it falls short of them at some sizes and exceeds them at others",
    "cannot tell": "cannot tell: no size differs from what the parts give, but the errors allow more than 10 points of "
    "100",
}


@with_groups
def command(
    *,
    target: Annotated[str, typer.Argument(metavar="TASK", help="The composite: TASK, or TASK/METRIC.")],
    of: Annotated[
        list[str],
        typer.Option("--of", help="A part, and how often it is needed: TASK, TASK=2, TASK/METRIC=2. Can be repeated."),
    ],
    source: CurveSource,
    scale: ScaleAxis = "params",
    family: FamilyChoice = None,
    shots: ShotChoice = None,
    drawing: Drawing,
    as_json: Json = False,
) -> None:
    """Predict a composite task from its parts, size by size, and say whether its jump is more than theirs.

    If each part succeeds by itself, an answer that needs all of them is right as often as what they know, multiplied.
    Columns: from parts, that product, with the interval from the errors of the parts; p, of the difference, corrected
    for the number of sizes.
    """
    from harness.analysis.compare import TaskPart, compose

    drawing.check()
    drawn = source.curves(scale)
    wanted = [_part(text) for text in split(of)]
    families, counts = split(family), whole_numbers(shots, "--shots")
    targets = [
        curve
        for curve in _of_task(drawn, target)
        if (not families or curve.family in families) and (not counts or curve.shots in counts)
    ]
    if not targets:
        raise PlanError(f"{quoted(target)} has no curve of this family and these shots")
    found = [
        compose(curve, [TaskPart(_beside(curve, _of_task(drawn, task), task), times) for task, times in wanted])
        for curve in targets
    ]
    if drawing.figure is not None:
        from harness.figures import composition_figure

        drawing.write([composition_figure(one) for one in found], f"{target} and its parts")
    if as_json:
        print_json([_object(one) for one in found])
        return
    for one in found:
        _show(one)


def _part(text: str) -> tuple[str, float]:
    task, _, times = text.partition("=")
    try:
        found = float(times) if times else 1.0
    except ValueError:
        found = 0.0
    if not task or not 0 < found < 1e6:
        raise PlanError(
            f"--of is {quoted(text)}; expected TASK, or TASK=TIMES with a number above 0, such as one_hop=2"
        )
    return task, found


def _of_task(drawn: Sequence[Curve], name: str) -> list[Curve]:
    task, _, metric = name.partition("/")
    of_task = [curve for curve in drawn if curve.task == task]
    if not of_task:
        raise PlanError(unknown("task", task, sorted({curve.task for curve in drawn})))
    if not metric:
        return [curve for curve in of_task if curve.rank == 0]
    of_metric = [curve for curve in of_task if curve.metric.name == metric]
    if not of_metric:
        raise PlanError(unknown(f"metric of {task}", metric, sorted({curve.metric.name for curve in of_task})))
    return of_metric


def _beside(target: Curve, candidates: Sequence[Curve], name: str) -> Curve:
    """The curve of a part in the setting of the composite."""
    alike = [c for c in candidates if (c.family, c.shots, c.split) == (target.family, target.shots, target.split)]
    same_prompt = [curve for curve in alike if curve.prompt == target.prompt] or alike
    if len(same_prompt) == 1:
        return same_prompt[0]
    there = sorted({f"{curve.family} {curve.label}" for curve in candidates})
    raise PlanError(
        f"{quoted(name)} has {counted(len(same_prompt), 'curve')} for {target.family} {target.label}; expected one; "
        f"there are: {', '.join(there)}"
    )


def _show(one: Composition) -> None:
    parts = ", ".join(p.curve.task + (f" {number(p.times)} times" if p.times != 1 else "") for p in one.parts)
    print_line(f"{one.target.family} {one.target.task}, {one.target.label}: made of {parts}")
    print_line()
    rows = [
        (
            number(size.x),
            size.model,
            score(size.observed),
            interval(size.observed_low, size.observed_high, score),
            score(size.predicted),
            interval(size.predicted_low, size.predicted_high, score),
            signed(size.difference),
            interval(size.low, size.high, signed),
            p_value(size.p),
        )
        for size in one.sizes
    ]
    print(table(_HEAD, rows))
    print_line()
    explained = "" if one.explained is None else f"; the prediction explains {percent(max(one.explained, 0.0))}"
    explained += "" if one.explained is None else " of the differences between sizes"
    where = f" (at {', '.join(one.different)})" if one.different else ""
    print_paragraph(
        f"{_ANSWERS[one.answer]}{where}{explained}. It is described best if its parts are needed {number(one.ratio)} "
        f"times as often ({number(one.ratio_low)} to {number(one.ratio_high)})."
    )
    if one.left_out:
        print_paragraph(f"left out, since a part has no score there: {', '.join(one.left_out)}")
    print_line()


def _object(one: Composition) -> dict[str, object]:
    return {
        "family": one.target.family,
        "task": one.target.task,
        "metric": one.target.metric.name,
        "setting": one.target.label,
        "parts": [{"task": p.curve.task, "metric": p.curve.metric.name, "times": p.times} for p in one.parts],
        "answer": one.answer,
        "explained": one.explained,
        "different": list(one.different),
        "ratio": one.ratio,
        "ratio_low": one.ratio_low,
        "ratio_high": one.ratio_high,
        "sizes": [size._asdict() for size in one.sizes],
        "left_out": list(one.left_out),
    }
