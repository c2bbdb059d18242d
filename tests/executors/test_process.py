"""A child process: what it prints is kept, how it ended is known, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.executors.process import Process, ProcessEndedError
from tests.executors.engines import PATHS

pytestmark = pytest.mark.processes


@pytest.fixture
def process() -> Iterator[Process]:
    started = Process("tests.executors.obeying:obey", environment=PATHS)
    yield started
    started.kill()


def ended(process: Process, what: str, *arguments: object, **limits: float) -> ProcessEndedError:
    with pytest.raises(ProcessEndedError) as raised:
        process.ask(what, *arguments, **limits)
    return raised.value


def gone(pid: int) -> bool:
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_answers_and_log_records_come_back(process: Process) -> None:
    said = []
    assert process.ask("add", 2, 3, on_log=said.append) == 5
    assert [record.getMessage() for record in said] == ["2 and 3"]


def test_a_crash_in_c_is_named_with_the_lines_that_led_to_it(process: Process) -> None:
    ending = ended(process, "crash").ending
    assert (ending.signal, ending.code, ending.pid, ending.node) == ("SIGSEGV", None, process.pid, socket.gethostname())
    assert "before the crash" in ending.lines
    assert any("obeying.py" in line for line in ending.lines)


def test_an_exit_is_no_signal_and_a_hundred_lines_are_kept(process: Process) -> None:
    ending = ended(process, "exit", 4).ending
    assert (ending.signal, ending.code) == (None, 4)
    assert ending.lines == tuple(f"line {i}" for i in range(900, 1000))


def test_a_process_that_is_stopped_is_noticed_and_killed(process: Process) -> None:
    process.ask("add", 1, 1)
    os.kill(process.pid, signal.SIGSTOP)
    ending = ended(process, "add", 1, 1, silence=0.5).ending
    assert ending.reason == "frozen"
    assert gone(process.pid)


def test_a_process_that_computes_in_silence_is_not_frozen(process: Process) -> None:
    assert process.ask("compute", 1.6, silence=0.5) == "computed"


def test_a_process_that_takes_too_long_is_killed(process: Process) -> None:
    assert ended(process, "sleep", seconds=0.5).ending.reason == "late"


def test_what_a_process_started_ends_with_it(process: Process) -> None:
    child = process.ask("start a child")
    assert psutil.pid_exists(child)
    process.close(seconds=5.0)
    assert gone(child)


def test_a_process_ends_with_the_one_that_started_it_however_that_ends(tmp_path: Path) -> None:
    script = (
        "from harness.executors.process import Process\n"
        "started = Process('tests.executors.obeying:obey')\n"
        "print(started.pid, started.ask('start a child'), flush=True)\n"
        "input()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | PATHS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    os.kill(pids[0], signal.SIGSTOP)  # not even a process that is stopped stays
    parent.kill()
    parent.communicate()
    assert [gone(pid) for pid in pids] == [True, True]
