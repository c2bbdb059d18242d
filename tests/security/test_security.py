"""A small part of `make security`, in the sandbox of this machine; and that an escape would be seen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.scoring.guest import NOBODY
from harness.scoring.sandbox import open_sandbox
from tests import security
from tests.security import Case, NotHereError, __main__, commands, files, programs, provider
from tests.security.fences import Place
from tests.security.programs import CLASSES, forge, forge_tests, forged, forged_tests

pytestmark = pytest.mark.sandbox

EVERY = 5
"""So many programs, of which one is tried here."""
ESCAPES = {
    "reading files": ("open it", "the secret came back"),
    "changing files": ("empty a file", "file precious was"),
    "attributes, locks and watches": ("lock a file", "did what it tried"),
    "the network": ("TCP", "something reached the socket tcp"),
    "sockets of this machine": ("from a pair of datagram sockets", "something reached the socket datagram"),
    "other processes": ("kill", "process "),
    "system calls": ("files in memory", "did what it tried"),
    "memory of the kernel": ("wide pipes", "did what it tried"),
}
"""Class -> a program that escapes where nothing holds it, and how that is told."""


@pytest.fixture
def here() -> Place:
    """The place that a run takes."""
    return Place(sandbox=open_sandbox(), host="this", user=NOBODY if os.geteuid() == 0 else None)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind != "time and memory"])
def test_hostile_programs_are_contained(here: Place, kind: str) -> None:
    if not programs.claims(here.sandbox, kind):
        pytest.skip("not claimed here")
    chosen = list(CLASSES[kind].programs)[::EVERY]
    tried = {case.name: case.attempt() for case in programs.cases_in(here) if case.kind == kind and case.name in chosen}

    assert tried == dict.fromkeys(chosen)


def test_answers_that_were_not_computed_do_not_pass() -> None:
    chosen = list(forged().values())[::EVERY]

    assert [forge(open_sandbox(), source) for source in chosen] == [None] * len(chosen)


def test_no_program_forges_the_verdict_of_its_own_test() -> None:
    chosen = [*forged_tests().values()][::2]

    assert [forge_tests(open_sandbox(), source, every=4) for source in chosen] == [None] * len(chosen)


def test_a_program_that_knows_the_answer_passes_its_test_and_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "uuid4", lambda: SimpleNamespace(int=7 << 65))

    assert forge_tests(open_sandbox(), "def f(x): return 7") == "passed a test function without the right answer"
    assert forge_tests(open_sandbox(), "def f(x): return [7]") == "passed among what it gives without the right answer"


@pytest.mark.parametrize("kind", ESCAPES)
def test_an_escape_is_seen_where_nothing_holds_a_program(
    here: Place, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "claims", lambda sandbox, kind: True)
    opened = replace(here, sandbox=replace(here.sandbox, isolation="none", prefix=(), guards=()))
    name, told = ESCAPES[kind]
    (harm,) = (case.attempt() for case in programs.cases_in(opened) if (case.kind, case.name) == (kind, name))

    assert harm is not None
    assert harm.startswith(told)


def test_a_program_that_passes_without_computing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "uuid4", lambda: SimpleNamespace(int=7 << 65))

    assert forge(open_sandbox(), "def f(x): return 7") == "passed without the right answer"
    assert forge(open_sandbox(), "def f(x): return 8") is None


def test_every_class_says_what_must_not_happen() -> None:
    for kind, each in CLASSES.items():
        assert each.must_not, kind
        assert len(each.programs) >= 10, kind


@pytest.mark.parametrize(("name", "every"), [("task files", 10), ("cells", 12), ("names", 60), ("models", 15)])
def test_a_part_of_the_other_classes_is_contained(name: str, every: int) -> None:
    chosen = list(provider(name)())[::every]

    assert len(chosen) > 2
    assert [case for case in chosen if case.attempt() is not None] == []


@pytest.mark.parametrize(("place", "name"), [("a family", "a bomb of aliases"), ("samples", "a lie about a long list")])
def test_a_file_that_would_fill_the_memory_is_contained(place: str, name: str) -> None:
    (chosen,) = (case for case in files.cases() if (case.where, case.name) == (place, name))

    assert chosen.attempt() is None


def test_the_memory_of_a_command_is_its_own(tmp_path: Path) -> None:
    large = bytearray(b"x") * 300_000_000
    ended = commands.command(("list", "families"), tmp_path)

    assert len(large) > 1e6 * ended.megabytes > 1e7
    assert ended.code == 0
    assert "embedded" in ended.out


def test_a_command_that_ends_as_it_must_not_is_seen() -> None:
    good = commands.Ended(0, "fine\n", "", 1.0, 200.0)
    sentence = "error: t.csv: is no table\n"

    assert commands.harm(good._replace(code=2, err=sentence), good) is None
    assert commands.harm(good._replace(code=2, err=sentence, seconds=12.0), good) == "took 12 s"
    assert commands.harm(good._replace(code=2, err=sentence, megabytes=1_300.0), good) == (
        "took 1,100 MB more than a good file"
    )
    for ended, harm in (
        ({"code": -9, "err": sentence}, "ended with -9, not 2"),
        ({"code": 2, "err": "Traceback (most recent call last):\nValueError\n"}, "no sentence"),
        ({"code": 2, "err": ""}, "no sentence"),
        ({"code": 2, "err": "error: \x1b[31m\n"}, "a line that is no printable one"),
    ):
        assert str(commands.harm(good._replace(**ended), good)).startswith(harm)


def cannot() -> str | None:
    raise NotHereError("no such device")


def some_cases() -> Iterator[Case]:
    """Cases of which one escapes and one cannot be tried."""
    yield Case("names", "a bell", "", lambda: None)
    yield Case("names", "a colour", "in a table", lambda: "it was shown")
    yield Case("files", "a device", "", cannot)
    yield Case("files", "a link", "", lambda: None)


def test_the_table_counts_what_was_tried_and_an_escape_is_an_exit_of_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(security, "PROVIDERS", {"some": f"{__name__}:some_cases"})
    monkeypatch.setattr(__main__, "PROVIDERS", security.PROVIDERS)
    monkeypatch.setattr(sys, "argv", ["security"])
    with pytest.raises(SystemExit) as end:
        __main__.main()
    said = capsys.readouterr()

    assert end.value.code == 1
    assert [line.split() for line in said.out.splitlines()] == [
        ["class", "tried", "contained", "escaped"],
        ["names", "2", "1", "1"],
        ["files", "1", "1", "0"],
        ["all", "3", "2", "1"],
    ]
    assert said.err.splitlines() == [
        "ESCAPED: names: a colour: in a table: it was shown",
        "not tried: files: a device: : no such device",
    ]
