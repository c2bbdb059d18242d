"""Trackers follow a run, and whatever becomes of them the run stays what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.runs import Progress
from harness.store import Store
from harness.tracking import Followers, Series, StartOfTracking, asked_trackers
from tests.builders import cell, counted, grown, model
from tests.builders.commands import ROOT, Emergence, toy_options, write_toy

STUB = """
import json, os, time
FAULT = os.environ.get("STUB_FAULT", "")
def note(*what):
    print("a tracker prints this")
    with open(os.environ["STUB_LOG"], "a") as log:
        log.write(json.dumps(what) + "\\n")
    if FAULT == what[0] + " raises":
        raise ConnectionError("no route to host")
    if FAULT == what[0] + " hangs":
        time.sleep(600)
    if FAULT == what[0] + " dies":
        os._exit(7)
note("import")
class Table:
    def __init__(self, dataframe): self.rows = len(dataframe)
def init(project, name, config, embed): note("init", project, config)
def log(values, step=None):
    note("log", {k: getattr(v, "rows", v) for k, v in values.items()}, step)
def finish(): note("finish")
"""
"""A package called `trackio` that notes what it is told, and has a fault where a test wants one."""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stub notes what it is told."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "trackio.py").write_text(STUB)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("STUB_LOG", str(tmp_path / "told.jsonl"))
    monkeypatch.setattr("harness.cli.tracking.PATIENCE_SECONDS", 3.0)
    return tmp_path / "told.jsonl"


def told(log: Path) -> list[list[object]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def ran(emergence: Emergence, options: tuple[str, ...], results: str, *more: str) -> tuple[int, str, str]:
    done = emergence("run", *options, "--executor", "inline", "--results", results, *more)
    return done.code, done.out, done.err


def scores(results: str) -> dict[str, tuple[object, ...]]:
    return {one.cell.key: one.scores for one in Store(Path(results)).results()}


def test_a_tracker_is_told_every_score_with_its_place_and_the_leaderboard(
    emergence: Emergence, options: tuple[str, ...], stub: Path
) -> None:
    code, out, err = ran(emergence, options, "r", "--track", "trackio:mine")
    assert (code, out) == (0, "")
    assert "trackio: run " in err
    assert "warning" not in err
    (_, (_, project, config), *logged, end) = told(stub)
    assert (project, end) == ("mine", ["finish"])
    assert config["results"] == str(Path("r").absolute())
    assert config["command"].startswith("emergence run --suite toy")
    points = [(step, values) for _, values, step in logged if "params" in values]
    assert sorted({step for step, _ in points}) == [10, 100, 1000, 10000]
    assert len(points) == 16
    largest = next(values for step, values in points if step == 10000 and "jumps/0-shot/acc" in values)
    stored = next(
        one
        for one in Store(Path("r")).results()
        if (one.cell.model.params, one.cell.task, one.cell.shots) == (10000, "jumps", 0)
    )
    assert largest["jumps/0-shot/acc"] == stored.scores[0].value
    assert largest["jumps/0-shot/acc_stderr"] == stored.scores[0].stderr
    assert (largest["model"], largest["tokens"]) == ("m10000", 1000)
    assert logged[-1][1] == {"leaderboard": 4}
    assert {"progress/done": 16, "progress/failed": 0, "progress/total": 16} in [values for _, values, _ in logged]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("import raises", "ConnectionError: no route to host"),
        ("init raises", "ConnectionError: no route to host"),
        ("log raises", "ConnectionError: no route to host"),
        ("finish raises", "ConnectionError: no route to host"),
        ("import hangs", "did not"),
        ("log hangs", "did not"),
        ("finish hangs", "did not"),
        ("log dies", "a tracker prints this"),
    ],
)
def test_a_tracker_with_a_fault_changes_nothing_of_the_run(
    emergence: Emergence, options: tuple[str, ...], stub: Path, monkeypatch: pytest.MonkeyPatch, fault: str, said: str
) -> None:
    monkeypatch.setattr("harness.cli.tracking.PATIENCE_SECONDS", 1.0 if "hangs" in fault else 20.0)
    monkeypatch.setenv("STUB_FAULT", fault)
    code, out, err = ran(emergence, options, "tracked", "--track", "trackio")
    assert (code, out) == (0, "")
    (warning,) = [line for line in err.splitlines() if line.startswith("warning")]
    assert "trackio does not follow this run any more" in warning
    assert said in warning
    assert "`emergence track tracked --to trackio:emergence` tells it everything later" in warning
    assert ran(emergence, options, "plain")[0] == 0
    assert scores("tracked") == scores("plain")


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_evaluated(
    emergence: Emergence, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "wandb").mkdir()  # the folder that W&B itself leaves behind is not the package
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    code, out, err = ran(emergence, options, "r", "--track", "wandb:mine")
    assert (code, out) == (2, "")
    assert err.splitlines() == ["error: --track wandb needs wandb: pip install 'emergence-harness[wandb]'"]
    assert not Path("r").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("comet", "--track: unknown tracker 'comet'; known: mlflow, tensorboard, trackio, wandb"),
        ("comet,trackio", "--track: unknown tracker 'comet'; known: mlflow, tensorboard, trackio, wandb"),
        ("trackio:", "--track trackio:: expected trackio:PROJECT, or trackio alone"),
    ],
)
def test_a_wrong_tracker_is_one_line(emergence: Emergence, options: tuple[str, ...], asked: str, said: str) -> None:
    code, _, err = ran(emergence, options, "r", "--track", asked)
    assert (code, err.splitlines()) == (2, [f"error: {said}"])


def test_what_a_folder_holds_can_be_told_later(
    emergence: Emergence, options: tuple[str, ...], stub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(emergence, options, "r")
    done = emergence("track", "r", "--to", "trackio:mine", "--task", "jumps")
    assert (done.code, done.out) == (0, "")
    assert "8 cells told to trackio" in done.err
    points = [step for kind, values, step in told(stub)[2:-1] if "params" in values]
    assert points == sorted(points)
    assert len(points) == 8
    monkeypatch.setenv("STUB_FAULT", "init raises")
    failed = emergence("track", "r", "--to", "trackio")
    assert failed.code == 2
    assert failed.err.splitlines()[-1] == "error: trackio: ConnectionError: no route to host"


def test_a_folder_is_told_to_somebody(emergence: Emergence) -> None:
    assert "expected --to with one of tensorboard[:DIR]" in emergence("track", "r").err


class TestCurves:
    def test_are_named_after_what_differs_among_the_cells(self) -> None:
        cells = [cell(shots=shots, seed=seed) for shots in (0, 5) for seed in (0, 1)]
        assert [Series(cells).curve(one) for one in cells] == [
            "colours/0-shot seed 0",
            "colours/0-shot seed 1",
            "colours/5-shot seed 0",
            "colours/5-shot seed 1",
        ]
        assert Series(cells[:1]).curve(cells[0]) == "colours/0-shot"

    def test_of_several_families_are_told_apart(self) -> None:
        cells = [cell(), cell(model=model(name="other", family="mine"))]
        assert {Series(cells).curve(one) for one in cells} == {"toy/colours/0-shot", "mine/colours/0-shot"}

    def test_over_tokens_have_every_checkpoint_and_over_parameters_the_last(self) -> None:
        stages = [cell(model=model(1000, tokens=tokens, revision=f"step{tokens}")) for tokens in (10, 20, 30)]
        series = Series([*stages, cell(model=model(4000))])
        found = [(one.over, one.at, one.curve) for each in stages for one in series.places(counted(each, 30, 60))]
        assert found == [
            ("tokens", 10, "toy-1000/colours/0-shot"),
            ("tokens", 20, "toy-1000/colours/0-shot"),
            ("params", 1000, "colours/0-shot"),
            ("tokens", 30, "toy-1000/colours/0-shot"),
        ]
        alone = series.places(counted(cell(model=model(4000)), 30, 60))
        assert [(one.over, one.at) for one in alone] == [("params", 4000)]


def test_nothing_waits_for_a_tracker_while_a_run_goes_on(stub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_FAULT", "init hangs")
    results, given_up = grown((50, 100, 150)), list[str]()
    followers = Followers(
        asked_trackers(["trackio"], Path("r")),
        start=StartOfTracking(name="a", results="r", config={}),
        cells=[one.cell for one in results],
        say=print,
        given_up=lambda _, why: given_up.append(why),
        patience=30.0,
        finishing=0.5,
    )
    with followers:
        before = time.monotonic()
        for one in results:
            followers.update(one, Progress(total=3, done=1))
        assert time.monotonic() - before < 0.2
    assert given_up == ["it did not finish in time"]
    (follower,) = followers.followers
    with pytest.raises(ProcessLookupError):
        os.kill(follower.pid, 0)


def test_a_tracker_of_a_run_that_is_killed_ends_by_itself(stub: Path, tmp_path: Path) -> None:
    toy = write_toy(tmp_path / "slow", sleep=30.0)
    where = ("--results", str(tmp_path / "r"), "--executor", "inline", "--track", "trackio")
    run = subprocess.Popen([sys.executable, "-m", "harness", "run", *toy_options(toy), *where], cwd=ROOT)
    try:
        wait_for(lambda: stub.exists() and "init" in [what for what, *_ in told(stub)])
    finally:
        run.kill()
        run.wait()
    wait_for(lambda: ["finish"] in told(stub))


def wait_for(there: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "took too long"
        time.sleep(0.05)
