"""The two ways to ask for one of several options: by its letter (`mc`), or by its text (`cloze`).

A model that knows an answer may not know how to answer by letter: on MMLU, ARC and Winogrande small models stay at
chance when they are asked for letters, and rise smoothly when each option's text is scored. Asking both ways tells an
ability from skill at a format (Gu et al. 2024, OLMES; Wiegreffe et al. 2024, "Answer, Assemble, Ace").

Here it is decided which of the two a task is written in, and what its twin in the other format is scored by.
`harness.scoring.twins` turns a document's question into that of the twin.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Literal, get_args

from harness.errors import PlanError, unknown
from harness.specs import MetricSpec, TaskSpec

Format = Literal["mc", "cloze"]
"""`mc`: the options are listed and answered by letter. `cloze`: they are not listed, and their texts are scored."""
FORMATS: tuple[Format, ...] = get_args(Format)
_OTHER: Mapping[Format, Format] = {"mc": "cloze", "cloze": "mc"}
_HEADLINE: Mapping[Format, tuple[str, ...]] = {"mc": ("acc",), "cloze": ("acc_bytes", "acc")}
"""Format -> the metrics of a twin that count right answers; options of a cloze differ in length, so bytes count."""
_COUNTS = ("acc", "acc_norm", "acc_bytes", "exact_match", "prob_correct")
"""Metrics whose chance level is that of a guess among the options."""
_NAMES_LABELS = re.compile(r"(?:\b|_)(?:labels?|letters?)\b")
"""What templates that take the options' letters from a document are called, such as `{{choices.label}}`."""


def are_letters(options: Sequence[Any]) -> bool:
    """True for options that are letters in their order, perhaps in brackets.

    >>> are_letters(["A", "B", "C"]), are_letters(["(a)", "(b)"]), are_letters(["yes", "no"])
    (True, True, False)
    """
    bare = [bare_label(option) for option in options if isinstance(option, str)]
    if not 2 <= len(bare) == len(options) <= len(ascii_uppercase):
        return False
    return any("".join(bare) == letters[: len(bare)] for letters in (ascii_uppercase, ascii_lowercase))


def bare_label(option: str) -> str:
    """The letter without spaces, brackets and punctuation."""
    return option.strip(" ()[].:")


def own_format(task: TaskSpec, prompt: str) -> Format | None:
    """The format that a prompt variant of a task is written in; None where there are no options to choose from.

    It is told from the config alone, since documents of the hub are not there when a plan is made.
    """
    config = {**task.config, **task.prompts[prompt]}
    if config.get("output_type") != "multiple_choice":
        return None
    choice = config.get("doc_to_choice")
    if isinstance(choice, str):
        choice = _written_list(choice)
    if isinstance(choice, str):
        return "mc" if _NAMES_LABELS.search(choice) else "cloze"
    options = list(choice.values()) if isinstance(choice, Mapping) else choice
    return "mc" if isinstance(options, list | tuple) and are_letters(options) else "cloze"


def has_twin(task: TaskSpec) -> bool:
    """True for a task that chooses from options, with some prompt."""
    return any(own_format(task, prompt) for prompt in task.prompts)


def _written_list(template: str) -> Any:
    """The list that a template writes out, such as `{{['A', 'B']}}`; the template itself for any other."""
    try:
        return ast.literal_eval(template.strip().removeprefix("{{").removesuffix("}}").strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return template


def twins_asked(task: TaskSpec, prompt: str, wanted: Sequence[str] | None) -> tuple[Format | None, ...]:
    """The value on the axis `format` of each cell that is asked: None for the format that the task is written in.

    A task without options has no twin, and is asked as it is.

    Args:
        task: the task.
        prompt: name of the prompt variant.
        wanted: the formats that the user named; None for that of the task.

    Raises:
        PlanError: there is no such format.
    """
    for name in wanted or ():
        if name not in FORMATS:
            raise PlanError("--formats: " + unknown("format", name, FORMATS))
    own = own_format(task, prompt) if wanted else None
    if not wanted or own is None:
        return (None,)
    other = _OTHER[own]
    return tuple(value for value, name in ((None, own), (other, other)) if name in wanted)


def twin_metrics(task: TaskSpec, format: Format) -> tuple[MetricSpec, ...]:
    """The metrics of a task's twin: right answers as the headline, and the continuous partners of the same answers.

    The chance level is that of the task's own metrics, because the twin has the same options.
    """
    counts = [metric for metric in task.metrics if metric.name.partition(",")[0] in _COUNTS]
    chance = counts[0].chance if counts else None
    return (
        *(MetricSpec(name=name, chance=chance) for name in _HEADLINE[format]),
        MetricSpec(name="prob_correct", chance=chance, continuous=True),
        MetricSpec(name="correct_bits_per_byte", higher_is_better=False, chance=None, best=0.0, continuous=True),
    )
