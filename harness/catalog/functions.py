"""Python functions that a YAML file of lm-eval names by `!function`: found when it is read, run when it is evaluated.

lm-eval imports a function while it reads the file. Here a plan is made without running code of others, so a config
holds a `TaskFunction`, which loads its module in the worker, and only if the file is the one that was planned with.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.bounded.files import is_regular, read_bytes, sha256
from harness.bounded.limits import CONFIG_BYTES, UnreadableError
from harness.errors import CatalogError
from harness.wording import quoted

PACKAGE = "lm_eval"
"""Python package of lm-eval."""


@functools.cache
def package_folder() -> Path | None:
    """The folder of lm-eval's package, found without importing it; None where it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


@dataclass(frozen=True, slots=True)
class TaskFunction:
    """A Python function or class of a task; it is loaded when it is first called."""

    file: str
    """Its file: an absolute path, or for one of lm-eval's own the path below its package's folder."""
    name: str
    """Its name in that file."""
    digest: str
    """First 12 hex digits of the SHA-256 of the file."""
    installed: bool
    """True for a file of the installed lm-eval that lm-eval's own task asks for: a dependency and no code of others."""

    @property
    def __name__(self) -> str:  # lm-eval calls a metric by it
        return self.name

    @property
    def path(self) -> Path:
        """Where the file lies on this machine."""
        if not self.installed:
            return Path(self.file)
        folder = package_folder()
        if folder is None:
            raise CatalogError(f"{PACKAGE}/{self.file}: lm-eval is not installed on this machine")
        return folder / self.file

    @property
    def label(self) -> str:
        """What a result's provenance calls the file, such as `utils.py@1f0c9d3e5a7b`."""
        return f"{f'{PACKAGE}/{self.file}' if self.installed else Path(self.file).name}@{self.digest}"

    @property
    def identity(self) -> str:
        """What decides a score: the content of the file, wherever it lies, and the name."""
        return f"!function {self.digest} {self.name}"

    def loaded(self) -> Any:
        """The function or class.

        Raises:
            CatalogError: the file cannot be read, has changed, fails, or has nothing of this name.
        """
        module = _module(self.path, self.digest, self._module_name)
        try:
            return getattr(module, self.name)
        except AttributeError:
            raise CatalogError(f"{self.path}: has no {quoted(self.name)}, which the task's file names") from None

    @property
    def _module_name(self) -> str:
        if self.installed:
            return ".".join((PACKAGE, *Path(self.file).with_suffix("").parts))
        return f"emergence_task_{self.digest}_{Path(self.file).stem}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, or make an object of the class."""
        return self.loaded()(*args, **kwargs)


@functools.cache
def _module(path: Path, digest: str, name: str) -> ModuleType:
    try:
        content = read_bytes(path, CONFIG_BYTES)
    except UnreadableError as error:
        raise CatalogError(f"{path}: {error}") from error
    if hashlib.sha256(content).hexdigest()[:12] != digest:
        raise CatalogError(f"{path}: has changed since the plan was made; start the command again")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        _restore(name, before)
        raise CatalogError(f"{path}: {error}; the task needs that package") from error
    except BaseException:
        _restore(name, before)
        raise
    return module


def _restore(name: str, before: ModuleType | None) -> None:
    if before is None:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = before


def task_function(reference: str, folder: Path, where: str) -> TaskFunction:
    """The function that `!function REFERENCE` names in a YAML file, by lm-eval's rule.

    Args:
        reference: such as `utils.process_docs`: a file beside the YAML file, or else a module of an installed package.
        folder: folder of the YAML file.
        where: how a message calls the place.

    Raises:
        CatalogError: there is no such file.
    """
    module, _, name = reference.strip().rpartition(".")
    if not module or not name:
        raise CatalogError(f"{where} is !function {quoted(reference)}; expected a file and a function, such as utils.f")
    file = (folder / f"{module.replace('.', '/')}.py").resolve()
    if not is_regular(file):
        found = _of_installed(module)
        if found is None:
            raise CatalogError(f"{where} is !function {quoted(reference)}; there is no {file}")
        file = found.resolve()
    try:
        digest = sha256(file, CONFIG_BYTES).hex()[:12]
    except UnreadableError as error:
        raise CatalogError(f"{file}: {error}") from error
    # only lm-eval's own files may ask for its functions without consent: some read files or execute programs,
    # with whatever arguments a file of others would give them
    home = package_folder()
    place = None if home is None else home.resolve()
    if place is not None and file.is_relative_to(place) and folder.resolve().is_relative_to(place):
        return TaskFunction(file.relative_to(place).as_posix(), name, digest, True)
    return TaskFunction(str(file), name, digest, False)


def _of_installed(module: str) -> Path | None:
    """The file of a module of an installed package, found without importing anything."""
    first, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and is_regular(Path(spec.origin)) else None
    for place in spec.submodule_search_locations or ():
        found = Path(place, *rest)
        for file in (found.with_suffix(".py"), found / "__init__.py"):
            if is_regular(file):
                return file
    return None


def functions_in(value: Any) -> Iterator[TaskFunction]:
    """Every function in a config, in the order in which they stand there."""
    if isinstance(value, TaskFunction):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from functions_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from functions_in(one)


def without_places(value: Any) -> Any:
    """The same config with the identity of each function in its place, as it enters a digest."""
    if isinstance(value, TaskFunction):
        return value.identity
    if isinstance(value, Mapping):
        return {str(key): without_places(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(one) for one in value]
    return value
