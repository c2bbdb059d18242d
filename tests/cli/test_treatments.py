"""Treatments on the command line: which there are, one's own, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders.commands import Emergence
from tests.builders.trained import training_card

OWN = """treatments:
- name: six-bits
  method: quantise
  bits: 6
  description: Between int8 and int4.
  source: a note
"""
PLAN = ("plan", "--task", "add_3", "--model", "ladder-12k,ladder-26k", "--shots", "0", "--limit", "5", "--json")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    return file


def test_treatments_are_listed_with_what_they_do_need_and_come_from(emergence: Emergence, own: Path) -> None:
    listed = json.loads(emergence("list", "treatments", "--include-path", own, "--json").out)
    rows = {row["name"]: row for row in listed}
    built_in = {
        "int8",
        "int8-dynamic",
        "int4",
        "sparse50",
        "sparse2:4",
        "finetune",
        "lora8",
        "prompt16",
        "prefix16",
        "head",
    }
    assert set(rows) == {*built_in, "six-bits"}
    assert all(row["description"] and row["needs"] and row["source"] for row in listed)
    assert rows["sparse2:4"]["needs"] == "engine tree or seq2seq or lm-eval or encoder; rows of a multiple of 4 weights"
    assert (rows["six-bits"]["description"], rows["six-bits"]["source"]) == ("Between int8 and int4.", "a note")
    said = emergence("list", "treatments").out
    assert all(name in said for name in ("int8-dynamic", "sparse2:4"))
    assert "sparse1 to sparse99" in said


def test_a_plan_has_every_model_in_every_variant(emergence: Emergence, own: Path) -> None:
    plain = json.loads(emergence(*PLAN).out)
    cells = json.loads(emergence(*PLAN, "--treatment", "none,sparse30,six-bits", "--include-path", own).out)
    variants = [(cell["model"], str(cell["variant"]).partition("@")[0]) for cell in cells]
    assert variants == [(m, v) for v in ("None", "sparse30", "six-bits") for m in ("ladder-12k", "ladder-26k")]
    assert len({cell["key"] for cell in cells}) == 6
    assert [cell["key"] for cell in cells[:2]] == [cell["key"] for cell in plain]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--treatment", "int9"),
            "unknown treatment 'int9'; known: distill:MODEL, finetune, head, int4, int8, int8-dynamic, lora8,",
        ),
        (("--treatment", "none,int8", "--engine", "simulated"), "--treatment 'int8': engine simulated answers with"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_runs(
    emergence: Emergence, options: tuple[str, ...], said: str
) -> None:
    done = emergence("run", "--task", "add_3", *options)
    assert done.code == 2
    assert said in done.err
    assert not Path("results").exists()


def test_trainings_of_a_results_folder_are_listed_with_their_loss(emergence: Emergence, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for seed in (0, 1):
        training_card(results, seed=seed)
    head, _, first, second, *_ = emergence("list", "trainings").out.splitlines()
    assert head.split() == "model variant seed documents steps rate loss from to best took".split()
    assert first.split() == "toy-1000 finetune@64 0 64 40 0.001 █▅▃▁ 2.000 0.100 0.700 12 s".split()
    assert second.split()[2] == "1"
    [row, _] = json.loads(emergence("list", "trainings", "--results", results, "--json").out)
    assert (row["loss"][-1], row["development_loss"][0], row["left_out"]) == ([40, 0.1], [20, 0.9], 2)
    assert emergence("list", "trainings", "--figure", "loss.svg").code == 0
    assert "Loss while training" in Path("loss.svg").read_text()


def test_a_folder_without_trainings_says_how_to_train(emergence: Emergence) -> None:
    done = emergence("list", "trainings", "--json")
    assert (done.code, json.loads(done.out)) == (0, [])
    assert "no model was trained there" in emergence("list", "trainings").err
    assert "--results x: expected after `list trainings` alone" in emergence("list", "tasks", "--results", "x").err
