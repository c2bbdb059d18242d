"""The system calls that a program written by a model may make: those that computing needs, and no others.

Every call that is not in `ALLOWED` is refused, including those that later kernels add, so no list of dangerous calls
has to be complete. Some calls do one harmless thing and many others, depending on an argument; for those, `ALLOWED`
also lists the permitted values of that argument.

The numbers are those of `asm/unistd_64.h` (x86-64) and `asm-generic/unistd.h` (64-bit ARM).
"""

from __future__ import annotations

from typing import NamedTuple

EVERY_BIT = 0xFFFFFFFF
NEWEST = 469
"""The highest call number considered here, `file_setattr` of Linux 6.17; the C library works without newer calls."""


class Check(NamedTuple):
    """The values that one argument of a call may have; the kernel reads the argument as 32 bits."""

    argument: int
    """Position, from 0."""
    values: tuple[int, ...]
    """The permitted values of the selected bits."""
    bits: int = EVERY_BIT
    """Mask of the bits that are compared."""


class Call(NamedTuple):
    """The numbers of a system call; None for a processor architecture that has no call of this name."""

    x86_64: int | None
    aarch64: int | None
    checks: tuple[Check, ...] = ()
    """The checks that must all pass before the call is allowed."""


def _nothing_but(argument: int, bits: int) -> Check:
    """A check that passes when no flags other than `bits` are set in the argument."""
    return Check(argument, (0,), EVERY_BIT & ~bits)


_OWN = (Check(0, (0,)),)  # 0 stands for the calling process itself
_DUPFD, _GETFD, _SETFD, _GETFL, _SETFL, _DUPFD_CLOEXEC = 0, 1, 2, 3, 4, 1030
_ISATTY, _ISATTY_NEWER, _WINDOW_SIZE, _WAITING, _NONBLOCKING = 0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421
_CLOEXEC_OFF, _CLOEXEC_ON = 0x5450, 0x5451
_O_NONBLOCK, _O_CLOEXEC = 0o4000, 0o2000000
_MAP_LOCKED, _MAP_HUGETLB = 0x2000, 0x40000
_AF_UNIX, _SOCK_STREAM, _TYPE_OF_SOCKET = 1, 1, 0xF
_PEEK, _TRUNC, _DONTWAIT, _WAITALL, _NOSIGNAL = 0x2, 0x20, 0x40, 0x100, 0x4000
_SOL_SOCKET, _SO_TYPE, _SO_ERROR, _SO_PROTOCOL, _SO_DOMAIN = 1, 3, 4, 38, 39
_FUTEX_WAIT, _FUTEX_WAKE, _FUTEX_WAIT_BITSET, _FUTEX_WAKE_BITSET, _FUTEX_COMMAND = 0, 1, 9, 10, 0x7F

ALLOWED = {
    # Memory of its own, which RLIMIT_AS counts. Not: memory that stays, is shared by name, or hidden from the kernel.
    "brk": Call(12, 214),
    "mmap": Call(9, 222, (Check(3, (0,), _MAP_LOCKED | _MAP_HUGETLB),)),
    "munmap": Call(11, 215),
    "mremap": Call(25, 216),
    "mprotect": Call(10, 226),
    # How it will be read, and giving it back. Not: merging equal pages, pushing pages out.
    "madvise": Call(28, 233, (Check(2, (0, 1, 2, 3, 4, 8, 14, 15, 16, 17)),)),
    # Descriptors it holds. Not: who is told of them (F_SETOWN, F_SETSIG), locks, leases, the size of a pipe.
    "read": Call(0, 63),
    "write": Call(1, 64),
    "pread64": Call(17, 67),
    "readv": Call(19, 65),
    "writev": Call(20, 66),
    "lseek": Call(8, 62),
    "close": Call(3, 57),
    "close_range": Call(436, 436),
    "dup": Call(32, 23),
    "dup2": Call(33, None),
    "dup3": Call(292, 24),
    "fcntl": Call(72, 25, (Check(1, (_DUPFD, _GETFD, _SETFD, _GETFL, _SETFL, _DUPFD_CLOEXEC)),)),
    "ioctl": Call(
        16,
        29,
        (Check(1, (_ISATTY, _ISATTY_NEWER, _WINDOW_SIZE, _WAITING, _NONBLOCKING, _CLOEXEC_OFF, _CLOEXEC_ON)),),
    ),
    # Files by name, of which Landlock says which. Not: whatever changes one but opening it for writing.
    "open": Call(2, None),
    "openat": Call(257, 56),
    "stat": Call(4, None),
    "fstat": Call(5, 80),
    "lstat": Call(6, None),
    "newfstatat": Call(262, 79),
    "statx": Call(332, 291),
    "access": Call(21, None),
    "faccessat": Call(269, 48),
    "faccessat2": Call(439, 439),
    "readlink": Call(89, None),
    "readlinkat": Call(267, 78),
    "getdents64": Call(217, 61),
    "getcwd": Call(79, 17),
    "chdir": Call(80, 49),
    "fchdir": Call(81, 50),
    "umask": Call(95, 166),
    # Pipes of the usual 64 KiB, and pairs of sockets whose ends know no address: asyncio needs one. Not: any other
    # socket, sending to an address, handing over descriptors (sendmsg), moving pages instead of bytes (vmsplice).
    "pipe": Call(22, None),
    "pipe2": Call(293, 59, (_nothing_but(1, _O_NONBLOCK | _O_CLOEXEC),)),
    "socketpair": Call(53, 199, (Check(0, (_AF_UNIX,)), Check(1, (_SOCK_STREAM,), _TYPE_OF_SOCKET))),
    "sendto": Call(44, 206, (_nothing_but(3, _DONTWAIT | _NOSIGNAL), Check(5, (0,)))),
    "recvfrom": Call(45, 207, (_nothing_but(3, _PEEK | _TRUNC | _DONTWAIT | _WAITALL | _NOSIGNAL),)),
    "shutdown": Call(48, 210),
    "getsockname": Call(51, 204),
    "getpeername": Call(52, 205),
    "getsockopt": Call(55, 209, (Check(1, (_SOL_SOCKET,)), Check(2, (_SO_TYPE, _SO_ERROR, _SO_PROTOCOL, _SO_DOMAIN)))),
    # Waiting.
    "poll": Call(7, None),
    "ppoll": Call(271, 73),
    "select": Call(23, None),
    "pselect6": Call(270, 72),
    "epoll_create1": Call(291, 20),
    "epoll_ctl": Call(233, 21),
    "epoll_wait": Call(232, None),
    "epoll_pwait": Call(281, 22),
    "nanosleep": Call(35, 101),
    "clock_nanosleep": Call(230, 115),
    "pause": Call(34, None),
    "sched_yield": Call(24, 124),
    "restart_syscall": Call(219, 128),
    "futex": Call(
        202,
        98,
        (Check(1, (_FUTEX_WAIT, _FUTEX_WAKE, _FUTEX_WAIT_BITSET, _FUTEX_WAKE_BITSET), _FUTEX_COMMAND),),
    ),
    # Its own signals and its end. Not: signals to anybody, new processes and threads.
    "rt_sigaction": Call(13, 134),
    "rt_sigprocmask": Call(14, 135),
    "rt_sigreturn": Call(15, 139),
    "rt_sigpending": Call(127, 136),
    "rt_sigtimedwait": Call(128, 137),
    "rt_sigsuspend": Call(130, 133),
    "sigaltstack": Call(131, 132),
    "alarm": Call(37, None),
    "getitimer": Call(36, 102),
    "setitimer": Call(38, 103),
    "exit": Call(60, 93),
    "exit_group": Call(231, 94),
    # What time it is, chance, and who it is itself. Not: others, and no priority or limit of another.
    "clock_gettime": Call(228, 113),
    "clock_getres": Call(229, 114),
    "gettimeofday": Call(96, 169),
    "time": Call(201, None),
    "times": Call(100, 153),
    "getrandom": Call(318, 278),
    "getpid": Call(39, 172),
    "getppid": Call(110, 173),
    "gettid": Call(186, 178),
    "getuid": Call(102, 174),
    "geteuid": Call(107, 175),
    "getresuid": Call(118, 148),
    "getgid": Call(104, 176),
    "getegid": Call(108, 177),
    "getresgid": Call(120, 150),
    "getgroups": Call(115, 158),
    "getpgrp": Call(111, None),
    "getpgid": Call(121, 155, _OWN),
    "getsid": Call(124, 156, _OWN),
    "getpriority": Call(140, 141, (Check(1, (0,)),)),
    "getrusage": Call(98, 165),
    "prlimit64": Call(302, 261, _OWN),
    "sched_getaffinity": Call(204, 123, _OWN),
    "sched_getscheduler": Call(145, 120, _OWN),
    "getcpu": Call(309, 168),
    "sysinfo": Call(99, 179),
    "uname": Call(63, 160),
}
"""Name of each allowed call -> its numbers and the checks of its arguments."""
