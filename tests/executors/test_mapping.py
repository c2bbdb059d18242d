"""A function called on many arguments in several processes: answers in order, and nothing left half done."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.errors import FaultsError, MachineError
from harness.executors import mapping
from harness.executors.mapping import mapped
from tests.executors import called
from tests.executors.called import each

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("paths")]


def test_answers_of_several_processes_come_in_the_order_of_the_arguments() -> None:
    answers = [*mapped(called.half, each(20), processes=2)]
    assert [half for half, _ in answers] == [number / 2 for number in range(20)]
    assert len({pid for _, pid in answers} - {os.getpid()}) == 2


def test_few_calls_stay_in_this_process() -> None:
    assert {pid for _, pid in mapped(called.half, each(3))} == {os.getpid()}


@pytest.mark.parametrize(("first", "left"), [(0.0, 1), (2.0, 1), (2.0, 5)])
def test_the_rest_is_shared_out_where_it_would_take_long(
    monkeypatch: pytest.MonkeyPatch, first: float, left: int
) -> None:
    times = iter([0.0, first] + [first] * 20)
    monkeypatch.setattr(mapping.time, "monotonic", times.__next__)
    shared: list[Any] = []
    monkeypatch.setattr(
        mapping, "_by_processes", lambda function, arguments, most: iter(shared.append(arguments) or ())
    )
    monkeypatch.setattr(mapping, "usable_cores", lambda: 2)
    assert len([*mapped(called.refuse, [(7,)] * (1 + left))]) == (1 if left == 5 else 1 + left)
    assert shared == ([[(7,)] * 5] if left == 5 else [])


def test_an_error_that_can_be_fixed_comes_as_it_was_raised() -> None:
    answers = mapped(called.refuse, each(9), processes=2)
    with closing(answers):
        assert [next(answers), next(answers), next(answers)] == [0, 1, 2]
        with pytest.raises(FaultsError) as raised:
            next(answers)
    assert raised.value.faults == ("3 is odd", "3 is a prime")
    assert str(raised.value) == "3 is odd; 3 is a prime"


@pytest.mark.parametrize(
    ("function", "kind", "said"),
    [
        (called.divide, RuntimeError, "ZeroDivisionError: division by zero"),
        (called.die, MachineError, r"the process \d+ on .+ was ended by SIGKILL"),
    ],
)
def test_a_process_that_ends_is_told_with_its_reason(
    function: Callable[[int], Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        list(mapped(function, each(4), processes=2))


def test_who_stops_early_leaves_nothing_half_done(tmp_path: Path) -> None:
    with closing(mapped(called.note, [(tmp_path, number) for number in range(50)], processes=2)) as answers:
        next(answers)
    written = [path.read_text() for path in tmp_path.iterdir()]
    assert {*written} == {"whole"}
    assert len(written) < 50
