"""An engine for executor tests: it answers at once, tells a file what it does, and misbehaves when told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from harness.engines import pulse
from harness.engines.protocol import EngineSettings
from harness.errors import ModelError
from harness.plan import Cell
from harness.records import CellResult
from harness.specs import ModelSpec, TaskSpec
from tests import builders

TOY = "tests.executors.engines:ToyEngine"
"""What a test puts in the engine table."""
PATHS = {"PYTHONPATH": os.pathsep.join(sys.path)}
"""Environment of a process that can import the tests."""
LARGE = 300 * 2**20
"""Bytes of a large model."""
POISONED: list[str] = []
"""Cells after which the GPU of this process can answer nothing any more."""


def is_running(pid: int) -> bool:
    """Whether a process is there, other than as the record of its end."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


class ToyEngine:
    """Journal: `<model.path>/<model.name>`, one word and a process id per line. `model.variant` says how it opens."""

    def __init__(self, model: ModelSpec, settings: EngineSettings) -> None:
        self._folder = Path(model.path or ".")
        self._journal = self._folder / model.name
        self._tell("open")
        if model.variant == "large":
            self._load_large(model.name)
        if model.variant == "hurried":
            vars(sys.modules["__main__"])["BEAT_SECONDS"] = 0.2
        if model.variant == "unreadable":
            raise ModelError(f"{model.name}: no weights")
        if model.variant == "deadly":
            os._exit(3)

    def evaluate(self, cell: Cell, task: TaskSpec) -> CellResult:
        do = task.config.get("do")
        if do == "raise":
            raise ValueError(f"no answer\nto {cell.task}")
        if do == "die":
            os._exit(4)
        if do == "poison":
            POISONED.append(cell.key)
        if POISONED:
            raise RuntimeError("CUDA error: device-side assert triggered")
        if do == "killed once" and not (self._folder / "was-killed").exists():
            (self._folder / "was-killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        self._hang(do)
        if do == "unsendable":
            return replace(builders.result(cell), samples=(sys.stdout,))  # type: ignore[arg-type]
        if do == "meet":
            self._meet(cell.model.name, task.config["with"])
        if do == "linger":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            self._tell("lingering")
            time.sleep(float(os.environ.get("LINGER_SECONDS", "600")))
        seen = f"pid {os.getpid()}; GPUs {os.environ.get('CUDA_VISIBLE_DEVICES')}; {os.environ.get('OMP_NUM_THREADS')}"
        result = builders.result(cell)
        return replace(result, provenance=replace(result.provenance, host=seen))

    def close(self) -> None:
        self._tell("close")

    def _load_large(self, name: str) -> None:
        """Take much memory and start a process, and tell of processes of other large models that are still there."""
        for file in self._folder.glob("large-pids-*"):
            if any(map(is_running, map(int, file.read_text().split()))):
                self._tell(f"crowded by {file.name}")
        self._weights = bytearray(b"1" * LARGE)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (self._folder / f"large-pids-{name}").write_text(f"{os.getpid()} {child.pid}")

    def _hang(self, do: str | None) -> None:
        """Do nothing more, or only slowly."""
        if do == "stop once" and self._first("was-stopped"):
            os.kill(os.getpid(), signal.SIGSTOP)
        if do == "stop the keeper once" and self._first("keeper-was-stopped"):
            os.kill(os.getppid(), signal.SIGSTOP)
        if do == "deadlock once" and self._first("was-locked"):
            pulse.answered(1)
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        if do == "loop":
            while True:
                pass
        if do == "be slow":
            for _ in range(60):
                time.sleep(0.2)
                pulse.answered(1)

    def _first(self, marker: str) -> bool:
        """True the first time."""
        try:
            (self._folder / marker).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _tell(self, what: str) -> None:
        with self._journal.open("a") as journal:
            print(what, os.getpid(), file=journal)

    def _meet(self, name: str, other: str) -> None:
        """Return when the worker of the model `other` is here too: impossible unless both run at the same time."""
        (self._folder / f"here-{name}").touch()
        for _ in range(600):
            if (self._folder / f"here-{other}").exists():
                return
            time.sleep(0.05)
        raise TimeoutError(f"{other} did not come")
