"""What a machine or a cluster can run: one finding for each thing that runs need or can use."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

from harness.catalog.models.revisions import hub_cache
from harness.checkup.line import CheckupLine
from harness.engines.devices import why_no_gpu
from harness.errors import HarnessError
from harness.executors.process import Process, ProcessEndedError
from harness.executors.protocol import ExecutorSettings
from harness.executors.ray.memory import free_memory, total_memory
from harness.store import Store
from harness.version import __version__
from harness.wording import counted, file_size

_PACKAGES = ("torch", "transformers", "lm_eval", "ray", "pandas", "plotly", "streamlit")
_LOW_DISK = 10e9
_LOW_RAY_DISK, _LOW_SHARED = 1e9, 0.1e9
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
_GPUS = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]


def check_machine(results: Path, address: str | None) -> Iterator[CheckupLine]:
    """Findings about this machine, and about each node of the cluster at `address`."""
    yield CheckupLine(
        about="package", state="ok", found=f"emergence-harness {__version__}, Python {sys.version.split()[0]}"
    )
    yield _packages()
    yield _devices()
    yield _memory()
    yield _ray()
    yield _sandbox()
    yield from _caches()
    yield _data_cache()
    yield _results(results)
    yield _pictures()
    if address is not None:
        yield from _cluster(address)


def _packages() -> CheckupLine:
    found, lacking = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lacking.append(name)
    if lacking:
        return CheckupLine(
            about="libraries",
            state="missing",
            found=f"no {', '.join(lacking)}",
            todo=f"pip install {' '.join(lacking)}",
        )
    return CheckupLine(about="libraries", state="ok", found=", ".join(found))


def _devices() -> CheckupLine:
    cpus = f"{os.cpu_count()} CPUs"
    if reason := why_no_gpu():
        todo = "models that ask for GPUs need a machine that has them, or --device cpu"
        return CheckupLine(about="devices", state="optional", found=f"{cpus}; {reason}", todo=todo)
    try:
        said = subprocess.run(_GPUS, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return CheckupLine(
            about="devices", state="ok", found=f"{cpus}; a GPU's device file, of which nvidia-smi tells nothing"
        )
    gpus = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    return CheckupLine(
        about="devices", state="ok", found=f"{cpus}; {len(gpus)} GPU(s): {'; '.join(dict.fromkeys(gpus))}"
    )


def _memory() -> CheckupLine:
    total, free = total_memory(), free_memory()
    if total == float("inf"):
        return CheckupLine(about="memory", state="ok", found="the system does not tell")
    largest = free / 1.2 / 4 / 1e9
    found = f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free: a model of {largest:.1f}B parameters in float32 on the CPU"
    return CheckupLine(about="memory", state="ok", found=found)


def _sandbox() -> CheckupLine:
    from harness.scoring.sandbox import fenced_sandbox

    try:
        return CheckupLine(about="sandbox", state="ok", found=fenced_sandbox(allow_unfenced=False).describe())
    except HarnessError as error:
        todo = "needed for tasks that run programs of models: install bubblewrap, or a kernel with Landlock"
        return CheckupLine(about="sandbox", state="optional", found=str(error), todo=todo)


def _ray() -> CheckupLine:
    """Whether a private Ray has room for its sockets, logs and objects."""
    folder = Path(tempfile.gettempdir())
    if not os.access(folder, os.W_OK):
        found, todo = f"{folder} cannot be written", "set TMPDIR to a folder that can, or run with --executor inline"
        return CheckupLine(about="ray", state="missing", found=found, todo=todo)
    shared = Path("/dev/shm")
    room = _free_bytes(shared) if shared.is_dir() else None
    found = f"temporary files in {folder}, {_free(folder)}"
    if room is not None:
        found += f"; {file_size(room)} of shared memory"
    if _free_bytes(folder) < _LOW_RAY_DISK or (room is not None and room < _LOW_SHARED):
        todo = "give it room (TMPDIR, --shm-size of a container), or run with --executor inline"
        return CheckupLine(about="ray", state="optional", found=found, todo=todo)
    return CheckupLine(about="ray", state="ok", found=found)


def _data_cache() -> CheckupLine:
    """Where `datasets` keeps what it has read, documents of a mirror included."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface")
    cache = Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets")
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    found = f"{cache}: {_free(there)}"
    if not os.access(there, os.W_OK):
        todo = "set HF_DATASETS_CACHE; data sets of the hub and of a mirror need it"
        return CheckupLine(about="data cache", state="optional", found=f"{found}; not writable", todo=todo)
    return CheckupLine(about="data cache", state="ok", found=found)


def _caches() -> Iterator[CheckupLine]:
    cache = hub_cache()
    models = len(list(cache.glob("models--*"))) if cache.is_dir() else 0
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    offline = ", ".join(name for name in _OFFLINE if os.environ.get(name, "0") not in ("", "0"))
    found = f"{cache}: {models} model(s), {_free(there)}{f'; offline by {offline}' if offline else ''}"
    if not os.access(there, os.W_OK):
        yield CheckupLine(about="hub cache", state="missing", found=f"{found}; not writable", todo="set HF_HOME")
    elif _free_bytes(there) < _LOW_DISK:
        yield CheckupLine(about="hub cache", state="optional", found=found, todo="set HF_HOME to a disk with more room")
    else:
        yield CheckupLine(about="hub cache", state="ok", found=found)


def _results(results: Path) -> CheckupLine:
    there = next(folder for folder in (results.absolute(), *results.absolute().parents) if folder.exists())
    try:
        Store(results)
        if there == results.absolute():
            Store(results).check_writable()
        elif not os.access(there, os.W_OK):
            raise HarnessError(f"{results}: cannot be made in {there}")
    except HarnessError as error:
        return CheckupLine(about="results", state="missing", found=str(error), todo="give another --results")
    return CheckupLine(about="results", state="ok", found=f"{results}: can be written, {_free(there)}")


def _pictures() -> CheckupLine:
    if importlib.util.find_spec("kaleido") is None:
        todo = "needed for figures as .png, .svg and .pdf: pip install kaleido"
        return CheckupLine(about="pictures", state="optional", found="no kaleido", todo=todo)
    kaleido = f"kaleido {metadata.version('kaleido')}"
    if (browser := _browser()) is None:
        todo = "needed for figures as .png, .svg and .pdf: install Chromium or Chrome, or set BROWSER_PATH"
        return CheckupLine(about="pictures", state="optional", found=f"{kaleido}, and no browser", todo=todo)
    return CheckupLine(about="pictures", state="ok", found=f"{kaleido}, {browser}")


def _browser() -> str | None:
    """The browser that kaleido draws with; None where it finds none."""
    if (named := os.environ.get("BROWSER_PATH")) is not None:
        return named if os.access(named, os.X_OK) else None
    from choreographer.browsers.chromium import Chromium

    found = Chromium.find_browser(skip_local=False)
    return None if found is None else str(found)


def _cluster(address: str) -> Iterator[CheckupLine]:
    """What the driver of a run finds on each node, without a run."""
    settings = ExecutorSettings(address=address)
    driver = Process("harness.executors.ray.driver:examine")
    try:
        found = driver.ask("examine", settings, seconds=90.0)
    except ProcessEndedError as ended:
        last = next((line for line in reversed(ended.ending.lines) if line), "")
        found = f"the Ray cluster at {address} is lost: {ended}; {last}"
    finally:
        driver.kill()
    if isinstance(found, str):
        todo = "ray status shows the cluster; start the run on one of its nodes"
        yield CheckupLine(about="cluster", state="missing", found=found, todo=todo)
        return
    if not found:
        todo = "add nodes with `ray start --address`; a run waits for them"
        yield CheckupLine(about="cluster", state="optional", found=f"{address}: no node takes work", todo=todo)
        return
    yield CheckupLine(about="cluster", state="ok", found=f"{address}: {counted(len(found), 'node')} for work")
    for name, what, problem in found:
        state: Literal["ok", "missing"] = "missing" if problem else "ok"
        todo = "mend this, or take the node out of the cluster" if problem else ""
        yield CheckupLine(about=f"node {name}", state=state, found=problem or what, todo=todo)


def _free_bytes(folder: Path) -> float:
    return float(shutil.disk_usage(folder).free)


def _free(folder: Path) -> str:
    return f"{_free_bytes(folder) / 1e9:.0f} GB free"
