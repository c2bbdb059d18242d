"""Public names of a package whose modules are loaded when a name is first used (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


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
