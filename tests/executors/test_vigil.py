"""Whether a process goes on: what it answers, and what it computes."""

from __future__ import annotations

import os
import subprocess
import sys

from harness.engines.pulse import Pulse
from harness.executors.vigil import Still, Vigil, family_cpu_seconds


class Watched:
    """A process whose pulse and computing a test sets."""

    def __init__(self) -> None:
        self.now = self.cpu = 0.0
        self.vigil = Vigil(lambda: self.cpu, clock=lambda: self.now)

    def after(self, seconds: float, pulse: Pulse | None, *, busy: float = 0.0) -> Still:
        """What is seen after so many seconds, in which it computed such a part of the time."""
        for _ in range(round(seconds)):
            self.now += 1.0
            self.cpu += busy
            still = self.vigil.look(pulse)
        return still


def test_a_process_that_answers_is_never_idle() -> None:
    watched = Watched()
    for done in range(10):
        still = watched.after(20, Pulse(documents=done, of=10))
    assert (still.documents, still.of, still.quiet_seconds) == (9, 10, 19.0)
    assert still.longest_seconds == 20.0
    assert not still.is_stuck


def test_one_that_computes_and_answers_nothing_is_quiet_and_not_idle() -> None:
    still = Watched().after(500, Pulse(documents=1), busy=0.9)
    assert still.quiet_seconds == 499.0
    assert still.idle_seconds < 6.0
    assert not still.is_stuck


def test_one_that_does_neither_is_stuck_after_a_minute_or_after_ten_when_it_has_answered_nothing() -> None:
    assert Watched().after(68, Pulse(documents=1)).is_stuck
    assert not Watched().after(68, Pulse()).is_stuck
    assert Watched().after(608, None).is_stuck


def test_what_is_answered_at_once_costs_no_look_at_the_processes_of_the_machine() -> None:
    looks: list[int] = []
    vigil = Vigil(lambda: float(looks.append(1) or 0), clock=lambda: 0.0)  # type: ignore[func-returns-value]
    vigil.look(Pulse(documents=1))
    assert looks == []


def test_what_the_children_of_a_process_compute_is_counted() -> None:
    before = family_cpu_seconds(os.getpid())
    work = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", work], check=True)
    after = family_cpu_seconds(os.getpid())
    assert before is not None
    assert after is not None
    assert after - before > 0.2


def test_what_a_process_does_before_it_answers_is_told() -> None:
    assert Watched().after(1, Pulse(doing="training, step 2 of 9")).doing == "training, step 2 of 9"
