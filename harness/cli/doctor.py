"""`emergence doctor`: what this machine, or a cluster, can run, and what to do about what is missing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from harness.cli.options import Address, Json, Results
from harness.cli.output import print_json, print_line, say


def command(results: Results = Path("results"), address: Address = None, as_json: Json = False) -> None:
    """Show what runs need and what of it is here, and on each node of a cluster. Exits with 2 when something is not."""
    from harness.checkup import checkup

    missing = 0
    shown = []
    for finding in checkup(results, address):
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
