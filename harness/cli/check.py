"""`emergence check`: find errors in files of families, suites and tasks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.output import say
from harness.cli.plan_options import AllowCode, DataRoots, MirrorFolder
from harness.errors import CatalogError, Faults, HarnessError, ModelError
from harness.specs import ModelSpec
from harness.wording import counted

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.catalog.mirror import Mirror


def command(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders; what comes with the package unless told.")
    ] = None,
    data_root: DataRoots = None,
    allow_code: AllowCode = False,
    mirror: MirrorFolder = None,
) -> None:
    """Validate families, suites and tasks with their documents; each fault is named with its file and key."""
    from harness.catalog import load_catalog

    catalog = load_catalog(tuple(paths or ()), data_roots=tuple(data_root or ()), allow_code=allow_code, mirror=mirror)
    faults = Faults()
    tasks, groups = catalog.others.own_names()
    for group in groups:
        with faults:  # each by itself, since it may change tasks
            catalog.with_others([group])
    with faults:  # those in lm-eval's dialect are read when they are chosen
        # the package's own need the index of lm-eval's tasks, which takes seconds when it is made
        wrapped = [name for name, one in catalog.wrapped.items() if not (paths and one.permitted.trusted)]
        catalog, _ = catalog.with_others((*wrapped, *tasks))
    if catalog.mirror is not None and paths:
        faults.add(_not_mirrored(catalog, catalog.mirror, [Path(os.path.abspath(path)) for path in paths]))
    for family in catalog.families.values():
        for model in family.models:
            with faults:
                _check_folder(model, catalog.files[f"family {family.name}"])
    with faults:
        catalog.check_templates(catalog.tasks)
    faults.check()
    for warning in catalog.check_documents(catalog.tasks, told=say):
        say(f"warning: {warning}")
    tasks_known = {*catalog.tasks, *catalog.wrapped}
    treatments = f", {counted(len(catalog.treatments), 'treatment')}" if catalog.treatments else ""
    things = f"{len(catalog.families)} families, {len(catalog.suites)} suites, {len(tasks_known)} tasks"
    say(f"all right: {things}{treatments}")


def _not_mirrored(catalog: Catalog, mirror: Mirror, paths: Sequence[Path]) -> Iterator[str]:
    """What the files at these places want of the hub and the mirror does not have, a line each."""
    for label, file in catalog.files.items():
        if not any(Path(os.path.abspath(file)).is_relative_to(path) for path in paths):
            continue
        what, _, name = label.partition(" ")
        wanted = catalog.families[name].models if what == "family" else catalog.tasks[name] if what == "task" else ()
        for each in wanted if isinstance(wanted, tuple) else [wanted]:
            try:
                mirror.model(each) if isinstance(each, ModelSpec) else mirror.task(each)
            except HarnessError as error:
                yield f"{file}: {error}"


def _check_folder(model: ModelSpec, path: Path) -> None:
    """Check that the folder of a local model is complete, and say what in the family's file is in doubt."""
    if model.path is None:
        return
    from harness.catalog import complete_folder

    try:
        doubt = complete_folder(Path(model.path)).doubt(model)
    except ModelError as error:
        raise CatalogError(str(error)) from error
    if doubt:
        say(f"warning: {path}: {doubt}")
