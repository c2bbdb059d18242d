"""What the kernel refuses to programs: each deed is done where nothing guards, and fails where a guard is said to."""

import os
import re
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.scoring import kernel, sandbox
from harness.scoring.fence import asked_of_the_kernel
from harness.scoring.kernel import REFUSED, Guard, beneath, call_filter, guards
from harness.scoring.sandbox import Execution, Sandbox, SandboxError, canaries, open_sandbox

GUARDED = Sandbox(isolation="none", python=os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
LANDLOCK, SECCOMP, BOTH = {"landlock"}, {"seccomp"}, {"landlock", "seccomp"}
PRELUDE = """import ctypes, os, resource, signal, socket
libc = ctypes.CDLL(None, use_errno=True)
add_key = {'x86_64': 248, 'aarch64': 217}[os.uname().machine]
def check(result):
    if result < 0: raise PermissionError(ctypes.get_errno(), "refused")
    return result
"""
DEEDS = {
    "read a file": ("open(x + '/file').read()", LANDLOCK),
    "list a folder": ("os.listdir(x)", LANDLOCK),
    "empty a file": ("open(x + '/file', 'w')", LANDLOCK),
    "create a file": ("open(x + '/new', 'x')", LANDLOCK),
    "read another's command line": ("open(f'/proc/{os.getppid()}/cmdline').read()", LANDLOCK),
    "delete a file": ("os.unlink(x + '/file')", BOTH),
    "delete a folder": ("os.rmdir(x + '/folder')", BOTH),
    "rename a file": ("os.rename(x + '/file', x + '/other')", BOTH),
    "make a folder": ("os.mkdir(x + '/new')", BOTH),
    "make a link": ("os.symlink('data' * 100, x + '/new')", BOTH),
    "fill the disk": (
        "check(libc.fallocate(os.open(x + '/file', os.O_WRONLY), 1, ctypes.c_long(0), ctypes.c_long(2**20)))",
        BOTH,
    ),
    "empty a file by name": ("os.truncate(x + '/file', 0)", SECCOMP),
    "take memory that no limit counts": ("check(libc.shmctl(check(libc.shmget(0, 2**20, 0o600)), 0, None))", SECCOMP),
    "leave a key": ("check(libc.syscall(add_key, b'user', b'k', b'v', 1, -1))", SECCOMP),
    "reach a socket of the machine": ("socket.socket(socket.AF_UNIX).connect(x + '/socket')", SECCOMP),
    "reach the network": ("socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))", SECCOMP),
    "take a namespace": ("check(libc.unshare(0x10000000))", SECCOMP),
    "signal a process": ("os.kill(os.getpid(), 0)", SECCOMP),
    "change another's limits": ("resource.prlimit(os.getpid(), resource.RLIMIT_CORE, (0, 0))", SECCOMP),
    "ask for asynchronous calls": ("os.close(check(libc.syscall(425, 4, bytes(120))))", SECCOMP),
}  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may write to, with a file, a folder and a socket: a program may be `nobody`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, socket.socket(socket.AF_UNIX) as listener:
        made = Path(name)
        made.chmod(0o777)
        (made / "file").write_text("precious")
        (made / "file").chmod(0o666)
        (made / "folder").mkdir()
        listener.bind(f"{name}/socket")
        listener.listen()
        (made / "socket").chmod(0o777)
        yield made


def do(deed: str, folder: Path, *names: Guard) -> Execution:
    if missing := set(names) - set(guards()):
        pytest.skip(f"this kernel has no {missing}")
    program = f"{PRELUDE}def f(x):\n    {deed}"
    return replace(GUARDED, guards=names).call(program, "f", [[str(folder)]])


@pytest.mark.parametrize("name", DEEDS)
def test_a_guard_refuses_what_a_program_could_do_without(name, folder):
    deed, refusing = DEEDS[name]
    before = sorted(os.listdir(folder))
    for guard in sorted(refusing):
        assert do(deed, folder, guard).message.startswith("PermissionError"), guard
    assert do(deed, folder, *guards()).message.startswith("PermissionError")
    assert (folder / "file").read_text() == "precious"
    assert (folder / "file").stat().st_blocks <= 8
    assert sorted(os.listdir(folder)) == before

    if (unguarded := do(deed, folder)).status != "returned":
        pytest.skip(f"refused without a guard: {unguarded.message}")


@pytest.mark.parametrize("guard", ["landlock", "seccomp"])
def test_no_program_becomes_more_than_it_was(guard, folder):
    gains_nothing = "check(libc.prctl(39, 0, 0, 0, 0) - 1)"  # PR_GET_NO_NEW_PRIVS: what `sudo` would do

    assert do(gains_nothing, folder, guard).status == "returned"
    assert do(gains_nothing, folder).status == "error"
    assert do("os.execv('/bin/true', ['true'])", folder, "landlock").message.startswith("PermissionError")
    assert do("os.execv('/bin/true', ['true'])", folder).message == "ended with status 0, no answer"


@pytest.mark.parametrize("kind", ["environ", "mem", "maps", "fd/0", "fd"])
def test_no_program_looks_into_this_host(kind, folder):
    """Where it runs as another user that is so anyway; under the same name Landlock alone sees to it."""
    deed = f"os.open('/proc/{os.getpid()}/{kind}', os.O_RDONLY)"

    assert do(deed, folder, "landlock").message.startswith("PermissionError")


@pytest.mark.parametrize("isolated", [True, False])
def test_what_programs_compute_with_still_works(isolated):
    program = """import asyncio, ctypes, datetime, hashlib, os, random, select, uuid, zoneinfo
async def later(x): return x
def f(x):
    with open(os.devnull, "w") as nowhere: print("seen by nobody", file=nowhere)
    select.select([open("/dev/urandom", "rb")], [], [])
    zone = zoneinfo.ZoneInfo("Europe/Zurich") if os.path.exists("/usr/share/zoneinfo/Europe/Zurich") else None
    assert datetime.datetime.now(zone) and uuid.uuid4() and random.random()
    return [asyncio.run(later(x)), hashlib.sha256(b"").hexdigest()[:4]]"""

    assert (open_sandbox() if isolated else GUARDED).call(program, "f", [[1]]).values == ([1, "e3b0"],)


def test_installed_packages_are_not_shown_and_the_standard_library_is(folder):
    library = "__import__('os').path.dirname(__import__('statistics').__file__)"
    shown = f"assert len(open({library} + '/statistics.py').read()) > 10_000"
    hidden = f"open({library} + '/site-packages/README.txt')"

    assert do(shown, folder, "landlock").status == "returned"
    assert do(hidden, folder, "landlock").message.startswith(("PermissionError", "FileNotFoundError"))
    if do(hidden, folder).status != "returned":
        pytest.skip("this Python keeps its packages elsewhere")


def test_every_file_but_the_hidden_is_beneath_the_listed_paths(tmp_path):
    hidden = tmp_path / "lib" / "python" / "site-packages"
    hidden.mkdir(parents=True)
    (tmp_path / "lib" / "python" / "os.py").touch()
    (tmp_path / "bin").mkdir()
    names = ["/", "/bin", "/lib/", "/lib/python/", "/lib/python/os.py"]

    assert beneath(tmp_path, frozenset([hidden])) == [f"{tmp_path}{name}" for name in names]
    assert beneath(tmp_path, frozenset()) == [str(tmp_path)]


def test_a_sandbox_without_guards_asks_the_kernel_for_nothing():
    assert asked_of_the_kernel((), GUARDED.python) == ("", "")


def verdict(machine: str, number: int, argument: int = 0, audit: int | None = None) -> int:
    """What the filter returns for a system call, by the rules of classic BPF."""
    seen = struct.pack("=iIQ6Q", number, audit or kernel._MACHINES[machine], 0, argument, 0, 0, 0, 0, 0)
    steps = list(struct.iter_unpack("=HBBI", call_filter(machine)))
    at = held = 0
    while True:
        code, true, false, k = steps[at]
        at += 1
        if code == 0x20:
            (held,) = struct.unpack_from("=I", seen, k)
        elif code == 0x06:
            return k
        else:
            at += true if (held == k if code == 0x15 else held >= k) else false


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_refuses_the_calls_of_its_table_and_no_other(machine):
    table = {getattr(numbers, machine) for numbers in REFUSED.values()} - {None}
    prlimit = getattr(kernel._PRLIMIT, machine)
    refused = {number for number in range(600) if verdict(machine, number) == 0x00050001}

    assert refused == table
    assert verdict(machine, prlimit) == 0x7FFF0000
    assert verdict(machine, prlimit, argument=7) == 0x00050001
    assert verdict(machine, 0, audit=0x40000003) == 0x00050001  # 32-bit calls, by other numbers
    assert machine != "x86_64" or verdict(machine, 0x40000000) == 0x00050001


@pytest.mark.parametrize(
    ("machine", "header"),
    [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")],
)
def test_the_numbers_are_those_of_the_kernels_headers(machine, header):
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip("no kernel headers")
    known = dict(re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", path.read_text()))
    newer = {"fchmodat2", "setxattrat", "removexattrat"}  # than many headers

    for name, numbers in {**REFUSED, "prlimit64": kernel._PRLIMIT}.items():
        number = getattr(numbers, machine)
        assert known.get(name) == (None if number is None else str(number)) or name in newer - known.keys(), name


@pytest.mark.parametrize(
    ("guard", "complaint"),
    [("landlock", r"created .*written|tries to read files"), ("seccomp", "tries to (delete files|reach the network)")],
)
def test_canaries_find_a_guard_that_does_nothing(guard, complaint, monkeypatch):
    monkeypatch.setattr(sandbox, "asked_of_the_kernel", lambda guards, python: ("", ""))

    with pytest.raises(SandboxError, match=complaint):
        canaries(replace(GUARDED, guards=(guard,)))


@pytest.mark.parametrize(
    ("told", "complaint"), [(("", "ff" * 24), "refused to guard"), (("00" * 8, ""), "did not start")]
)
def test_no_program_runs_where_the_kernel_takes_a_guard_back(told, complaint, monkeypatch):
    monkeypatch.setattr(sandbox, "asked_of_the_kernel", lambda guards, python: told)

    with pytest.raises(SandboxError, match=complaint):
        GUARDED.call("def f(x): return x", "f", [[1]])
