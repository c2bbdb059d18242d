"""Where files of families, suites and tasks lie: those of the package, and those that a user names."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.bounded.files import files_below, kind_of
from harness.bounded.limits import UnreadableError
from harness.errors import CatalogError


def own_suites() -> frozenset[str]:
    """What the package's own tasks are listed under."""
    *_, tasks = own_folders()
    return frozenset(path.name for path in tasks.iterdir() if path.is_dir())


def own_folders() -> Iterator[Path]:
    """The folders of the package's own families and tasks, wherever it is installed."""
    root = Path(__file__).parents[1]
    yield root / "families"
    # `tasks/` of the repository installs as harness.tasks; in an editable install it lies elsewhere than harness/.
    yield Path(next(iter(importlib.import_module("harness.tasks").__path__)))


def at_home(path: str | Path) -> Path:
    """The path with a leading `~` replaced by the home folder, which a shell does not do in `--option=~/x`."""
    return Path(os.path.expanduser(path))  # pathlib's own raises where there is no such user


def yaml_files_in(places: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Each YAML file once, with the folder that the user named first."""
    seen: set[str] = set()
    for path, place in _found(places):
        if (same := os.path.realpath(path)) not in seen:
            seen.add(same)
            yield path, place


def _found(places: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    for place in map(at_home, places):
        try:
            kind = kind_of(place)
            found = sorted(files_below(place)) if kind == "a folder" else [place]
        except UnreadableError as error:
            raise CatalogError(f"{place}: {error}") from error
        if kind is None:
            raise CatalogError(f"{place}: no such file or folder")
        if kind == "a folder":
            found = [path for path in found if path.suffix in (".yaml", ".yml")]
        if not found:
            raise CatalogError(f"{place}: no *.yaml or *.yml in it; expected families, suites or tasks")
        yield from ((path, place if kind == "a folder" else place.parent) for path in found)
