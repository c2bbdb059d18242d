"""Verbs that take the options of `emergence run`, so that one command line serves all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from harness.cli import run
from harness.cli.signatures import parameters_of, with_signature


def with_options_of_run(verb: Callable[..., None], *, but: Collection[str] = ()) -> Callable[..., None]:
    """A command with the options of `run`, whose names and values `verb` gets as `given`, and its own beside them.

    Args:
        verb: function with a parameter `given`, and a parameter for each option of its own.
        but: parameters of `run` that make no sense for it.
    """
    own = {name: each for name, each in parameters_of(verb).items() if name != "given"}
    shared = {name: each for name, each in parameters_of(run.command).items() if name not in ("context", *own, *but)}

    def command(**values: Any) -> None:
        given: Mapping[str, Any] = {name: values[name] for name in (*shared, *own) if name in values}
        verb(given=given, **{name: values[name] for name in own})

    return with_signature(command, verb, (*own.values(), *shared.values()))
