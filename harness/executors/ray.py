"""Runs lanes on Ray, on a laptop or a cluster: one process per loaded model, and an outcome for every job.

This module decides about retries and records them, and Ray's own restarts and task retries are off; each worker has one
job at a time. An error in a cell is caught in the worker. When a worker dies, its cell fails, and a new worker
takes the rest of its lane. Every process that was started ends when the iterator is closed, and also when the
driver is killed: see `harness.executors.folder`.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from logging.handlers import QueueHandler
from queue import SimpleQueue
from types import FrameType
from typing import Any

from harness.engines.devices import why_no_gpu
from harness.engines.protocol import ENGINES, WITHOUT_MODEL, EngineSettings, failure
from harness.errors import MachineError
from harness.executors.folder import private_folder
from harness.executors.protocol import ExecutorSettings
from harness.executors.signals import ended_by_sigterm
from harness.executors.worker import LaneWorker
from harness.plan import Cell
from harness.records import CellFailure, Outcome
from harness.schedule import Lane
from harness.wording import duration

# Ray reads these while it is imported: they stop its usage reports and its own `uv run` in every worker.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
import ray._private.ray_constants
import ray._private.worker
from ray.exceptions import RayActorError, RayError, RayTaskError

log = logging.getLogger(__name__)

OPENING_TRIES = 2
"""Number of workers that may die while loading one model before the lane is given up."""

_CLOSE_SECONDS = 10.0
"""Time that a model has to close before its worker is killed."""

_OBJECT_STORE_BYTES = 200 * 2**20
"""Size of Ray's object store. It holds outcomes in transit and spills to disk, so little /dev/shm is enough."""

_GROUP = {"ray.io/node-group", "ray.io/node_group"}
"""Labels, by Ray's version, of nodes that Ray's or Kubernetes' autoscaler manages and may add larger nodes to."""

_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "EMERGENCE_LIMITS")
"""Settings of the driver that workers on other machines must share."""


class RayExecutor:
    """As many models at the same time as there are worker places, each loaded in a process of its own."""

    def __init__(self, settings: ExecutorSettings) -> None:
        self._settings = settings
        self._starting = False
        self._runs: Sequence[_LaneRun] = ()

    @property
    def loading(self) -> tuple[str, ...]:
        """Names of the models that are being loaded now, or of Ray while it starts."""
        return ("Ray",) if self._starting else tuple(run.lane.model.name for run in self._runs if run.is_loading)

    def run(self, lanes: Sequence[Lane], settings: EngineSettings) -> Generator[Outcome, None, None]:
        """One outcome per job, as they finish.

        Raises:
            MachineError: Ray does not start here, the cluster cannot be joined, or no node can ever hold a model.
        """
        if not any(lane.jobs for lane in lanes):
            return
        if self._settings.address is None and why_no_gpu():
            for lane in lanes:  # before Ray is started, which takes seconds
                worker_gpus(lane, settings.device, ())
        self._starting = True
        with _cluster(self._settings):
            self._starting = False
            cpus = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
            workers = self._settings.workers or max(1, cpus // (settings.threads or 1))
            private = self._settings.address is None
            nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
            # check all lanes before the first cell, so that a model that cannot run is not recorded as a failure
            self._runs = [
                _LaneRun(lane, settings, private, worker_gpus(lane, settings.device, nodes))
                for lane in lanes
                if lane.jobs
            ]
            yield from _outcomes(self._runs, workers)


def _outcomes(runs: Sequence[_LaneRun], workers: int) -> Iterator[Outcome]:
    """Keep `workers` lanes running and yield their outcomes as they arrive."""
    waiting = deque(runs)
    flying: dict[Any, _LaneRun] = {}
    idle = _Idle()
    try:
        while waiting or flying:
            while waiting and len(flying) < workers:
                run = waiting.popleft()
                flying[run.start(idle.take(run))] = run
            if flying:
                [ref], _ = ray.wait(list(flying), num_returns=1)
                run = flying.pop(ref)
                landed, following = run.land(ref)
                if following is not None:  # before yielding, so that the worker continues while the outcome is written
                    flying[following] = run
                elif waiting:
                    idle.keep(run.release())
                else:
                    run.kill()
                yield from landed
    finally:
        for run in flying.values():
            run.kill()
        idle.end()


def worker_gpus(lane: Lane, device: str, nodes: Sequence[Mapping[str, Any]]) -> float:
    """Number of GPUs for a worker of the lane on a cluster of `nodes`, live nodes as Ray describes them.

    Raises:
        MachineError: no node can ever hold the model, where Ray itself would wait forever.
    """
    model = lane.model
    largest = max((node["Resources"].get("GPU", 0.0) for node in nodes), default=0.0)
    if device == "cpu" or lane.engine in WITHOUT_MODEL:
        return 0.0
    if model.gpus < 1 and not largest and device == "auto":
        return 0.0  # models that share a GPU are small enough to run without one
    if model.gpus > 1 and model.gpus != int(model.gpus):
        raise MachineError(f"{model.name} asks for {model.gpus:g} GPUs; expected a fraction of one or a whole number")
    if model.gpus > largest:
        short = f"{model.name} asks for {model.gpus:g} GPU(s) and the largest node has {largest:g}"
        if not any(_GROUP & node["Labels"].keys() for node in nodes):
            raise MachineError(f"{short}; expected a node with enough, --device cpu, or a choice of other models")
        log.warning("%s: waiting for a larger one, which the cluster's autoscaler may add", short)
    return model.gpus


class _Idle:
    """Idle workers whose lane has ended, to be used for later lanes."""

    def __init__(self) -> None:
        self._workers: list[Any] = []

    def take(self, run: _LaneRun) -> Any | None:
        """An idle worker for `run`; None when it needs a new one, for which one idle worker is killed to make room."""
        if not self._workers:
            return None
        worker = self._workers.pop()
        if run.may_follow:
            return worker
        ray.kill(worker)
        return None

    def keep(self, worker: Any | None) -> None:
        """Remember `worker`, if there is one."""
        if worker is not None:
            self._workers.append(worker)

    def end(self) -> None:
        """End them all."""
        while self._workers:
            ray.kill(self._workers.pop())


class _LaneRun:
    """A running lane: the actor that holds its model, and the jobs that are not answered yet."""

    def __init__(self, lane: Lane, settings: EngineSettings, private: bool, gpus: float) -> None:
        self.lane = lane
        self.gpus = gpus
        self._settings = settings
        self._private = private
        self._todo = deque(range(len(lane.jobs)))
        self._job: int | None = None  # index of the job in progress; None while the model is being loaded
        self._opening_deaths = 0
        self._shared: Any = None
        self._actor: Any = None

    @property
    def is_loading(self) -> bool:
        """True from the start of the worker until its model is there."""
        return self._actor is not None and self._job is None

    @property
    def may_follow(self) -> bool:
        """True when a worker may take this lane after another one, which saves seconds of imports.

        A GPU's memory is only known to be free when the process that used it has ended.
        """
        return not self.gpus

    def start(self, worker: Any | None = None) -> Any:
        """Give the lane to `worker` or to a new one; the returned Ray reference is ready when the model is loaded."""
        if self._shared is None:
            self._shared = ray.put(self.lane)  # stored once for all workers of the lane
        self._actor = worker or self._fresh_worker()
        self._job = None
        return self._actor.open.remote(self._shared)

    def release(self) -> Any | None:
        """The worker that has answered the whole lane, if another lane may have it."""
        worker, self._actor = self._actor, None
        return worker

    def _fresh_worker(self) -> Any:
        # A whole number of GPUs needs no placement group: Ray gives an actor's GPUs from one node.
        options: dict[str, Any] = {"num_cpus": 1, "num_gpus": self.gpus}
        options |= {"max_restarts": 0, "max_task_retries": 0, "runtime_env": {"env_vars": self._environment()}}
        level = log.getEffectiveLevel()
        return ray.remote(_Actor).options(**options).remote(self._settings, dict(ENGINES), level)

    def land(self, ref: Any) -> tuple[Sequence[Outcome], Any | None]:
        """Outcomes from a finished Ray reference, and the reference for the lane's next step; None at its end."""
        try:
            back, said = ray.get(ref)
            for record in said:
                logging.getLogger(record.name).handle(record)
        except RayTaskError as error:  # the worker lives, but its result cannot be serialized
            cause = error.cause if isinstance(error.cause, Exception) else error
            back = tuple(failure(cell, cause) for cell in self._cells())
        except RayError as error:
            return self._bury(error)
        if self._job is not None:
            return (back if isinstance(back, tuple) else (back,)), self._next()
        self._opening_deaths = 0
        if not back:
            return (), self._next()
        self.kill()
        return [back[index] for index in self._todo], None

    def kill(self) -> None:
        """End the worker with its children, if there still is one."""
        if self._actor is not None:
            ray.kill(self._actor)
            self._actor = None

    def _next(self) -> Any | None:
        if self._todo:
            self._job = self._todo.popleft()
            return self._actor.answer.remote(self._job)
        closed, _ = ray.wait([self._actor.close.remote()], timeout=_CLOSE_SECONDS)
        if not closed or not self.may_follow:
            self.kill()
        return None

    def _bury(self, error: RayError) -> tuple[Sequence[Outcome], Any | None]:
        """Handle a dead worker: its cell fails, and a new worker takes the rest unless the model cannot be loaded."""
        self.kill()
        if self._job is not None:
            died = [_died(cell, error, "answering this cell") for cell in self._cells()]
            return died, self.start() if self._todo else None
        self._opening_deaths += 1
        if self._opening_deaths < OPENING_TRIES:
            return (), self.start()
        doing = f"loading {self.lane.model.name}, {OPENING_TRIES} times"
        return [_died(self.lane.jobs[index].cell, error, doing) for index in self._todo], None

    def _cells(self) -> list[Cell]:
        """The cells that a dead worker affects: one cell, or all of the lane while the model is being loaded."""
        return [job.cell for job in self.lane.jobs] if self._job is None else [self.lane.jobs[self._job].cell]

    def _environment(self) -> dict[str, str]:
        """Environment variables of the worker."""
        variables = {name: os.environ[name] for name in _OFFLINE if name in os.environ}
        variables["TOKENIZERS_PARALLELISM"] = "false"
        if self._settings.threads:
            variables["OMP_NUM_THREADS"] = str(self._settings.threads)
        if not self.gpus and not self._settings.device.startswith("cuda"):
            variables["CUDA_VISIBLE_DEVICES"] = ""  # Ray shows every GPU to actors that request none
        if self._private:  # other machines of a cluster do not have the folders of this one
            variables["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
        return variables


class _Actor(LaneWorker):
    """A lane worker in a process of its own, which gets the driver's table of engines.

    It sends its log records to the driver together with its answers.
    """

    def __init__(self, settings: EngineSettings, engines: dict[str, str], level: int) -> None:
        ENGINES.update(engines)
        self._said: SimpleQueue[logging.LogRecord] = SimpleQueue()
        logging.getLogger("harness").setLevel(level)
        logging.getLogger("harness").addHandler(QueueHandler(self._said))
        super().__init__(settings)

    def open(self, lane: Lane) -> Any:
        """The result of `LaneWorker.open`, and the new log records."""
        return super().open(lane), self._new()

    def answer(self, index: int) -> Any:
        """The result of `LaneWorker.answer`, and the new log records."""
        return super().answer(index), self._new()

    def _new(self) -> list[logging.LogRecord]:
        return [self._said.get() for _ in range(self._said.qsize())]


def _died(cell: Cell, error: RayError, doing: str) -> CellFailure:
    text = str(error).strip()
    if isinstance(error, RayActorError) and error.actor_init_failed:
        reason = f": {text.splitlines()[-1].strip()}"
    else:
        reason = ", often for lack of memory: try fewer --workers or a smaller --batch-size"
    return CellFailure(
        cell=cell,
        error="WorkerDied",
        message=f"the worker process died while {doing}{reason}",
        traceback=text,
        failed_at=datetime.now(UTC),
    )


@contextmanager
def _cluster(settings: ExecutorSettings) -> Iterator[None]:
    """Use Ray for the duration of a run: the cluster at `settings.address`, or a private one that leaves no trace."""
    if ray.is_initialized():
        raise MachineError("Ray is already running in this process: call ray.shutdown() first or use --executor inline")
    ray._private.worker._worker_logs_enabled = False  # or a paragraph per dead worker on stdout; no option stops it
    started = time.perf_counter()
    with ExitStack() as stack:
        stack.callback(setattr, ray._private.worker, "_worker_logs_enabled", True)
        try:
            folder = stack.enter_context(private_folder()) if settings.address is None else None
            stack.callback(ray.shutdown)
            if folder is None:
                _knock(settings.address or "")
                _init(address=settings.address)
            else:
                _start(folder, settings.workers)
        except Exception as error:  # Ray raises bare Exceptions when a daemon does not come up
            where = f"join the cluster at {settings.address}" if settings.address else "start"
            lines = str(error).strip().splitlines() or [type(error).__name__]
            if "connect to Ray cluster" in lines[0] and "RAY_AUTH_MODE" not in os.environ:  # it answered the knock
                lines[0] += "; if it asks for a token, set RAY_AUTH_MODE=token"
            raise MachineError(f"Ray could not {where} ({lines[0]}); --executor inline runs without Ray") from error
        log.info("Ray is ready after %s", duration(time.perf_counter() - started))
        stack.enter_context(ended_by_sigterm())
        yield


def _start(folder: str, workers: int | None) -> None:
    """Start a private Ray: no dashboard, random loopback ports, its own token; RAY_ADDRESS is ignored."""
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else Ray writes one into the home folder
    if os.environ.get("RAY_AUTH_MODE", "token") != "token":
        del os.environ["RAY_AUTH_MODE"]  # other users reach loopback too; without the variable Ray asks for the token
    with _loopback():
        _init(
            address="local",
            num_cpus=workers,
            object_store_memory=_OBJECT_STORE_BYTES,
            include_dashboard=False,
            _temp_dir=folder,
        )


@contextmanager
def _loopback() -> Iterator[None]:
    """While Ray starts, make it listen on the loopback device alone, as it does by default on macOS and Windows.

    Ray takes `_node_ip_address="127.0.0.1"` for a mistake and puts the address of the network in its place
    (ray-project/ray#26293). Its processes learn their address from the driver, so the setting
    is needed only until Ray has started.
    """
    usual = ray._private.ray_constants.ENABLE_RAY_CLUSTER
    ray._private.ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray._private.ray_constants.ENABLE_RAY_CLUSTER = usual


def _knock(address: str) -> None:
    """Fail within seconds when nobody listens at HOST:PORT; Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def _init(**arguments: Any) -> None:
    # `_client_job` keeps Ray from putting the driver's current folder first on every worker's sys.path, where a folder
    # called `harness` would hide the installed one.
    job = ray.job_config.JobConfig(_client_job=True)
    with _unhurried():
        ray.init(job_config=job, log_to_driver=False, logging_level=logging.ERROR, **arguments)


@contextmanager
def _unhurried() -> Iterator[None]:
    """Delay the first Ctrl-C until Ray has started: a half-connected driver crashes when it is shut down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.getsignal(signal.SIGINT) or signal.default_int_handler
    pressed = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if pressed:
        raise KeyboardInterrupt
