"""What runs inside the sandbox: a server that runs one program after the other, each in a process of its own.

The sandbox starts it in `python -I -S -B`, so it uses the standard library alone and never sees the package. For each
program the host hands it a socket. It forks, and the child closes all but that socket, reads the request from it,
applies the limits to itself, runs the program with `exec`, writes the returned values and ends. The server
reads neither request nor reply, so nothing of one program is in the memory that the next one starts from. The expected
answers stay with the caller, so a program that tampers with this file's functions can at most fail.

It loads modules written in C only, because loading `json`, `os`, `signal` and `typing` took longer than starting the
interpreter and running the program. The program itself may import what it likes.
"""

import marshal
import posix
import resource
import select
import sys
from _json import encode_basestring_ascii, make_encoder
from _signal import SIG_DFL, SIGALRM, SIGCHLD, SIGKILL, SIGXCPU, alarm, signal  # type: ignore[import-not-found]  # no stubs
from _socket import CMSG_SPACE, SCM_RIGHTS, SOL_SOCKET, socket

TYPE_CHECKING = False  # as in `typing`, which would have to be loaded
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.scoring.dialogue import attend, judge_program  # whose text stands before this one in the sandbox

NOBODY = 65534
"""The traditional user and group without rights."""
LAZY_ANNOTATIONS = 0x1000000
"""`__future__.annotations.compiler_flag`: a hint that names what the program did not import is no error, as in 3.14."""
_REPLIES = 3  # the child's descriptor for its request and its reply, the only one beside /dev/null
_RULES = 9  # our descriptor of the Landlock rules, beyond those that come and go
_MOST = 64  # no descriptor of ours is higher, once those that were inherited are closed


def main() -> None:
    """Tell the host how many programs this process can run, then run them until the host closes its connection."""
    control = socket(fileno=0)
    posix.closerange(3, 65536)
    calls, ruleset, *readable = sys.argv[1:]
    guard = guard_of(bytes.fromhex(calls), bytes.fromhex(ruleset), readable)
    lasting = _shut() and _can_watch()
    control.send(b"lasting" if lasting else b"once___")
    if lasting:
        _serve(control, guard)
    elif (program := _next(control)) is not None:
        _run(program, guard)


def _shut() -> bool:
    """Deny other processes of the same user access to our memory and descriptors; False where that is impossible.

    After `prctl(PR_SET_DUMPABLE, 0)` only root can trace us or look into our /proc.
    """
    set_dumpable, get_dumpable = 4, 3
    try:
        prctl = _library("prctl")
        return bool(prctl(set_dumpable, 0, 0, 0, 0) == 0 and prctl(get_dumpable, 0, 0, 0, 0) == 0)
    except (ImportError, AttributeError, OSError):
        return False


def _library(name: str) -> "Callable[..., int]":
    """A function of the C library that returns an int; `ctypes` itself is written in Python.

    Raises:
        ImportError, AttributeError, OSError: the function is not available.
    """
    import _ctypes

    class Int(_ctypes._SimpleCData):  # type: ignore[type-arg]  # cannot be subscripted in 3.11
        _type_ = "i"

    class Function(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL
        _restype_ = Int

    return Function(_ctypes.dlsym(_ctypes.dlopen(None, 0), name))  # type: ignore[arg-type]  # None is this process


def guard_of(calls: bytes, ruleset: bytes, readable: list[str]) -> "Callable[[], None]":
    """A function that a child calls to restrict itself, and any program it may start, irrevocably (see `kernel`).

    Args:
        calls: filter of system calls; empty for none.
        ruleset: what Landlock is to refuse; empty for no Landlock.
        readable: paths beneath which files can be opened all the same.

    Raises:
        OSError: the kernel refuses the restrictions, although it reported to the host that it supports them.
    """
    restrict_self, set_seccomp, filtered, set_no_new_rights = 446, 22, 2, 38
    if not (calls or ruleset):
        return lambda: None
    call, prctl = _library("syscall"), _library("prctl")
    if ruleset:
        _lay_down(call, ruleset, readable)

    def obey() -> None:
        _done(prctl(set_no_new_rights, 1, 0, 0, 0))  # both require it; `sudo` and the like then gain no rights
        if ruleset:
            _done(call(restrict_self, _RULES, 0))
            posix.close(_RULES)
        if calls:
            length, address = len(calls) // 8, id(calls) + bytes.__basicsize__ - 1  # address of the data, in CPython
            _done(prctl(set_seccomp, filtered, length.to_bytes(8, sys.byteorder) + address.to_bytes(8, sys.byteorder)))

    return obey


def _lay_down(call: "Callable[..., int]", ruleset: bytes, readable: list[str]) -> None:
    """Open at `_RULES` a Landlock ruleset that lets `readable` be read; a path ending in a slash is only listable."""
    create_ruleset, add_rule, path_beneath = 444, 445, 1
    rules = _done(call(create_ruleset, ruleset, len(ruleset), 0))
    for name in readable:
        try:
            opened = posix.open(name, posix.O_PATH)
        except OSError:  # the path is absent from this system, or from bubblewrap's root
            continue
        write_file, read_file, read_folder = 2, 4, 8
        more = {0o040000: read_folder, 0o020000: write_file}  # folders, devices
        rights = (not name.endswith("/") and read_file) | more.get(posix.fstat(opened).st_mode & 0o170000, 0)
        rule = rights.to_bytes(8, sys.byteorder) + opened.to_bytes(4, sys.byteorder)
        _done(call(add_rule, rules, path_beneath, rule, 0))
        posix.close(opened)
    posix.dup2(rules, _RULES)
    posix.close(rules)


def _done(result: int) -> int:
    """The result of a system call that did not fail."""
    if result < 0:
        raise OSError("the kernel refused to guard a program")
    return result


def _can_watch() -> bool:
    """True when the host can be given a handle with which it can end a child even if this process is gone."""
    try:
        posix.close(posix.pidfd_open(posix.getpid()))
    except (AttributeError, OSError):  # an older kernel, or a Python built on one
        return False
    return True


def _next(control: socket) -> int | None:
    """The socket of the next program; None when the host is gone."""
    data, handed, *_ = control.recvmsg(1, CMSG_SPACE(4))
    return int.from_bytes(handed[0][2], sys.byteorder) if data else None


def _serve(control: socket, guard: "Callable[[], None]") -> None:
    """Run program after program, until the host goes away."""
    signal(SIGCHLD, SIG_DFL)  # a host that ignores it has us ignore it, and then no exit status is kept
    compile("", "<program>", "exec")  # the first use of the compiler costs 1.5 ms, which no child need pay again
    while (program := _next(control)) is not None:
        child = posix.fork()
        if child == 0:
            try:
                posix.setsid()
                _run(program, guard)
            finally:
                posix._exit(1)
        posix.close(program)
        watch = posix.pidfd_open(child)
        # The host sends the request when it holds this: from its first word on, the program can be ended from there.
        control.sendmsg([b"."], [(SOL_SOCKET, SCM_RIGHTS, watch.to_bytes(4, sys.byteorder))])
        poll = select.poll()
        poll.register(control, select.POLLIN)  # readable when the host has gone: it says nothing now
        poll.register(watch, select.POLLIN)
        poll.poll()
        for end in (posix.kill, posix.killpg):
            try:  # noqa: SIM105
                end(child, SIGKILL)
            except OSError:  # the group does not exist yet, or it is not permitted: the host notices by itself
                pass
        code = posix.waitstatus_to_exitcode(posix.waitpid(child, 0)[1])
        posix.close(watch)
        control.send(code.to_bytes(4, "little", signed=True))


def _run(connection: int, guard: "Callable[[], None]") -> None:
    """Run one program in this process, with no descriptor open but its connection; the process then exits."""
    posix.dup2(connection, _REPLIES)
    nothing = posix.open("/dev/null", posix.O_RDWR)
    for descriptor in (0, 1, 2):  # discard what the program prints, so that it cannot fill a pipe
        posix.dup2(nothing, descriptor)
    posix.closerange(_REPLIES + 1, _RULES)
    posix.closerange(_RULES + 1, _MOST)
    request = marshal.loads(_read(_REPLIES, int.from_bytes(_read(_REPLIES, 8), "little")))
    _confine(request["limits"], _REPLIES)
    guard()
    _write(_REPLIES, b"ready\n")
    _write(_REPLIES, _reply_of(request))
    posix._exit(0)  # no exit handler of the program runs


def _confine(limits: dict[str, int], replies: int) -> None:
    """Give up root, then apply the resource limits; neither can be undone afterwards."""

    def out_of_time(*_: object) -> None:
        posix.write(replies, b'{"status": "timeout", "message": "stopped"}')
        posix._exit(0)

    signal(SIGXCPU, out_of_time)
    signal(SIGALRM, out_of_time)
    alarm(limits["alarm_seconds"])  # ends us even if the caller has died
    if posix.geteuid() == 0:  # the kernel's limit on processes does not bind root
        _hold_library()
        try:
            posix.setgroups([])
            posix.setgid(NOBODY)
            posix.setuid(NOBODY)
        except OSError:  # not allowed in some containers: the probe for processes then tells
            pass
    for what, most, last in (
        # A second more for the signal above; in the middle of a long multiplication only the kernel can end us.
        (resource.RLIMIT_CPU, limits["cpu_seconds"], limits["cpu_seconds"] + 1),
        (resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"], limits["open_files"]),
        (resource.RLIMIT_FSIZE, 0, 0),  # no byte into any file; pipes are not files
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),  # no memory that the machine cannot swap out
        (resource.RLIMIT_NPROC, 1, 1),  # only this process: no child processes, no threads
        *((what, 0, 0) for what in (getattr(resource, "RLIMIT_MSGQUEUE", None),) if what is not None),
    ):
        resource.setrlimit(what, (most, last))


def _hold_library() -> None:
    """Keep the standard library importable for `nobody`, who cannot reach an interpreter below /root by its name."""
    try:
        posix.stat("/proc/self/fd")
    except OSError:  # in bubblewrap, where every user can read the interpreter
        return
    opened = {name: _folder(name) for name in sys.path}
    held = {name: f"/proc/self/fd/{folder}" for name, folder in opened.items() if folder is not None}
    sys.path[:] = held.values()
    for module in tuple(sys.modules.values()):  # packages that are loaded already look for their parts by name
        if hasattr(module, "__path__"):
            module.__path__ = [_renamed(path, held) for path in module.__path__]


def _folder(name: str) -> int | None:
    """A descriptor of the folder; None when there is none of that name."""
    try:
        return posix.open(name, posix.O_RDONLY | posix.O_DIRECTORY)
    except OSError:
        return None


def _renamed(path: str, folders: dict[str, str]) -> str:
    for folder, name in folders.items():
        if path.startswith(folder + "/"):
            return name + path[len(folder) :]
    return path


def _reply_of(request: "dict[str, Any]") -> bytes:
    """What is written last: the reply to a request, or why a dialogue with a test ended."""
    if "role" not in request:
        return _reply(request["program"], request["entry"], request["arguments"], request["limits"])
    try:
        (attend if request["role"] == "program" else judge_program)(request, _REPLIES)
        return b""
    except MemoryError:
        return b'{"status": "memory", "message": "MemoryError"}'
    except BaseException as error:
        return encoded({"status": "error", "message": _line(error)})


def _reply(program: str, entry: str, arguments: list[list[object]], limits: dict[str, int]) -> bytes:
    """The returned values as JSON, or the status and message of the failure."""
    try:
        module = sys.modules["program"] = type(sys)("program")  # where dataclasses look for a class's hints
        exec(compile(program, "<program>", "exec", LAZY_ANNOTATIONS, dont_inherit=True), module.__dict__)
        function = module.__dict__[entry]
        values = [function(*row) for row in arguments]  # what is not callable is an error like any other
        text = encoded({"values": values})
    except MemoryError:
        return b'{"status": "memory", "message": "MemoryError"}'
    except BaseException as error:  # also SystemExit: whatever ends the program ends it without an answer
        return encoded({"status": "error", "message": _line(error)})
    if len(text) > limits["output_bytes"]:
        return encoded({"status": "output", "message": f"{len(text)} bytes returned"})
    return text


def encoded(value: object) -> bytes:
    """The value as `json.dumps(value, allow_nan=False)` writes it, by the same C code.

    Raises:
        TypeError: JSON has no such value.
        ValueError: a number that is not finite, or a value that holds itself.
        RecursionError: too deep.
    """
    # In order: seen so far, unknown types, strings, indent, separators, sort_keys, skipkeys, allow_nan.
    encode = make_encoder({}, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, False)
    return "".join(encode(value, 0)).encode()


def _refuse(value: object) -> None:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _line(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:200]
    except BaseException:  # a program may raise what cannot even be printed
        return type(error).__name__[:200]


def _read(descriptor: int, length: int) -> bytes:
    """So many bytes from a descriptor, or fewer where it ends before."""
    parts = []
    while length and (part := posix.read(descriptor, min(length, 65536))):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[posix.write(descriptor, data) :]


if __name__ == "__main__":
    main()
