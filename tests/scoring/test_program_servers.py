"""Programs are forked from servers, which no program reaches and which end with their host."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.errors import MachineError
from harness.scoring import server
from harness.scoring.sandbox import SandboxError, Trial, canaries, open_sandbox
from tests.builders.sandboxes import BARE, GOOD, UNGUARDED, run, server_of, wait_until

pytestmark = pytest.mark.sandbox


def test_one_server_runs_program_after_program_each_in_a_process_of_its_own(either):
    first = server_of(either)
    who = "import os\ndef f(x): return [os.getpid(), os.getsid(0), os.getpgid(0)]"
    one, other = (run(either, who).values[0] for _ in range(2))

    assert server_of(either) == first
    assert set(one) == {one[0]}
    assert set(other) == {other[0]}
    assert one[0] != other[0]


def test_a_program_holds_no_descriptor_but_its_reply(either):
    held = """import os, stat
def f(x):
    kinds = {}
    for fd in range(x):
        try: mode = os.fstat(fd).st_mode
        except OSError: continue
        kinds[fd] = stat.S_IFMT(mode)
    return [fd for fd, kind in kinds.items() if kind not in (stat.S_IFCHR, stat.S_IFDIR)]"""

    assert run(either, held, 4096).values == ([3],)


def test_nothing_that_a_program_does_to_its_interpreter_reaches_the_next(either):
    spoil = """import builtins, os, sys, json, __main__
def f(x):
    builtins.len = lambda y: 5
    sys.path[:] = []
    sys.setrecursionlimit(50)
    os.environ["A"] = "B"
    os.chdir("/")
    os.umask(0)
    for name in list(vars(__main__)):
        if name not in ("encoded", "_write", "posix", "make_encoder", "_refuse", "encode_basestring_ascii"):
            vars(__main__)[name] = None
    return 1"""
    state = """import sys
clean = sorted(sys.modules)
import os, random, __main__
def f(x): return [clean, len("ab"), sys.path, sys.getrecursionlimit(), dict(os.environ), os.umask(0), random.random(),
                  sorted(vars(__main__))]"""
    first = server_of(either)
    before = run(either, state).values[0]
    run(either, spoil)
    after = run(either, state).values[0]

    assert before[6] != after[6]
    assert before[:6] + before[7:] == after[:6] + after[7:]
    assert "json" not in after[0]
    assert server_of(either) == first


STEER = {
    "kill": "os.kill(os.getppid(), 9)",
    "stop": "os.kill(os.getppid(), signal.SIGSTOP)",
    "interrupt": "os.kill(os.getppid(), signal.SIGINT)",
    "end all": "os.kill(-1, 9)" if os.geteuid() == 0 else "os.kill(os.getppid(), 15)",
    "limit": "resource.prlimit(os.getppid(), resource.RLIMIT_STACK, (2**16, 2**16))",
    "open nothing": "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))",
    "slow": "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "pin": "os.sched_setaffinity(os.getppid(), [min(os.sched_getaffinity(0))])",
    "schedule": "os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))",
}
INHERITED = """import os, resource
def f(x):
    limits = [resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT_")]
    schedule = [os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0)]
    return [limits, schedule]"""


@pytest.mark.parametrize("deed", STEER)
def test_a_program_that_meddles_with_its_server_changes_nothing_for_the_next(either, deed, monkeypatch):
    if either is UNGUARDED and os.geteuid() != 0 and deed not in ("kill", "stop", "interrupt", "end all"):
        pytest.skip("nothing refuses it to the same user")
    if either is UNGUARDED and deed == "end all" and os.geteuid() == 0:
        pytest.skip("would end the programs of every test that runs beside this one")
    monkeypatch.setattr(server, "_END_SECONDS", 0.5)
    meddle = f"import os, resource, signal\ndef f(x):\n    {STEER[deed]}\n    return 1"
    before = run(either, INHERITED).values
    done = run(either, meddle, wall_seconds=5.0)

    # Not permitted, or without effect, or its own end.
    assert done.status in ("returned", "error", "timeout")
    if either is UNGUARDED and os.geteuid() != 0:
        assert done.status == {"kill": "error", "stop": "timeout"}.get(deed, done.status)
    assert run(either, INHERITED).values == before
    assert run(either, GOOD, 2).values == (10,)


def test_in_a_process_tree_of_its_own_a_program_finds_nobody_but_its_server(sandbox):
    if sandbox.isolation == "none":
        pytest.skip("no process tree of its own")
    seen = """import os
def f(x):
    found = []
    for pid in range(1, x):
        try: os.getsid(pid)
        except ProcessLookupError: continue
        found.append(pid)
    return [found, [os.getppid(), os.getpid()]]"""
    found, expected = run(replace(sandbox, guards=()), seen, 2000).values[0]  # seccomp would show it nobody

    assert found == expected
    assert found[0] == 1


def test_a_server_that_ended_between_two_programs_is_replaced(either):
    pid = server_of(either)
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)], timeout=20)

    assert run(either, GOOD, 2).values == (10,)
    assert server_of(either) != pid


@pytest.mark.parametrize(
    "reach",
    [
        "open(f'/proc/{os.getppid()}/mem', 'rb')",
        "open(f'/proc/{os.getppid()}/mem', 'r+b', 0)",
        "open(f'/proc/{os.getppid()}/fd/0', 'wb', 0)",
        "os.listdir(f'/proc/{os.getppid()}/fd')",
        "open(f'/proc/{os.getppid()}/oom_score_adj', 'w')",
        "check(libc.ptrace(16, os.getppid(), 0, 0))",
        "check(libc.syscall(438, libc.syscall(434, os.getppid(), 0), 0, 0))",
        "check(libc.process_vm_readv(os.getppid(), (ctypes.c_size_t * 2)(id(0), 8), 1, "
        "(ctypes.c_size_t * 2)(id(0), 8), 1, 0))",
    ],
)
def test_no_program_reaches_into_its_server(either, reach):
    program = f"""import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0: raise PermissionError(ctypes.get_errno())
def f(x):
    {reach}"""
    done = run(either, program)

    # In bubblewrap there is no /proc at all.
    assert done.message.startswith(("PermissionError", "FileNotFoundError")), done


def test_a_server_that_cannot_shut_itself_runs_one_program(either, monkeypatch):
    monkeypatch.setattr(server, "_GUEST", server._GUEST.replace("lasting = _shut() and", "lasting = False and"))
    fresh = replace(either, prefix=("/usr/bin/env", *either.prefix))

    assert run(fresh, GOOD, 2).values == (10,)
    assert not server._here.servers["program"].end.alive
    assert run(fresh, "def f(x): return 1 / x").message == "ZeroDivisionError: division by zero"
    assert run(fresh, "import time\ntime.sleep(60)", wall_seconds=0.3).status == "timeout"
    assert run(fresh, "def f(x):\n    while True: pass", cpu_seconds=1).status == "timeout"
    canaries(fresh)
    for _ in range(2):
        assert fresh.judge("def f(x): return x", Trial(test="assert f(1) == 1")).values == (True,)
        assert fresh.judge("def f(x): return 2", Trial(test="assert f(1) == 1")).message == "AssertionError: "


def test_a_test_judges_programs_one_after_the_other_and_outlives_each(either):
    for program, fine in (
        ("def f(x): return x", True),
        ("import os\nos._exit(0)", False),
        ("def f(x): return x", True),
    ):
        assert (either.judge(program, Trial(test="assert f(1) == 1")).values == (True,)) is fine
    servers = server._here.servers
    assert servers["judge"]._process.pid != servers["program"]._process.pid
    for seat in ("judge", "program"):
        servers[seat]._process.kill()
        servers[seat]._process.wait()
        assert either.judge("def f(x): return x", Trial(test="assert f(1) == 1")).values == (True,)


HOST = """import sys, threading, time
from harness.scoring.sandbox import Sandbox
isolation, python, guards, *prefix = sys.argv[1:]
sandbox = Sandbox(isolation=isolation, python=python, guards=tuple(guards.split()), prefix=tuple(prefix))
wait = "import signal, time\\nsignal.alarm(0)\\ndef f(x):\\n    time.sleep(x)\\n    return x"
assert sandbox.call(wait, "f", [[0]]).values == (0,)
threading.Thread(target=sandbox.call, args=(wait, "f", [[60]]), daemon=True).start()
time.sleep(0.5)
print("running", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_servers_and_their_programs_end_with_their_host(either, sign):
    command = [sys.executable, "-c", HOST, either.isolation, either.python, " ".join(either.guards), *either.prefix]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == b"running\n"
        below = psutil.Process(host.pid).children(recursive=True)
        host.send_signal(sign)

    assert len(below) > 2  # two servers, and a program that has put off its alarm
    assert psutil.wait_procs(below, timeout=20)[1] == []


def test_a_process_forked_from_ours_has_servers_of_its_own(either):
    pid = server_of(either)
    child = os.fork()
    if child == 0:
        fine = False
        with contextlib.suppress(BaseException):
            fine = server_of(either) != pid and run(either, GOOD, 2).values == (10,)
            server._here.servers["program"].end()
        os._exit(0 if fine else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert server_of(either) == pid


def test_a_server_ends_with_the_thread_that_used_it(either):
    pids = []
    thread = threading.Thread(target=lambda: pids.append(server_of(either)))
    thread.start()
    thread.join()

    assert pids[0] != server_of(either)
    assert wait_until(lambda: not Path(f"/proc/{pids[0]}").exists())


def test_an_interpreter_that_cannot_start_is_an_error_of_the_machine_and_no_score():
    with pytest.raises(SandboxError, match=r"cannot start /no/such/python: No such file"):
        replace(BARE, python="/no/such/python").call(GOOD, "f", [[1]])
    with pytest.raises(SandboxError, match=r"/bin/false did not start"):
        replace(BARE, python="/bin/false").call(GOOD, "f", [[1]])
    with pytest.raises(MachineError, match=r"no sandbox works here .* sandbox none: cannot start /no/such/python"):
        open_sandbox(python="/no/such/python")


def test_a_machine_too_slow_to_start_python_is_an_error_and_no_score(monkeypatch):
    monkeypatch.setattr(server, "_START_SECONDS", 0.0)

    with pytest.raises(SandboxError, match="did not start: timeout"):
        BARE.call(GOOD, "f", [[1]])
