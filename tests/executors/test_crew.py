"""This process and helpers share out calls, and helpers stay for the next question, or are gone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import FaultsError
from harness.executors import crew as crews
from harness.executors.crew import Crew, StandingCrews
from tests.executors import called
from tests.executors.called import each

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("paths")]


def test_a_crew_answers_time_and_again_in_the_order_of_the_arguments() -> None:
    with Crew(called.__name__, 1) as crew:
        assert crew.each(called.half, each(1)) == [(0.0, os.getpid())]  # a single call is not shared out
        for _ in range(200):  # until the helper is ready
            answers = crew.each(called.half, each(20))
            assert [half for half, _ in answers] == [number / 2 for number in range(20)]
            if len({pid for _, pid in answers}) == 2:
                return
    pytest.fail("the helper never helped")


def test_a_crew_goes_on_without_a_helper_that_is_killed(tmp_path: Path) -> None:
    died = tmp_path / "died"
    asked = [(number, os.getpid(), died) for number in range(4)]
    with Crew(called.__name__, 1) as crew:
        for _ in range(200):
            assert crew.each(called.die_elsewhere, asked) == [0, 1, 2, 3]
            if died.exists():
                assert crew.each(called.die_elsewhere, asked) == [0, 1, 2, 3]
                return
    pytest.fail("the helper was never asked")


def test_a_crew_does_not_wait_for_a_helper_that_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    class Slow(crews.Process):
        def ask(self, what: str, *arguments: Any, **more: Any) -> Any:
            begun.wait(10)
            return super().ask(what, *arguments, **more)

    monkeypatch.setattr(crews, "Process", Slow)
    with Crew(called.__name__, 1) as crew:
        assert {pid for _, pid in crew.each(called.half, each(4))} == {os.getpid()}
        assert not begun.is_set()
        begun.set()


def test_a_crew_that_can_start_nobody_does_the_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(main: str) -> None:
        raise OSError("Resource temporarily unavailable")

    monkeypatch.setattr(crews, "Process", refused)
    with Crew(called.__name__, 2) as crew:
        assert {pid for _, pid in crew.each(called.half, each(4))} == {os.getpid()}


@pytest.mark.parametrize(
    ("function", "kind"),
    [(called.refuse, FaultsError), (called.divide, ZeroDivisionError), (called.look_up, IndexError)],
)
def test_an_error_in_a_crew_comes_as_it_was_raised(function: Callable[[int], Any], kind: type[Exception]) -> None:
    with Crew(called.__name__, 1) as crew, pytest.raises(kind):
        crew.each(function, each(30))


def helper_of(crew: Crew) -> int:
    """The process of a crew of two that is not this one, once it helps."""
    for _ in range(200):
        others = {pid for _, pid in crew.each(called.half, each(8))} - {os.getpid()}
        if others:
            return others.pop()
    pytest.fail("the helper never helped")


def is_gone(pid: int) -> bool:
    """Whether a process ends within seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandingCrews]:
    monkeypatch.setattr(crews, "usable_cores", lambda: 2)
    standing = StandingCrews()
    yield standing
    standing.dismiss()


def test_a_standing_crew_helps_whoever_asks_next(standing: StandingCrews) -> None:
    with standing.lent(called.__name__) as crew:
        helper = helper_of(crew)
        with standing.lent(called.__name__) as other:  # while somebody has it, others get one of their own
            another = helper_of(other)
    with standing.lent(called.__name__) as crew:
        assert helper_of(crew) in {helper, another} != {helper}
    standing.dismiss()
    assert is_gone(helper)
    assert is_gone(another)


def test_a_standing_crew_goes_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "usable_cores", lambda: 2)
    with StandingCrews(idle_seconds=0.1).lent(called.__name__) as crew:
        helper = helper_of(crew)
    assert is_gone(helper)


def test_a_standing_crew_without_its_helper_is_replaced(standing: StandingCrews) -> None:
    with standing.lent(called.__name__) as crew:
        helper = helper_of(crew)
    os.kill(helper, signal.SIGKILL)
    for _ in range(100):
        if not crew.is_free:  # the end is known here
            break
        time.sleep(0.05)
    with standing.lent(called.__name__) as crew:
        assert helper_of(crew) != helper


def test_a_crew_that_may_be_busy_with_what_nobody_wants_does_not_stay(standing: StandingCrews) -> None:
    with standing.lent(called.__name__) as crew:
        helper = helper_of(crew)
    with pytest.raises(FaultsError), standing.lent(called.__name__) as crew:
        crew.each(called.refuse, each(30))
    assert is_gone(helper)
