"""Checks of what was typed before a verb sees it: options of lm-eval, and options that name a single place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from harness.errors import PlanError

_ELSEWHERE = {
    "--model-args": "--model names a folder or a model of --family, --dtype its number format, and "
    "--trust-remote-code stands by itself",
    "--output-path": "--results names the folder of the results",
    "--log-samples": "samples are always kept: emergence samples shows them",
    "--write-out": "prompts are always kept: emergence samples shows them",
    "--show-config": "what a task asks stands in its YAML file",
    "--use-cache": "what is done is never asked again: results are the cache",
    "--cache-requests": "what is done is never asked again: results are the cache",
    "--max-batch-size": "--batch-size is halved by itself when memory runs out",
    "--gen-kwargs": "`generation_kwargs` stands in a task's YAML file, since it changes the numbers",
    "--num-return-sequences": "`repeats` stands in a task's YAML file",
    "--seed": "--seeds N takes the few-shot seeds 0 to N-1",
    "--fewshot-as-multiturn": "with --apply-chat-template examples are turns of the chat by themselves",
    "--predict-only": "every answer is scored, and emergence samples shows the texts",
    "--check-integrity": "emergence check PATH looks at task files",
    "--samples": "--docs takes the documents with these numbers, --limit the first so many, of each task",
    "--verbosity": "-v stands before the verb: emergence -v run",
    "--wandb-args": "emergence leaderboard and emergence report write files that other tools can log",
    "--wandb-config-args": "emergence leaderboard and emergence report write files that other tools can log",
    "--trackio-args": "emergence leaderboard and emergence report write files that other tools can log",
    "--hf-hub-log-args": "emergence leaderboard and emergence report write files that can be uploaded",
    "--metadata": "`metadata` stands in a task's YAML file",
    "--config": "every option is given on the command line",
    "--no-include-defaults": "tasks of your own are added to those of the package: choose with --task",
}
"""Options of lm-eval that are called otherwise here, each with what to do instead."""
_PLACES = {name: name for name in ("--results", "--table", "--figure", "--output", "--png-dir")} | {"-o": "--output"}
"""Options that name one file or folder."""
_SHORT = {
    "-t": "--task",
    "-M": "--model",
    "-a": "--model-args",
    "-L": "--limit",
    "-f": "--num-fewshot",
    "-b": "--batch-size",
    "-c": "--use-cache",
    "-E": "--samples",
    "-s": "--log-samples",
    "-w": "--write-out",
    "-x": "--predict-only",
    "-C": "--config",
}
"""lm-eval's short options."""
_BACKENDS = frozenset({"hf", "hf-auto", "huggingface", "hf-multimodal", "vllm", "sglang", "local-completions"})
"""What lm-eval's `--model` names: how a model is loaded."""


def check_arguments(command: Any, arguments: Sequence[str]) -> None:
    """Refuse options that only lm-eval has, and two values of an option that names a single file or folder.

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
        long = _SHORT.get(name, name)
        if name not in options and long in options:
            raise PlanError(f"{name} is short for {long} in lm-eval; here it is {long} alone")
        if name not in options and long in _ELSEWHERE:
            raise PlanError(f"{name} is an option of lm-eval; here {_ELSEWHERE[long]}")
    if backends := _BACKENDS & {value for name, value in pairwise(arguments) if name == "--model"}:
        raise PlanError(
            f"--model {min(backends)} says in lm-eval how a model is loaded; here --engine does, and --model names a "
            "folder or a model of --family"
        )
    given = Counter(_PLACES[name] for name in typed if name in _PLACES)
    for name, times in given.items():
        if times > 1:
            raise PlanError(f"{name} is given {times} times; expected one")


_VALUES = (
    (("--batch-size",), re.compile(r"auto(:.*)?"), "a number; it is halved by itself when memory runs out"),
    (("--limit",), re.compile(r"\d*\.\d+|\d+(\.\d+)?%"), "a number of documents, the same for every task"),
    (("--apply-chat-template",), re.compile(r"[^-].*"), "no name, since each model's own template is used"),
)
"""Values that lm-eval takes and we do not: options, form of the value, what is expected instead."""


def _check_values(command: Any, arguments: Sequence[str]) -> None:
    """Refuse values that only lm-eval takes, such as `--limit 0.1`, and words behind an option that takes none."""
    flags = {name for parameter in command.params if getattr(parameter, "is_flag", False) for name in parameter.opts}
    words = any(parameter.param_type_name == "argument" for parameter in command.params)
    for option, value in pairwise(text for argument in arguments for text in _parts(argument)):
        name = option.replace("_", "-")
        for options, form, expected in _VALUES:
            if name in options and form.fullmatch(value):
                raise PlanError(f"{name} {value}: expected {expected}")
        if name in flags and not words and not value.startswith("-"):
            raise PlanError(f"{name} {value}: expected the option alone, which says yes")


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
