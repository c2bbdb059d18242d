"""Runs a Python function that a model wrote, in a process of its own with as little as the machine can take away.

Only the arguments go in; what the function returned comes back as JSON and is compared by the caller. The expected
values never enter the process, so leaving early, printing "passed" or replacing `==` cannot pass: the one way is to
return the right values.

Always: a separate `python -I -S` with an empty environment, no GPU, no stdin, no output but its reply; limits on CPU
time, wall time, memory, open files, file size (0) and processes (no children). Beyond that the first of these that
works here, as `Sandbox.describe` tells:

* `bubblewrap`: no network, its own process tree, and no file but the interpreter's, read-only.
* `unshare`: no network, its own process tree; files are those of the user (of `nobody`, when started by root).
* `none`: neither. The program can read what the user can read and reach the network.

A kernel bug defeats all of them: run tasks of unknown origin on a machine that holds nothing else. `canaries` shows
that the limits hold before anything is scored, because a broken sandbox would otherwise look like a model that fails.
"""

from __future__ import annotations

import functools
import json
import marshal
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import IO, Any, Literal

from harness.errors import MachineError

Status = Literal["returned", "timeout", "memory", "output", "error"]
STATUSES: tuple[Status, ...] = ("returned", "timeout", "memory", "output", "error")

_GUEST = Path(__file__).with_name("guest.py").read_text(encoding="utf-8")
# Compiled once here and not by every interpreter; one of another version is given the text.
_COMPILED = marshal.dumps(compile(_GUEST, "<guest>", "exec", dont_inherit=True))
_START = """import marshal, sys
from _frozen_importlib_external import MAGIC_NUMBER
magic, compiled, text = marshal.load(sys.stdin.buffer)
exec(marshal.loads(compiled) if magic == MAGIC_NUMBER else text)"""
_MARSHAL = 4  # the version of the format that every Python from 3.4 on reads
_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "LC_ALL": "C.UTF-8"}
_READY = b"ready\n"
_START_SECONDS = 30.0
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_SITES = ("purelib", "platlib")


class SandboxError(MachineError):
    """No program can be run here, or a limit does not hold. The cell fails; it does not score 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one program may use."""

    cpu_seconds: int = 2
    """Processor time; the limit that ends an endless loop, because it does not depend on how busy the machine is."""
    wall_seconds: float = 10.0
    """Time on the clock from when the interpreter is ready, for programs that wait."""
    memory_bytes: int = 512 * 2**20
    """Address space, the interpreter's 30 MiB included."""
    open_files: int = 32
    """File descriptors."""
    output_bytes: int = 64 * 1024
    """Length of the returned values as JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """What became of one program."""

    status: Status
    """`returned` when every call gave a value; whether the values are right is for the caller to say."""
    values: tuple[Any, ...] = ()
    """One JSON value per call; empty unless `returned`."""
    seconds: float
    """Wall time, the start of the interpreter included."""
    message: str = ""
    """First line of what went wrong; empty when `returned`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """A way of running programs that was found to work on this machine; `open_sandbox` makes one."""

    isolation: Literal["bubblewrap", "unshare", "none"]
    """What separates a program from the machine, beyond the limits."""
    prefix: tuple[str, ...] = ()
    """Command line put before the interpreter's."""
    python: str
    """Absolute path of the interpreter."""
    limits: Limits = field(default_factory=Limits)
    """What each program may use."""

    @property
    def hides_network(self) -> bool:
        """True when no program can reach a socket of the machine or beyond."""
        return self.isolation != "none"

    @property
    def hides_files(self) -> bool:
        """True when no program can see a file but the interpreter's."""
        return self.isolation == "bubblewrap"

    def describe(self) -> str:
        """One sentence on what is in force and what is missing."""
        limits = (
            f"{self.limits.cpu_seconds} s of CPU, {self.limits.wall_seconds:g} s on the clock, "
            f"{self.limits.memory_bytes // 2**20} MiB, no child processes, no writing to files"
        )
        if self.isolation == "bubblewrap":
            return f"bubblewrap: no network, no files but Python's, own process tree; {limits}"
        if self.isolation == "unshare":
            return f"unshare: no network, own process tree; MISSING: files are readable (install bubblewrap); {limits}"
        return f"none; MISSING: network and files are reachable (install bubblewrap); {limits}"

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
        with (
            tempfile.TemporaryFile() as stdin,
            tempfile.TemporaryFile() as stderr,
            tempfile.TemporaryDirectory(prefix="emergence-") as folder,
        ):
            stdin.write(marshal.dumps((MAGIC_NUMBER, _COMPILED, _GUEST), _MARSHAL))
            # Through JSON, because marshal knows no subclasses and keeps tuples.
            stdin.write(marshal.dumps(json.loads(json.dumps(request)), _MARSHAL))
            stdin.seek(0)
            os.chmod(folder, 0o755)  # a program that runs as `nobody` starts here
            started = time.monotonic()
            process = self._start(stdin, stderr, folder)
            try:
                reply, cut = _read(process, self.limits)
            finally:
                code = self._end(process)
            seconds = time.monotonic() - started
            if not reply.startswith(_READY):
                stderr.seek(0)
                said = stderr.read(2000).decode(errors="replace").strip().splitlines()
                raise SandboxError(
                    f"sandbox {self.isolation}: {self.python} did not start: {said[-1] if said else cut or code}"
                )
        return _judge(reply.removeprefix(_READY), cut, code, seconds)

    def _start(self, stdin: IO[bytes], stderr: IO[bytes], folder: str) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [*self.prefix, self.python, "-I", "-S", "-B", "-c", _START],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=folder,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError(f"sandbox {self.isolation}: cannot start {self.python}: {error.strerror}") from error

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        # The group is killed before its leader is waited for: until then its number belongs to nobody else.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError as error:  # root without CAP_KILL, whose programs run as `nobody`
            raise SandboxError(f"sandbox {self.isolation}: not permitted to end its own programs") from error
        return process.wait()


def _read(process: subprocess.Popen[bytes], limits: Limits) -> tuple[bytes, Status | None]:
    """All that the process wrote and None, or what it wrote until it was cut short and the reason."""
    assert process.stdout is not None
    data = b""
    # The program's clock starts when its interpreter is ready: a busy machine must not cost it time.
    running, deadline = False, time.monotonic() + _START_SECONDS
    with process.stdout as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                _await_end(process.pid, min(deadline, time.monotonic() + 1.0))
                return data, None
            data += chunk
            if len(data) > limits.output_bytes + 1024:
                return data, "output"
            if not running and data.startswith(_READY):
                running, deadline = True, time.monotonic() + limits.wall_seconds
    return data, "timeout"


def _await_end(pid: int, deadline: float) -> None:
    """Returns when the process has ended, not yet reaped, or at the deadline.

    A pipe closes a moment before its writer ends; killing it in that moment would hide its exit status.
    """
    pause = 0.0001
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(2 * pause, 0.001)


def _judge(reply: bytes, cut: Status | None, code: int, seconds: float) -> Execution:
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
        return Execution(status=status, seconds=seconds, message=str(answer.get("message", ""))[:200])
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
    for candidate in _candidates(chosen, limits or Limits()):
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


def _candidates(python: str, limits: Limits) -> list[Sandbox]:
    """Strongest first."""
    found: list[Sandbox] = []
    is_root = os.geteuid() == 0
    if bwrap := shutil.which("bwrap"):
        # Real root can do without a user namespace, and must: inside one it could not become `nobody`.
        for own_user in (False, True) if is_root else (True,):
            prefix = _bubblewrap(bwrap, python, own_user=own_user)
            found.append(Sandbox(isolation="bubblewrap", prefix=prefix, python=python, limits=limits))
    if unshare := shutil.which("unshare"):
        spaces = ("--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child")
        prefix = (unshare, *(() if is_root else ("--user",)), *spaces, "--")
        found.append(Sandbox(isolation="unshare", prefix=prefix, python=python, limits=limits))
    found.append(Sandbox(isolation="none", python=python, limits=limits))
    return found


def _bubblewrap(bwrap: str, python: str, *, own_user: bool) -> tuple[str, ...]:
    """A root of its own: the interpreter, the system's libraries and /dev/null, all read-only, no /proc, no /tmp."""
    home = Path(python).parent.parent
    command = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--unshare-user"] if own_user else []
    command += ["--die-with-parent"]
    for parent in reversed(home.parents):  # made by hand, because bubblewrap would shut them to `nobody`
        command += ["--dir", str(parent)]
    command += ["--ro-bind", str(home), str(home)]
    for library in _LIBRARIES:
        if not Path(library).is_relative_to(home):
            command += ["--ro-bind-try", library, library]
    for site in {sysconfig.get_path(name, vars={"base": str(home), "platbase": str(home)}) for name in _SITES}:
        if Path(site).is_dir():  # installed packages, this one with its answers among them, are covered up
            command += ["--tmpfs", site, "--remount-ro", site]
    command += ["--dir", "/dev"]
    for device in ("/dev/null", "/dev/urandom"):
        command += ["--dev-bind", device, device]
    return (*command, "--remount-ro", "/", "--chdir", "/")
