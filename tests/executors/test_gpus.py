"""Which GPUs a worker is given, and what becomes of a model that no node can hold."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engines.protocol import EngineSettings
from harness.errors import MachineError
from harness.executors.protocol import ExecutorSettings, open_executor
from harness.executors.ray.gpus import is_managed, seen, worker_needs
from harness.executors.ray.look import DEVICES
from harness.plan import RunPlan
from harness.schedule import Lane, Need, Node, lanes
from tests import builders
from tests.executors.engines import is_running


def lane(gpus: float | None, engine: str = "lm-eval", **changes: Any) -> Lane:
    return Lane(model=builders.model(gpus=gpus, **changes), engine=engine, jobs=())


def nodes(largest: int) -> list[Node]:
    """A cluster of two nodes, as Ray describes it."""
    described = [
        {"NodeID": f"node-{gpus}", "Resources": {"CPU": 4.0, "GPU": gpus, "memory": 1e9}, "Labels": {}}
        for gpus in (0.0, float(largest))
    ]
    return [seen(each, threads=1, gpu_bytes=80e9) for each in described]


@pytest.mark.parametrize(
    ("gpus", "device", "largest", "given"),
    [
        (0.0, "auto", 0, 0.0),
        (0.0, "auto", 8, 0.0),
        (None, "auto", 0, 0.0),
        (None, "auto", 8, 0.1),
        (None, "cpu", 8, 0.0),
        (0.25, "auto", 8, 0.25),
        (0.25, "auto", 0, 0.0),  # small enough for a machine without a GPU
        (4.0, "auto", 8, 4.0),
        (4.0, "cpu", 8, 0.0),
        (4.0, "cpu", 0, 0.0),
        (1.0, "cuda", 1, 1.0),
    ],
)
def test_a_worker_takes_the_gpus_of_its_model_unless_it_runs_on_the_cpu(
    gpus: float | None, device: str, largest: int, given: float
) -> None:
    assert worker_needs(lane(gpus), device, nodes(largest)).gpus == given


@pytest.mark.parametrize(
    ("gpus", "device", "largest", "message"),
    [
        (1.0, "auto", 0, r"asks for 1 GPU\(s\) and the largest node has 0; .* --device cpu"),
        (4.0, "auto", 2, r"asks for 4 GPU\(s\) and the largest node has 2"),
        (0.5, "cuda", 0, r"asks for 0.5 GPU\(s\) and the largest node has 0"),
        (1.5, "auto", 8, r"asks for 1.5 GPUs; expected a fraction of one or a whole number"),
    ],
)
def test_a_model_that_no_node_can_hold_is_refused(gpus: float, device: str, largest: int, message: str) -> None:
    with pytest.raises(MachineError, match=message):
        worker_needs(lane(gpus), device, nodes(largest))


def test_a_gpu_that_is_not_here_is_missed_before_ray_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("ray.init", lambda **_: pytest.fail("Ray was started"))
    with pytest.raises(MachineError, match=r"asks for 2 GPU\(s\) and the largest node has 0"):
        list(open_executor("ray", ExecutorSettings()).run([replace(lane(2.0), jobs=("one",))], EngineSettings()))


def test_an_autoscaler_may_add_a_node_that_is_large_enough(caplog: pytest.LogCaptureFixture) -> None:
    grown = [{"NodeID": "a", "Resources": {"CPU": 4.0}, "Labels": {"ray.io/node-group": "small"}}]
    at = [seen(each, threads=1, gpu_bytes=None) for each in grown]
    assert worker_needs(lane(4.0), "auto", at, grows=is_managed(grown)).gpus == 4.0
    assert "asks for 4 GPU(s) and the largest node has 0: waiting for a larger node" in caplog.text


def test_a_model_whose_family_is_silent_and_which_no_node_holds_is_refused_by_its_size() -> None:
    with pytest.raises(MachineError, match=r"needs 8 GPUs of 80 GB .* the largest node has 4"):
        worker_needs(lane(None, params=70 * 10**9), "auto", nodes(4))


@pytest.mark.ray
def test_a_model_that_no_node_can_hold_stops_the_run_before_its_first_cell() -> None:
    sizes = {"fits": 0.0, "giant": 4096.0}
    cells = tuple(builders.cell(model=builders.model(name=name, gpus=n), engine="lm-eval") for name, n in sizes.items())
    made = lanes(RunPlan(cells=cells, tasks={"colours": builders.task()}))
    outcomes = open_executor("ray", ExecutorSettings(workers=1)).run(made, EngineSettings())
    with pytest.raises(MachineError, match=r"giant asks for 4096 GPU\(s\).* --device cpu"):
        next(outcomes)


def test_the_simulated_engine_holds_a_model_of_any_size() -> None:
    assert worker_needs(lane(8.0, engine="simulated"), "auto", nodes(0)) == Need()


# Ray is to pretend that there are GPUs, and cannot where they are hidden from the tests.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"} | {
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
}


@pytest.fixture
def cluster() -> Iterator[str]:
    """Address of a cluster of one node that says it has two GPUs."""
    folder = Path(tempfile.mkdtemp(prefix="two-", dir="/tmp"))  # short: Ray puts sockets below it
    options = ["--head", "--block", "--port=0", "--num-cpus=2", "--num-gpus=2", "--include-dashboard=false"]
    head = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "start", *options, f"--temp-dir={folder}"],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = folder / "ray_current_cluster"
        for _ in range(1800):
            if address.exists() or head.poll() is not None:
                break
            time.sleep(0.1)
        yield address.read_text().strip()
    finally:
        head.terminate()
        head.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.ray
def test_a_cluster_is_joined_and_its_gpus_are_shared_and_it_goes_on(cluster: str, tmp_path: Path) -> None:
    driver = [sys.executable, str(Path(__file__).parent / "driver.py"), str(tmp_path), cluster]
    done = subprocess.run(driver, env=ENVIRONMENT, capture_output=True, text=True, timeout=240, check=False)
    assert done.stderr == ""
    seen = dict(line.split(": ") for line in done.stdout.splitlines())
    assert seen.pop("half") in ("GPUs 0", "GPUs 1")
    large = {f"large-{number}" for number in ("one", "two", "three")}
    assert seen == {"none": "GPUs ", **dict.fromkeys(("pair", *large), "GPUs 0,1")}
    # each is gone with its child before the next is loaded, and the last one at the end
    assert [[line.split()[0] for line in (tmp_path / name).read_text().splitlines()] for name in large] == [
        ["open", "close"]
    ] * 3
    pids = [int(pid) for name in large for pid in (tmp_path / f"large-pids-{name}").read_text().split()]
    assert len({*pids}) == 6
    assert not any(map(is_running, pids))
    doctor = [sys.executable, "-m", "harness", "doctor", "--address", cluster, "--results", str(tmp_path / "results")]
    told = subprocess.run(doctor, env=ENVIRONMENT, capture_output=True, text=True, timeout=240, check=False)
    assert f"cluster: {cluster}: 1 node for work" in told.stdout
    has_gpu = any(map(os.path.exists, DEVICES))
    assert told.returncode == (0 if has_gpu else 2)
    assert (
        f"missing   node {socket.gethostname()}: node {socket.gethostname()} has 2 GPU(s)" in told.stdout
    ) is not has_gpu
    driver[2] = "/nowhere/at/all"
    refused = subprocess.run(driver, env=ENVIRONMENT, capture_output=True, text=True, timeout=240, check=False)
    assert f"node {socket.gethostname()} cannot read /nowhere/at/all" in refused.stderr.splitlines()[-1]
    assert refused.stdout == ""
    with socket.create_connection(cluster.rsplit(":", 1), timeout=10):
        pass
