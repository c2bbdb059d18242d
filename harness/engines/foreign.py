"""Control code of other authors while a model is loaded: stop code that is not allowed, and record code that ran."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from harness.errors import ModelError
from harness.wording import quoted

_DYNAMIC = "transformers_modules"
"""Package that transformers imports a model folder's Python files into."""


@contextmanager
def pickles(*, allowed: bool) -> Iterator[list[str]]:
    """Collect the pickle files that are read while a model is loaded, or raise an error at the first one.

    transformers reads every weight file whose name does not end in safetensors by `torch.load`, and a folder can name
    such a file in several ways: as its own weights, in an index of shards, or in an adapter.

    Raises:
        ModelError: a pickle would be read and is not allowed.
    """
    usual = torch.load
    read: list[str] = []

    def load(file: Any, *args: Any, **kwargs: Any) -> Any:
        name = os.fspath(file) if isinstance(file, str | os.PathLike) else str(getattr(file, "name", "a stream"))
        if not allowed:
            raise no_pickles(name)
        read.append(Path(name).name)
        return usual(file, *args, **kwargs)

    torch.load = load  # type: ignore[assignment]
    try:
        yield read
    finally:
        torch.load = usual


def no_pickles(source: str) -> ModelError:
    """The error for a model whose weights are pickles."""
    return ModelError(
        f"{source}: the weights are no safetensors but a pickle, which can run code when it is read; "
        "convert them, or agree with --allow-pickle"
    )


def check_kernels(config: Any, source: str) -> None:
    """Check that a model's config requests no attention kernel from the hub, which is compiled code of other authors.

    Raises:
        ModelError: the config requests one.
    """
    for part in (config, *(getattr(config, name, None) for name in config.sub_configs)):
        asked = getattr(part, "_attn_implementation", None)
        if "/" in str(asked or ""):
            raise ModelError(
                f"{source}: config.json asks for the attention kernel {quoted(asked)}, code of the hub; "
                "agree with --trust-remote-code, or take `attn_implementation` out"
            )


def code_of(things: Iterable[Any]) -> tuple[str, ...]:
    """Python files of a model folder that define the objects: `modeling_x.py@1f0c9d3e5a7b`, 12 digits of SHA-256."""
    packages = {_module(thing).rpartition(".")[0] for thing in things if _module(thing).startswith(_DYNAMIC)}
    modules = [module for name, module in list(sys.modules.items()) if name.rpartition(".")[0] in packages]
    files = sorted(Path(file) for module in modules if (file := getattr(module, "__file__", None)))
    return tuple(
        f"{file.name}@{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
        for file in files
        if file.name != "__init__.py"  # transformers puts it there
    )


def _module(thing: Any) -> str:
    if isinstance(thing, functools.partial):
        thing = thing.func
    return str(getattr(thing if callable(thing) and hasattr(thing, "__qualname__") else type(thing), "__module__", ""))
