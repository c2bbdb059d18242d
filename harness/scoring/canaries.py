"""Test programs that try forbidden actions; they run before anything is scored, to show that the sandbox stops them.

Without them, a broken sandbox would look like a model that fails, or would not be noticed at all.
"""

from __future__ import annotations

import os
import platform
import socket
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.scoring.calls import ALLOWED, NEWEST
from harness.scoring.fence import SandboxError

if TYPE_CHECKING:
    from harness.scoring.sandbox import Sandbox, Status

FORK = "import os\ndef f(x):\n    if os.fork() == 0:\n        os._exit(0)\n    return x"
"""A program that starts a process."""
_LOOP = "def f(x):\n    while True:\n        pass"
_HOG = "def f(x):\n    return len([bytes(2**20) for _ in range(x)])"
_FLOOD = "def f(x):\n    return 'x' * x"
_WRITE = "def f(x):\n    with open(x, 'w') as file:\n        file.write('x')\n    return x"
_READ = "def f(x):\n    return open(x).read()"
_DELETE = "import os\ndef f(x):\n    os.unlink(x)\n    return x"
_SEND = "import socket\ndef f(x):\n    return socket.socketpair(type=socket.SOCK_DGRAM)[0].sendto(b'x', x)"
_CALL = """import ctypes
def f(*numbers):
    call, every = ctypes.CDLL(None, use_errno=True).syscall, [ctypes.c_long(-1)] * 6
    for number in numbers:
        if call(ctypes.c_long(number), *every) != -1 or ctypes.get_errno() != 1:
            return number
    raise PermissionError"""
_NEVER_FILTERED = {335, 336}
"""`uretprobe` and `uprobe` of x86-64: no filter sees them, and they fail but where root has put a probe."""
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
    _must_fail(sandbox, "start processes", FORK, 0, "error")
    with tempfile.TemporaryDirectory(prefix="emergence-") as folder:
        os.chmod(folder, 0o777)  # not even where everybody may write
        _spare_files(sandbox, Path(folder) / "written")
        if sandbox.hides_sockets:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as served:
                served.bind(name := f"{folder}/socket")
                os.chmod(name, 0o777)
                _must_fail(sandbox, "reach a socket of this machine", _SEND, name, "error")
    if sandbox.hides_network:
        with socket.create_server(("127.0.0.1", 0)) as server:
            _must_fail(sandbox, "reach the network", _CONNECT, server.getsockname()[1], "error")
    if "seccomp" in sandbox.guards:
        _refuse_calls(sandbox)


def _spare_files(sandbox: Sandbox, target: Path) -> None:
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


def _refuse_calls(sandbox: Sandbox) -> None:
    """Tries every system call that is not allowed, and with forbidden arguments each that is allowed only with some.

    Where the filter does not hold, arguments of -1 make the kernel say what it does not like about them.
    """
    free = {getattr(call, platform.machine()) for call in ALLOWED.values() if not call.checks}
    run = sandbox.call(_CALL, "f", [sorted(set(range(NEWEST + 1)) - free - _NEVER_FILTERED)])
    if not run.message.startswith("PermissionError"):
        made = f"system call {run.values[0]}" if run.values else "system calls that are refused"
        raise SandboxError(
            f"sandbox {sandbox.isolation}: a program that tries to make {made} gave {run.status} {run.message!r}"
        )


def _must_fail(sandbox: Sandbox, deed: str, program: str, argument: Any, expected: Status) -> None:
    run = sandbox.call(program, "f", [[argument]])
    if run.status != expected:
        raise SandboxError(
            f"sandbox {sandbox.isolation}: a program that tries to {deed} gave {run.status} "
            f"{run.message!r}; expected {expected}"
        )
