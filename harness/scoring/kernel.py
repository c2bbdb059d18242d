"""What the Linux kernel refuses to a program once it has been asked to, root and namespaces or not.

* Landlock (Linux 5.13, where it is switched on): of all files only those the interpreter needs can be opened, nothing
  can be created, deleted, renamed or started, and no process outside can be traced or looked into. That covers the
  memory and the environment of this host, where program and host are the same user.
* seccomp (x86-64 and 64-bit ARM): the system calls in `REFUSED` fail. None is needed to compute a value.

Both bind the process and whatever it may become, and cannot be undone. What they leave: that a file exists, its size
and its dates can be looked up. Without Landlock a program reads what its user can, and under the user's own name it
empties files (by opening them for writing), creates empty ones and reads the environment and the memory of what the
user runs. Without seccomp it reaches sockets that have a name in the file system, changes permissions, and leaves
behind System V memory, which no limit counts, and kernel keys. A kernel newer than `REFUSED` may have calls that do
what some of it do; for files Landlock covers them.

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

Guard = Literal["landlock", "seccomp"]


class Numbers(NamedTuple):
    """Number of one system call; None where that processor has none of the name."""

    x86_64: int | None
    aarch64: int | None


REFUSED = {
    # The network, the machine's own sockets among it; `socketpair`, which asyncio needs, stays.
    "socket": Numbers(41, 198),
    # What works around the rest of this list, or asks for new rights.
    "io_uring_setup": Numbers(425, 425),
    "unshare": Numbers(272, 97),
    "setns": Numbers(308, 268),
    "bpf": Numbers(321, 280),
    "perf_event_open": Numbers(298, 241),
    "userfaultfd": Numbers(323, 282),
    # What outlives a process, and is counted by none of its limits.
    "shmget": Numbers(29, 194),
    "semget": Numbers(64, 190),
    "msgget": Numbers(68, 186),
    "add_key": Numbers(248, 217),
    "request_key": Numbers(249, 218),
    "keyctl": Numbers(250, 219),
    "fallocate": Numbers(285, 47),  # reserves disk space beyond the end of a file, where no limit on its size looks
    # Other processes; `prlimit64` is refused for all but the caller itself.
    "kill": Numbers(62, 129),
    "tkill": Numbers(200, 130),
    "tgkill": Numbers(234, 131),
    "rt_sigqueueinfo": Numbers(129, 138),
    "rt_tgsigqueueinfo": Numbers(297, 240),
    "pidfd_send_signal": Numbers(424, 424),
    "pidfd_getfd": Numbers(438, 438),
    "ptrace": Numbers(101, 117),
    "process_vm_readv": Numbers(310, 270),
    "process_vm_writev": Numbers(311, 271),
    "process_madvise": Numbers(440, 440),
    "setpriority": Numbers(141, 140),
    "ioprio_set": Numbers(251, 30),
    "sched_setparam": Numbers(142, 118),
    "sched_setscheduler": Numbers(144, 119),
    "sched_setattr": Numbers(314, 274),
    "sched_setaffinity": Numbers(203, 122),
    # Files: for kernels without Landlock, and permissions and attributes, which it leaves alone.
    "unlink": Numbers(87, None),
    "unlinkat": Numbers(263, 35),
    "rmdir": Numbers(84, None),
    "rename": Numbers(82, None),
    "renameat": Numbers(264, 38),
    "renameat2": Numbers(316, 276),
    "link": Numbers(86, None),
    "linkat": Numbers(265, 37),
    "symlink": Numbers(88, None),
    "symlinkat": Numbers(266, 36),
    "mkdir": Numbers(83, None),
    "mkdirat": Numbers(258, 34),
    "mknod": Numbers(133, None),
    "mknodat": Numbers(259, 33),
    "truncate": Numbers(76, 45),
    "chmod": Numbers(90, None),
    "fchmod": Numbers(91, 52),
    "fchmodat": Numbers(268, 53),
    "fchmodat2": Numbers(452, 452),
    "chown": Numbers(92, None),
    "lchown": Numbers(94, None),
    "fchown": Numbers(93, 55),
    "fchownat": Numbers(260, 54),
    "utime": Numbers(132, None),
    "utimes": Numbers(235, None),
    "futimesat": Numbers(261, None),
    "utimensat": Numbers(280, 88),
    "setxattr": Numbers(188, 5),
    "lsetxattr": Numbers(189, 6),
    "fsetxattr": Numbers(190, 7),
    "setxattrat": Numbers(463, 463),
    "removexattr": Numbers(197, 14),
    "lremovexattr": Numbers(198, 15),
    "fremovexattr": Numbers(199, 16),
    "removexattrat": Numbers(466, 466),
}
"""System calls that fail with EPERM, by name."""

_PRLIMIT = Numbers(302, 261)
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_*
_LANDLOCK_CREATE_RULESET, _VERSION = 444, 1
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_EFAULT = 14


@functools.cache
def guards() -> tuple[Guard, ...]:
    """What this kernel offers of the two."""
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
    """`struct landlock_ruleset_attr`: all that this kernel's Landlock can refuse, but control of devices."""
    version = _landlock_version()
    files = 2**13 - 1 | (2**13 if version >= 2 else 0) | (2**14 if version >= 3 else 0)
    tcp = 0b11 if version >= 4 else 0
    sockets_and_signals = 0b11 if version >= 6 else 0
    return struct.pack("=QQQ", files, tcp, sockets_and_signals)


@functools.cache
def call_filter(machine: str | None = None) -> bytes:
    """`struct sock_filter[]`: a program for the kernel that refuses the calls in `REFUSED`.

    Args:
        machine: a name that `platform.machine` gives; None takes this one's.
    """
    machine = machine or platform.machine()
    load, equal, at_least, end = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
    allow, refuse = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with EPERM
    number_at, machine_at, argument_at = 0, 4, 16  # in struct seccomp_data
    # Jumps are counted in instructions: so many further when true, so many when false.
    steps = [(load, 0, 0, machine_at), (equal, 1, 0, _MACHINES[machine]), (end, 0, 0, refuse)]
    steps += [(load, 0, 0, number_at)]
    if machine == "x86_64":  # the same calls under other numbers (x32)
        steps += [(at_least, 0, 1, 0x40000000), (end, 0, 0, refuse)]
    for numbers in REFUSED.values():
        if (number := getattr(numbers, machine)) is not None:
            steps += [(equal, 0, 1, number), (end, 0, 0, refuse)]
    steps += [(equal, 0, 3, getattr(_PRLIMIT, machine)), (load, 0, 0, argument_at), (equal, 1, 0, 0)]
    steps += [(end, 0, 0, refuse), (end, 0, 0, allow)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def beneath(folder: Path, hidden: frozenset[Path]) -> list[str]:
    """Few paths that hold every file of the folder but those in `hidden`, for rules that can only add.

    A path that ends in a slash stands for the names in that folder and not for what is in the files.
    """
    if folder in hidden:
        return []
    if not any(path.is_relative_to(folder) for path in hidden) or not folder.is_dir():
        return [str(folder)]
    return [f"{folder}/", *(path for entry in sorted(folder.iterdir()) for path in beneath(entry, hidden))]
