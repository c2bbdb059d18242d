"""`emergence watch`: evaluate the checkpoints of a training as they come."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.as_run import with_options_of_run
from harness.cli.given import catalog_of, plan_of
from harness.cli.option_values import seconds_in
from harness.cli.output import say
from harness.cli.running import evaluated, left_alone, made_ready
from harness.cli.tracking import trackers_of
from harness.errors import CatalogError, MachineError, ModelError, StoreError
from harness.executors.signals import ended_by_sigterm
from harness.plan import AUTO_ENGINE
from harness.tracking import AskedTracker
from harness.wording import counted

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.catalog.models.watched import WatchedFolders
    from harness.catalog.yaml_files import FamilyFile

SETTLING_SECONDS = 2.0
"""Time between two glances at a folder in which nothing may change."""


FamilyOfFolders = Annotated[
    Path,
    typer.Argument(
        metavar="FAMILY.yaml",
        help="Family file whose `checkpoints`, or whose paths of models, are patterns such as runs/*/checkpoint-*.",
    ),
]
Every = Annotated[str, typer.Option(help="Time between two looks, such as 30s, 10m or 1h.")]
Once = Annotated[bool, typer.Option("--once", help="Look once, evaluate what is complete, and end.")]


@partial(
    with_options_of_run,
    but=("family", "model", "slice_of", "base_url", "api_key_env", "concurrency", "params"),  # it watches folders
)
def command(
    given: Mapping[str, Any],
    context: typer.Context,
    family_file: FamilyOfFolders,
    every: Every = "10m",
    once: Once = False,
) -> None:
    """Evaluate the checkpoints of a training as they come, each complete one once. Exits with 1 when a cell failed."""
    given = {**given, "family": None, "model": None}
    period = seconds_in(every, "--every")
    watch = _begin(context, given)
    try:
        with ended_by_sigterm():
            watch.look()
            while not once:
                time.sleep(period)
                watch.look()
    except KeyboardInterrupt:
        say("stopped: what was finished is kept; the same command goes on from there")
    faulty = f", {counted(watch.faulty, 'checkpoint')} left alone" if watch.faulty else ""
    say(f"{counted(watch.evaluated, 'checkpoint')} evaluated, {counted(watch.failed, 'cell')} failed{faulty}")
    if watch.failed or watch.faulty or watch.troubled:
        raise typer.Exit(1)


def _begin(context: typer.Context, given: Mapping[str, Any]) -> _Watch:
    """What is watched, after the options have been checked.

    Raises:
        HarnessError: the file, a suite, a task or another option is not as it must be.
    """
    from harness.catalog.asking import ENCODER, SEQ2SEQ
    from harness.catalog.family import folders_named
    from harness.catalog.models.watched import WatchedFolders
    from harness.catalog.yaml_files import FamilyFile, read_yaml, validated

    path, trackers = given["family_file"], trackers_of(given["track"], given["results"])
    file = validated(FamilyFile, read_yaml(path), path)
    if file.checkpoints is None and not any(entry.path for entry in file.models):
        raise CatalogError(f"{path}: names no folder; expected `checkpoints`, a pattern such as runs/*/checkpoint-*")
    catalog = catalog_of(given)
    if file.family in catalog.families:
        raise CatalogError(
            f"{path}: family {file.family} is already defined in {catalog.files[f'family {file.family}']}"
        )
    # the same suites and tasks for models that are there in any case, so that a mistyped name is found now
    engine = AUTO_ENGINE if given["engine"] in (ENCODER, SEQ2SEQ) else given["engine"]
    plan_of({**given, "apply_chat_template": False, "engine": engine}, catalog=catalog)
    watched = WatchedFolders(find=lambda: folders_named(file, path))
    return _Watch(
        context=context, given=given, file=file, path=path, catalog=catalog, trackers=trackers, watched=watched
    )


@dataclass(kw_only=True, slots=True)
class _Watch:
    """Folders, and what is asked of each checkpoint in them."""

    context: typer.Context
    """Of the verb, for the command that repeats a failed cell."""
    given: Mapping[str, Any]
    """Name of each option -> value."""
    file: FamilyFile
    """The family file."""
    path: Path
    """Where it lies."""
    catalog: Catalog
    """Suites and tasks to choose from."""
    trackers: tuple[AskedTracker, ...]
    """Trackers that follow each evaluation."""
    watched: WatchedFolders
    """The folders."""
    evaluated: int = 0
    """Checkpoints that were evaluated."""
    failed: int = 0
    """Cells that failed."""
    faulty: int = 0
    """Checkpoints that cannot be evaluated as they are."""
    began: bool = False
    """Whether a checkpoint was evaluated."""
    troubled: bool = False
    """Whether the last checkpoints could not be evaluated for a reason that is not theirs."""
    waits: bool = False
    """Whether the last line said that nothing is to be done."""

    def look(self) -> None:
        """Evaluate what is complete by now, and say what is not."""
        found = self.watched.look(lambda: time.sleep(SETTLING_SECONDS))
        for folder, why in found.waiting.items():
            _say(f"waiting for {self._name(folder)}: {why}")
        for folder in found.gone:
            _say(f"{self._name(folder)} is gone")
        if found.ready:
            self.waits = False
            _say(f"complete: {listed([self._name(folder) for folder in found.ready])}")
            self._evaluate(found.ready)
        elif not self.waits:
            self.waits = True
            _say(f"no new checkpoint in {counted(len(self.watched.known), 'folder')}")

    def _evaluate(self, folders: Sequence[Path]) -> None:
        """Evaluate these checkpoints together, or each for itself when one of them is faulty."""
        try:
            self._run(folders)
        except (CatalogError, ModelError) as error:
            if len(folders) > 1:
                for folder in folders:
                    self._evaluate([folder])
                return
            self.faulty += folders[0].exists()
            _say(f"{self._name(folders[0])} is left alone: {error}")
        except (MachineError, StoreError) as error:
            if not self.began:  # nothing of this kind ever worked here
                raise
            self.troubled = True
            _say(f"tried again at the next look: {error}")
            return
        self.troubled = False
        self.watched.settle(folders)

    def _run(self, folders: Sequence[Path]) -> None:
        from harness.catalog.family import family_of

        family = family_of(self.file, self.path, only=folders)
        if not family.models:
            return  # deleted since the look
        catalog = replace(self.catalog, families={**self.catalog.families, family.name: family})
        run = made_ready(plan_of({**self.given, "family": [family.name]}, catalog=catalog), self.context, self.given)
        if not run.todo.cells:
            self.failed += left_alone(run)
            _say(f"evaluated before: {listed([model.name for model in family.models])}")
            return
        progress = evaluated(run, self.trackers)
        self.began = True
        self.evaluated += len({cell.model.name for cell in run.todo.cells})
        self.failed += progress.failed
        for folder in folders:
            if not folder.exists():
                _say(f"{self._name(folder)} was deleted while it was evaluated")

    def _name(self, folder: Path) -> str:
        """A folder as seen from the family file."""
        above = self.path.resolve().parent
        return str(folder.relative_to(above) if folder.is_relative_to(above) else folder)


def listed(names: Sequence[str]) -> str:
    """The first names of a list that may be long.

    >>> listed(list("abcdefgh"))
    'a, b, c, d, e and 3 more'
    """
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(names[:5])}{more}"


def _say(text: str) -> None:
    say(f"{time.strftime('%H:%M:%S')} {text}")
