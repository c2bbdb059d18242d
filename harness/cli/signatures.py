"""Commands whose options are put together from several places, with the help of one verb."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a function by name, with their types."""
    return inspect.signature(function, eval_str=True).parameters


def with_signature(
    command: Callable[..., None], verb: Callable[..., None], parameters: Iterable[inspect.Parameter]
) -> Callable[..., None]:
    """The same `command`, which takes these parameters by name and describes itself as `verb` does."""
    named = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    command.__doc__ = verb.__doc__
    command.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in named}
    return command
