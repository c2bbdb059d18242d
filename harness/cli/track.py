"""`emergence track`: tell trackers of experiments what a results folder holds."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.option_values import split
from harness.cli.output import say
from harness.cli.read import results_of
from harness.cli.result_options import FamilyChoice, Results, TaskChoice
from harness.cli.run_options import TRACKER_WORDS
from harness.cli.tracking import start_of, trackers_of
from harness.errors import HarnessError, MachineError, PlanError
from harness.reading import read_outcomes
from harness.wording import counted


def command(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[RESULTS]", help="Folder of the results, as with --results.")
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help=f"Trackers: {TRACKER_WORDS}. Can be repeated."),
    ] = None,
    family: FamilyChoice = None,
    task: TaskChoice = None,
    results: Results = Path("results"),
) -> None:
    """Tell trackers every score of a results folder, as `emergence run --track` does while a run goes on."""
    from harness.tracking import Followers

    place = folder or results
    if not (trackers := trackers_of(to, place, "--to")):
        raise PlanError(f"expected --to with one of {TRACKER_WORDS}")
    done = read_outcomes(place, say).results
    chosen = results_of(done, split(family), split(task))
    if not chosen:
        raise HarnessError(f"{place}: no result of these families and tasks")
    faults: list[str] = []
    cells = [one.cell for one in chosen]
    with Followers(
        trackers,
        start=start_of(cells, str(place), shlex.join(["emergence", *sys.argv[1:]])),
        cells=cells,
        done=sorted(chosen, key=lambda one: (one.cell.model.params, one.cell.model.tokens or 0)),
        say=say,
        given_up=lambda tracker, why: faults.append(f"{tracker.name}: {why}"),
        finishing=None,
    ):
        pass
    if faults:
        raise MachineError("; ".join(faults))
    say(f"{counted(len(chosen), 'cell')} told to {', '.join(one.name for one in trackers)}")
