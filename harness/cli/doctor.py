"""`emergence doctor`: what this machine, a cluster and a plan need, and what to do about what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from harness.catalog.offline import go_offline
from harness.cli.as_run import with_options_of_run
from harness.cli.given import catalog_of, plan_of, settings_of
from harness.cli.output import print_json, print_line, say
from harness.cli.result_options import Json
from harness.errors import FaultsError, HarnessError

if TYPE_CHECKING:
    from harness.checkup.line import CheckupLine

_OF_PLANS = ("suite", "task", "family", "model")
"""Options that choose what is run: with one of them the plan is looked at too."""


@with_options_of_run
def command(given: Mapping[str, Any], as_json: Json = False) -> None:
    """Show what runs need and what of it is here. Exits with 2 when something is missing.

    With --address each node of a cluster is looked at; with --suite, --task, --family or --model also which of the
    models and data sets of such a run load here.
    """
    missing = 0
    shown = []
    for finding in _findings(given):
        missing += finding.state == "missing"
        if as_json:
            shown.append(asdict(finding))
        else:
            todo = f" -> {finding.todo}" if finding.todo else ""
            print_line(f"{finding.state:8}  {finding.about}: {finding.found}{todo}")
    if as_json:
        print_json(shown)
    if missing:
        say(f"{missing} of these stop runs")
        raise typer.Exit(2)


def _findings(given: Mapping[str, Any]) -> Iterator[CheckupLine]:
    from harness.checkup.machine import check_machine

    yield from check_machine(given["results"], given["address"])
    if any(given[name] for name in _OF_PLANS) or given["mirror"]:
        go_offline()  # only what is here is looked for
        yield from _of_plan(given)


def _of_plan(given: Mapping[str, Any]) -> Iterator[CheckupLine]:
    from harness.checkup.line import CheckupLine
    from harness.checkup.plan import check_mirror, check_plan

    try:
        mirror = catalog_of(given).mirror
        if mirror is not None:
            yield check_mirror(mirror)
        if not any(given[name] for name in _OF_PLANS):
            return
        plan = plan_of({**given, "mirror": None}, as_asked=True)
    except HarnessError as error:
        todo = "correct the options, or what they name"
        for fault in error.faults if isinstance(error, FaultsError) else [str(error)]:
            yield CheckupLine(about="plan", state="missing", found=fault, todo=todo)
        return
    yield from check_plan(plan, mirror, settings_of(given))
