"""Servers behind the fence: each forks a process per program, one program after the other.

Starting an interpreter behind the fence takes far longer than most programs run. So an interpreter that is already
there acts as a server: for each program it forks a process, which limits itself, runs the program and ends (see
`guest`). Every thread that runs programs has its own server. One program cannot change the outcome of another, because:

* The programs of a server run one after the other and share nothing they can write to. The process closes every
  descriptor but one, a new socket to this host; it can write no byte to a file, start no process, and is dead before
  the next begins. Requests and replies never pass through the server, so its memory, which the next one starts from,
  is as it was before the first. Where the sandbox has namespaces, they end with the server, not with each program.
* A program cannot steer the server. Where that is root, the program is `nobody`, who may not touch it. Where both are
  the same user, the server has shut its memory and its descriptors (it is "not dumpable"), and seccomp refuses to
  signal it or to change its limits and its share of the processor. Should it be stopped or ended all the same, that
  program is a `timeout` or an `error`, and the next gets a new server.
* A program can be ended for certain: this host holds a handle (pidfd) of its process before it sends the request.
* Whatever becomes of this host, its servers read the end of their socket, end their program and go.

Where the server cannot shut itself or give such a handle, each serves one program and becomes its process. That is
slower, and there a program that puts off its alarm can outlive a host that was killed, waiting, until it has used
its CPU time. Where the kernel has no seccomp (see `kernel`), a program of the same user can change the limits of its
server for those that follow; under the isolation `none` it can also end or stop programs that run beside it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from harness.scoring.fence import Limits, SandboxError

READY = b"ready\n"
"""The first bytes that a program's process writes, once it has applied its limits to itself."""
Cut = Literal["timeout", "output", "error"]
"""Why this host stopped a program; `error` when the program's server ended too."""

_GUEST = "\n".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("dialogue.py", "guest.py"))
_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "LC_ALL": "C.UTF-8"}
_LASTING, _ONCE = b"lasting", b"once___"
_START_SECONDS = 30.0
_LINGER_SECONDS = 1.0  # from the end of the reply to the end of the process
_END_SECONDS = 10.0  # from the end of a program to the message of its server


class Ran(NamedTuple):
    """The reply and the exit of one program's process."""

    reply: bytes
    """Everything that the process wrote, beginning with `READY`."""
    cut: Cut | None
    """Why it was stopped; None when it ended by itself."""
    code: int
    """Exit status, minus the signal's number when a signal ended it."""


Converse = Callable[[socket.socket], tuple[bytes, "Cut | None"]]
"""Exchanges bytes with a program's process until it is done: all that the process wrote, and why it was stopped."""


def run_request(command: tuple[str, ...], told: tuple[str, ...], request: bytes, limits: Limits) -> Ran:
    """Run a request in this thread's server, or in a new one where the thread has none that was started in this way.

    Args:
        command: the fence's, then the interpreter.
        told: arguments for the server with the restrictions that it requests from the kernel for each program.
        request: what `guest` reads.
        limits: the limits that this host enforces; the request contains them too.

    Raises:
        SandboxError: the server did not start; nothing was learned about the program.
    """

    def ran() -> Ran:
        return _standing("program", command, told).run(lambda connection: _converse(connection, request, limits))

    return _again_if_gone(ran, command)


def run_beside(
    command: tuple[str, ...],
    told: tuple[str, ...],
    talk: Callable[[socket.socket, socket.socket], tuple[bytes, Cut | None]],
) -> Ran:
    """Run two processes at the same time, each in a server of its own; arguments and errors as of `run_request`.

    Args:
        command: as of `run_request`.
        told: as of `run_request`.
        talk: exchanges bytes with both, the one that judges first, and returns what that one wrote.
    """

    def ran() -> Ran:
        judging, program = (_standing(seat, command, told) for seat in ("judge", "program"))

        def both(judge: socket.socket) -> tuple[bytes, Cut | None]:
            said: list[tuple[bytes, Cut | None]] = []

            def once(connection: socket.socket) -> tuple[bytes, Cut | None]:
                said.append(talk(judge, connection))
                return b"", "error"  # it waits for more, and is ended

            program.run(once)
            return said[0]

        return judging.run(both)

    return _again_if_gone(ran, command)


def _again_if_gone(ran: Callable[[], Ran], command: tuple[str, ...]) -> Ran:
    """Run something, once more with new servers where something ended one of them between two programs."""
    try:
        return ran()
    except _ServerGoneError:
        _leave_servers()
    try:
        return ran()
    except _ServerGoneError as error:
        _leave_servers()
        raise SandboxError(f"{command[-1]} did not start: it ended at once") from error


def _standing(seat: str, command: tuple[str, ...], told: tuple[str, ...]) -> _Server:
    """This thread's server for a seat, programs or their judges; a new one where it has none that serves."""
    servers: dict[str, _Server] = _here.__dict__.setdefault("servers", {})
    server = servers.get(seat)
    if server is None or not server.serves(command, told):
        if server is not None:
            server.end()
            del servers[seat]
        server = servers[seat] = _Server(command, told)
    return server


def _leave_servers() -> None:
    for server in _here.__dict__.pop("servers", {}).values():
        server.end()


class _ServerGoneError(Exception):
    """The server ended before it took the program."""


class _Server:
    """A guest behind the fence, which runs one program after the other; it ends when nothing refers to it."""

    def __init__(self, command: tuple[str, ...], told: tuple[str, ...]) -> None:
        self._kind = command, told
        self._control, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as stderr:
            try:
                self._process = subprocess.Popen(
                    (*command, "-I", "-S", "-B", "-c", _GUEST, *told),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    cwd="/",
                    env=_ENVIRONMENT,
                    start_new_session=True,
                )
            except OSError as error:
                self._control.close()
                raise SandboxError(f"cannot start {command[-1]}: {error.strerror}") from error
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
                raise SandboxError(f"{command[-1]} did not start: {why}")
        self._lasts = said == _LASTING

    def serves(self, command: tuple[str, ...], told: tuple[str, ...]) -> bool:
        """True when the server was started with these arguments and can still run programs."""
        return self.end.alive and self._kind == (command, told)

    def run(self, converse: Converse) -> Ran:
        """Run one program and return its outcome.

        Raises:
            _ServerGoneError: the server had ended before.
        """
        with contextlib.ExitStack() as stack:
            unfinished = stack.enter_context(contextlib.ExitStack())
            unfinished.callback(self.end)  # whatever interrupts us, no server is used that may still run a program
            connection = self._hand_over(stack)
            if not self._lasts:
                reply, cut = converse(connection)
                return Ran(reply, cut, self._end_only(cut))
            child = self._take_child(stack)
            reply, cut = converse(connection)
            if cut is not None or not _readable(self._control, time.monotonic() + _LINGER_SECONDS):
                _kill(child)
            code = _receive(self._control, 4, time.monotonic() + _END_SECONDS)
            if not code:  # a program of the same user can stop its server or end it
                return Ran(reply, cut or ("timeout" if code is None else "error"), 0)
            unfinished.pop_all()
        return Ran(reply, cut, int.from_bytes(code, "little", signed=True))

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
        """A handle (pidfd) on the process that waits for the request."""
        if not _readable(self._control, time.monotonic() + _START_SECONDS):
            raise SandboxError("a process for a program did not start: timeout")
        try:
            _, (child,), *_ = socket.recv_fds(self._control, 1, 1)
        except (ValueError, ConnectionError) as error:
            raise _ServerGoneError from error
        stack.callback(os.close, child)
        self._running.append(child)
        stack.callback(self._running.remove, child)
        stack.callback(_kill, child)
        return child

    def _end_only(self, cut: Cut | None) -> int:
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
    for child in running:  # a program whose thread still waits for it when this host ends
        _kill(child)
    # The group is killed before its leader is waited for: until then its number belongs to nobody else.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError as error:  # root without CAP_KILL, where the server became a program that runs as `nobody`
        raise SandboxError("not permitted to end its own programs") from error
    return process.wait()


def _kill(child: int) -> None:
    try:
        signal.pidfd_send_signal(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError as error:  # root without CAP_KILL, whose programs run as `nobody`
        raise SandboxError("not permitted to end its own programs") from error


def framed(request: bytes) -> bytes:
    """A request as `guest` reads it: its length, then itself."""
    return len(request).to_bytes(8, "little") + request


def _converse(connection: socket.socket, request: bytes, limits: Limits) -> tuple[bytes, Cut | None]:
    """All that the program wrote and None, or what it wrote until it was cut short and the reason."""
    # The program's clock starts when its process is ready: a busy machine must not cost it time.
    running, deadline = False, time.monotonic() + _START_SECONDS
    connection.settimeout(_START_SECONDS)
    data = b""
    try:
        connection.sendall(framed(request))
        connection.shutdown(socket.SHUT_WR)
        while _readable(connection, deadline):
            chunk = connection.recv(65536)
            if not chunk:
                return data, None
            data += chunk
            if len(data) > limits.output_bytes + 1024:
                return data, "output"
            if not running and data.startswith(READY):
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
