"""Checks of what was typed before a verb sees it: options of lm-eval, and options that name a single place."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any

from harness.cli.lm_eval_words import SHORT, Grammar, Translated, translated
from harness.errors import PlanError

_PLACES = {name: name for name in ("--results", "--table", "--figure", "--output", "--png-dir")} | {"-o": "--output"}
"""Options that name one file or folder."""


def grammar_of(command: Any) -> Grammar:
    """What a verb takes."""
    flags = {name for parameter in command.params if getattr(parameter, "is_flag", False) for name in parameter.opts}
    return Grammar(options={name for parameter in command.params for name in parameter.opts}, flags=flags)


def in_our_words(command: Any, arguments: Sequence[str]) -> Translated:
    """The arguments of a verb that evaluates with lm-eval's words in ours; those of any other verb as they are.

    Raises:
        PlanError: something that was asked for cannot be had.
    """
    grammar = grammar_of(command)
    if not {"--model", "--task", "--engine"} <= set(grammar.options):
        return Translated(arguments=list(arguments))
    return translated(arguments, grammar)


def check_arguments(command: Any, arguments: Sequence[str]) -> None:
    """Refuse options that are not known, with those that are near, and two values of one that names a single place.

    Of other options the last value counts, as is usual, so that it can replace the value in a shell alias.

    Args:
        command: the verb, as click knows it.
        arguments: what stands after it.

    Raises:
        PlanError: an argument is wrong; the message says what to do.
    """
    options = {name for parameter in command.params for name in parameter.opts}
    _check_values(command, arguments)
    typed = list(_options(arguments))
    for name in typed:
        if name not in options and SHORT.get(name) in options:
            raise PlanError(f"{name} is short for {SHORT[name]} in lm-eval; here it is {SHORT[name]} alone")
        if name.startswith("--") and name not in options and (near := _near(name, options)):
            help_of = f"emergence {command.name} --help"
            raise PlanError(f"{name}: no such option; did you mean {' or '.join(near)}? Try `{help_of}`")
    given = Counter(_PLACES[name] for name in typed if name in _PLACES)
    for name, times in given.items():
        if times > 1:
            raise PlanError(f"{name} is given {times} times; expected one")


def _check_values(command: Any, arguments: Sequence[str]) -> None:
    """Refuse words behind an option that takes none."""
    flags = {name for parameter in command.params if getattr(parameter, "is_flag", False) for name in parameter.opts}
    words = any(parameter.param_type_name == "argument" for parameter in command.params)
    for option, value in pairwise(text for argument in arguments for text in _parts(argument)):
        name = option.replace("_", "-")
        if name in flags and not words and not value.startswith("-"):
            raise PlanError(f"{name} {value}: expected the option alone, which says yes")


def _near(name: str, options: Collection[str]) -> list[str]:
    """Options with nearly the same name, or that begin with it."""
    begun = [option for option in options if option.startswith(name) and len(name) > len("--x")]
    return sorted(dict.fromkeys([*begun, *difflib.get_close_matches(name, options, n=3, cutoff=0.7)]))[:3]


def _parts(argument: str) -> list[str]:
    """An option and its value, which may be one word."""
    option, equals, value = argument.partition("=")
    return [option, value] if equals and option.startswith("--") else [argument]


def _options(arguments: Sequence[str]) -> Iterator[str]:
    """Names of options, with `-` for `_`, up to the `--` that ends them."""
    for text in arguments:
        if text == "--":
            return
        if text.startswith("-") and len(text) > 1:
            yield text.partition("=")[0].replace("_", "-")
