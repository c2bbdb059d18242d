"""The sandboxes that can be tried on this machine: each isolation with each guard, as each kind of user."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.scoring.fence import SandboxError, fences
from harness.scoring.guest import NOBODY
from harness.scoring.kernel import Guard, guards
from harness.scoring.sandbox import Sandbox

ORDINARY = 61234
"""A user that nobody is."""
_BECOME = "import os, sys; os.setgroups([]); os.setgid({0}); os.setuid({0}); os.execv(sys.argv[1], sys.argv[1:])"
_INTERPRETERS = ("/usr/bin/python3", "/usr/local/bin/python3")
_GOOD = "def f(x): return x + 1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a program is tried."""

    sandbox: Sandbox
    """What holds it."""
    host: str
    """As whom the harness runs, for people."""
    user: int | None
    """Who the program is; None when it is who we are."""

    def __str__(self) -> str:
        return f"{self.sandbox.fence} as {self.host}"


@functools.cache
def places() -> tuple[Place, ...]:
    """All set-ups that start here, whether the harness would use them without further consent or not."""
    return tuple(_starting(_as_we_are())) + (tuple(_starting(_as_a_user())) if os.geteuid() == 0 else ())


def _as_we_are() -> Iterator[Place]:
    python = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    host, user = ("root", NOBODY) if os.geteuid() == 0 else ("a user", None)
    for isolation, prefix in fences(python):
        yield Place(sandbox=Sandbox(isolation=isolation, prefix=prefix, python=python), host=host, user=user)


def _as_a_user() -> Iterator[Place]:
    """What an ordinary user would have, had from root."""
    become = (sys.executable, "-c", _BECOME.format(ORDINARY))
    python = next(filter(_reachable, (os.path.realpath(sys.executable), *_INTERPRETERS)), None)
    if python is None:
        return
    python = os.path.realpath(python)
    for isolation, prefix in fences(python, is_root=False):
        made = Sandbox(isolation=isolation, prefix=(*become, *prefix), python=python)
        yield Place(sandbox=made, host="a user", user=ORDINARY)


def _reachable(python: str) -> bool:
    """True when an ordinary user can run this interpreter and it is one of ours."""
    command = [
        sys.executable,
        "-c",
        _BECOME.format(ORDINARY),
        python,
        "-c",
        "import sys; sys.version_info[:2] > (3, 10) or 1 / 0",
    ]
    return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


def _starting(found: Iterator[Place]) -> Iterator[Place]:
    seen = set()
    for place in found:
        for chosen in _choices(guards()):
            made = replace(place, sandbox=replace(place.sandbox, guards=chosen))
            if str(made) not in seen and _starts(made.sandbox):
                seen.add(str(made))
                yield made


def _choices(offered: tuple[Guard, ...]) -> Iterator[tuple[Guard, ...]]:
    for n in range(len(offered), -1, -1):
        yield from itertools.combinations(offered, n)


def _starts(sandbox: Sandbox) -> bool:
    try:
        return sandbox.call(_GOOD, "f", [[1]]).values == (2,)
    except SandboxError:
        return False
