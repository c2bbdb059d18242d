"""The commands of a report make its cells again: the very same, and no others."""

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.records import Source
from harness.report.commands import commands, options_of_places
from harness.store import Store
from tests.builders import cell, counted, grown, model
from tests.builders.commands import Emergence

RUNS = (
    "--task add_2 --family embedded --model ladder-12k,ladder-26k --shots 0,2 --seeds 2 --limit 4",
    "--task add_2,add_3 --family embedded --model ladder-12k --shots 4 --seeds 1 --limit 4",
    "--task one_hop --family embedded --model ladder-26k --shots 2 --prompts all --limit 4",
    "--task sentiment --family pythia --model pythia-70m,pythia-160m --shots 0 --docs 1,3-5",
    "--task topic --family embedded --model ladder-12k --shots 0 --formats mc,cloze --limit 4",
    "--task one_hop --family embedded --model ladder-12k --shots 0 --limit 4 --system-instruction 'It is; true.'",
    "--task add_2 --family embedded --model ladder-12k --shots 0 --limit 4 --gen-kwargs max_gen_toks=3",
    "--task add_2 --family embedded --model ladder-12k --shots 0 --limit 4 --dtype bfloat16",
)
"""Sweeps that are no single grid."""
SIMULATED = ("--engine", "simulated", "--executor", "inline")


@pytest.mark.outside
def test_commands_make_exactly_the_cells_of_a_report_again(emergence: Emergence, tmp_path: Path) -> None:
    for run in RUNS:
        done = emergence(
            "run", *shlex.split(run), "--engine", "simulated", "--executor", "inline", "--results", "first"
        )
        assert done.code == 0, done.err
    first = Store(tmp_path / "first")
    lines = commands(first.results(), first.failures(), "flops")
    assert lines[-1] == "emergence report --scale flops -o report.html"
    for line in lines[:-1]:
        words = shlex.split(line)
        assert words[:2] == ["emergence", "run"]
        done = emergence(*words[1:], "--executor", "inline", "--results", "again")
        assert done.code == 0, f"{line}\n{done.err}"
    assert Store(tmp_path / "again").done() == first.done()


def test_the_engine_is_said_because_another_one_may_be_chosen_for_the_model_today() -> None:
    first, _ = commands([counted(cell(engine="tree"), 60, 200)], [], "params")
    assert " --engine tree " in first


def test_seeds_between_which_some_are_missing_are_asked_for_with_a_word_about_the_others() -> None:
    results = [counted(cell(shots=2, seed=seed), 60, 200) for seed in (0, 2)]
    said, asked, _ = commands(results, [], "params")
    assert said == "# 1 few-shot seed more than the results have, which are of seed 0, 2:"
    assert asked.endswith("--seeds 3")


def test_places_of_files_of_ones_own_stand_in_every_command_that_takes_them() -> None:
    places = options_of_places(["emergence run --include_path 'my tasks' --data-root=data --suite x", "x 'broken"])
    assert places == ("--include-path", "my tasks", "--data-root", "data")
    first, report = commands([counted(cell(), 60, 200)], [], "params", places=places)
    assert first.startswith("emergence run --include-path 'my tasks' --data-root data --family ")
    assert report == "emergence report --include-path 'my tasks' -o report.html"


def test_a_grid_is_one_command() -> None:
    results = [r for shots in (0, 2) for r in grown((50, 60, 70), shots=shots)]
    assert len(commands(results, [], "params")) == 2


def test_a_missing_combination_takes_another_command_and_is_not_asked_for() -> None:
    results = [r for shots in (0, 2) for r in grown((50, 60, 70), shots=shots)][:-1]
    first, second, _ = commands(results, [], "params")
    asked = {first.partition(" --model ")[2], second.partition(" --model ")[2]}
    assert asked == {
        "toy-1000,toy-4000 --task colours --shots 0,2 --seeds 1",
        "toy-16000 --task colours --shots 0 --seeds 1",
    }


def test_a_model_of_the_hub_is_asked_at_its_commit_and_one_of_a_folder_by_its_folder() -> None:
    commit = "c0ffee" * 6 + "c0ff"
    hub = counted(cell(model=model(1000, revision=commit)), 60, 200)
    own = counted(cell(model=model(2000, name="last", family="last", path="/models/last")), 60, 200)
    lines = commands([hub, own], [], "params")
    assert any(f"--family toy --dtype float32 --engine simulated --model toy-1000@{commit}" in line for line in lines)
    assert any("run --dtype float32 --engine simulated --model /models/last" in line for line in lines)


def test_results_of_other_programs_are_told_and_not_asked_for() -> None:
    (one,) = grown((50,))
    source = Source(tool="lm-eval", file="results.json", sha256="0" * 64, imported_at=datetime(2026, 1, 1, tzinfo=UTC))
    read = replace(one, provenance=replace(one.provenance, source=source))
    assert commands([read], [], "params")[0] == "# 1 result read from files of other programs: emergence import"


@pytest.mark.parametrize("scale", ["params", "loss"])
def test_nothing_is_made_again_without_results(scale: str) -> None:
    assert commands([], [], scale) == []  # type: ignore[arg-type]


def test_cells_of_treated_models_ask_for_the_treatment_by_its_name() -> None:
    plain = grown((50,))[0]
    said = '{"bits":8,"method":"quantise"}'
    models = [
        replace(plain.cell.model, variant=name, treatment=said if name else None)
        for name in (None, "int8", "mine@f9ac24")
    ]
    lines = commands([replace(plain, cell=replace(plain.cell, model=one)) for one in models], [], "params")
    asked = [
        words[words.index("--treatment") + 1] if "--treatment" in words else None for words in map(str.split, lines)
    ]
    assert asked[:3] == [None, "int8", "mine"]
