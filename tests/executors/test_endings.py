"""However a run ends, it takes its processes and its temporary folder along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.engines.protocol import ENGINES, EngineSettings
from harness.errors import MachineError
from harness.executors.protocol import ExecutorSettings, open_executor
from harness.plan import RunPlan
from harness.records import CellResult
from harness.schedule import lanes
from tests import builders
from tests.executors.engines import TOY
from tests.executors.processes import private_folder, processes

ROOT = Path(__file__).parents[2]
SIMULATED = {"output_type": "multiple_choice", "simulate": {"shape": "flat"}}
FAILS_ONCE = """
import os, sys
if "harness.executors.ray.driver:lead" in sys.orig_argv and not os.path.exists("{marker}"):
    import ray
    def init(**arguments):
        open("{marker}", "w").close()
        raise Exception("no time")
    ray.init = init
"""
"""For the driver of a Ray that comes up at its second start."""


def gone(folder: Path, private: Path) -> bool:
    """Whether everything has ended within 20 seconds."""
    end = time.monotonic() + 20
    while (processes(folder) or private.exists()) and time.monotonic() < end:
        time.sleep(0.1)
    assert processes(folder) == {}
    return not private.exists()


def wait_for(path: Path, word: str) -> None:
    for _ in range(600):
        if path.exists() and word in path.read_text():
            return
        time.sleep(0.1)
    raise TimeoutError(f"{path} never said {word}")


class TestClosingEarly:
    def plan(self, folder: Path) -> RunPlan:
        """One lane: a cell that is answered, and one that never is and is in flight when the first has come back."""
        tasks = {"quick": builders.task("quick"), "slow": builders.task("slow", config={"do": "linger"})}
        toy = builders.model(name="toy", path=str(folder))
        cells = tuple(builders.cell(of=task, engine="toy", model=toy) for task in tasks.values())
        return RunPlan(cells=cells, tasks=tasks)

    def test_inline_closes_the_open_model(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(ENGINES, "toy", TOY)
        outcomes = open_executor("inline", ExecutorSettings()).run(lanes(self.plan(tmp_path)), EngineSettings())
        assert next(outcomes).cell.task == "quick"
        outcomes.close()
        assert [line.split()[0] for line in (tmp_path / "toy").read_text().splitlines()] == ["open", "close"]

    @pytest.mark.ray
    def test_ray_leaves_nothing_running_and_no_folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(ENGINES, "toy", TOY)
        monkeypatch.chdir(tmp_path)
        outcomes = open_executor("ray", ExecutorSettings(workers=2)).run(lanes(self.plan(tmp_path)), EngineSettings())
        assert next(outcomes).cell.task == "quick"
        wait_for(tmp_path / "toy", "lingering")
        private = private_folder(tmp_path)
        outcomes.close()
        assert gone(tmp_path, private)


class Driver(NamedTuple):
    """A driver process in the middle of a run."""

    process: subprocess.Popen[str]
    folder: Path


@pytest.fixture(scope="module")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Driver]]:
    """Three drivers, started together, in folders whose own `harness` must not be imported."""
    started = {}
    for name in ("killed", "interrupted", "terminated"):
        folder = tmp_path_factory.mktemp(name)
        (folder / "harness").mkdir()
        (folder / "harness" / "__init__.py").write_text("raise RuntimeError('the wrong harness')")
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "executors" / "driver.py"), str(folder)],
            cwd=folder,
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
            | ({"LINGER_SECONDS": "8"} if name == "terminated" else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started[name] = Driver(process, folder)
    yield started
    for driver in started.values():
        driver.process.kill()
        driver.process.communicate()


def run_until_it_lingers(driver: Driver) -> list[str]:
    assert driver.process.stdout is not None
    lines = [driver.process.stdout.readline().strip() for _ in range(2)]
    wait_for(driver.folder / "patient", "lingering")
    return lines


@pytest.mark.ray
class TestEndingTheDriver:
    def test_sigterm_lets_a_cell_in_work_come_back_and_leaves_nothing(self, drivers: dict[str, Driver]) -> None:
        driver = drivers["terminated"]
        run_until_it_lingers(driver)
        private = private_folder(driver.folder)
        driver.process.terminate()
        printed, errors = driver.process.communicate(timeout=40)
        assert printed == "linger CellResult\n"
        assert errors.rstrip().endswith("KeyboardInterrupt")
        assert gone(driver.folder, private)

    def test_kill_leaves_no_process_and_no_folder_and_nothing_was_printed(self, drivers: dict[str, Driver]) -> None:
        driver = drivers["killed"]
        assert sorted(run_until_it_lingers(driver)) == ["answer CellResult", "die CellFailure"]
        private = private_folder(driver.folder)
        driver.process.kill()
        printed, errors = driver.process.communicate()
        assert gone(driver.folder, private)
        assert (printed, errors) == ("", "")

    def test_ctrl_c_leaves_no_process_and_no_folder(self, drivers: dict[str, Driver]) -> None:
        driver = drivers["interrupted"]
        run_until_it_lingers(driver)
        private = private_folder(driver.folder)
        os.killpg(driver.process.pid, signal.SIGINT)  # as a terminal does
        printed, errors = driver.process.communicate(timeout=30)
        assert printed == ""
        assert errors.rstrip().endswith("KeyboardInterrupt")
        assert gone(driver.folder, private)


class TestStarting:
    @pytest.mark.parametrize(("address", "reason"), [("127.0.0.1:1", "refused"), ("not an address", "not an address")])
    def test_a_cluster_that_is_not_there_is_one_line(self, address: str, reason: str) -> None:
        made = lanes(RunPlan(cells=(builders.cell(),), tasks={"colours": builders.task()}))
        outcomes = open_executor("ray", ExecutorSettings(address=address)).run(made, EngineSettings())
        with pytest.raises(
            MachineError, match=f"could not join the cluster at {address} \\(.*{reason}.*--executor inline"
        ):
            next(outcomes)

    def test_a_ray_that_does_not_start_is_one_line_and_leaves_no_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from harness.executors.ray import joining

        folders = []

        def init(**arguments: Any) -> None:
            folders.append(Path(arguments["_temp_dir"]).parent)  # Ray makes its own
            assert folders[0].exists()
            raise Exception("The current node timed out during startup.\nSee the logs.")

        monkeypatch.setattr("ray.init", init)
        monkeypatch.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", True)
        monkeypatch.setenv("RAY_AUTH_TOKEN", "none")
        with pytest.raises(MachineError) as raised, joining.joined(ExecutorSettings()):
            pass
        assert str(raised.value) == (
            "Ray could not start (The current node timed out during startup.); --executor inline runs without Ray"
        )
        assert not folders[0].exists()

    @pytest.mark.ray
    def test_a_ray_that_does_not_start_under_load_is_started_again(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "sitecustomize.py").write_text(FAILS_ONCE.format(marker=str(tmp_path / "failed")))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr("harness.executors.ray.executor.STARTS", (0.1,))
        made = lanes(RunPlan(cells=(builders.cell(),), tasks={"colours": builders.task(config=SIMULATED)}))
        [outcome] = open_executor("ray", ExecutorSettings(workers=1)).run(made, EngineSettings())
        assert isinstance(outcome, CellResult)
        assert "Ray could not start (no time); --executor inline runs without Ray; tried again in 0.1 s" in caplog.text

    def test_nothing_to_do_does_not_start_ray(self) -> None:
        assert list(open_executor("ray", ExecutorSettings(address="not an address")).run([], EngineSettings())) == []
