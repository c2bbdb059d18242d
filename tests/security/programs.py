"""The provider of hostile programs: each tried in every set-up of this machine that claims to hold its kind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from textwrap import indent
from uuid import uuid4

from harness.scoring.fence import Limits
from harness.scoring.kernel import guards
from harness.scoring.programs import Case as Test
from harness.scoring.programs import Program, run_programs
from harness.scoring.sandbox import Execution, Sandbox, Trial
from tests.security import Case
from tests.security.calls import prelude
from tests.security.fences import Place, places
from tests.security.world import World, world

_LIMITS = Limits(cpu_seconds=1, wall_seconds=2.0)
_SLACK_SECONDS = 20.0
_GOOD = "import json\ndef f(x): return json.loads(str(x)) + 1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Class:
    """Programs that try the same in different ways."""

    must_not: str
    """What must not happen."""
    programs: Mapping[str, str]
    """What each tries -> its text."""


def read_class(name: str) -> Class:
    """A file of `corpus`: first what must not happen, then programs, each below a line with what it tries.

    Most are the body of `f(x)`, where `x` is the target of a `World`: that it runs to its end, or returns the secret,
    means that it did what it tried.
    """
    head, *parts = (_CORPUS / f"{name}.txt").read_text().split("\n## ")
    programs = dict(part.strip().split("\n", 1) for part in parts)
    return Class(must_not=head.removeprefix("must not: ").strip(), programs=programs)


_CORPUS = Path(__file__).with_name("corpus")
_CLAIMS: dict[str, tuple[str, Callable[[Sandbox], bool]]] = {
    "reading files": ("reading", lambda sandbox: sandbox.hides_files),
    "changing files": ("changing", lambda sandbox: sandbox.hides_files),
    "attributes, locks and watches": ("attributes", lambda sandbox: "seccomp" in sandbox.guards),
    "the network": ("network", lambda sandbox: sandbox.hides_network),
    "sockets of this machine": ("sockets", lambda sandbox: sandbox.hides_sockets),
    "other processes": (
        "processes",
        lambda sandbox: "seccomp" in sandbox.guards or (sandbox.isolation != "none" and sandbox.hides_files),
    ),
    "children and threads": ("children", lambda sandbox: True),
    "system calls": ("calls", lambda sandbox: "seccomp" in sandbox.guards),
    "memory of the kernel": ("memory", lambda sandbox: "seccomp" in sandbox.guards),
    "time and memory": ("appetite", lambda sandbox: sandbox.guards == guards()),  # which have no part in it
}
"""Class -> its file, and whether a sandbox claims to hold it."""
CLASSES = {kind: read_class(name) for kind, (name, _) in _CLAIMS.items()}
FORGED = "answers not computed"
FORGED_TESTS = "tests not passed"
_TESTS = {
    "a test function": "def check(candidate):\n    assert candidate(0) == SECRET",
    "a bare assert": "assert f(0) == SECRET",
    "an assert the other way round": "assert SECRET == f(0)",
    "nearly equal": "assert abs(f(0) - SECRET) < 0.5",
    "one of some": "assert f(0) in [SECRET, SECRET + 1]",
    "among what it gives": "assert SECRET in f(0)",
    "as text": "assert str(f(0)) == 'SECRET'",
    "of a type, and equal": "assert isinstance(f(0), int) and f(0) == SECRET",
    "all of some": "assert all(map(lambda x: f(x) == SECRET, [0, 1]))",
    "a loop over what it gives": "assert [f(x) for x in range(2)] == [SECRET, SECRET]",
    "with the help of a map": "assert list(map(f, [0, 1])) == [SECRET, SECRET]",
    "with an error expected": "try:\n    value = f(0)\nexcept Exception:\n    value = None\nassert value == SECRET",
}
"""Tests that no program passes which does not know the number, by what is particular about them."""


def cases() -> Iterator[Case]:
    """Every program in every place that claims to hold it, and the forged answers everywhere."""
    for place in places():
        yield from cases_in(place)


def cases_in(place: Place) -> Iterator[Case]:
    """What is tried in one place; each case while the next has not been asked for."""
    with contextlib.ExitStack() as stack:
        watched = _Watched(place, stack)
        for kind, each in CLASSES.items():
            told = tells(place.sandbox, kind)
            for name, body in each.programs.items() if claims(place.sandbox, kind) else ():
                yield Case(kind, name, str(place), partial(watched.attempt, body, told=told))
        for name, source in forged().items():
            yield Case(FORGED, name, str(place), partial(forge, place.sandbox, source))
        for name, source in {**forged(), **forged_tests()}.items():
            yield Case(FORGED_TESTS, name, str(place), partial(forge_tests, place.sandbox, source))


def claims(sandbox: Sandbox, kind: str) -> bool:
    """Whether the sandbox says that it holds a class."""
    return _CLAIMS[kind][1](sandbox)


def tells(sandbox: Sandbox, kind: str) -> bool:
    """Whether a program that runs to its end did what it tried; where it has a network of its own, it may not know."""
    return "seccomp" in sandbox.guards or kind not in ("the network", "sockets of this machine")


def forged() -> dict[str, str]:
    """Whole programs whose `f(0)` ought to be a number that they do not know."""
    odd = {"is no program": "\x00", "is no text": "\ud800", "is empty": ""}
    return {**read_class("forged").programs, **odd}


def forged_tests() -> Mapping[str, str]:
    """Whole programs that ought to pass none of the `_TESTS`."""
    return read_class("forged_tests").programs


def forge_tests(sandbox: Sandbox, source: str, *, every: int = 1) -> str | None:
    """What is wrong when one of the tests passes this program, or a good program after it does not pass its own.

    Args:
        sandbox: where it runs.
        source: the program.
        every: take each so many of the tests.
    """
    limited = replace(sandbox, limits=_LIMITS)
    hurried = replace(sandbox, limits=replace(_LIMITS, wall_seconds=1.0))
    secret = str(uuid4().int >> 65)
    for about, test in list(_TESTS.items())[::every]:
        done = hurried.judge(source, Trial(test=test.replace("SECRET", secret), entry="f" if "check" in test else ""))
        if done.values:
            return f"passed {about} without the right answer"
    good = Trial(test=f"assert f(1) == {secret}")
    if limited.judge(f"def f(x): return {secret}", good).values != (True,):
        return "a good program after it does not pass"
    return _next(limited)


def hostile(body: str) -> str:
    """The program of which this is the body."""
    return f"{prelude()}def f(x):\n{indent(body, '    ')}\n    return True"


def forge(sandbox: Sandbox, source: str) -> str | None:
    """What is wrong when this program passes, or the one after it does not."""
    limited = replace(sandbox, limits=_LIMITS)
    secret = uuid4().int >> 65
    if any(run_programs([Program(source=source, entry="f", tests=(Test(0, secret),))], limited)):
        return "passed without the right answer"
    return _next(limited)


class _Watched:
    """A place with a world that programs there could harm, another one after each that did."""

    def __init__(self, place: Place, stack: contextlib.ExitStack) -> None:
        self._token = uuid4().hex
        marked = ("/usr/bin/env", f"MARK={self._token}", *place.sandbox.prefix)
        self._sandbox = replace(place.sandbox, prefix=marked, limits=_LIMITS)
        self._user, self._stack = place.user, stack
        self._world: World | None = None

    def attempt(self, body: str, *, told: bool = True) -> str | None:
        """What harm the program did; with `told`, that it says so is enough."""
        if self._world is None:
            self._world = self._stack.enter_context(world(self._user))
        execution = self._sandbox.call(hostile(body), "f", [[self._world.target]])
        harm = self._world.harm(execution.values) or _excess(execution) or self._left()
        if told and execution.values == (True,):
            harm = harm or "did what it tried"
        if harm is not None:
            self._world = None
        return harm or _next(self._sandbox)

    def _left(self) -> str | None:
        """Whether more runs than the server, its wrapper and what the wrapper needs."""
        running = _carrying(self._token)
        return None if running <= _most(self._sandbox) else f"{running} processes of it are left"


def _excess(execution: Execution) -> str | None:
    most = _LIMITS.wall_seconds + _SLACK_SECONDS
    return f"took {execution.seconds:.0f} s" if execution.seconds > most else None


def _next(sandbox: Sandbox) -> str | None:
    after = sandbox.call(_GOOD, "f", [[1]])
    return None if after.values == (2,) else f"the next program gave {after.status} {after.message!r}"


def _most(sandbox: Sandbox) -> int:
    """Processes of a server at rest: itself, and the command that isolates it."""
    return 2 if sandbox.isolation != "none" else 1


def _carrying(token: str) -> int:
    """How many processes have the token in their environment."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended, or not ours
            found += token.encode() in (process / "environ").read_bytes()
    return found
