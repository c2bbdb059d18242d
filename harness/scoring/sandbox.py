"""Runs a Python function that a model wrote, in a process of its own with as little as the machine can take away.

Only the arguments go in; what the function returned comes back as JSON and is compared by the caller. The expected
values never enter the process, so leaving early, printing "passed" or replacing `==` cannot pass: the one way is to
return the right values.

Always: a process of its own with an empty environment, no GPU, no stdin, no output but its reply; limits on CPU time,
wall time, memory, open files, file size (0) and processes (no children). Beyond that the first of these that
works here, as `Sandbox.describe` tells:

* `bubblewrap`: no network, its own process tree, and no file but the interpreter's, read-only.
* `unshare`: no network, its own process tree; files are those of the user (of `nobody`, when started by root).
* `none`: neither. The program can read what the user can read and reach the network.

To start an interpreter behind this fence takes far longer than most programs run. So one that stands behind it already
serves: for each program it forks a process, which limits itself, runs the program and dies (see `guest`). Every thread
that runs programs has a server of its own. Why one program cannot change what becomes of another:

* They run one after the other and share nothing they can write to. The process closes every descriptor but one, a new
  socket to this host; it can write no byte to a file, start no process that outlives it, and is dead before the next
  begins. Requests and replies never pass through the server, so its memory, which the next one starts from, is as it
  was before the first. Where the sandbox has namespaces, they end with the server, not with each program.
* A program cannot steer the server. Where that is root, the program is `nobody`, who may not touch it. Where both are
  the same user, the server has shut its memory and its descriptors (it is "not dumpable"), which leaves three ways.
  To stop or end it: that program is then a `timeout` or an `error`, and the next gets a new server (as process 1 of a
  process tree it cannot be stopped or ended from inside at all). To change its limits or its share of the processor,
  or to leave System V memory behind: the server compares both after each program and ends when they differ.
* A program can be ended for certain: this host holds a handle (pidfd) of its process before it sends the request.
* Whatever becomes of this host, its servers read the end of their socket, end their program and go.

Where the server cannot shut itself or give such a handle, each serves one program and becomes its process: slower, not
weaker. Kernel keyrings, and names of empty files where the user may create them, outlive a program either way, for
another that looks for them. Under `none`, a program of the same user can also disturb all that the user runs.

A kernel bug defeats all of them: run tasks of unknown origin on a machine that holds nothing else. `canaries` shows
that the limits hold before anything is scored, because a broken sandbox would otherwise look like a model that fails.
"""

from __future__ import annotations

import contextlib
import functools
import json
import marshal
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.errors import MachineError

Status = Literal["returned", "timeout", "memory", "output", "error"]
STATUSES: tuple[Status, ...] = ("returned", "timeout", "memory", "output", "error")

_GUEST = Path(__file__).with_name("guest.py").read_text(encoding="utf-8")
_MARSHAL = 4  # the version of the format that every Python from 3.4 on reads
_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "LC_ALL": "C.UTF-8"}
_READY = b"ready\n"
_LASTING, _ONCE = b"lasting", b"once___"
_START_SECONDS = 30.0
_LINGER_SECONDS = 1.0  # from the end of the reply to the end of the process
_END_SECONDS = 10.0  # from the end of a program to the word of its server
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
    """Time on the clock from when its process is ready, for programs that wait."""
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
    """Wall time, the start of its process included."""
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
        with tempfile.TemporaryDirectory(prefix="emergence-") as folder:
            os.chmod(folder, 0o755)  # a program that runs as `nobody` starts here
            request = {"program": program, "entry": entry, "arguments": arguments, "limits": limits, "folder": folder}
            # Through JSON, because marshal knows no subclasses and keeps tuples.
            data = marshal.dumps(json.loads(json.dumps(request)), _MARSHAL)
            started = time.monotonic()
            reply, cut, code = _run(self, data)
            seconds = time.monotonic() - started
        if not reply.startswith(_READY):
            raise SandboxError(f"sandbox {self.isolation}: {self.python} did not start: {cut or code}")
        return _judge(reply.removeprefix(_READY), cut, code, seconds)


class _Ran(NamedTuple):
    """What the process of one program left."""

    reply: bytes
    """All that it wrote, `_READY` first."""
    cut: Status | None
    """Why it was stopped; None when it ended by itself."""
    code: int
    """Exit status, minus the signal's number when a signal ended it."""


class _ServerGoneError(Exception):
    """The server ended before it took the program."""


def _run(sandbox: Sandbox, request: bytes) -> _Ran:
    """Runs a request in the server of this thread; in a new one where there is none, or it is of another kind."""
    server: _Server | None = getattr(_here, "server", None)
    if server is not None and server.serves(sandbox):
        try:
            return server.run(request, sandbox.limits)
        except _ServerGoneError:  # after a program that changed what the next would have inherited
            pass
    if server is not None:
        server.end()
    _here.server = None
    _here.server = server = _Server(sandbox)
    try:
        return server.run(request, sandbox.limits)
    except _ServerGoneError as error:
        raise SandboxError(f"sandbox {sandbox.isolation}: {sandbox.python} did not start: it ended at once") from error


class _Server:
    """A guest behind the fence, which runs one program after the other; it ends when nothing refers to it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._command = (*sandbox.prefix, sandbox.python, "-I", "-S", "-B", "-c", _GUEST)
        self._control, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as stderr:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    cwd="/",
                    env=_ENVIRONMENT,
                    start_new_session=True,
                )
            except OSError as error:
                self._control.close()
                why = f"cannot start {sandbox.python}: {error.strerror}"
                raise SandboxError(f"sandbox {sandbox.isolation}: {why}") from error
            theirs.close()  # from here on the server alone holds it: its end is the end of the connection
            self._running: list[int] = []
            self.end = weakref.finalize(self, _end, self._process, self._control, self._running)
            """Kills the server and the program it runs, closes its socket; returns its exit status."""
            _servers.add(self)
            said = _receive(self._control, len(_LASTING), time.monotonic() + _START_SECONDS)
            if said not in (_LASTING, _ONCE):
                code = self.end()
                stderr.seek(0)
                errors = stderr.read(2000).decode(errors="replace").strip().splitlines()
                why = errors[-1] if errors else "timeout" if said is None else str(code)
                raise SandboxError(f"sandbox {sandbox.isolation}: {sandbox.python} did not start: {why}")
        self._lasts = said == _LASTING

    def serves(self, sandbox: Sandbox) -> bool:
        """True when it can run a program of the sandbox."""
        return self.end.alive and self._command[:-5] == (*sandbox.prefix, sandbox.python)

    def run(self, request: bytes, limits: Limits) -> _Ran:
        """What became of one program.

        Raises:
            _ServerGoneError: the server had ended before.
        """
        with contextlib.ExitStack() as stack:
            unfinished = stack.enter_context(contextlib.ExitStack())
            unfinished.callback(self.end)  # whatever interrupts us, no server is used that may still run a program
            connection = self._hand_over(stack)
            if not self._lasts:
                reply, cut = _converse(connection, request, limits)
                return _Ran(reply, cut, self._end_only(cut))
            child = self._take_child(stack)
            reply, cut = _converse(connection, request, limits)
            if cut is not None or not _readable(self._control, time.monotonic() + _LINGER_SECONDS):
                _kill(child)
            code = _receive(self._control, 4, time.monotonic() + _END_SECONDS)
            if not code:  # a program of the same user can stop its server or end it
                return _Ran(reply, cut or ("timeout" if code is None else "error"), 0)
            unfinished.pop_all()
        return _Ran(reply, cut, int.from_bytes(code, "little", signed=True))

    def _hand_over(self, stack: contextlib.ExitStack) -> socket.socket:
        """Gives the server one end of a connection to the next program; returns the other."""
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        with theirs:
            try:
                socket.send_fds(self._control, [b"."], [theirs.fileno()])
            except ConnectionError as error:
                raise _ServerGoneError from error
        return ours

    def _take_child(self, stack: contextlib.ExitStack) -> int:
        """A handle (pidfd) of the process that waits for the request."""
        if not _readable(self._control, time.monotonic() + _START_SECONDS):
            raise SandboxError("sandbox: a process for a program did not start: timeout")
        try:
            _, (child,), *_ = socket.recv_fds(self._control, 1, 1)
        except (ValueError, ConnectionError) as error:
            raise _ServerGoneError from error
        stack.callback(os.close, child)
        self._running.append(child)
        stack.callback(self._running.remove, child)
        stack.callback(_kill, child)
        return child

    def _end_only(self, cut: Status | None) -> int:
        """Ends a server that became the program's process itself; returns its exit status."""
        if cut is None:
            _await_end(self._process.pid, time.monotonic() + _LINGER_SECONDS)
        code: int | None = self.end()
        assert code is not None
        return code


_here = threading.local()
_servers: weakref.WeakSet[_Server] = weakref.WeakSet()


def _forget_servers() -> None:
    """In a process forked from ours: let go of our servers, which stay ours and end when we do."""
    for server in tuple(_servers):
        server.end.detach()
        server._control.close()
    _servers.clear()
    _here.__dict__.clear()


os.register_at_fork(after_in_child=_forget_servers)


def _end(process: subprocess.Popen[bytes], control: socket.socket, running: list[int]) -> int:
    control.close()
    for child in running:  # of a thread that still waits for it when this host ends
        _kill(child)
    # The group is killed before its leader is waited for: until then its number belongs to nobody else.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError as error:  # root without CAP_KILL, where the server became a program that runs as `nobody`
        raise SandboxError("sandbox: not permitted to end its own programs") from error
    return process.wait()


def _kill(child: int) -> None:
    try:
        signal.pidfd_send_signal(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError as error:  # root without CAP_KILL, whose programs run as `nobody`
        raise SandboxError("sandbox: not permitted to end its own programs") from error


def _converse(connection: socket.socket, request: bytes, limits: Limits) -> tuple[bytes, Status | None]:
    """All that the program wrote and None, or what it wrote until it was cut short and the reason."""
    # The program's clock starts when its process is ready: a busy machine must not cost it time.
    running, deadline = False, time.monotonic() + _START_SECONDS
    connection.settimeout(_START_SECONDS)
    data = b""
    try:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        while _readable(connection, deadline):
            chunk = connection.recv(65536)
            if not chunk:
                return data, None
            data += chunk
            if len(data) > limits.output_bytes + 1024:
                return data, "output"
            if not running and data.startswith(_READY):
                running, deadline = True, time.monotonic() + limits.wall_seconds
    except ConnectionError:  # ended with its request unread
        return data, None
    except TimeoutError:
        pass
    return data, "timeout"


def _readable(connection: socket.socket, deadline: float) -> bool:
    """True when there is something to read, the end included, before the deadline."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))


def _receive(control: socket.socket, length: int, deadline: float) -> bytes | None:
    """A message of the server; empty when it has ended, None at the deadline."""
    if not _readable(control, deadline):
        return None
    try:
        return control.recv(length, socket.MSG_WAITALL)
    except ConnectionError:
        return b""


def _await_end(pid: int, deadline: float) -> None:
    """Returns when the process has ended, not yet reaped, or at the deadline.

    A socket closes a moment before its holder ends; killing it in that moment would hide its exit status.
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
    # The server itself is process 1: one of bubblewrap's own could be traced by a program of the same user, and stays.
    command += ["--as-pid-1", "--die-with-parent"]
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
