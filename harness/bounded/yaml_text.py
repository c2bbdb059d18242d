"""Reads YAML from others: only numbers, texts, truth values, lists and mappings, of a limited total size.

An anchor may be reused and merged (`<<: *base`), and each use counts as much as the value it refers to. Everything is
counted before any value is built, because the parser written in C builds values by recursion without a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from harness.bounded.limits import DEPTH, YAML_BYTES, YAML_VALUES, UnreadableError
from harness.wording import cut, quoted

_MOST_DIGITS = 400
"""Characters of a number: a float has no more digits, and a longer whole number takes its time."""


def parsed_yaml(text: str, function: Callable[[str], Any] | None = None) -> Any:
    """The value that a YAML text stands for.

    A date is a text, as it stands there. A key that stands twice in one mapping is an error; one that is merged yields.

    Args:
        text: the text.
        function: what to make of the name behind `!function`, for files in lm-eval's dialect, in which of a key that
            stands twice the last value counts; None where no such name may stand.

    Raises:
        UnreadableError: it is no YAML, or holds more than the limits allow, or anything else than plain values.
    """
    try:
        _check_size(text)
        return yaml.load(text, Loader=_Loader if function is None else _loader_with(function))
    except yaml.YAMLError as error:
        raise UnreadableError(_message(error)) from error
    except RecursionError as error:
        raise DEPTH.exceeded() from error


class _Size:
    """The number and size of the values that a YAML text builds, counted from the parser's events."""

    def __init__(self) -> None:
        self._anchors: dict[str, tuple[int, int]] = {}
        """Anchor -> values and characters of what it stands for."""
        self._open: list[list[Any]] = [[None, 0, 0]]
        """Anchor, values and characters of each list and mapping that has not ended, the text itself first."""

    def take(self, event: Any) -> None:
        """Count what one event adds.

        Raises:
            UnreadableError: a list or a mapping holds itself, or an alias has no anchor before it.
        """
        if isinstance(event, CollectionStartEvent):
            self._open.append([event.anchor, 1, 0])
        elif isinstance(event, CollectionEndEvent):
            self._add(*self._open.pop())
        elif isinstance(event, ScalarEvent):
            self._add(event.anchor, 1, len(event.value))
        elif isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                known = any(event.anchor == anchor for anchor, _, _ in self._open)
                raise _problem(
                    f"*{event.anchor} {'refers to a list or mapping that contains it' if known else 'has no anchor'}",
                    event,
                )
            self._add(None, *self._anchors[event.anchor])

    def _add(self, anchor: str | None, values: int, characters: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = values, characters
        self._open[-1][1] += values
        self._open[-1][2] += characters

    def check(self, depth: int, values: int, characters: int) -> None:
        """Check the depth, the number of values and the number of characters so far against limits.

        Raises:
            UnreadableError: one of them exceeds its limit.
        """
        if len(self._open) > depth + 1:
            raise DEPTH.exceeded()
        if self._open[-1][1] > values:
            raise YAML_VALUES.exceeded()
        if self._open[-1][2] > characters:
            raise YAML_BYTES.exceeded()


def _check_size(text: str) -> None:
    size, most = _Size(), (DEPTH.allowed, YAML_VALUES.allowed, YAML_BYTES.allowed)
    for event in yaml.parse(text, Loader=_Loader):
        size.take(event)
        size.check(*most)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe (no `!function` or other code from others' files), and strict about a key that stands twice."""

    keys_stand_once = True
    """Whether a key that stands twice is an error; otherwise the last value counts."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """The value of a node; PyYAML lets any error of `int`, `float` and their like pass."""
        scalar = node.value if isinstance(node, yaml.ScalarNode) else ""
        if len(scalar) > _MOST_DIGITS and node.tag in _NUMBERS:
            raise _problem(f"a number of {len(scalar):,} characters; expected quotes around a text", node)
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
            kind = node.tag.removeprefix("tag:yaml.org,2002:")
            raise _problem(f"{quoted(scalar)} is no {cut(kind)}", node) from error


_LARGEST_KEY = 10**15
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MERGE = "tag:yaml.org,2002:merge"


def _problem(message: str, node: Any) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, message, node.start_mark)


def _mapping(loader: Any, node: Any) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise _problem("expected keys and values", node)
    keys: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise _problem("a key is a mapping or a list; expected quotes around a text that begins with {", key_node)
        if key is None:
            raise _problem("a key is empty; expected a name", key_node)
        # Python looks up larger numbers by their remainder, and thousands with the same one take minutes
        if isinstance(key, float) or (isinstance(key, int) and abs(key) > _LARGEST_KEY):
            raise _problem(f"key {quoted(key)} is a number; expected quotes around it", key_node)
        if key in keys and loader.keys_stand_once:
            raise _problem(f"key {quoted(key)} stands twice", key_node)
        keys.add(key)
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


def _loader_with(function: Callable[[str], Any]) -> type[_Loader]:
    """A loader that takes `!function NAME`, which others refuse."""

    class Loader(_Loader):
        keys_stand_once = False

    def construct(loader: Any, node: Any) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise _problem("!function: expected a name such as utils.process_docs", node)
        return function(node.value)

    Loader.add_constructor("!function", construct)
    return Loader


def _refused(loader: Any, node: Any) -> Any:
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    raise _problem(f"!!{kind}; expected texts, numbers, lists, keys and values", node)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_str)
_Loader.add_constructor("tag:yaml.org,2002:value", _Loader.construct_yaml_str)
for _kind in ("binary", "set", "omap", "pairs"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _refused)


def _message(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = cut(str(getattr(error, "problem", None) or "is not YAML"))
    return f"line {mark.line + 1}: {problem}" if mark else problem
