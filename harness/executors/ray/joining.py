"""Join a Ray cluster, or start a private Ray that leaves no trace. Only the driver's process does either."""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from harness.errors import MachineError
from harness.executors.folder import private_folder
from harness.executors.protocol import ExecutorSettings
from harness.wording import duration

# Ray reads these while it is imported: they stop its usage reports and its own `uv run` in every worker.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
# A loaded machine needs longer than Ray's 30 seconds to start its processes.
os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")

import ray
import ray._private.ray_constants
import ray._private.worker

log = logging.getLogger(__name__)

_OBJECT_STORE_BYTES = 200 * 2**20
"""Size of Ray's object store. It holds lanes in transit and spills to disk, so little /dev/shm is enough."""
_NO_NODE_HERE = re.compile(r"Can't find a|No node info|not found in the cluster|node_ip_address|local raylet", re.I)
"""What Ray says when the machine of the driver is no node of the cluster."""


class NotStartedError(MachineError):
    """A private Ray did not come up, which on a machine under load may go well the next time."""


@contextmanager
def joined(settings: ExecutorSettings) -> Iterator[None]:
    """Use Ray: the cluster at `settings.address`, or a private one.

    Raises:
        MachineError: the cluster cannot be joined, or a private Ray does not start.
    """
    ray._private.worker._worker_logs_enabled = False  # or a paragraph per dead worker; no option stops it
    started = time.perf_counter()
    with ExitStack() as stack:
        try:
            if settings.address is None:
                folder = stack.enter_context(private_folder())
                stack.callback(ray.shutdown)
                _start(folder, settings.workers)
            else:
                stack.callback(ray.shutdown)
                _knock(settings.address)
                _init(address=settings.address)
        except Exception as error:  # Ray raises bare Exceptions when a daemon does not come up
            raise _not_ready(settings.address, error) from error
        log.info("Ray is ready after %s", duration(time.perf_counter() - started))
        yield


def _not_ready(address: str | None, error: Exception) -> MachineError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if address is None:
        return NotStartedError(f"Ray could not start ({lines[0]}); --executor inline runs without Ray")
    if _NO_NODE_HERE.search(str(error)):
        return MachineError(
            f"this machine ({socket.gethostname()}) is no node of the Ray cluster at {address}; start the run on one "
            "of its nodes, for instance with `ray job submit`, or make this one a node with `ray start --address`"
        )
    if "connect to Ray cluster" in lines[0] and "RAY_AUTH_MODE" not in os.environ:  # it answered the knock
        lines[0] += "; if it asks for a token, set RAY_AUTH_MODE=token"
    return MachineError(f"Ray could not join the cluster at {address} ({lines[0]}); --executor inline runs without Ray")


def _start(folder: str, workers: int | None) -> None:
    """Start a private Ray: no dashboard, random loopback ports, its own token; RAY_ADDRESS is ignored."""
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else Ray writes one into the home folder
    if os.environ.get("RAY_AUTH_MODE", "token") != "token":
        del os.environ["RAY_AUTH_MODE"]  # other users reach loopback too; without the variable Ray asks for the token
    # It listens on the loopback device alone, as by default on macOS and Windows. Ray takes
    # `_node_ip_address="127.0.0.1"` for a mistake and puts the network's address in its place (ray-project/ray#26293).
    ray._private.ray_constants.ENABLE_RAY_CLUSTER = False
    _init(
        address="local",
        num_cpus=workers,
        object_store_memory=_OBJECT_STORE_BYTES,
        include_dashboard=False,
        _temp_dir=folder,
    )


def _knock(address: str) -> None:
    """Fail within seconds when nobody listens at HOST:PORT; Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def _init(**arguments: Any) -> None:
    # `_client_job` keeps Ray from putting the driver's current folder first on every worker's sys.path, where a folder
    # called `harness` would hide the installed one.
    job = ray.job_config.JobConfig(_client_job=True)
    ray.init(job_config=job, log_to_driver=False, logging_level=logging.ERROR, **arguments)
