"""`emergence gate`: may a candidate take the place of a baseline? An exit code for pipelines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.option_values import split
from harness.cli.output import print_json, print_line, say, table
from harness.cli.result_options import Json, Results
from harness.errors import PlanError
from harness.reading import document_reader, read_outcomes
from harness.store import Store
from harness.wording import counted, interval, quoted, score, signed

if TYPE_CHECKING:
    from harness.analysis.compare import Comparisons, GateCheck, Pairing
    from harness.store import Outcomes

_CODES = {"pass": 0, "fail": 1, "cannot tell": 3}
_SIDE = "model, MODEL@REVISION, or terms such as model=mine,shots=0"


def command(
    candidate: Annotated[str, typer.Option("--candidate", help=f"What is judged: {_SIDE}.")],
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="What the candidate must not be worse than, in the same form.")
    ] = None,
    margin: Annotated[
        float, typer.Option("--margin", help="Largest loss on a task that does not matter, as a share of full marks.")
    ] = 0.02,
    minimum: Annotated[
        list[str] | None,
        typer.Option("--min", help="Least headline score of the candidate on a task: TASK=0.6. Can be repeated."),
    ] = None,
    results: Results = Path("results"),
    as_json: Json = False,
) -> None:
    """Tell a pipeline whether a candidate passes: exit code 0 pass, 1 fail, 3 cannot tell, 2 for a wrong command.

    A task is passed when the 95 % interval of the difference on the same documents lies above minus the margin, and
    failed when the interval for all tasks together lies below it. Documents without a score, and cells that failed, are
    never counted as wrong or left out: the interval allows for whatever they would give.
    """
    from harness.analysis.compare import verdict_of

    least = _least(split(minimum))
    if baseline is None and not least:
        raise PlanError("nothing to check: expected --baseline, or --min TASK=SCORE")
    if not 0 <= margin < 1:
        raise PlanError(f"--margin is {margin}; expected 0 or more, and less than 1")
    outcomes = read_outcomes(results, say)
    checks, missing = _checks(outcomes, results, candidate, baseline, margin, least)
    answer = verdict_of(checks, missing=len(missing))
    if as_json:
        print_json({"answer": answer, "checks": [asdict(check) for check in checks], "missing": missing})
    else:
        _show(checks)
        for line in missing:
            print_line(f"not compared: {line}")
        more = f", and {counted(len(missing), 'setting')} could not be compared" if missing else ""
        passed = sum(check.answer == "pass" for check in checks)
        print_line(f"{answer}: {passed} of {counted(len(checks), 'check')} passed{more}")
    raise typer.Exit(_CODES[answer])


def _least(texts: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in texts:
        task, _, value = text.rpartition("=")
        try:
            found[task] = float(value)
        except ValueError:
            task = ""
        if not task or not math.isfinite(found[task]):
            raise PlanError(f"--min is {quoted(text)}; expected TASK=SCORE, such as add_3=0.6")
    return found


def _checks(
    outcomes: Outcomes, results: Path, candidate: str, baseline: str | None, margin: float, least: dict[str, float]
) -> tuple[list[GateCheck], list[str]]:
    """Every check, and the settings that could not be compared."""
    from harness.analysis.compare import at_least, cells_of, choose_side, compare_pairs, no_worse, noise_from, pair_up

    cells = [*(r.cell for r in outcomes.results), *(f.cell for f in outcomes.failures)]
    side = choose_side(candidate, cells)
    checks: list[GateCheck] = []
    missing: list[str] = []
    if baseline is not None:
        pairing = pair_up(choose_side(baseline, cells), side, outcomes.results, outcomes.failures)
        reader = document_reader(Store(results), say)
        compared = compare_pairs(pairing.pairs, reader, noise=noise_from(outcomes.results))
        checks += no_worse(compared.comparisons, {r.cell.key: r for r in outcomes.results}, margin=margin)
        missing = _missing(pairing, compared)
        if not checks and not missing:
            raise PlanError(f"{baseline} and {candidate} have no task in common")
    if least:
        chosen = cells_of(side, cells)
        mine = [r for r in outcomes.results if r.cell.key in chosen]
        lost = [f for f in outcomes.failures if f.cell.key in chosen]
        checks += at_least(mine, lost, least)
    return checks, missing


def _missing(pairing: Pairing, compared: Comparisons) -> list[str]:
    left = (*pairing.unpaired, *compared.unpaired)
    return list(dict.fromkeys(f"{one.task} {one.setting}: {one.reason}".strip() for one in left))


def _show(checks: Iterable[GateCheck]) -> None:
    head = ("task", "setting", "metric", "docs", "ungraded", "asked", "value", "95 % interval", "answer")
    print(table(head, [_row(check) for check in checks]))
    print_line()


def _row(check: GateCheck) -> tuple[object, ...]:
    relative = check.asked == "no worse"
    write = signed if relative else score
    limit = f"no worse by {score(check.limit)}" if relative else f"{check.asked} {score(check.limit)}"
    return (
        check.task,
        check.setting,
        check.metric,
        check.n,
        check.ungraded,
        limit,
        "-" if check.value is None else write(check.value),
        interval(check.low, check.high, write),
        check.answer,
    )
