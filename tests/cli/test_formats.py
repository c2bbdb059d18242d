"""Options asked for by letter and by their texts, from the run to the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.builders.commands import Emergence, write_toy

ASKED = ("run", "--include-path", "toy", "--family", "toy", "--engine", "simulated", "--executor", "inline")


@pytest.fixture
def lettered(tmp_path: Path) -> None:
    """A task by letter that jumps, and whose cloze twin rises; and one that writes its answers."""
    folder = write_toy(tmp_path / "toy")
    sizes = [{"name": f"toy-{i}", "params": 10 ** (3 + i // 2) * (1, 3)[i % 2]} for i in range(8)]
    (folder / "family.yaml").write_text(yaml.safe_dump({"family": "toy", "tokens": 10**6, "models": sizes}))
    path = folder / "jumps.yaml"
    spec = yaml.safe_load(path.read_text())
    planted = {"shape": "step", "threshold": 2e6, "cloze": {"shape": "linear"}}
    config = {**spec["config"], "doc_to_choice": ["A", "B", "C", "D"], "simulate": planted}
    path.write_text(yaml.safe_dump({**spec, "config": config}))


def write_free(folder: Path) -> None:
    """A third task, which has no options."""
    spec = yaml.safe_load((folder / "stays.yaml").read_text())
    config = {**spec["config"], "output_type": "generate_until"}
    metrics = [{"name": "exact_match"}, {"name": "edit_similarity", "continuous": True}]
    (folder / "free.yaml").write_text(yaml.safe_dump({**spec, "task": "free", "metrics": metrics, "config": config}))


@pytest.mark.usefixtures("lettered")
def test_a_jump_by_letter_alone_is_told_apart_from_one_of_the_ability(emergence: Emergence) -> None:
    before = emergence(*ASKED, "--task", "jumps", "--shots", "0")
    assert before.code == 0, before.err
    both = emergence(*ASKED, "--task", "jumps", "--shots", "0", "--formats", "mc,cloze")
    assert "8 of 16 cells are done already" in both.err
    rows = json.loads(emergence("verdicts", "--json").out)
    own, twin = sorted(rows, key=lambda row: row["format"] or "")
    assert (own["format"], own["metric"], twin["format"], twin["metric"]) == (None, "acc", "cloze", "acc_bytes")
    assert own["label"] in {"emergent", "metric-artefact"}
    assert "format-artefact" in own["qualifier"].split()
    assert own["evidence"]["z_format"] > 3
    assert any(sentence.startswith("Format artefact: asked without listing") for sentence in own["reasons"])
    assert "format cloze" in twin["conditions"]
    assert "format" not in own["conditions"]
    shown = emergence("verdicts").out
    assert "format-artefact" in shown
    assert "format cloze" in shown


@pytest.mark.usefixtures("lettered")
def test_tasks_without_options_are_asked_as_they_are_and_named(emergence: Emergence) -> None:
    write_free(Path("toy"))
    done = emergence(*ASKED, "--task", "free,stays", "--shots", "0", "--formats", "mc,cloze", "--limit", "5")
    assert done.code == 0, done.err
    assert "no options to ask in another format, and asked as they are: free" in done.err
    alone = emergence(*ASKED, "--task", "free", "--formats", "mc,cloze")
    assert (alone.code, alone.out) == (2, "")
    assert "--formats mc,cloze: no task has options to ask in another format: free" in alone.err


@pytest.mark.usefixtures("lettered")
def test_pages_and_tables_show_the_format(emergence: Emergence) -> None:
    emergence(*ASKED, "--task", "jumps", "--shots", "0", "--formats", "mc,cloze")
    assert emergence("report", "-o", "page.html").code == 0
    page = Path("page.html").read_text()
    assert "format cloze" in page
    assert "Format artefact" in page
    wide = emergence("leaderboard", "--profile", "wide").out
    assert "cloze format" in wide
    tidy = emergence("leaderboard", "--profile", "tidy", "-o", "tidy.csv")
    assert tidy.code == 0
    again = json.loads(emergence("verdicts", "--table", "tidy.csv", "--json").out)
    assert {row["format"]: row["label"] for row in again} == {
        row["format"]: row["label"] for row in json.loads(emergence("verdicts", "--json").out)
    }
    sampled = json.loads(emergence("samples", "--task", "jumps", "--json", "--wrong").out or "[]")
    assert {row["format"] for row in sampled} <= {None, "cloze"}
