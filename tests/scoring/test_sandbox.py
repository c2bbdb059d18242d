"""What a program can do in a sandbox, what it cannot, and how that is found out."""

import shutil
import socket
import subprocess
import threading
from dataclasses import replace
from uuid import uuid4

import pytest

from harness.scoring import canaries as canary
from harness.scoring import sandbox as module
from harness.scoring.canaries import FORK
from harness.scoring.fence import fences
from harness.scoring.sandbox import SandboxError, canaries, fenced_sandbox, open_sandbox
from tests.builders.sandboxes import BARE, GOOD, carrying, run, wait_until

pytestmark = pytest.mark.sandbox


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


def test_a_process_opens_its_sandbox_once(sandbox):
    assert open_sandbox() is sandbox
