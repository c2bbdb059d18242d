"""Restrictions that the Linux kernel can put on a program, without need of root or namespaces.

* Landlock (Linux 5.13, where it is enabled): only the files that the interpreter needs can be opened, nothing can be
  created, deleted, renamed or started, and no process outside can be traced or inspected. That protects the
  memory and the environment of this host where program and host run as the same user.
* seccomp (x86-64 and 64-bit ARM): only the system calls in `calls.ALLOWED` can be made.

Both apply to the process and to any program it starts, and cannot be undone. A program can still learn whether a file
exists, its size, its dates and where a link leads. Without Landlock a program reads what its user can, and under the
user's own name it empties files (by opening them for writing), creates empty ones and reads the environment and the
memory of what the user runs. Without seccomp it reaches sockets that have a name in the file system, changes
permissions, sends signals through descriptors (before Linux 6.12), leaves behind System V memory, which no limit
counts, and kernel keys, and meets every bug that a system call may have.

See landlock(7), seccomp(2) and `include/uapi/linux/{landlock,seccomp,filter}.h`.
"""

from __future__ import annotations

import ctypes
import functools
import platform
import struct
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from harness.scoring.calls import ALLOWED, NEWEST, Check

Guard = Literal["landlock", "seccomp"]

_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_*
_LANDLOCK_CREATE_RULESET, _VERSION = 444, 1
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_EFAULT = 14


@functools.cache
def guards() -> tuple[Guard, ...]:
    """Which of the two, Landlock and seccomp, this kernel offers."""
    found: list[Guard] = []
    if _landlock_version() > 0:
        found.append("landlock")
    if sys.platform == "linux" and sys.maxsize > 2**32 and platform.machine() in _MACHINES:
        # A filter at no address: the kernel complains of the address only where it would take a filter.
        library = ctypes.CDLL(None, use_errno=True)
        if library.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, None) < 0 and ctypes.get_errno() == _EFAULT:
            found.append("seccomp")
    return tuple(found)


def _landlock_version() -> int:
    if sys.platform != "linux":
        return 0
    version: int = ctypes.CDLL(None).syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    return max(0, version)


@functools.cache
def ruleset() -> bytes:
    """`struct landlock_ruleset_attr`: every right that this kernel's Landlock can refuse, except control of devices."""
    version = _landlock_version()
    files = 2**13 - 1 | (2**13 if version >= 2 else 0) | (2**14 if version >= 3 else 0)
    tcp = 0b11 if version >= 4 else 0
    sockets_and_signals = 0b11 if version >= 6 else 0
    return struct.pack("=QQQ", files, tcp, sockets_and_signals)


class _Step(NamedTuple):
    """`struct sock_filter`; its two jumps are numbers of instructions to skip, for a true and for a false test."""

    code: int
    true: int
    false: int
    k: int


_ALLOW, _NOT_PERMITTED, _NOT_KNOWN = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # SECCOMP_RET_ALLOW, EPERM, ENOSYS
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data, which has 64 bits for each argument


@functools.cache
def call_filter(machine: str | None = None) -> bytes:
    """`struct sock_filter[]`: a program for the kernel that refuses every call but those in `ALLOWED`.

    A call newer than the table fails as unknown (ENOSYS), so that the C library falls back to an older call.

    Args:
        machine: a name that `platform.machine` gives; None takes this one's.
    """
    machine = machine or platform.machine()
    entry = [_load(_MACHINE_AT), _Step(_EQUAL, 1, 0, _MACHINES[machine]), _end(_NOT_PERMITTED), _load(_NUMBER_AT)]
    return b"".join(struct.pack("=HBBI", *step) for step in [*entry, *_search(_spans(machine))])


class _Span(NamedTuple):
    """A range of call numbers that are all treated in the same way."""

    first: int
    """Their lowest number; the next span's, less one, is their highest."""
    steps: list[_Step]


def _spans(machine: str) -> list[_Span]:
    """How each call number is treated, in ascending order; 32-bit calls on x86-64 (x32) are treated as too new."""
    fates = {0: [_end(_NOT_PERMITTED)], NEWEST + 1: [_end(_NOT_KNOWN)]}
    known = {getattr(call, machine): call.checks for call in ALLOWED.values()}
    for number in sorted(known.keys() - {None}):
        fates[number] = [*(step for check in known[number] for step in _checked(check)), _end(_ALLOW)]
        fates.setdefault(number + 1, [_end(_NOT_PERMITTED)])
    spans: list[_Span] = []
    for number, steps in sorted(fates.items()):
        if not spans or spans[-1].steps != steps:
            spans.append(_Span(number, steps))
    return spans


def _search(spans: list[_Span]) -> list[_Step]:
    """A binary search for the span of a number: the kernel tries every number each time a filter is installed."""
    if len(spans) == 1:
        return spans[0].steps
    middle = len(spans) // 2
    low, high = _search(spans[:middle]), _search(spans[middle:])
    return [_Step(_AT_LEAST, len(low), 0, spans[middle].first), *low, *high]


_EQUAL, _AT_LEAST = 0x15, 0x35  # BPF_JMP|BPF_JEQ|BPF_K, BPF_JMP|BPF_JGE|BPF_K


def _load(offset: int) -> _Step:
    return _Step(0x20, 0, 0, offset)  # BPF_LD|BPF_W|BPF_ABS


def _end(verdict: int) -> _Step:
    return _Step(0x06, 0, 0, verdict)  # BPF_RET|BPF_K


def _checked(check: Check) -> list[_Step]:
    """Steps that refuse the call unless the argument has a permitted value; if it has, the filter goes on."""
    # Load only the lower half of the argument, which comes first on these machines: the kernel uses no more of it.
    steps = [_load(_ARGUMENTS_AT + 8 * check.argument), _Step(0x54, 0, 0, check.bits)]  # BPF_ALU|BPF_AND|BPF_K
    after = range(len(check.values), 0, -1)
    return [*steps, *(_Step(_EQUAL, n, 0, v) for n, v in zip(after, check.values, strict=True)), _end(_NOT_PERMITTED)]


def beneath(folder: Path, hidden: frozenset[Path]) -> list[str]:
    """A short list of paths that cover the folder except `hidden`; Landlock rules can only add access, not remove it.

    A path that ends in a slash stands for the names in that folder and below, and not for what is in the files.
    """
    if folder in hidden:
        return []
    if not any(path.is_relative_to(folder) for path in hidden) or not folder.is_dir():
        return [str(folder)]
    return [f"{folder}/", *(path for entry in sorted(folder.iterdir()) for path in beneath(entry, hidden))]
