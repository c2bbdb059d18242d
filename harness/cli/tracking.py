"""Trackers that follow a run: which ones the options ask for, what they are told first, what people read of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.option_values import split
from harness.cli.output import say
from harness.plan import Cell
from harness.store.bucket import BUCKET_ADDRESS
from harness.tracking import AskedTracker, Followers, StartOfTracking, asked_trackers
from harness.tracking.follower import PATIENCE_SECONDS
from harness.version import __version__

if TYPE_CHECKING:
    from harness.runner import Run

_NAMED = 20
"""Tasks and families that are named among the facts of a run."""


def trackers_of(texts: Sequence[str] | None, results: Path, option: str = "--track") -> tuple[AskedTracker, ...]:
    """The trackers that an option asks for, found installed.

    Raises:
        HarnessError: a tracker is not known, does not say where, or is not installed.
    """
    return asked_trackers(split(texts), results, remote=bool(BUCKET_ADDRESS.match(str(results))), option=option)


def followers_of(run: Run, trackers: Sequence[AskedTracker]) -> Followers:
    """The trackers of a run; one that fails or hangs is given up on with a warning, and the run goes on."""
    place = run.store.place

    def given_up(tracker: AskedTracker, why: str) -> None:
        say(
            f"warning: {tracker.name} does not follow this run any more: {why}; nothing else changes, and "
            f"`emergence track {place} --to {tracker.words}` tells it everything later"
        )

    return Followers(
        trackers if run.todo.cells else (),
        start=start_of(run.plan.cells, run.store.place, run.command),
        cells=run.plan.cells,
        done=run.stored,
        say=say,
        given_up=given_up,
        patience=PATIENCE_SECONDS,
        finishing=PATIENCE_SECONDS,
    )


def start_of(cells: Iterable[Cell], place: str, command: str) -> StartOfTracking:
    """What trackers are told first.

    Args:
        cells: all cells of the run.
        place: folder of the results, or the address of an object store.
        command: the command that started it.
    """
    asked = tuple(cells)
    return StartOfTracking(
        name=f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-{socket.gethostname()}-{os.getpid()}",
        results=place if BUCKET_ADDRESS.match(place) else str(Path(place).absolute()),
        config={
            "command": command,
            "harness_version": __version__,
            "cells": len(asked),
            "models": len({cell.model.name for cell in asked}),
            "family": _listed(cell.model.family for cell in asked),
            "task": _listed(cell.task for cell in asked),
            "shots": _listed(str(cell.shots) for cell in asked),
            "engine": _listed(cell.engine for cell in asked),
            "dtype": _listed(cell.model.dtype for cell in asked),
        },
    )


def _listed(names: Iterable[str]) -> str:
    found = [*dict.fromkeys(names)]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{', '.join(found[:_NAMED])}{more}"
