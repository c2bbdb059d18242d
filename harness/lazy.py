"""What is imported late, and how: public names when they are first used (PEP 562), large packages without pauses."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """A `__getattr__` for a package's `__init__`: each public name comes from its module when it is asked for.

    Commands that must start fast can then import one light name of a package without loading its other modules.

    Args:
        package: `__name__` of the package.
        homes: public name -> module of the package that defines it.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return load


def import_large(name: str) -> ModuleType:
    """A module that brings large packages along, imported without pauses of the garbage collector.

    Looking for reference cycles among a million new objects takes a quarter of the time in which torch and transformers
    are imported, and a third of a second whenever memory is tidied later; what a module brings is never garbage.
    """
    if name in sys.modules:
        return sys.modules[name]
    gc.collect()  # or garbage from before would be kept as well
    enabled = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        atexit.register(_thaw)
        if enabled:
            gc.enable()


def _thaw() -> None:
    """Let Python tidy up at the end where DuckDB is, which reports everything that is still there as leaked."""
    if "duckdb" in sys.modules:
        gc.unfreeze()
