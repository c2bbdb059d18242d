import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from harness.errors import MachineError
from harness.scoring import canaries as canary
from harness.scoring import sandbox as module
from harness.scoring import server
from harness.scoring.canaries import FORK
from harness.scoring.fence import fences
from harness.scoring.sandbox import Sandbox, SandboxError, Trial, canaries, fenced_sandbox, open_sandbox

pytestmark = pytest.mark.sandbox

GOOD = "def f(x):\n    return (x + 3) * 2"
BARE = Sandbox(isolation="none", python=os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
UNGUARDED = replace(BARE, guards=())


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox()


@pytest.fixture(params=["strongest", "none", "unguarded"])
def either(request, sandbox) -> Sandbox:
    """The strongest sandbox; one with no namespaces; and one where nothing but its limits holds a program."""
    if request.param == "strongest":
        return sandbox
    if run(BARE, FORK).status == "returned":
        pytest.skip("programs could start processes")
    return BARE if request.param == "none" else UNGUARDED


def run(sandbox: Sandbox, program: str, argument: object = 0, **limits: float) -> module.Execution:
    limited = replace(sandbox, limits=replace(sandbox.limits, **limits))  # type: ignore[arg-type]
    return limited.call(program, "f", [[argument]])


def test_values_come_back_in_order_as_json(sandbox):
    done = sandbox.call("def f(x, y=1):\n    return [x, (y, None, 0.5)]", "f", [["a"], ["b", 2]])

    assert done.status == "returned"
    assert done.values == (["a", [1, None, 0.5]], ["b", [2, None, 0.5]])
    assert done.message == ""
    assert done.seconds > 0


def test_standard_library_imports_work_after_rights_are_given_up(sandbox):
    assert run(
        sandbox,
        "import decimal, encodings.rot_13, statistics, threading\ndef f(x):\n    return statistics.mean([x, 2])",
    ).values == (1,)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("def f(x): return 1 / x", "ZeroDivisionError"),
        ("def f(x) return x", "SyntaxError"),
        ("def g(x): return x", "KeyError"),
        ("def f(x): return {1, 2}", "TypeError"),
        ("def f(x): return float('nan')", "ValueError"),
        ("def f(x): return f(x)", "RecursionError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E", "E"),
        ("\0", ("SyntaxError", "ValueError")),  # which, depends on the Python version
        ("\ud800", "UnicodeEncodeError"),
        ("raise ValueError('one\\ntwo')", "ValueError: one"),
    ],
)
def test_a_program_without_an_answer_is_an_error_that_says_why(sandbox, program, message):
    done = run(sandbox, program)

    assert (done.status, done.values) == ("error", ())
    assert done.message.startswith(message)
    assert "\n" not in done.message


WRITE_EVERYWHERE = """import os
for fd in range(3, 9):
    try: os.write(fd, {data!r})
    except OSError: pass
os._exit(0)"""


@pytest.mark.parametrize(
    "program",
    [
        "import os\nos._exit(0)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
        "print('passed')\nraise SystemExit(0)",
        "import json\njson.dumps = lambda *a, **k: 'passed'\ndef f(x): raise ValueError",
        "import __main__\n__main__.encoded = lambda value: b'passed'\ndef f(x): return 1",
        "import __main__\n__main__.make_encoder = lambda *a: lambda *b: ('passed',)\ndef f(x): return 1",
        "import posix\nposix.write = lambda *a: 1 / 0\ndef f(x): return 1",
        WRITE_EVERYWHERE.format(data=b"passed"),
        WRITE_EVERYWHERE.format(data=b"[" * 9999),
        WRITE_EVERYWHERE.format(data=b'{"status": "returned"}'),
        WRITE_EVERYWHERE.format(data=b'{"values": [NaN]}'),
        WRITE_EVERYWHERE.format(data=b'{"values": [' + b"9" * 9999 + b"]}"),
        "def f(x):\n    class Always(int):\n        def __eq__(self, other): return True\n    return Always(5)",
        "import builtins\nbuiltins.len = lambda *a: 5\ndef f(x): raise ValueError",
    ],
)
def test_no_trick_returns_the_value_that_the_caller_wants(sandbox, program):
    done = run(sandbox, program)

    assert done.values in ((), (5,))
    assert (done.status == "returned") == bool(done.values)


def test_arguments_arrive_as_json_whatever_class_they_have(sandbox):
    class Name(str): ...

    given = [Name("a"), (1, None), {2: True}, 10**40, 0.5, "\ud800", "é"]
    done = sandbox.call("def f(*x): return [repr(x), [type(a).__name__ for a in x]]", "f", [given])

    arrived = ("a", [1, None], {"2": True}, 10**40, 0.5, "\ud800", "é")
    assert done.values == ([repr(arrived), ["str", "list", "dict", "int", "float", "str", "str"]],)


@pytest.mark.parametrize("limits", [{"cpu_seconds": 1}, {"wall_seconds": 0.4}])
def test_an_endless_loop_ends_in_time(sandbox, limits):
    done = run(sandbox, "def f(x):\n    while True: pass", **limits)

    assert done.status == "timeout"
    assert done.seconds < 30


def test_a_program_that_waits_is_ended_by_the_clock(sandbox):
    done = run(sandbox, "import time\ndef f(x):\n    time.sleep(60)", wall_seconds=0.3)

    assert done.status == "timeout"
    assert done.seconds < 30


def test_a_program_that_shuts_the_reply_and_goes_on_is_ended(sandbox):
    program = "import os, time\nos.closerange(3, 99)\ntime.sleep(60)"

    assert run(sandbox, program, wall_seconds=0.5).status == "timeout"


def test_too_much_memory_is_a_status_of_its_own(sandbox):
    assert run(sandbox, "def f(x): return len(bytes(10**9))").status == "memory"


def test_a_flood_is_cut_whether_returned_or_written_to_every_descriptor(sandbox):
    flood = "import os\ndef f(x):\n    while True:\n        for fd in range(3, 9):\n            try: os.write(fd, b'x' * 9999)\n            except OSError: pass"  # noqa: E501

    assert run(sandbox, "def f(x): return 'x' * 10**6").status == "output"
    assert run(sandbox, flood).status == "output"
    assert run(sandbox, "def f(x):\n    print('x' * 10**6)\n    return 1").values == (1,)


def test_no_child_process_and_no_thread_can_be_started(sandbox):
    fork = "import os\ndef f(x): return os.fork()"
    thread = "import threading\ndef f(x):\n    threading.Thread(target=print).start()"
    limited = replace(sandbox, guards=())

    assert run(limited, fork).message.startswith("BlockingIOError")
    assert run(sandbox, fork).message.startswith(("PermissionError", "BlockingIOError"))
    for each in (limited, sandbox):
        assert run(each, thread).message.startswith("RuntimeError: can't start new thread")


def test_files_and_descriptors_are_limited(sandbox, tmp_path):
    tmp_path.chmod(0o777)
    target = tmp_path / "written"
    program = "def f(x):\n    with open(x, 'w') as file:\n        file.write('x' * 10)\n    return x"

    assert run(sandbox, program, str(target)).status == "error"
    assert not target.exists() or target.read_text() == ""
    assert run(sandbox, "import os\ndef f(x): return len([os.dup(1) for _ in range(x)])", 100).status == "error"


def test_the_environment_is_empty_but_for_hidden_gpus(sandbox, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    done = run(sandbox, "import os\ndef f(x): return dict(os.environ)")

    assert done.values[0]["CUDA_VISIBLE_DEVICES"] == ""
    assert set(done.values[0]) <= {"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "LC_ALL", "PWD"}


def test_stdin_is_closed_and_the_working_folder_is_the_same_in_every_fence(either):
    program = "import os\ndef f(x): return [os.read(0, 9).decode(), os.getcwd()]"

    assert run(either, program).values == (["", "/"],)


def test_isolation_is_what_describe_claims(either):
    sees = run(either, "def f(x): open(x)", "/etc/passwd").status == "returned"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connect = "import socket\ndef f(x): socket.create_connection(('127.0.0.1', x), 5)"
        reached = run(either, connect, listener.getsockname()[1]).status == "returned"
    said = either.describe()

    assert ("no network" in said) == either.hides_network == (not reached)
    assert ("no files but Python's" in said) == either.hides_files == (not sees)
    assert ("MISSING" in said) == (reached or sees)
    assert "2 s of CPU" in said


@pytest.mark.parametrize(
    ("isolation", "guards", "fence", "missing"),
    [
        ("bubblewrap", ("landlock", "seccomp"), "bubblewrap+landlock+seccomp", ""),
        ("bubblewrap", (), "bubblewrap", ""),
        ("unshare", ("landlock", "seccomp"), "unshare+landlock+seccomp", ""),
        ("none", ("landlock", "seccomp"), "landlock+seccomp", ""),
        ("unshare", ("seccomp",), "unshare+seccomp", "files"),
        ("none", ("seccomp",), "seccomp", "files"),
        ("unshare", ("landlock",), "unshare+landlock", "sockets"),
        ("none", ("landlock",), "landlock", "network and sockets"),
        ("unshare", (), "unshare", "files and sockets"),
        ("none", (), "none", "files and network and sockets"),
    ],
)
def test_what_holds_no_program_from_everything_is_used_only_with_consent(
    isolation, guards, fence, missing, monkeypatch
):
    sandbox = replace(BARE, isolation=isolation, guards=guards)
    monkeypatch.setattr(module, "open_sandbox", lambda: sandbox)

    assert sandbox.fence == fence
    assert sandbox.fenced == (not missing)
    assert ("MISSING" in sandbox.describe()) == bool(missing)
    assert fenced_sandbox(allow_unfenced=True) is sandbox
    if not missing:
        assert fenced_sandbox(allow_unfenced=False) is sandbox
        return
    with pytest.raises(SandboxError) as refused:
        fenced_sandbox(allow_unfenced=False)
    assert str(refused.value) == (
        f"programs that models write could reach {missing} of this machine (what holds them here: {fence}); install "
        "bubblewrap or use a kernel with Landlock and seccomp, or agree with --allow-unfenced"
    )


def test_bubblewrap_is_taken_wherever_it_works(sandbox):
    bwrap = shutil.which("bwrap")
    command = [str(bwrap), "--unshare-all", "--ro-bind", "/", "/", "true"]
    works = bwrap is not None and subprocess.run(command, check=False).returncode == 0

    assert (sandbox.isolation == "bubblewrap") == works


def test_every_sandbox_that_opens_here_passes_its_canaries(sandbox):
    every = [replace(sandbox, isolation=name, prefix=prefix) for name, prefix in fences(sandbox.python)]
    weaker = [c for c in every if c.isolation != sandbox.isolation]

    canaries(sandbox)
    for candidate in weaker:
        try:
            candidate.call(GOOD, "f", [[1]])
        except SandboxError:
            continue
        if candidate.call(FORK, "f", [[1]]).status != "returned":
            canaries(candidate)


@pytest.mark.parametrize(
    ("loosened", "complaint"),
    [
        ({"wall_seconds": 10.0}, None),
        ({"output_bytes": 0}, "good program gave output"),
        ({"memory_bytes": 2**50}, "take more memory"),
    ],
)
def test_canaries_find_a_limit_that_does_not_hold(sandbox, loosened, complaint, monkeypatch):
    changed = replace(sandbox, limits=replace(sandbox.limits, **loosened))
    # A hog of fixed size: what the machine gives away when the limit on memory is not there.
    monkeypatch.setattr(canary, "_HOG", "def f(x): return len(bytes(2**30))")

    if complaint is None:
        canaries(changed)
    else:
        with pytest.raises(SandboxError, match=complaint):
            canaries(changed)


def test_canaries_find_a_network_that_is_not_hidden(sandbox):
    pretender = replace(sandbox, isolation="bubblewrap", prefix=(), guards=())

    with pytest.raises(SandboxError, match=r"created .*written|tries to read files|reach the network"):
        canaries(pretender)


def test_nothing_of_a_program_is_left_after_its_time(sandbox):
    token = uuid4().hex
    marked = replace(sandbox, prefix=("/usr/bin/env", f"MARK={token}", *sandbox.prefix))
    thread = threading.Thread(target=run, args=(marked, "import time\ntime.sleep(60)"), kwargs={"wall_seconds": 1.5})

    thread.start()
    alive = wait_until(lambda: carrying(token) > 0)
    thread.join()

    assert alive
    assert wait_until(lambda: carrying(token) == 0)


def carrying(token: str) -> int:
    """How many processes carry the token in their environment or command line."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += token.encode() in (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:  # ended, or not ours
            continue
    return found


def wait_until(condition, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def server_of(sandbox: Sandbox) -> int:
    """The process that this thread's programs are forked from."""
    assert run(sandbox, GOOD).status == "returned"
    return server._here.servers["program"]._process.pid


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


def test_a_process_opens_its_sandbox_once(sandbox):
    assert open_sandbox() is sandbox
