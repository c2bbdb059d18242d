"""Names of families, tasks and prompts may be of any script; what a path or a terminal obeys is no name."""

import csv
import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from harness.catalog.yaml_files import FamilyFile, SuiteFile, validated
from harness.errors import CatalogError
from harness.store import Store
from harness.store.layout import cell_folder, path_part
from tests.builders import cell, model, result, task
from tests.builders.commands import Emergence
from tests.builders.hostile import NAMES

REFUSED = ("a/b", "a\\b", "..", "../up", "名/前", "名 前", "名\u202e前", "名\n前", "_a", "-a", "")
SCRIPTS = ("数学-足し算", "сложение", "जोड़", "جمع", "παράδειγμα.2", "Übung_ñ", "덧셈")


def files(folder: Path, family: str, name: str) -> None:
    """A family, a suite and a task with that name."""
    models = [{"name": f"{family}-{size}", "params": size} for size in (1000, 4000, 16000, 64000)]
    written = {
        "family.yaml": {"family": family, "models": models},
        "suite.yaml": {"suite": f"{name}s", "tasks": [name], "shots": [0], "limit": 8},
        "task.yaml": {
            "task": name,
            "kind": "qa",
            "metrics": [{"name": "acc", "chance": 0.5}, {"name": "prob_correct", "chance": 0.5, "continuous": True}],
            "config": {
                "output_type": "multiple_choice",
                "dataset_path": "json",
                "dataset_kwargs": {"data_files": {"test": "data.jsonl"}},
                "test_split": "test",
                "doc_to_text": "{{q}}",
                "doc_to_target": "{{a}}",
                "doc_to_choice": ["yes", "no"],
            },
        },
    }
    folder.mkdir()
    for place, content in written.items():
        (folder / place).write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    rows = [json.dumps({"q": f"question {i}?", "a": i % 2}) for i in range(8)]
    (folder / "data.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_a_name_in_another_script_goes_from_the_catalogue_to_the_report(emergence: Emergence, tmp_path: Path) -> None:
    family, name = "家族", "जोड़"
    files(tmp_path / "own", family, name)
    chosen = ("--family", family, "--task", name, "--include_path", "own")
    done = emergence("run", *chosen, "--engine", "simulated", "--executor", "inline")
    assert done.code == 0, done.err
    store = Store(tmp_path / "results")
    assert {r.cell.task for r in store.results()} == {name}
    assert (tmp_path / "results" / family).is_dir()
    assert emergence("curves", "--family", family, "--task", name, "--figure", "c.svg").code == 0
    assert f">{name}<" in (tmp_path / "c.svg").read_text(encoding="utf-8")
    assert emergence("leaderboard", "-o", "board.csv").code == 0
    with (tmp_path / "board.csv").open(encoding="utf-8", newline="") as file:
        assert {(row["family"], row["task"]) for row in csv.DictReader(file)} == {(family, name)}
    assert emergence("report", "-o", "r.html").code == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f'id="task-{family}-{name}"' in page
    assert f'href="#task-{family}-{name}"' in page


def test_a_name_may_be_typed_with_accents_as_letters_of_their_own(emergence: Emergence, tmp_path: Path) -> None:
    family, name = "Familie-ü", "Prüfung"
    files(tmp_path / "own", family, name)
    typed = [unicodedata.normalize("NFD", word) for word in ("--family", family, "--task", name)]
    assert typed[1] != family
    done = emergence("run", *typed, "--include_path", "own", "--engine", "simulated", "--executor", "inline")
    assert done.code == 0, done.err
    sides = [unicodedata.normalize("NFD", f"task={name},model={family}-{size}") for size in (1000, 64000)]
    compared = emergence("compare", *sides)
    assert (compared.code, name in compared.out) == (0, True), compared.err
    card = emergence("tasks", typed[3], "--include_path", "own")
    assert (card.code, name in card.out) == (0, True), card.err
    for verb in ("curves", "samples", "verdicts"):
        shown = emergence(verb, *typed)
        assert (shown.code, name in shown.out) == (0, True), (verb, shown.err)


@pytest.mark.parametrize("name", SCRIPTS)
def test_names_of_any_script_are_taken_and_are_folders(tmp_path: Path, name: str) -> None:
    written = {"family": unicodedata.normalize("NFD", name), "models": [{"name": "m", "params": 1000}]}
    assert validated(FamilyFile, written, tmp_path / "f.yaml").family == unicodedata.normalize("NFC", name)
    assert validated(SuiteFile, {"suite": name, "tasks": [name]}, tmp_path / "s.yaml").tasks == [name]
    asked = cell(of=task(name), model=model(family=name), prompt=name)
    store = Store(tmp_path)
    store.write(result(asked))
    folder = store.path(asked)
    assert folder.relative_to(tmp_path).parts[0] == folder.parent.name == name
    assert [r.cell.task for r in store.results()] == [name]
    assert store.samples(asked)


@pytest.mark.parametrize("name", [*NAMES, *REFUSED])
def test_what_a_path_or_a_terminal_obeys_is_no_name(tmp_path: Path, name: str) -> None:
    expected = r"expected letters, digits, `\.`, `_` and `-`, the first a letter or a digit \(of any script\)"
    with pytest.raises(CatalogError, match=f"family is .*{expected}"):
        validated(FamilyFile, {"family": name, "models": [{"name": "m", "params": 1000}]}, tmp_path / "f.yaml")
    with pytest.raises(CatalogError, match=expected):
        validated(SuiteFile, {"suite": "s", "tasks": [name]}, tmp_path / "s.yaml")
    assert {"/", "\\", "\n", "\x00"}.isdisjoint(path_part(name))
    assert path_part(name).lstrip(".") == path_part(name) != ""


def test_letters_in_two_ways_to_write_them_are_one_name() -> None:
    assert path_part(unicodedata.normalize("NFD", "Übung")) == path_part("Übung") == "Übung"


@pytest.mark.parametrize("letter", ["x", "数", "é", "𠀀"])
def test_no_name_is_longer_than_a_file_system_takes(letter: str) -> None:
    long = cell(of=task(letter * 200), model=model(name=letter * 200, family=letter * 200), prompt=letter * 200)
    parts = cell_folder(Path("results"), long).parts
    assert all(len(part.encode()) <= 255 for part in parts)
    if letter != "x":
        other = replace(long, task=letter * 199 + "z")
        assert cell_folder(Path("results"), other).parent.name != cell_folder(Path("results"), long).parent.name


def test_results_that_lie_in_folders_of_the_old_kind_are_still_read(tmp_path: Path) -> None:
    asked = cell(model=model(name="模型", family="模型"))
    store = Store(tmp_path)
    store.write(result(asked))
    (new,) = tmp_path.iterdir()
    new.rename(tmp_path / "_")
    (named,) = (tmp_path / "_").iterdir()
    named.rename(named.with_name(f"_@{named.name.partition('@')[2]}"))
    assert store.path(asked).parts[-4] == "_"
    assert store.samples(asked)
    assert store.is_done(asked)
