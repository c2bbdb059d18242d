import csv
import io
import json
import os
import shlex
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from harness.catalog.catalogue import load_catalog
from harness.scoring import sandbox
from harness.store import Store
from tests.builders.commands import Emergence

INLINE = ("--executor", "inline")


def told(toy: Path, **changes: object) -> None:
    """Change what the toy family tells of each of its models."""
    family = yaml.safe_load((toy / "family.yaml").read_text())
    for spec in family["models"]:
        spec.update(changes)
    (toy / "family.yaml").write_text(yaml.safe_dump(family))


def test_a_model_done_in_one_family_is_not_done_in_another(
    emergence: Emergence, options: tuple[str, ...], toy: Path
) -> None:
    emergence("run", *options, *INLINE, "--model", "m10,m100")
    mine = yaml.safe_load((toy / "family.yaml").read_text()) | {"family": "mine"}
    (toy / "mine.yaml").write_text(yaml.safe_dump(mine))
    again = emergence("run", *options, *INLINE, "--family", "mine")
    assert "8 of 32 cells are done already" in again.err
    rows = csv.DictReader(io.StringIO(emergence("leaderboard").out))
    assert {row["model"] for row in rows if row["family"] == "mine"} == {"m10", "m100", "m1000", "m10000"}


def test_answers_of_the_same_model_are_taken_over_into_a_family_of_ones_own(
    emergence: Emergence, tmp_path: Path
) -> None:
    asked = ("--task", "topic", "--shots", "0", "--limit", "2")
    assert emergence("run", *asked, *INLINE, "--model", "ladder-12k").code == 0
    (shipped,) = (m for m in load_catalog().family("embedded").models if m.name == "ladder-12k")
    spec = {"name": shipped.name, "path": shipped.path, "params": shipped.params, "run": shipped.run, "loss": 2.5}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"family": "mine", "models": [spec]}))
    mine = (*asked, "--family", "mine", "--include-path", tmp_path / "mine.yaml")
    planned = emergence("plan", *mine)
    assert "to be taken over from family embedded: 1 cell\n" in planned.err
    assert "1 cell: 1 done, 0 failed, 0 to do" in planned.out
    done = emergence("run", *mine, *INLINE)
    assert done.code == 0
    assert "taken over from family embedded: 1 cell\n1 of 1 cells are done already\n0 cells evaluated" in done.err
    one, other = Store(Path("results")).results()
    assert (one.cell.key, one.scores) == (other.cell.key, other.scores)
    assert {r.cell.model.family: r.cell.model.loss for r in (one, other)} == {"embedded": shipped.loss, "mine": 2.5}


def test_programs_are_run_without_a_fence_only_with_a_second_flag_and_the_result_says_so(
    emergence: Emergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = replace(sandbox.open_sandbox(), isolation="none", prefix=(), guards=())
    monkeypatch.setattr(sandbox, "open_sandbox", lambda: opened)
    asked = ("run", "--task", "two_steps", "--shots", "0", "--limit", "2", "--model", "ladder-12k", *INLINE)
    refused = emergence(*asked, "--confirm_run_unsafe_code")
    (line,) = refused.err.splitlines()
    assert (refused.code, refused.out) == (2, "")
    assert line.startswith(
        "error: programs that models write could reach files and network and sockets of this machine"
    )
    assert line.endswith("or agree with --allow-unfenced")
    assert not Path("results").exists()

    ran = emergence(*asked, "--confirm_run_unsafe_code", "--allow_unfenced")
    assert ran.code == 0
    assert "MISSING: files and network and sockets can be reached" in ran.err
    (result,) = Store(Path("results")).results()
    assert result.provenance.fence == "none"


def test_two_folders_of_one_name_are_refused_with_what_to_do(emergence: Emergence, tmp_path: Path) -> None:
    shipped = {m.name: m.path for m in load_catalog().family("embedded").models}
    folders = [tmp_path / place / "step" for place in ("a", "b")]
    for folder, name in zip(folders, ("ladder-12k", "ladder-26k"), strict=True):
        shutil.copytree(str(shipped[name]), folder)
    asked = ("run", "--task", "topic", *INLINE, "--model", folders[0])
    done = emergence(*asked, "--model", folders[1])
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"{folders[0]} and {folders[1]}: both would be called step; give each a name of its own" in done.err
    assert not (tmp_path / "results").exists()
    assert emergence(*asked, "--model", "a/step", "--limit", "2", "--shots", "0").code == 0


def test_what_a_family_file_tells_later_reaches_the_results(
    emergence: Emergence, options: tuple[str, ...], toy: Path
) -> None:
    emergence("run", *options, *INLINE)
    told(toy, tokens=2000, loss=2.5)
    assert "to be brought up to date in 16 cells: tokens, loss\n" in emergence("plan", *options).err
    again = emergence("run", *options, *INLINE)
    assert "brought up to date in 16 cells: tokens, loss\n16 of 16 cells are done already\n" in again.err
    assert {r.cell.model.loss for r in Store(Path("results")).results()} == {2.5}
    assert "brought" not in emergence("run", *options, *INLINE).err


def test_cells_done_without_deterministic_are_counted_when_it_is_asked_for(
    emergence: Emergence, options: tuple[str, ...]
) -> None:
    emergence("run", *options, *INLINE, "--model", "m10")
    again = emergence("run", *options, *INLINE, "--deterministic")
    assert "4 of 16 cells are done already\n4 of them were evaluated without --deterministic and are kept" in again.err
    assert "--deterministic" not in emergence("run", *options, *INLINE).err


def failing(toy: Path) -> None:
    """Make the simulated engine fail on one of the toy tasks."""
    spec = yaml.safe_load((toy / "stays.yaml").read_text())
    spec["config"]["simulate"] = {"fail": True}
    (toy / "stays.yaml").write_text(yaml.safe_dump(spec))


@pytest.mark.parametrize(
    ("changed", "option"),
    [
        (("--truncation", "allow"), "--truncation"),
        (("--device", "cpu"), "--device"),
        (("--batch-size", "4"), "--batch-size"),
        (("--trust-remote-code",), "--trust-remote-code"),
        (("--workers", "1"), "--workers"),
    ],
)
def test_cells_that_failed_are_tried_again_when_a_setting_has_changed(
    emergence: Emergence, options: tuple[str, ...], toy: Path, changed: tuple[str, ...], option: str
) -> None:
    failing(toy)
    asked = ("run", *options, *INLINE, "--model", "m10", "--shots", "0")
    assert "1 failed" in emergence(*asked).err
    same = emergence(*asked)
    assert "1 cells failed before and are left alone; try them again with --retry-failed" in same.err
    again = emergence(*asked, *changed)
    assert f"1 cell failed before with another {option}: tried again\n" in again.err
    assert "0 cells evaluated, 1 failed" in again.err
    assert "left alone" in emergence(*asked, *changed).err


def test_cells_that_failed_before_settings_were_recorded_are_left_alone(
    emergence: Emergence, options: tuple[str, ...], toy: Path
) -> None:
    failing(toy)
    asked = ("run", *options, *INLINE, "--model", "m10", "--shots", "0")
    emergence(*asked)
    (path,) = Path("results").rglob("failure.json")
    old = json.loads(path.read_text())
    del old["circumstances"]
    path.write_text(json.dumps(old))
    assert "1 cells failed before and are left alone" in emergence(*asked, "--truncation", "allow").err


def test_the_last_line_of_a_run_with_failures_is_a_command_that_tells_why(
    emergence: Emergence, options: tuple[str, ...], toy: Path
) -> None:
    failing(toy)
    done = emergence("run", *options, *INLINE, "--model", "m10", "--results", "my results")
    what, _, command = done.err.splitlines()[-1].partition(": ")
    assert (done.code, what, command) == (1, "what failed and why", "emergence status --results 'my results'")
    told = emergence(*shlex.split(command)[1:]).out
    assert "failed: m10 stays 0-shot default seed 0: RuntimeError: the task asks the simulated engine to fail" in told


def test_sigterm_before_the_first_cell_ends_the_run_in_one_line(
    emergence: Emergence, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr("harness.cli.running.prepare", terminated)
    done = emergence("run", *options, *INLINE)
    assert (done.code, done.out) == (130, "")
    assert done.err == "interrupted: what was finished is kept; the same command goes on from there\n"
