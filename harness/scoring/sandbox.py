"""Runs a Python function that a model wrote, in a process of its own with as little as the machine can take away.

Only the arguments go in; what the function returned comes back as JSON and is compared by the caller. The expected
values never enter the process, so leaving early, printing "passed" or replacing `==` cannot pass: the one way is to
return the right values.

Always: a process of its own with an empty environment, no GPU in sight, no stdin, no output but its reply; limits on
CPU time, wall time, memory, open files, file size (0) and processes (no children). Beyond that the first fence that
works here, as `Sandbox.describe` tells. Who does what: `fence` knows the limits and what isolates a program from the
machine, `kernel` what the kernel refuses it besides; `server` starts the processes and talks to them; `guest` is the
code that they run.

Where `describe` says that files can be reached, a program that knows where to look can read the expected values, and
under the isolation `none`, as the host's own user, can change this host itself. A kernel bug defeats every fence: run
tasks of unknown origin on a machine that holds nothing else. `canaries` shows that the limits hold before anything is
scored, because a broken sandbox would otherwise look like a model that fails.
"""

from __future__ import annotations

import functools
import json
import marshal
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.scoring.fence import Isolation, Limits, SandboxError, asked_of_the_kernel, fences
from harness.scoring.kernel import Guard, guards
from harness.scoring.server import READY, Cut, run

__all__ = ["STATUSES", "Execution", "Limits", "Sandbox", "SandboxError", "Status", "canaries", "open_sandbox"]

Status = Literal["returned", "timeout", "memory", "output", "error"]
STATUSES: tuple[Status, ...] = ("returned", "timeout", "memory", "output", "error")

_MARSHAL = 4  # the version of the format that every Python from 3.4 on reads


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """What became of one program."""

    status: Status
    """`returned` when every call gave a value; whether the values are right is for the caller to say."""
    values: tuple[Any, ...] = ()
    """One JSON value per call; empty unless `returned`."""
    seconds: float
    """Wall time, the start of its process included."""
    message: str = ""
    """First line of what went wrong; empty when `returned`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """A way of running programs that was found to work on this machine; `open_sandbox` makes one."""

    isolation: Isolation
    """What separates a program from the machine, beyond the limits."""
    prefix: tuple[str, ...] = ()
    """Command line put before the interpreter's."""
    python: str
    """Absolute path of the interpreter."""
    limits: Limits = field(default_factory=Limits)
    """What each program may use."""
    guards: tuple[Guard, ...] = field(default_factory=guards)
    """What the kernel refuses to each program besides."""

    @property
    def hides_network(self) -> bool:
        """True when no program can reach the network; of the machine's sockets see `kernel`."""
        return self.isolation != "none" or "seccomp" in self.guards

    @property
    def hides_files(self) -> bool:
        """True when no program can open a file but the interpreter's."""
        return self.isolation == "bubblewrap" or "landlock" in self.guards

    def describe(self) -> str:
        """One sentence on what is in force and what is missing."""
        hidden = ["no network"] * self.hides_network + ["no files but Python's"] * self.hides_files
        hidden += ["own process tree"] * (self.isolation != "none")
        open_ = ["network"] * (not self.hides_network) + ["files"] * (not self.hides_files)
        parts = [
            ", ".join(hidden),
            f"MISSING: {' and '.join(open_)} can be reached (install bubblewrap)" if open_ else "",
            f"{self.limits.cpu_seconds} s of CPU, {self.limits.wall_seconds:g} s on the clock, "
            f"{self.limits.memory_bytes // 2**20} MiB, no child processes, no byte into a file",
        ]
        return f"{', '.join((self.isolation, *self.guards))}: {'; '.join(filter(None, parts))}"

    def call(self, program: str, entry: str, arguments: Sequence[Sequence[Any]]) -> Execution:
        """What `entry(*a)` returned for each `a`, all in one process that ends with the last call.

        Args:
            program: Python source that defines the function.
            entry: name of the function.
            arguments: one list of JSON values per call.

        Raises:
            SandboxError: the interpreter did not start; nothing was learned about the program.
        """
        limits = asdict(self.limits) | {"alarm_seconds": int(self.limits.wall_seconds) + 5}
        request = {"program": program, "entry": entry, "arguments": arguments, "limits": limits}
        # Through JSON, because marshal knows no subclasses and keeps tuples.
        data = marshal.dumps(json.loads(json.dumps(request)), _MARSHAL)
        told = asked_of_the_kernel(self.guards, self.python)
        started = time.monotonic()
        try:
            reply, cut, code = run((*self.prefix, self.python), told, data, self.limits)
        except SandboxError as error:
            raise SandboxError(f"sandbox {self.isolation}: {error}") from error
        seconds = time.monotonic() - started
        if not reply.startswith(READY):
            raise SandboxError(f"sandbox {self.isolation}: {self.python} did not start: {cut or code}")
        return _judge(reply.removeprefix(READY), cut, code, seconds)


def _judge(reply: bytes, cut: Cut | None, code: int, seconds: float) -> Execution:
    if cut is not None:
        return Execution(status=cut, seconds=seconds, message="stopped")
    if not reply:
        # The kernel's own end for too much CPU time; bubblewrap reports death by signal n as 128 + n.
        timed_out = code in (-signal.SIGKILL, 128 + signal.SIGKILL)
        return Execution(
            status="timeout" if timed_out else "error", seconds=seconds, message=f"ended with status {code}, no answer"
        )
    try:
        answer = json.loads(reply, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # a program that wrote to the reply itself, or absurdly deep or long values
        return Execution(status="output", seconds=seconds, message="the reply is not JSON")
    if isinstance(answer, dict) and isinstance(answer.get("values"), list):
        return Execution(status="returned", values=tuple(answer["values"]), seconds=seconds)
    status = answer.get("status") if isinstance(answer, dict) else None
    if status in STATUSES and status != "returned":
        return Execution(
            status=status, seconds=seconds, message=str(answer.get("message", "")).partition("\n")[0][:200]
        )
    return Execution(status="output", seconds=seconds, message="the reply is not what was asked for")


def _no_constant(name: str) -> Any:
    raise ValueError(name)


@functools.cache
def open_sandbox(*, python: str | None = None, limits: Limits | None = None) -> Sandbox:
    """The strongest sandbox that works here, its limits shown to hold (1 s); done once per process.

    Args:
        python: absolute path of the interpreter; None takes the one that runs now.
        limits: what each program may use; None for the usual.

    Raises:
        SandboxError: none works, or one that starts does not hold what it claims.
    """
    # The base interpreter, not a virtual environment's: programs have no business with installed packages.
    chosen = os.path.realpath(python or getattr(sys, "_base_executable", None) or sys.executable)
    why: list[str] = []
    for isolation, prefix in fences(chosen):
        candidate = Sandbox(isolation=isolation, prefix=prefix, python=chosen, limits=limits or Limits())
        try:
            may_fork = candidate.call(_FORK, "f", [[1]]).status == "returned"
        except SandboxError as error:
            why.append(str(error))
            continue
        if may_fork:
            why.append(f"sandbox {candidate.isolation}: programs can start processes")
            continue
        canaries(candidate)
        return candidate
    raise SandboxError("no sandbox works here (run as a normal user, install bubblewrap): " + "; ".join(why))


_FORK = "import os\ndef f(x):\n    if os.fork() == 0:\n        os._exit(0)\n    return x"
_LOOP = "def f(x):\n    while True:\n        pass"
_HOG = "def f(x):\n    return len([bytes(2**20) for _ in range(x)])"
_FLOOD = "def f(x):\n    return 'x' * x"
_WRITE = "def f(x):\n    with open(x, 'w') as file:\n        file.write('x')\n    return x"
_READ = "def f(x):\n    return open(x).read()"
_DELETE = "import os\ndef f(x):\n    os.unlink(x)\n    return x"
_CONNECT = "import socket\ndef f(x):\n    socket.create_connection(('127.0.0.1', x), timeout=5).close()\n    return x"


def canaries(sandbox: Sandbox) -> None:
    """Runs one program that must return and some that must not, each with the sandbox's own limits.

    Only the endless loop gets less time, on the clock: waiting for its CPU limit would cost every process 2 s more.

    Raises:
        SandboxError: a program that must return did not, or one that must not did.
    """
    good = sandbox.call("import decimal, encodings.idna\ndef f(x):\n    return (x + 3) * 2", "f", [[1], [-3]])
    if good.values != (8, 0):
        raise SandboxError(f"sandbox {sandbox.isolation}: a good program gave {good.status}: {good.message}")
    hurried = replace(sandbox, limits=replace(sandbox.limits, wall_seconds=0.5))
    too_much = sandbox.limits.memory_bytes // 2**20 + 1
    _must_fail(hurried, "loop endlessly", _LOOP, 0, "timeout")
    _must_fail(sandbox, "take more memory than allowed", _HOG, too_much, "memory")
    _must_fail(sandbox, "return more than allowed", _FLOOD, sandbox.limits.output_bytes, "output")
    _must_fail(sandbox, "start processes", _FORK, 0, "error")
    with tempfile.TemporaryDirectory(prefix="emergence-") as folder:
        os.chmod(folder, 0o777)  # not even where everybody may write
        target = Path(folder) / "written"
        _must_fail(sandbox, "write to files", _WRITE, str(target), "error")
        if sandbox.hides_files:
            if target.exists():
                raise SandboxError(f"sandbox {sandbox.isolation}: a program created {target}")
            target.write_text("secret")
            target.chmod(0o644)
            _must_fail(sandbox, "read files", _READ, str(target), "error")
        if sandbox.hides_files or "seccomp" in sandbox.guards:
            target.touch()
            _must_fail(sandbox, "delete files", _DELETE, str(target), "error")
    if sandbox.hides_network:
        with socket.create_server(("127.0.0.1", 0)) as server:
            _must_fail(sandbox, "reach the network", _CONNECT, server.getsockname()[1], "error")


def _must_fail(sandbox: Sandbox, deed: str, program: str, argument: Any, expected: Status) -> None:
    run = sandbox.call(program, "f", [[argument]])
    if run.status != expected:
        raise SandboxError(
            f"sandbox {sandbox.isolation}: a program that tries to {deed} gave {run.status} "
            f"{run.message!r}; expected {expected}"
        )
