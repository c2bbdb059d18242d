"""Public names of a package that load their module only when they are first used (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """A `__getattr__` for a package's `__init__`: each public name comes from its module when it is asked for.

    Commands that must start fast import a package for one light name, and do not pay for what its other modules load.

    Args:
        package: `__name__` of the package.
        homes: public name -> module of the package that defines it.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return load
