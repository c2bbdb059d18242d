"""`emergence prepare`: download what a run needs of the hub, for machines without a network."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.catalog import offline
from harness.cli.as_run import with_options_of_run
from harness.cli.given import plan_of
from harness.cli.output import say
from harness.wording import counted

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder to fill, for --mirror; that of --mirror unless told, else ./mirror."),
]
Update = Annotated[
    bool, typer.Option("--update", help="Ask the hub for newer commits of what is there; it keeps them unless told.")
]


@with_options_of_run
def command(given: Mapping[str, Any], output: Output = None, update: Update = False) -> None:
    """Download the models and data sets of a run once, each at a commit; what is there is verified. Runs nothing."""
    folder = output or given["mirror"] or Path("mirror")
    os.environ.pop(offline.MIRROR, None)  # what is to be filled is not to be read
    plan = plan_of({**given, "mirror": None}, as_asked=True)

    from harness.preparing.prepare import fill_mirror
    from harness.preparing.wanted import wanted_by

    wanted = wanted_by(plan)
    if not wanted:
        say("nothing to download: every model and data set of this plan is on this machine")
        return
    _quiet()
    came = fill_mirror(
        folder,
        wanted,
        allow_pickle=given["allow_pickle"],
        allow_code=given["trust_remote_code"] or given["allow_tokenizer_code"],
        update=update,
        told=say,
    )
    if came.failed:
        say(
            f"{counted(len(came.failed), 'repository', 'repositories')} of {len(wanted)} could not be had; "
            "the same command goes on from there"
        )
        raise typer.Exit(2 if came.can_be_mended else 1)
    say(f"ready: run the same options with --mirror {folder}")


def _quiet() -> None:
    """Leave progress to our own lines: bars of several files at once are no text for a log."""
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    for name in ("huggingface_hub", "datasets", "httpx", "httpx2", "filelock"):
        logging.getLogger(name).setLevel(logging.ERROR)
