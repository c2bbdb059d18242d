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
from harness.scoring.calls import ALLOWED, EVERY_BIT, NEWEST, Call
from harness.scoring.fence import asked_of_the_kernel
from harness.scoring.kernel import Guard, beneath, call_filter, guards
from harness.scoring.sandbox import Execution, Sandbox, SandboxError, canaries, open_sandbox
from tests.security.calls import numbers

pytestmark = pytest.mark.sandbox

GUARDED = Sandbox(isolation="none", python=os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
LANDLOCK, SECCOMP, BOTH = {"landlock"}, {"seccomp"}, {"landlock", "seccomp"}
PRELUDE = """import ctypes, fcntl, os, resource, signal, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
add_key, userfaultfd = {'x86_64': (248, 323), 'aarch64': (217, 282)}[os.uname().machine]
def check(result):
    if result < 0: raise OSError(ctypes.get_errno(), "refused")
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
    "send to a socket of the machine from a pair": (
        "socket.socketpair(type=socket.SOCK_DGRAM)[0].sendto(b'x', x + '/datagram')",
        SECCOMP,
    ),
    "have a descriptor send signals": ("fcntl.fcntl(3, 8, os.getpid())", SECCOMP),
    "choose what signal that is": ("fcntl.fcntl(3, 10, 9)", SECCOMP),
    "have a socket send signals": ("fcntl.ioctl(3, 0x8901, struct.pack('=i', os.getpid()))", SECCOMP),
    "watch a folder": ("check(libc.inotify_add_watch(check(libc.inotify_init1(0)), b'/', 4095))", SECCOMP),
    "keep pages in a pipe": (
        "check(libc.vmsplice(os.pipe()[1], struct.pack('=QQ', id(x), 8), ctypes.c_long(1), 0))",
        SECCOMP,
    ),
    "widen a pipe": ("fcntl.fcntl(os.pipe()[1], 1031, 2**20)", SECCOMP),
    "hide memory": ("check(libc.syscall(447, 0))", SECCOMP),
    "keep a file in memory": ("os.memfd_create('x')", SECCOMP),
    "become of another kind": ("check(libc.personality(0x40000))", SECCOMP),
    "ask what segments the processor has": (
        "if os.uname().machine == 'aarch64': raise PermissionError\n    check(libc.syscall(154, 0, bytes(16), 16))",
        SECCOMP,
    ),
    "handle page faults": ("check(libc.syscall(userfaultfd, 1))", SECCOMP),
    "let others look into it": ("check(libc.prctl(4, 1, 0, 0, 0))", SECCOMP),
    "lock a file": ("fcntl.flock(os.open(x + '/file', os.O_RDONLY), fcntl.LOCK_EX)", SECCOMP),
    "merge equal pages": ("import mmap\n    mmap.mmap(-1, 2**16).madvise(12)", SECCOMP),
    "learn who serves it": ("socket.socket(fileno=os.dup(3)).getsockopt(1, 17, 12)", SECCOMP),
    "hand over a descriptor": ("socket.send_fds(socket.socket(fileno=os.dup(3)), [b' '], [0])", SECCOMP),
}  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may write to, with a file, a folder and a socket: a program may be `nobody`."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        socket.socket(socket.AF_UNIX) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
    ):
        made = Path(name)
        made.chmod(0o777)
        (made / "file").write_text("precious")
        (made / "file").chmod(0o666)
        (made / "folder").mkdir()
        listener.bind(f"{name}/socket")
        listener.listen()
        (made / "socket").chmod(0o777)
        receiver.bind(f"{name}/datagram")
        (made / "datagram").chmod(0o777)
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
    asked = {  # what `sudo` would do, PR_GET_NO_NEW_PRIVS
        "landlock": "check(libc.prctl(39, 0, 0, 0, 0) - 1)",
        "seccomp": "assert 'NoNewPrivs:\\t1' in open('/proc/self/status').read()",
    }

    assert do(asked[guard], folder, guard).status == "returned"
    assert do(asked[guard], folder).status == "error"
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


ALLOW, NOT_PERMITTED, NOT_KNOWN = 0x7FFF0000, 0x00050001, 0x00050026


def verdict(machine: str, number: int, arguments: tuple[int, ...] = (), audit: int | None = None) -> int:
    """What the filter returns for a system call, by the rules of classic BPF."""
    given = [argument & (2**64 - 1) for argument in (*arguments, *[0] * 6)][:6]
    seen = struct.pack("=iIQ6Q", number, audit or kernel._MACHINES[machine], 0, *given)
    steps = list(struct.iter_unpack("=HBBI", call_filter(machine)))
    at = held = 0
    while True:
        code, true, false, k = steps[at]
        at += 1
        if code == 0x20:
            (held,) = struct.unpack_from("=I", seen, k)
        elif code == 0x54:
            held &= k
        elif code == 0x06:
            return k
        else:
            at += true if (held == k if code == 0x15 else held >= k) else false


def fitting(call: Call) -> tuple[int, ...]:
    """Arguments with which a call is allowed."""
    given = [0] * 6
    for check in call.checks:
        given[check.argument] = check.values[0] | EVERY_BIT & ~check.bits
    return tuple(given)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_allows_the_calls_of_its_table_and_no_other(machine):
    table = {getattr(call, machine): call for call in ALLOWED.values()}
    calls = {
        number: verdict(machine, number, fitting(table[number]) if number in table else ()) for number in range(600)
    }

    assert {number for number, fate in calls.items() if fate == ALLOW} == table.keys() - {None}
    assert {number for number, fate in calls.items() if fate == NOT_KNOWN} == set(range(NEWEST + 1, 600))
    assert verdict(machine, 0x40000000) == NOT_KNOWN  # 32-bit calls of x86-64, by the same numbers (x32)
    assert verdict(machine, 0, audit=0x40000003) == NOT_PERMITTED  # 32-bit calls, by other numbers
    assert verdict(machine, getattr(ALLOWED["getpid"], machine), (-1,) * 6) == ALLOW


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_each_argument_that_is_checked_is_enough_to_refuse_a_call(machine):
    for name, call in ALLOWED.items():
        for check in call.checks:
            if (number := getattr(call, machine)) is None:
                continue
            given = list(fitting(call))
            given[check.argument] = next(n for n in (2**31 - 1, 0, 0x1000) if n & check.bits not in check.values)
            assert verdict(machine, number, tuple(given)) == NOT_PERMITTED, (name, check)


@pytest.mark.parametrize(
    ("name", "arguments", "allowed"),
    [
        ("socketpair", (1, 1), True),
        ("socketpair", (1, 1 | 0o2004000), True),
        ("socketpair", (2**32 + 1, 1), True),  # the kernel takes an int
        ("socketpair", (1, 2), False),
        ("socketpair", (1, 2 | 0o2004000), False),
        ("socketpair", (1, 5), False),
        ("socketpair", (2, 1), False),
        ("fcntl", (3, 2, 1), True),
        *(("fcntl", (3, refused, 1), False) for refused in (5, 6, 8, 10, 15, 17, 1024, 1026, 1031, 1033, 1036)),
        ("ioctl", (3, 0x5421), True),
        *(("ioctl", (3, refused), False) for refused in (0x5412, 0x5452, 0x8901, 0x8902, 0x40047602)),
        ("sendto", (3, 1, 1, 0x4040, 0, 0), True),
        ("sendto", (3, 1, 1, 1, 0, 0), False),  # out of band
        ("sendto", (3, 1, 1, 0x20000000, 0, 0), False),
        ("sendto", (3, 1, 1, 0, 1, 110), False),  # to an address
        ("recvfrom", (3, 1, 1, 1), False),
        ("recvfrom", (3, 1, 1, 0x2000), False),
        ("getsockopt", (3, 1, 77), False),
        ("pipe2", (1, 0o2004000), True),
        ("pipe2", (1, 0o40000), False),
        ("pipe2", (1, 0o200), False),
        ("mmap", (0, 1, 3, 0x22), True),
        ("mmap", (0, 1, 3, 0x40022), False),
        ("madvise", (0, 1, 4), True),
        ("madvise", (0, 1, 12), False),
        ("madvise", (0, 1, 21), False),
        ("futex", (0, 0x189), True),
        ("futex", (0, 0x86), False),
        ("prlimit64", (0, 7), True),
        ("prlimit64", (7, 7), False),
        ("getpriority", (0, 7), False),
        ("getsid", (7,), False),
        ("sched_getaffinity", (7,), False),
    ],
)
def test_what_a_call_does_depends_on_its_arguments(name, arguments, allowed):
    for machine in ("x86_64", "aarch64"):
        fate = verdict(machine, getattr(ALLOWED[name], machine), arguments)
        assert fate == (ALLOW if allowed else NOT_PERMITTED), machine


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_call_that_is_known_to_reach_further_is_allowed(machine):
    allowed = {getattr(call, machine) for call in ALLOWED.values()}

    assert not allowed & set(numbers(machine).values())


@pytest.mark.parametrize(
    ("machine", "header"),
    [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")],
)
def test_the_numbers_are_those_of_the_kernels_headers(machine, header):
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip("no kernel headers")
    known = dict(re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", path.read_text()))
    if machine == "aarch64":
        known["newfstatat"] = known.pop("fstatat")

    for name, call in ALLOWED.items():
        number = getattr(call, machine)
        assert known.get(name) == (None if number is None else str(number)), name
    for name, number in numbers(machine).items():
        assert known.get(name, str(number)) == str(number), name  # headers may be older


@pytest.mark.parametrize(
    ("guard", "complaint"),
    [("landlock", r"created .*written|tries to read files"), ("seccomp", "tries to (delete files|reach a socket)")],
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
