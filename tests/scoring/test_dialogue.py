"""What passes between a test and the program that it judges: plain values, built anew on the other side."""

from __future__ import annotations

import ast
import datetime
import json
import math
from collections import Counter, OrderedDict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring import dialogue
from harness.scoring.dialogue import built, packed

Pair = namedtuple("Pair", "a b")
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()))
    | st.binary(max_size=8)
    | st.complex_numbers(allow_nan=False)
)
HASHABLE = st.recursive(LEAVES, lambda one: st.lists(one, max_size=3).map(tuple) | st.frozensets(one, max_size=3))
VALUES = st.recursive(
    LEAVES,
    lambda one: (
        st.lists(one, max_size=4)
        | st.lists(one, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, one, max_size=3)
        | st.sets(HASHABLE, max_size=3)
    ),
    max_leaves=15,
)


def none(value: object) -> Any:
    raise TypeError(f"no plain value: {value!r}")


def over(value: object) -> Any:
    """The value on the other side, after it was text."""
    return built(json.loads(json.dumps(packed(value, none), allow_nan=False)), none)


@given(VALUES)
def test_values_arrive_as_they_were_with_their_types(value: Any) -> None:
    came = over(value)
    assert came == value
    assert type(came) is type(value)
    assert repr(came) == repr(value) or isinstance(value, set | frozenset | dict | list | tuple)


@pytest.mark.parametrize(
    "value",
    [
        *(math.inf, -math.inf, 2**63, -(2**63), range(2, 9, 3), bytearray(b"x"), int, dict),
        *(Decimal("1.50"), Fraction(1, 3), datetime.date(2020, 2, 29), datetime.timedelta(1, 2), deque([1, 2], 3)),
        datetime.datetime(2020, 2, 29, 1, 2, 3, 4),
    ],
)
def test_numbers_without_end_and_values_of_the_library_arrive_too(value: object) -> None:
    assert over(value) == value
    assert type(over(value)) is type(value)


def test_no_number_stays_none() -> None:
    assert math.isnan(over(math.nan))


def test_types_of_its_own_arrive_as_the_built_in_ones_they_are_made_of() -> None:
    class Always(int):
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 0

    assert type(over(Always(5))) is int
    assert over(Always(5)) != 6
    assert over(Pair(1, 2)) == (1, 2)
    assert over(Counter("aab")) == {"a": 2, "b": 1}
    assert type(over(OrderedDict(a=1))) is dict
    assert list(over(iter([1, 2]))) == [1, 2]
    assert over({"a": 1}.keys()) == {"a"}
    assert list(over({"a": 1}.items())) == [("a", 1)]
    assert list(over({"a": 1}.values())) == [1]


@pytest.mark.parametrize(
    "said",
    [{"a": 1}, ["made", "os.system", "true"], ["type", "print"], ["type", "nothing"], ["name", "x"], ["object", 1], []],
)
def test_nothing_else_is_built_of_a_text(said: object) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        built(said, none)


def test_the_two_texts_that_run_in_the_sandbox_share_no_name() -> None:
    def names(file: str) -> set[str]:
        tree = ast.parse(Path(dialogue.__file__).with_name(file).read_text())
        found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        targets = [node.targets for node in tree.body if isinstance(node, ast.Assign)]
        found |= {
            name.id for group in targets for target in group for name in ast.walk(target) if isinstance(name, ast.Name)
        }
        return found | {
            node.target.id for node in tree.body if isinstance(node, ast.AnnAssign) if isinstance(node.target, ast.Name)
        }

    assert names("guest.py") & names("dialogue.py") == set()
