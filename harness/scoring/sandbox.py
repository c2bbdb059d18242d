"""Runs a Python function that a model wrote, in a process of its own that is isolated as far as the machine allows.

Only the arguments go in; what the function returned comes back as JSON and is compared by the caller. The expected
values never enter the process, so leaving early, printing "passed" or replacing `==` cannot pass: the one way is to
return the right values.

Always: a process of its own with an empty environment, no GPU in sight, no stdin, no output but its reply; limits on
CPU time, wall time, memory, open files, file size (0) and processes (no children). In addition, the first
fence that works on this machine isolates it; `Sandbox.describe` names the fence. The module `fence` defines the limits
and the isolation, and `kernel` the additional restrictions by the kernel; `server` starts the processes and exchanges
requests and replies with them; `guest` is the code that they run.

Where `describe` says that files can be reached, a program that knows where to look can read the expected values, and
under the isolation `none`, as the host's own user, can change this host itself. Such a sandbox is not `fenced`, and is
used only when the user says so (`fenced_sandbox`). A kernel bug defeats every fence: run tasks of unknown origin on a
machine that holds nothing else. `canaries` shows that the fence and the limits hold before anything is scored, because
a broken sandbox would otherwise look like a model that fails.
"""

from __future__ import annotations

import functools
import json
import marshal
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

from harness.scoring.canaries import FORK, canaries
from harness.scoring.fence import Isolation, Limits, SandboxError, asked_of_the_kernel, fences
from harness.scoring.kernel import Guard, guards
from harness.scoring.server import READY, Cut, run_beside, run_request
from harness.scoring.trial import Exchanged, exchange, status_of
from harness.wording import number

__all__ = [
    "STATUSES",
    "Execution",
    "Limits",
    "Sandbox",
    "SandboxError",
    "Status",
    "Trial",
    "canaries",
    "fenced_sandbox",
    "open_sandbox",
]

Status = Literal["returned", "timeout", "memory", "output", "error"]
STATUSES: tuple[Status, ...] = ("returned", "timeout", "memory", "output", "error")

_MARSHAL = 4  # the version of the format that every Python from 3.4 on reads


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """The outcome of running one program."""

    status: Status
    """`returned` when every call gave a value; whether the values are right is for the caller to say."""
    values: tuple[Any, ...] = ()
    """One JSON value per call; empty unless `returned`."""
    seconds: float
    """Wall time, the start of its process included."""
    message: str = ""
    """First line of what went wrong; empty when `returned`."""


class Trial(NamedTuple):
    """A test of a program: Python text that calls the program's functions by name, and asserts."""

    test: str
    """Defines `check`, a function of the function that is tested; or is a list of asserts."""
    entry: str = ""
    """Name of the function that `check` is called with, and that the prompt only begins; empty for asserts alone."""
    prompt: str = ""
    """The beginning of the program, for the functions in it that the test calls, too."""
    setup: str = ""
    """What runs before the test, and before the program as far as it goes without it: imports, classes, objects."""

    @property
    def calls_check(self) -> bool:
        """True for a text that calls `check` itself, as lm-eval's does, on a line of its own."""
        return re.search(r"^check\(", self.test, re.MULTILINE) is not None


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
    """The kernel's additional restrictions on each program: Landlock, seccomp, both or neither."""

    @property
    def hides_network(self) -> bool:
        """True when no program can reach the network."""
        return self.isolation != "none" or "seccomp" in self.guards

    @property
    def hides_sockets(self) -> bool:
        """True when no program can reach the sockets that this machine's own programs serve."""
        return self.isolation == "bubblewrap" or "seccomp" in self.guards

    @property
    def hides_files(self) -> bool:
        """True when no program can open a file but the interpreter's."""
        return self.isolation == "bubblewrap" or "landlock" in self.guards

    @property
    def fenced(self) -> bool:
        """True when network, sockets and files are all hidden, so that programs may run without the user's consent."""
        return self.hides_network and self.hides_sockets and self.hides_files

    @property
    def fence(self) -> str:
        """Short name of the isolation, such as `bubblewrap+landlock+seccomp`; `none` where only the limits apply."""
        return "+".join(part for part in (self.isolation, *self.guards) if part != "none") or "none"

    def describe(self) -> str:
        """One sentence on what is in force and what is missing."""
        hidden = ["no network"] * self.hides_network + ["no sockets of this machine"] * self.hides_sockets
        hidden += ["no files but Python's"] * self.hides_files + ["own process tree"] * (self.isolation != "none")
        parts = [
            ", ".join(hidden),
            "" if self.fenced else f"MISSING: {self._open()} can be reached (install bubblewrap)",
            f"{self.limits.cpu_seconds} s of CPU, {number(self.limits.wall_seconds)} s on the clock, "
            f"{self.limits.memory_bytes // 2**20} MiB, no child processes, no byte into a file",
        ]
        return f"{', '.join((self.isolation, *self.guards))}: {'; '.join(filter(None, parts))}"

    def _open(self) -> str:
        found = ["files"] * (not self.hides_files) + ["network"] * (not self.hides_network)
        return " and ".join(found + ["sockets"] * (not self.hides_sockets))

    def call(self, program: str, entry: str, arguments: Sequence[Sequence[Any]]) -> Execution:
        """What `entry(*a)` returned for each `a`, all in one process that ends with the last call.

        Args:
            program: Python source that defines the function.
            entry: name of the function.
            arguments: one list of JSON values per call.

        Raises:
            SandboxError: the interpreter did not start; nothing was learned about the program.
        """
        data = self._request(program=program, entry=entry, arguments=arguments)
        asked = asked_of_the_kernel(self.guards, self.python)
        started = time.monotonic()
        try:
            reply, cut, code = run_request((*self.prefix, self.python), asked, data, self.limits)
        except SandboxError as error:
            raise SandboxError(f"sandbox {self.isolation}: {error}") from error
        seconds = time.monotonic() - started
        if not reply.startswith(READY):
            raise SandboxError(f"sandbox {self.isolation}: {self.python} did not start: {cut or code}")
        return _judge(reply.removeprefix(READY), cut, code, seconds)

    def judge(self, program: str, trial: Trial) -> Execution:
        """Whether a test passes a program: `returned` and the value True when it ends without an error.

        The two run in a process each, both as isolated as the program of `call`, and exchange plain values (see
        `dialogue`): nothing of the program enters the process in which its test decides.

        Args:
            program: Python source of all that the test calls.
            trial: the test.

        Raises:
            SandboxError: the interpreter did not start, or the test cannot run; nothing was learned about the program.
        """
        requests = (
            self._request(role="judge", **trial._asdict(), calls_check=trial.calls_check),
            self._request(role="program", program=program, setup=trial.setup),
        )
        found: list[Exchanged] = []

        def talk(judging: socket.socket, running: socket.socket) -> tuple[bytes, Cut | None]:
            found.append(exchange(judging, running, requests, self.limits))
            return found[-1].words, found[-1].cut

        started = time.monotonic()
        try:
            run_beside((*self.prefix, self.python), asked_of_the_kernel(self.guards, self.python), talk)
        except SandboxError as error:
            raise SandboxError(f"sandbox {self.isolation}: {error}") from error
        seconds = time.monotonic() - started
        if (broken := found[-1].broken) is not None:
            raise SandboxError(f"the test of a program cannot run in the sandbox: {broken}")
        if found[-1].passed:
            return Execution(status="returned", values=(True,), seconds=seconds)
        status, message = status_of(found[-1])
        known: Status = next((one for one in STATUSES[1:] if one == status), "error")
        return Execution(status=known, seconds=seconds, message=message)

    def _request(self, **what: Any) -> bytes:
        """What `guest` reads, with the limits that it sets itself."""
        limits = asdict(self.limits) | {"alarm_seconds": int(self.limits.wall_seconds) + 5}
        # Through JSON, because marshal knows no subclasses and keeps tuples.
        return marshal.dumps(json.loads(json.dumps({**what, "limits": limits})), _MARSHAL)


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
    """The strongest sandbox that works here, after a test that its limits hold (1 s); found once per process.

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
            # What the limit alone does: where it binds nothing, the program is a root that cannot become `nobody`.
            may_fork = replace(candidate, guards=()).call(FORK, "f", [[1]]).status == "returned"
        except SandboxError as error:
            why.append(str(error))
            continue
        if may_fork:
            why.append(f"sandbox {candidate.isolation}: programs can start processes")
            continue
        canaries(candidate)
        return candidate
    raise SandboxError("no sandbox works here (run as a normal user, install bubblewrap): " + "; ".join(why))


def fenced_sandbox(*, allow_unfenced: bool) -> Sandbox:
    """The sandbox of `open_sandbox`, where a program can reach no files and no network, or the user does without that.

    Raises:
        SandboxError: programs can reach files or the network and the user did not agree; or no sandbox works.
    """
    sandbox = open_sandbox()
    if not (sandbox.fenced or allow_unfenced):
        raise SandboxError(
            f"programs that models write could reach {sandbox._open()} of this machine (what holds them here: "
            f"{sandbox.fence}); install bubblewrap or use a kernel with Landlock and seccomp, or agree with "
            "--allow-unfenced"
        )
    return sandbox
