"""The limits and the isolation of programs that models wrote.

Depending on the sandbox's isolation, a program has

* `bubblewrap`: no network, its own process tree, and no file but the interpreter's, read-only.
* `unshare`: no network, its own process tree.
* `none`: neither.

A program runs as the user, or as `nobody` when the host is root. In each, the kernel adds its own
restrictions where it can (see `kernel`). Under `unshare` and `none`, Landlock keeps files from being read or changed,
and seccomp blocks the sockets of this machine, under `none` the network too. Where the kernel has neither, the program
has all of its user's access to files and, under `none`, to processes: such a sandbox is used only when the user agrees
(see `sandbox`). The resource limits always apply; the process that runs a program sets them (see `guest`).
"""

from __future__ import annotations

import functools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from harness.errors import MachineError
from harness.scoring.kernel import Guard, beneath, call_filter, ruleset

Isolation = Literal["bubblewrap", "unshare", "none"]

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/urandom")
_HOLDINGS = ("lib", "lib64", "share/zoneinfo")
"""Folders below an interpreter's installation prefix that hold its libraries and data."""
_SITES = ("site-packages", "dist-packages")


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
    """Address space, the interpreter's 30 MiB included; what lies in its pipes and sockets, which the kernel keeps, can
    be a few MiB more."""
    open_files: int = 32
    """File descriptors."""
    output_bytes: int = 64 * 1024
    """Length of the returned values as JSON."""


class Fence(NamedTuple):
    """One way of isolating a program, which may or may not work on this machine."""

    isolation: Isolation
    """The kind of isolation."""
    prefix: tuple[str, ...]
    """Command line put before the interpreter's."""


def fences(python: str, *, is_root: bool | None = None) -> list[Fence]:
    """The fences to try on this machine for one interpreter, strongest first.

    Args:
        python: absolute path of the interpreter.
        is_root: whether root starts the programs; None takes the current user.
    """
    found: list[Fence] = []
    is_root = os.geteuid() == 0 if is_root is None else is_root
    if bwrap := shutil.which("bwrap"):
        # Real root can do without a user namespace, and must: inside one it could not become `nobody`.
        for own_user in (False, True) if is_root else (True,):
            found.append(Fence("bubblewrap", _bubblewrap(bwrap, python, own_user=own_user)))
    if unshare := shutil.which("unshare"):
        spaces = ("--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child")
        found.append(Fence("unshare", (unshare, *(() if is_root else ("--user",)), *spaces, "--")))
    found.append(Fence("none", ()))
    return found


@functools.cache
def asked_of_the_kernel(guards: tuple[Guard, ...], python: str) -> tuple[str, ...]:
    """Arguments for `guest`: the seccomp filter and the Landlock ruleset, in hexadecimal, then the readable paths."""
    calls = call_filter().hex() if "seccomp" in guards else ""
    return (calls, ruleset().hex(), *_readable(python)) if "landlock" in guards else (calls, "")


def system_files() -> tuple[str, ...]:
    """Paths of the system's libraries and of two devices that reveal nothing, for those that can open nothing else."""
    return (*_LIBRARIES, *_DEVICES)


def _readable(python: str) -> tuple[str, ...]:
    """Paths of what the interpreter needs: the libraries without installed packages, and two devices."""
    folders = dict.fromkeys(path.resolve() for path in (*_own(python), *map(Path, _LIBRARIES)))
    return (python, *(path for folder in folders for path in beneath(folder, _packages(folder))), *_DEVICES)


def _own(python: str) -> tuple[Path, ...]:
    """Folders of the interpreter's libraries; not its whole prefix, which may be /usr and hold other people's data."""
    home = Path(python).parent.parent
    return tuple(path for name in _HOLDINGS if (path := home / name).is_dir())


def _packages(libraries: Path) -> frozenset[Path]:
    """Folders of installed packages, which include this package and the answers to its tasks."""
    return frozenset(path for name in _SITES for path in libraries.glob(f"python3*/{name}"))


def _bubblewrap(bwrap: str, python: str, *, own_user: bool) -> tuple[str, ...]:
    """A separate root folder with the interpreter, the system's libraries and /dev/null, read-only; no /proc, /tmp."""
    command = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--unshare-user"] if own_user else []
    # The server itself is process 1: bubblewrap's own process 1 could be traced by a program of the same user.
    command += ["--as-pid-1", "--die-with-parent"]
    own = _own(python)
    for path in (Path(python), *own):
        for parent in reversed(path.parents):  # created here, because bubblewrap would make them unreadable to `nobody`
            command += ["--dir", str(parent)]
        command += ["--ro-bind", str(path), str(path)]
    for library in _LIBRARIES:
        if not any(Path(library).is_relative_to(folder) for folder in own):
            command += ["--ro-bind-try", library, library]
    for site in (site for folder in (*own, *map(Path, _LIBRARIES)) for site in _packages(folder)):
        command += ["--tmpfs", str(site), "--remount-ro", str(site)]
    command += ["--dir", "/dev"]
    for device in _DEVICES:
        command += ["--dev-bind", device, device]
    return (*command, "--remount-ro", "/", "--chdir", "/")
