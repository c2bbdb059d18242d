"""What a hostile program could harm: files, sockets and a process, watched from outside of its sandbox."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

_STATUS = ("State", "Uid", "SigPnd", "ShdPnd", "Cpus_allowed_list", "NoNewPrivs")
_KERNEL_LISTS = ("/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg")


class World:
    """A folder that everybody may write to, sockets that listen, a process of the program's own user, and a secret."""

    def __init__(self, token: str, folder: Path, sockets: Mapping[str, socket.socket], victim: int) -> None:
        self.token = token
        """The secret: in a file, and in the environment of the process."""
        self._folder, self._sockets, self._victim = folder, sockets, victim
        self._lay_out()
        self._before = self._state()

    @property
    def target(self) -> dict[str, Any]:
        """What a program is told, so that it need not search."""
        inet = {name: self._sockets[name].getsockname()[1] for name in ("tcp", "udp", "tcp6") if name in self._sockets}
        return {
            "folder": str(self._folder),
            "package": str(Path(__file__).parents[2] / "harness"),
            "pid": self._victim,
            "stack": _stack(self._victim),
            "host": os.getpid(),
            "abstract": self._sockets["abstract"].getsockname().decode("latin-1"),
            **inet,
        }

    def harm(self, reply: object) -> str | None:
        """What is not as it was, or that the secret came back; None when nothing happened."""
        if self.token in json.dumps(reply):
            return "the secret came back"
        readable, *_ = select.select(list(self._sockets.values()), [], [], 0)
        if readable:
            names = [name for name, each in self._sockets.items() if each in readable]
            return f"something reached the socket {names[0]}"
        after = self._state()
        changed = [name for name in self._before.keys() | after.keys() if self._before.get(name) != after.get(name)]
        if changed:
            name = min(changed)
            return f"{name} was {self._before.get(name)} and is {after.get(name)}"
        return None

    def _lay_out(self) -> None:
        for name, content in (("secret", self.token), ("precious", "precious"), ("module.py", f"x = {self.token!r}")):
            path = self._folder / name
            path.write_text(content)
            path.chmod(0o666)
        (self._folder / "folder").mkdir()
        (self._folder / "folder").chmod(0o777)
        (self._folder / "link").symlink_to("secret")
        owner = os.stat(f"/proc/{self._victim}").st_uid  # whose files a program could do most to
        for path in self._folder.iterdir():
            os.chown(path, owner, -1, follow_symlinks=False)

    def _state(self) -> dict[str, str]:
        state = {f"file {path.name}": _file(path) for path in self._folder.iterdir()}
        with contextlib.suppress(FileNotFoundError):
            process = Path(f"/proc/{self._victim}")
            lines = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
            state |= {f"process {name}": lines.get(name, "").strip() for name in _STATUS}
            state["process limits"] = (process / "limits").read_text()
            state["process schedule"] = " ".join((process / "stat").read_text().rpartition(")")[2].split()[15:17])
            state["process oom"] = (process / "oom_score_adj").read_text()
            state["process policy"] = str(os.sched_getscheduler(self._victim))
        for name in filter(os.path.exists, _KERNEL_LISTS):
            state[name] = str(len(Path(name).read_text().splitlines()))
        return state


@contextlib.contextmanager
def world(user: int | None) -> Iterator[World]:
    """One whose process runs as this user, None for our own."""
    became: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": ()}
    sleep = shutil.which("sleep") or "/bin/sleep"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True)))
        folder.chmod(0o777)
        sockets = {name: stack.enter_context(each) for name, each in _sockets(folder).items()}
        token = uuid4().hex
        victim = subprocess.Popen([sleep, "3600"], env={"SECRET": token}, cwd=folder, start_new_session=True, **became)
        stack.callback(victim.wait)
        stack.callback(victim.kill)
        while "sleeping" not in Path(f"/proc/{victim.pid}/status").read_text():
            time.sleep(0.001)
        yield World(token, folder, sockets, victim.pid)


def _stack(pid: int) -> int:
    """An address in the memory of a process, 0 when it is not told."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if "[stack]" in line:
                return int(line.split("-")[0], 16)
    return 0


def _sockets(folder: Path) -> dict[str, socket.socket]:
    abstract = f"\0hostile-{uuid4().hex}"
    found = {
        "tcp": _bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
        "udp": _bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        "stream": _bound(socket.AF_UNIX, socket.SOCK_STREAM, f"{folder}/stream"),
        "datagram": _bound(socket.AF_UNIX, socket.SOCK_DGRAM, f"{folder}/datagram"),
        "abstract": _bound(socket.AF_UNIX, socket.SOCK_STREAM, abstract),
        "abstract datagram": _bound(socket.AF_UNIX, socket.SOCK_DGRAM, f"{abstract}-datagram"),
    }
    with contextlib.suppress(OSError):  # a machine without IPv6
        found["tcp6"] = _bound(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0))
    for name in ("stream", "datagram"):
        (folder / name).chmod(0o777)
    return found


def _bound(family: int, kind: int, address: Any) -> socket.socket:
    made = socket.socket(family, kind)
    made.bind(address)
    if kind == socket.SOCK_STREAM:
        made.listen()
    return made


def _file(path: Path) -> str:
    """All of a file that a program might change."""
    found = path.lstat()
    content = path.read_text() if path.is_file() else ""
    attributes = os.listxattr(path, follow_symlinks=False)
    facts = (found.st_mode, found.st_uid, found.st_nlink, found.st_mtime_ns, found.st_blocks)
    return f"{facts} {attributes} {content}"
