"""Checkpoints that the hub has of a family, from its cache: planned, loaded by their revision, drawn over tokens."""

import json
import shutil
from pathlib import Path

import pytest

from harness.store import Store
from tests.builders.commands import Emergence

SHIPPED = Path(__file__).parents[2] / "harness/ladder/weights"
FAMILY = """
family: toys
tokens: 2000
tokens_per_step: 100
revisions: ["step{10,20}"]
models:
  - {name: org/toy, params: 11568}
"""


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A family file, and a cache in which the two checkpoints are other weights; main is the last of them."""
    monkeypatch.chdir(tmp_path)
    repository = tmp_path / "hub" / "models--org--toy"
    (repository / "refs").mkdir(parents=True)
    for step, weights in ((10, "12k"), (20, "26k")):
        shutil.copytree(SHIPPED / weights, repository / "snapshots" / f"c0ffee{step}")
        (repository / "refs" / f"step{step}").write_text(f"c0ffee{step}")
    (repository / "refs" / "main").write_text("c0ffee20")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "toys.yaml").write_text(FAMILY)
    return tmp_path / "toys.yaml"


def test_checkpoints_are_loaded_by_their_revision_and_drawn_over_tokens(emergence: Emergence, family: Path) -> None:
    asked = ("--include-path", family, "--family", "toys", "--task", "topic", "--shots", "0", "--limit", "20")
    planned = json.loads(emergence("plan", *asked, "--model", "toy@step*", "--json").out)
    assert [cell["model"] for cell in planned] == ["org/toy", "org/toy"]
    assert emergence("run", *asked, "--model", "toy@step*", "--executor", "inline").code == 0
    found = {r.cell.model.revision: r for r in Store(Path("results")).results()}
    assert {name: r.cell.model.tokens for name, r in found.items()} == {"c0ffee10": 1000, "c0ffee20": 2000}
    scores = {tuple(score.value for score in result.scores) for result in found.values()}
    assert len(scores) == 2  # the weights are those of each checkpoint
    drawn = json.loads(emergence("curves", "--scale", "tokens", "--json").out)
    assert {point["x"] for point in drawn} == {1000, 2000}
    over_sizes = json.loads(emergence("curves", "--json").out)
    assert {point["x"] for point in over_sizes} == {11568}


def test_the_last_checkpoint_and_the_main_branch_are_one_cell(emergence: Emergence, family: Path) -> None:
    asked = ("--include-path", family, "--task", "topic", "--shots", "0", "--limit", "2", "--executor", "inline")
    assert emergence("run", *asked, "--model", "toy@step20").code == 0
    again = emergence("run", *asked, "--family", "toys")
    assert (again.code, "1 of 1 cells are done already" in again.err) == (0, True)
