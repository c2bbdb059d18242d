import __future__

import enum
import json
import math
from collections import OrderedDict, namedtuple
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.scoring.guest import LAZY_ANNOTATIONS, encoded
from harness.scoring.sandbox import open_sandbox


class Text(str):
    def __str__(self) -> str:
        return "other"


class Whole(int):
    def __repr__(self) -> str:
        return "other"


class Real(float):
    def __repr__(self) -> str:
        return "other"


class Sequence(list): ...


class Choice(enum.IntEnum):
    ONE = 1


Pair = namedtuple("Pair", "left right")
# Lone surrogates too: a program may return any string that Python can hold.
TEXT = st.text(st.characters(exclude_categories=()))
REALS = st.floats() | st.sampled_from([1e16, 1e-7, 5e-324, 0.1 + 0.2, -0.0])
WHOLES = st.integers() | st.integers(-(10**400), 10**400)
PLAIN = st.none() | st.booleans() | WHOLES | REALS | TEXT
SUBCLASSES = st.builds(Text, TEXT) | st.builds(Whole, WHOLES) | st.builds(Real, REALS) | st.just(Choice.ONE)
REFUSED = st.sampled_from([1j, b"x", Decimal(1), {1}, object(), print, range(2), SimpleNamespace(a=1), int])
KEYS = PLAIN | SUBCLASSES | st.sampled_from([(1,), b"x"])


def nested(leaves: st.SearchStrategy[object], keys: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    def deeper(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
        lists = st.lists(values, max_size=4)
        folders = st.dictionaries(keys, values, max_size=4)
        named = st.builds(Pair, values, values)
        return lists | lists.map(tuple) | lists.map(Sequence) | folders | folders.map(OrderedDict) | named

    return st.recursive(leaves, deeper, max_leaves=12)


def outcome(write, value: object) -> tuple[object, str]:
    """What was written, or the class of the error with its words."""
    try:
        return None, write(value)
    except (TypeError, ValueError, RecursionError) as error:
        return type(error), str(error)


def dumped(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def written(value: object) -> str:
    return encoded(value).decode("ascii")


@given(nested(PLAIN, TEXT))
@example({"a": [math.inf]})
@example([math.nan])
def test_plain_values_are_written_as_json_dumps_does(value):
    assert outcome(written, value) == outcome(dumped, value)


@given(nested(PLAIN | SUBCLASSES | REFUSED, KEYS))
@example({True: 1, None: 2, 1.5: 3, 7: 4, "7": 5, Choice.ONE: 6})
@example({Whole(3): Real(0.5), Text("a"): Text("b")})
@example({math.nan: 1})
def test_unusual_values_are_written_or_refused_as_json_dumps_does(value):
    assert outcome(written, value) == outcome(dumped, value)


def test_values_that_hold_themselves_or_are_too_deep_are_refused_as_json_dumps_does():
    held: list[object] = []
    held.append({"held": held})
    deep: list[object] = []
    for _ in range(10**5):
        deep = [deep]

    assert outcome(written, held) == outcome(dumped, held) == (ValueError, "Circular reference detected")
    for write in (written, dumped):
        with pytest.raises(RecursionError):
            write(deep)


def test_no_module_but_those_in_c_is_loaded_before_the_program():
    slow = ["json", "os", "signal", "typing", "contextlib", "re", "enum", "collections", "functools", "__future__"]
    done = open_sandbox().call("import sys\ndef f(*names): return [n for n in names if n in sys.modules]", "f", [slow])

    assert done.values == ([],)


def test_a_hint_that_names_what_was_not_imported_is_no_error():
    assert __future__.annotations.compiler_flag == LAZY_ANNOTATIONS
    assert open_sandbox().call("def f(x: List[int]) -> Any: return x", "f", [[1]]).values == (1,)


def test_what_the_guest_left_out_is_there_for_the_program():
    program = (
        "import contextlib, json, os, re, signal, typing\n"
        "def f(x): return [json.loads(json.dumps(x)), re.sub('a', 'b', x), os.path.join('a', x), int(signal.SIGALRM)]"
    )

    assert open_sandbox().call(program, "f", [["aé"]]).values == (["aé", "bé", "a/aé", 14],)
