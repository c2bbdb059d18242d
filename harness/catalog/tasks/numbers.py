"""Numbers and regular expressions of a task config, and limits beyond which a run would not end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.bounded.limits import BEAMS, HINT, NUMBER, PATTERN, REPEATS, Limit, UnreadableError
from harness.catalog.tasks.keys import Where
from harness.errors import CatalogError, ComputationError, Faults
from harness.scoring.limited import Allowance, wrong_pattern_within_limits
from harness.scoring.rendering import wrong_pattern
from harness.wording import count, cut, quoted

_OWN_LIMITS: Mapping[str, Limit] = {"num_beams": BEAMS}
"""Key of `generation_kwargs` -> its limit, where `NUMBER` allows too much."""
_NUMBERS = ("temperature", "top_p", "top_k", "min_p", "max_gen_toks", "max_new_tokens", "num_beams")
_LISTED = "regexes_to_ignore"
_PATTERNS = ("regex_pattern", _LISTED)


def check_numbers(config: Mapping[str, Any], where: Where, *, trusted: bool = False) -> None:
    """Check that a config asks for a reasonable number of texts, tokens and beams, and that its expressions are valid.

    Args:
        config: a task's config, with the keys of one prompt variant; its sections have the right form.
        where: how a message calls a section, such as `x.yaml: config.repeats`.
        trusted: True when its regular expressions need no limits on time and memory.

    Raises:
        CatalogError: a value is not a number or too large, or a regular expression is not valid.
    """
    faults, texts, filters = Faults(), where("metric_list"), where("filter_list")
    allowance = None if trusted else Allowance()
    with faults:
        _check_repeats(config.get("repeats"), where("repeats"))
    for name, value in (config.get("generation_kwargs") or {}).items():
        with faults:
            _check_option(name, value, f"{where('generation_kwargs')}.{name}")
    for i, entry in enumerate(config.get("metric_list") or ()):
        with faults:
            _check_patterns(entry, f"{texts}[{i}]", allowance)
    for i, entry in enumerate(config.get("filter_list") or ()):
        for j, step in enumerate(entry["filter"]):
            with faults:
                _check_patterns(step, f"{filters}[{i}].filter[{j}]", allowance)
                for number in _whole_numbers(step.get("k")):
                    _check(number, REPEATS, f"{filters}[{i}].filter[{j}].k")
    faults.check()


def _check_repeats(repeats: Any, place: str) -> None:
    if repeats is None:
        return
    if not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 1:
        raise CatalogError(f"{place} is {quoted(repeats)}; expected a whole number, 1 or more")
    _check(repeats, REPEATS, place)


def _check_option(name: str, value: Any, place: str) -> None:
    finite = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    if name in _NUMBERS and not (value is None or finite):
        raise CatalogError(f"{place} is {quoted(value)}; expected a number")
    for number in _whole_numbers(value):
        _check(abs(number), _OWN_LIMITS.get(name, NUMBER), place)


def _whole_numbers(value: Any) -> Iterator[int]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _whole_numbers(part)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value


def _check(number: int, limit: Limit, place: str) -> None:
    if number > limit.allowed:
        raise CatalogError(f"{place} is {quoted(number)}; expected at most {count(limit.allowed)}{HINT}")


def _check_patterns(section: Mapping[str, Any], place: str, allowance: Allowance | None) -> None:
    for name in _PATTERNS:
        given = section.get(name)
        if name == _LISTED and isinstance(given, str):  # lm-eval would take each letter for an expression
            raise CatalogError(f"{place}.{name} is {quoted(given)}; expected a list of regular expressions")
        for pattern in given if isinstance(given, list | tuple) else [given]:
            if pattern is not None:
                _check_pattern(pattern, f"{place}.{name}", allowance)


def _check_pattern(pattern: Any, place: str, allowance: Allowance | None) -> None:
    if not isinstance(pattern, str):
        raise CatalogError(f"{place} is {quoted(pattern)}; expected a regular expression")
    try:
        PATTERN.check(len(pattern))
        why = wrong_pattern(pattern) if allowance is None else wrong_pattern_within_limits(pattern, allowance)
    except UnreadableError as error:
        raise CatalogError(f"{place} {error}") from error
    except ComputationError as error:
        raise CatalogError(f"{place} {error}: {quoted(pattern)}") from error
    if why is not None:
        raise CatalogError(f"{place} is {quoted(pattern)}, which is no regular expression: {cut(why)}")
