"""`emergence check`: find errors in files of families, suites and tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.catalog import complete_folder
from harness.cli.options import AllowCode, DataRoots
from harness.cli.output import say


def command(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders; what comes with the package unless told.")
    ] = None,
    data_root: DataRoots = None,
    allow_code: AllowCode = False,
) -> None:
    """Validate families, suites and tasks; the first error is named with its file and key."""
    from harness.catalog import load_catalog

    catalog = load_catalog(tuple(paths or ()), data_roots=tuple(data_root or ()), allow_code=allow_code)
    for family in catalog.families.values():
        for model in family.models:
            if model.path and (doubt := complete_folder(Path(model.path)).doubt(model)):
                say(f"warning: {catalog.files[f'family {family.name}']}: {doubt}")
    catalog.check_templates(catalog.tasks)
    say(f"all right: {len(catalog.families)} families, {len(catalog.suites)} suites, {len(catalog.tasks)} tasks")
