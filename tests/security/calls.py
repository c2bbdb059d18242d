"""Numbers of system calls that no program may make, and what every hostile program begins with."""

from __future__ import annotations

import platform

# Name -> x86-64, 64-bit ARM; None where there is none of the name.
NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "accept": (43, 202),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "bind": (49, 200),
    "listen": (50, 201),
    "setsockopt": (54, 208),
    "clone": (56, 220),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "wait4": (61, 260),
    "kill": (62, 129),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "flock": (73, 32),
    "fsync": (74, 82),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "syslog": (103, 116),
    "ptrace": (101, 117),
    "setuid": (105, 146),
    "setpgid": (109, 154),
    "setsid": (112, 157),
    "capset": (126, 91),
    "rt_sigqueueinfo": (129, 138),
    "personality": (135, 92),
    "statfs": (137, 43),
    "setpriority": (141, 140),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "mlock": (149, 228),
    "modify_ldt": (154, None),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "arch_prctl": (158, None),
    "chroot": (161, 51),
    "sync": (162, 81),
    "acct": (163, 89),
    "mount": (165, 40),
    "umount2": (166, 39),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "ioperm": (173, None),
    "iopl": (172, None),
    "init_module": (175, 105),
    "quotactl": (179, 60),
    "tkill": (200, 130),
    "sched_setaffinity": (203, 122),
    "io_setup": (206, 0),
    "remap_file_pages": (216, 234),
    "timer_create": (222, 107),
    "tgkill": (234, 131),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "mq_open": (240, 180),
    "kexec_load": (246, 104),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "ioprio_set": (251, 30),
    "inotify_add_watch": (254, 27),
    "migrate_pages": (256, 238),
    "unshare": (272, 97),
    "splice": (275, 76),
    "tee": (276, 77),
    "vmsplice": (278, 75),
    "move_pages": (279, 239),
    "signalfd4": (289, 74),
    "eventfd2": (290, 19),
    "inotify_init1": (294, 26),
    "rt_tgsigqueueinfo": (297, 240),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "clock_adjtime": (305, 266),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "sched_setattr": (314, 274),
    "renameat2": (316, 276),
    "seccomp": (317, 277),
    "memfd_create": (319, 279),
    "bpf": (321, 280),
    "execveat": (322, 281),
    "userfaultfd": (323, 282),
    "membarrier": (324, 283),
    "copy_file_range": (326, 285),
    "pkey_alloc": (330, 289),
    "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "pidfd_open": (434, 434),
    "clone3": (435, 435),
    "openat2": (437, 437),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "mount_setattr": (442, 442),
    "landlock_create_ruleset": (444, 444),
    "memfd_secret": (447, 447),
    "process_mrelease": (448, 448),
    "cachestat": (451, 451),
    "fchmodat2": (452, 452),
    "futex_wait": (455, 455),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "lsm_list_modules": (461, 461),
    "mseal": (462, 462),
    "setxattrat": (463, 463),
}


def numbers(machine: str | None = None) -> dict[str, int]:
    """Name -> number on a machine, this one unless told."""
    at = {"x86_64": 0, "aarch64": 1}[machine or platform.machine()]
    return {name: number for name, both in NUMBERS.items() if (number := both[at]) is not None}


def prelude() -> str:
    """What hostile programs begin with: `call` makes a system call by its name and raises what the kernel says."""
    return f"""import ctypes, errno, fcntl, mmap, os, resource, signal, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
numbers = {numbers()!r}
def checked(result):
    if result == -1: raise OSError(ctypes.get_errno(), "refused")
    return result
def call(name, *arguments):
    if name not in numbers: raise OSError(errno.ENOSYS, name)
    return numbered(numbers[name], *arguments)
def numbered(number, *arguments):
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return checked(libc.syscall(ctypes.c_long(number), *given))
"""
