"""What runs inside the sandbox: takes one request on stdin, calls the program's function, writes what it returned.

The sandbox starts it as `python -I -S -B -c <the text of this file>`, so it uses the standard library alone and never
sees the package. It limits itself before it reads a word of the program, then exec()s it here: that costs no second
interpreter. The expected answers stay with the caller, so a program that tampers with this file's functions can at
most fail.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from typing import Any

NOBODY = 65534
"""The traditional user and group without rights."""


def main() -> None:
    """Serve the one request."""
    request = json.loads(sys.stdin.buffer.read())
    replies = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # what the program prints is nobody's business and cannot fill a pipe
        os.dup2(nothing, descriptor)
    _confine(request["limits"], replies)
    _write(replies, b"ready\n")
    _write(replies, _reply(request))
    os._exit(0)  # no exit handler of the program runs


def _confine(limits: dict[str, int], replies: int) -> None:
    """Give up root, then every resource beyond the limits; from here on there is no way back."""

    def out_of_time(*_: object) -> None:
        os.write(replies, b'{"status": "timeout", "message": "stopped"}')
        os._exit(0)

    signal.signal(signal.SIGXCPU, out_of_time)
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(limits["alarm_seconds"])  # ends us even if the caller has died
    if os.geteuid() == 0:  # the kernel's limit on processes does not bind root
        _hold_library()
        with contextlib.suppress(OSError):  # not allowed in some containers: the probe for forks then tells
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    for what, most, last in (
        # A second more for the signal above; in the middle of a long multiplication only the kernel can end us.
        (resource.RLIMIT_CPU, limits["cpu_seconds"], limits["cpu_seconds"] + 1),
        (resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"], limits["open_files"]),
        (resource.RLIMIT_FSIZE, 0, 0),  # no byte into any file; pipes are not files
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NPROC, 1, 1),  # ourselves: no child processes, no threads
    ):
        resource.setrlimit(what, (most, last))


def _hold_library() -> None:
    """Keep the standard library importable for `nobody`, who cannot reach an interpreter below /root by its name."""
    if not os.path.isdir("/proc/self/fd"):  # bubblewrap, which lays the interpreter open to everybody
        return
    held = {name: f"/proc/self/fd/{os.open(name, os.O_RDONLY)}" for name in sys.path if os.path.isdir(name)}
    sys.path[:] = held.values()
    for module in tuple(sys.modules.values()):  # packages that are loaded already look for their parts by name
        if hasattr(module, "__path__"):
            module.__path__ = [_renamed(path, held) for path in module.__path__]


def _renamed(path: str, folders: dict[str, str]) -> str:
    for folder, name in folders.items():
        if path.startswith(folder + os.sep):
            return name + path[len(folder) :]
    return path


def _reply(request: dict[str, Any]) -> bytes:
    """The values as JSON, or why there are none."""
    try:
        namespace: dict[str, Any] = {"__name__": "program"}
        exec(compile(request["program"], "<program>", "exec"), namespace)
        function = namespace[request["entry"]]
        values = [function(*arguments) for arguments in request["arguments"]]
        text = json.dumps({"values": values}, allow_nan=False).encode()
    except MemoryError:
        return b'{"status": "memory", "message": "MemoryError"}'
    except BaseException as error:  # also SystemExit: whatever ends the program ends it without an answer
        return json.dumps({"status": "error", "message": _line(error)}).encode()
    if len(text) > request["limits"]["output_bytes"]:
        return json.dumps({"status": "output", "message": f"{len(text)} bytes returned"}).encode()
    return text


def _line(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:200]
    except BaseException:  # a program may raise what cannot even be printed
        return type(error).__name__[:200]


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    main()
