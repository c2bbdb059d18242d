"""The command as a shell sees it: signals, pipes, full disks, and how mistakes in the arguments are told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store import Store
from tests.builders import result
from tests.builders.commands import EXECUTORS, Emergence

COMMAND = (sys.executable, "-m", "harness")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
INTERRUPTED = "interrupted: what was finished is kept; the same command goes on from there"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with one cell."""
    store = Store(tmp_path / "results")
    store.write(result())
    return store.root


@pytest.fixture
def unread() -> Iterator[int]:
    """The end to write to of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.processes
@pytest.mark.parametrize("executor", EXECUTORS)
def test_ctrl_c_says_that_the_run_can_go_on(options: tuple[str, ...], executor: str, tmp_path: Path) -> None:
    run = subprocess.Popen(
        [*COMMAND, "run", *options, "--executor", executor, "--seeds", "500", "--shots", "2"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while run.poll() is None and not any((tmp_path / "results").rglob("cell.json")):
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        out, err = run.communicate(timeout=60)
    finally:
        run.kill()
    assert (run.returncode, out, err.splitlines()[-1]) == (130, "", INTERRUPTED)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_verbose_run_tells_of_each_model_and_each_cell(
    options: tuple[str, ...], executor: str, tmp_path: Path
) -> None:
    run = [*COMMAND, "-v", "run", *options, "--executor", executor, "--shots", "0", "--workers", "1"]
    done = subprocess.run(run, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("info: ")]
    assert ("info: Ray is ready after" in done.stderr) is (executor == "ray")
    for model in ("m10", "m100", "m1000", "m10000"):
        assert sum(line.startswith(f"info: {model} is ready after ") for line in lines) == 1
        for task in ("jumps", "stays"):
            assert sum(line.startswith(f"info: {model} {task} 0-shot default seed 0 took ") for line in lines) == 1


@pytest.mark.processes
@pytest.mark.parametrize("arguments", ["curves", "curves --json"])
def test_a_reader_that_has_seen_enough_is_no_error(results: Path, arguments: str, unread: int) -> None:
    told = [*COMMAND, *arguments.split(), "--results", str(results)]
    done = subprocess.run(told, env=ENVIRONMENT, stdout=unread, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.processes
def test_a_run_goes_on_when_nobody_reads_its_progress_any_more(
    options: tuple[str, ...], tmp_path: Path, unread: int
) -> None:
    run = [*COMMAND, "run", *options, "--executor", "inline"]
    done = subprocess.run(run, cwd=tmp_path, env=ENVIRONMENT, stderr=unread, check=False)
    assert done.returncode == 0
    assert len(list(Store(tmp_path / "results").results())) == 16


@pytest.mark.processes
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
@pytest.mark.parametrize("arguments", ["list --json", "list engines", "--version", "--help"])
def test_output_that_finds_no_room_is_one_line_and_exit_2(arguments: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments.split()],
            env=ENVIRONMENT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "error: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_a_name_that_is_no_file_is_refused(emergence: Emergence, results: Path, name: str) -> None:
    done = emergence("leaderboard", "--results", results, "-o", name)
    assert (done.code, done.err) == (2, f"error: {name or '.'}: is a folder; expected a file\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "--famly", "x"), "--famly: no such option; did you mean --family?"),
        (("plam",), "No such command 'plam'"),
        (("plan", "--seeds", "ten"), "Invalid value for '--seeds'"),
        (("run", "--truncation", "maybe"), "'maybe' is not one of 'refuse', 'allow'"),
        (("plan", "--shots"), "'--shots' requires an argument"),
        (("compare",), "Missing argument 'A'"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_line(emergence: Emergence, arguments: tuple[str, ...], said: str) -> None:
    done = emergence(*arguments)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert line.endswith(" --help`")


def test_without_arguments_the_help_is_shown(emergence: Emergence) -> None:
    assert emergence() == emergence("--help")


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def test_the_dashboard_does_not_announce_a_port_that_is_taken(emergence: Emergence, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        done = emergence("dashboard", "--port", str(port))
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: --port {port}: Address already in use; expected a free port\n"


def test_the_dashboard_prints_nothing_on_stdout(results: Path, port: int, tmp_path: Path) -> None:
    command = [*COMMAND, "dashboard", "--results", str(results), "--port", str(port)]
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("w") as to_out, err.open("w") as to_err:
        server = subprocess.Popen(command, env=ENVIRONMENT, stdout=to_out, stderr=to_err)
    try:
        for _ in range(600):
            if (out.read_text() + err.read_text()).count("http://") > 1:  # our own line, then the banner
                break
            time.sleep(0.1)
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert out.read_text() == ""
    assert err.read_text().count("http://") > 1
