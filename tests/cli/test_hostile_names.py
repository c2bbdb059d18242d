"""Names of others on the terminal: nothing that a command prints tells the terminal what to do."""

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.output import print_file
from harness.specs import MetricSpec
from harness.store import Store
from harness.wording import visible
from tests.builders import cell, counted, failed, model, sample
from tests.builders.commands import Emergence
from tests.builders.hostile import TERMINAL, joined

NAME = joined(TERMINAL)
METRIC = MetricSpec(name=NAME, chance=0.25)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Four sizes and a failure in which every word is hostile, and a file that is no result."""
    store = Store(tmp_path / "results")
    for params, right in ((1000, 50), (4000, 60), (16_000, 90), (64_000, 180)):
        for prompt in (NAME, "default"):
            asked = cell(
                model=model(params, name=f"{params} {NAME}", family=NAME, revision=NAME),
                task=NAME,
                suite=NAME,
                prompt=prompt,
                metrics=(METRIC,),
            )
            made = counted(asked, right, 200)
            scores = (replace(made.scores[0], metric=NAME),)
            answers = tuple(sample(i, scores={NAME: float(i < right)}) for i in range(200))
            done = replace(made, scores=scores, samples=answers, n_truncated=3)
            store.write(replace(done, provenance=replace(done.provenance, device=NAME, fallback=NAME)))
    lost = cell(model=model(9, name=NAME, family=NAME), task=NAME, suite=NAME, prompt=NAME)
    store.write(failed(lost, error=NAME, message=NAME))
    damaged = store.root / f"toy{NAME}".replace("/", "") / "m" / "t" / "s"
    damaged.mkdir(parents=True)
    (damaged / "cell.json").write_text("{")
    return store.root


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("curves",),
        ("verdicts", "--reasons"),
        ("forecast", "--at", "1M", "--reasons"),
        ("compare", "prompt=default", f"prompt={NAME.replace(',', '')}"),
        ("leaderboard", "--format", "text"),
        ("leaderboard", "--format", "markdown"),
        ("leaderboard", "--format", "json"),
        ("curves", "--json"),
        ("verdicts", "--json"),
        ("curves", "--task", f"no {NAME}"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]).encode("unicode_escape").decode()[:24],
)
def test_no_command_prints_what_a_terminal_obeys(
    emergence: Emergence, results: Path, arguments: tuple[str, ...]
) -> None:
    done = emergence(*arguments, "--results", results)
    assert done.out or done.err
    for line in [*done.out.split("\n"), *done.err.split("\n")]:
        assert visible(line) == line


class Terminal(io.StringIO):
    """A standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_file_shown_on_a_terminal_is_shown_without_what_it_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, piped = Terminal(), io.StringIO()
    for stream in (shown, piped):
        monkeypatch.setattr("sys.stdout", stream)
        print_file(f"task,value\n{TERMINAL[0]},1")
    assert shown.getvalue() == f"task,value\n{visible(TERMINAL[0])},1\n"
    assert piped.getvalue() == f"task,value\n{TERMINAL[0]},1\n"


def test_a_letter_that_cannot_be_written_ends_no_command(results: Path) -> None:
    command = [sys.executable, "-m", "harness", "leaderboard", "--results", str(results), "--format", "json"]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True)
    assert b"\\u202egnp.exe" in done.stdout
