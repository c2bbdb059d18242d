"""What runs inside the sandbox: takes one request on stdin, calls the program's function, writes what it returned.

The sandbox starts it in `python -I -S -B`, so it uses the standard library alone and never sees the package. It limits
itself before it reads a word of the program, then exec()s it here: that costs no second interpreter. The expected
answers stay with the caller, so a program that tampers with this file's functions can at most fail.

It loads modules written in C only, because loading `json`, `os`, `signal` and `typing` took longer than starting the
interpreter and running the program. The program itself may import what it likes.
"""

import marshal
import posix
import resource
import sys
from _json import encode_basestring_ascii, make_encoder
from _signal import SIGALRM, SIGXCPU, alarm, signal  # type: ignore[import-not-found]  # no stubs: it is `signal` in C

NOBODY = 65534
"""The traditional user and group without rights."""
LAZY_ANNOTATIONS = 0x1000000
"""`__future__.annotations.compiler_flag`: a hint that names what the program did not import is no error, as in 3.14."""


def main() -> None:
    """Serve the one request."""
    request = marshal.loads(sys.stdin.buffer.read())
    replies = posix.dup(1)
    nothing = posix.open("/dev/null", posix.O_RDWR)
    for descriptor in (0, 1, 2):  # what the program prints is nobody's business and cannot fill a pipe
        posix.dup2(nothing, descriptor)
    _confine(request["limits"], replies)
    _write(replies, b"ready\n")
    _write(replies, _reply(request["program"], request["entry"], request["arguments"], request["limits"]))
    posix._exit(0)  # no exit handler of the program runs


def _confine(limits: dict[str, int], replies: int) -> None:
    """Give up root, then every resource beyond the limits; from here on there is no way back."""

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
        except OSError:  # not allowed in some containers: the probe for forks then tells
            pass
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
    try:
        posix.stat("/proc/self/fd")
    except OSError:  # bubblewrap, which lays the interpreter open to everybody
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


def _reply(program: str, entry: str, arguments: list[list[object]], limits: dict[str, int]) -> bytes:
    """The values as JSON, or why there are none."""
    try:
        namespace: dict[str, object] = {"__name__": "program"}
        exec(compile(program, "<program>", "exec", LAZY_ANNOTATIONS, dont_inherit=True), namespace)
        function = namespace[entry]
        values = [function(*row) for row in arguments]  # type: ignore[operator]  # not callable: an error like others
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


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[posix.write(descriptor, data) :]


if __name__ == "__main__":
    main()
