"""A Ray cluster of several nodes on this machine, whose nodes can be killed and replaced."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.builders.commands import ROOT


class Cluster:
    """A head that takes no work, and nodes with two CPUs each; use it as a context."""

    def __init__(self, nodes: int = 2) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))  # short: Ray puts sockets below it
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "PYTHONPATH": str(ROOT),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }
        self._head = self._start("--head", "--port=0", "--num-cpus=0", f"--temp-dir={self._folder}")
        self.nodes: list[psutil.Popen] = []
        self.address = self._answer()
        for _ in range(nodes):
            self.add_node()
        self.wait()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.nodes, self._head):
            kill_all(process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def add_node(self) -> None:
        """Start a node, which joins within seconds."""
        self.nodes.append(self._start(f"--address={self.address}", "--num-cpus=2"))

    def heal(self) -> None:
        """Start nodes anew that could not join, as happens on a machine under load."""
        for node in [node for node in self.nodes if node.poll() is not None]:
            self.nodes.remove(node)
            self.add_node()

    def wait(self, seconds: float = 120.0) -> None:
        """Wait until every node has come up."""
        end = time.monotonic() + seconds
        while not all(_is_up(node) for node in self.nodes):
            if time.monotonic() > end:
                self.__exit__()
                raise TimeoutError("the nodes of the cluster did not come up")
            self.heal()
            time.sleep(0.2)

    def kill_node(self, node: psutil.Popen) -> None:
        """End a node with everything on it, as when a machine loses power."""
        kill_all(node)
        self.nodes.remove(node)

    def _start(self, *options: str) -> psutil.Popen:
        return psutil.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--include-dashboard=false", *options]
            if "--head" in options
            else [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _answer(self) -> str:
        file = self._folder / "ray_current_cluster"
        for _ in range(900):
            if file.exists() and (address := file.read_text().strip()):
                return address
            time.sleep(0.1)
        self.__exit__()
        raise TimeoutError("the head of the cluster did not come up")


def _is_up(node: psutil.Popen) -> bool:
    """Whether the process that takes work on a node is there."""
    with suppress(psutil.NoSuchProcess):
        return any("raylet" in child.name() for child in node.children())
    return False


def kill_all(process: psutil.Process) -> None:
    """Kill a process with all that it started."""
    with suppress(psutil.NoSuchProcess):
        family = [*process.children(recursive=True), process]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=10)
