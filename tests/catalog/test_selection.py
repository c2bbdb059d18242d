import logging
import shutil
from pathlib import Path

import pytest
import yaml

from harness.catalog import load_catalog, select
from harness.errors import HarnessError, PlanError
from harness.runner import evaluate, prepare
from harness.store import Store
from harness.treatments import Distill, method_from
from tests.builders.commands import write_toy
from tests.builders.looking import looked_at

SHIPPED = Path(__file__).parents[2] / "harness/ladder/weights"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return write_toy(tmp_path / "toy")


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A family file of one local model, its folder beside it."""
    shutil.copytree(SHIPPED / "12k", tmp_path / "small")
    models = [{"name": "small", "path": "small", "params": 12_000}]
    models += [{**models[0], "dtype": "bfloat16"}, {"name": "other", "params": 10**9}]
    (tmp_path / "local.yaml").write_text(yaml.safe_dump({"family": "local", "models": models}))
    return tmp_path / "local.yaml"


def test_a_run_is_two_calls(toy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    catalog = load_catalog([toy])
    plan = select(catalog, suites=["toy"], families=["steps"], engine="simulated")
    came = evaluate(plan, results=tmp_path / "results", executor="inline")
    assert (came.done, came.failed) == (16, 0)
    assert evaluate(plan, results=tmp_path / "results", executor="inline").total == 0
    assert len(Store(tmp_path / "results").results()) == 16
    assert capfd.readouterr() == ("", "")


def test_words_choose_suites_tasks_and_models(toy: Path) -> None:
    catalog = load_catalog([toy])
    plan = select(catalog, suites=["toy"], tasks=["jumps"], families=["steps"], models=["m10", "m100"], shots=[2])
    assert [(c.model.name, c.task, c.shots) for c in plan.cells] == [("m10", "jumps", 2), ("m100", "jumps", 2)]
    suites = catalog.suites.values()
    assert set(select(catalog, suites=["all"], families=["steps"]).tasks) == {
        task for suite in suites if suite.in_all for task in suite.tasks
    }
    assert not all(suite.in_all for suite in suites)
    assert {c.model.family for c in select(catalog, tasks=["jumps"]).cells} == {"embedded"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "nothing to run: give --suite or --task; suites: all, "),
        ({"suites": ["tpy"]}, "unknown suite 'tpy'; known: .*toy"),
        ({"suites": ["toy"], "tasks": ["add_2"]}, "add_2: not in suite toy"),
        ({"suites": ["toy"], "families": ["steps"], "models": ["ladder-12k"]}, "ladder-12k is in --family embedded"),
        ({"suites": ["toy"], "models": ["./nowhere"]}, "nowhere: no such folder"),
        ({"suites": ["toy"], "shots": [-1]}, "--shots -1: expected 0 or more"),
    ],
)
def test_what_cannot_be_chosen_is_one_line(toy: Path, words: dict[str, list[str]], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        select(load_catalog([toy]), **words)


def test_a_models_folder_is_a_family_of_its_own(toy: Path, local: Path) -> None:
    plan = select(load_catalog([toy]), suites=["toy"], models=[local.parent / "small"])
    (model,) = {cell.model for cell in plan.cells}
    assert (model.family, model.name, model.revision) == ("small", "small", "7f01759f02ca")


def test_sizes_that_are_in_doubt_are_logged(toy: Path, local: Path, caplog: pytest.LogCaptureFixture) -> None:
    local.write_text(local.read_text().replace("12000", "99000"))
    with caplog.at_level(logging.WARNING):
        select(load_catalog([toy, local]), suites=["toy"], families=["local"])
    assert caplog.messages[0].startswith("model small: params is 99,000; the weights in ")


def test_the_folder_of_a_model_is_looked_at_once(toy: Path, local: Path, tmp_path: Path) -> None:
    """By a plan and the run of it, and whatever the number of specs that share the folder."""
    catalog, folder = load_catalog([toy, local]), local.parent / "small"
    with looked_at() as counts:
        plan = select(catalog, suites=["toy"], families=["local"], models=["small"])
        prepare(plan, results=tmp_path / "results", executor="inline")
    assert {c.model.dtype for c in plan.cells} == {"float32", "bfloat16"}
    assert counts[folder] == 1
    # the weights once to count their parameters, from the header of the file, and all files once for the fingerprint
    opened = {path.name: n for path, n in counts.items() if path.parent == folder}
    assert opened["tokenizer.json"] == 1
    assert {name: n for name, n in opened.items() if n > 2} == {}


def test_the_folder_of_a_model_on_its_own_is_looked_at_once(toy: Path, local: Path, tmp_path: Path) -> None:
    with looked_at() as counts:
        plan = select(load_catalog([toy]), suites=["toy"], models=[local.parent / "small"])
        prepare(plan, results=tmp_path / "results", executor="inline")
    assert counts[local.parent / "small"] == 1
    assert counts[local.parent / "small" / "tokenizer.json"] == 1


def test_the_results_folder_is_read_once(toy: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    plan = select(load_catalog([toy]), suites=["toy"], families=["steps"], engine="simulated")
    evaluate(plan, results=results, executor="inline")
    with looked_at() as counts:
        assert evaluate(plan, results=results, executor="inline").total == 0
    below = {path: n for path, n in counts.items() if path.is_relative_to(results)}
    assert sum(path.name == "cell.json" for path in below) == 16
    assert set(below.values()) == {1}


def test_a_suite_may_ask_for_treatments_which_others_replace() -> None:
    catalog, of = load_catalog(), {"models": ["ladder-12k"], "limit": 5}
    variants = [cell.model.variant for cell in select(catalog, suites=["treatments"], tasks=["topic"], **of).cells]
    assert variants == [None, "int8", "int4", "sparse50"]
    (cell,) = select(catalog, suites=["treatments"], tasks=["topic"], treatments=["int8"], **of).cells
    assert cell.model.variant == "int8"
    assert "treatments" not in {cell.suite for cell in select(catalog, suites=["all"], **of).cells}


def test_suites_that_ask_for_different_treatments_are_run_one_by_one() -> None:
    with pytest.raises(
        HarnessError, match=r"suites ask for different treatments \(.*qa: none.*\): run them one by one"
    ):
        select(load_catalog(), suites=["qa", "treatments"], models=["ladder-12k"])


def test_a_teacher_is_found_in_the_family_of_each_model_and_a_mistyped_one_is_refused() -> None:
    catalog, of = load_catalog(), {"models": ["ladder-12k"], "tasks": ["topic"], "limit": 5}
    (cell,) = select(catalog, treatments=["distill:ladder-43k@64"], **of).cells
    how = method_from(str(cell.model.treatment))
    assert isinstance(how, Distill)
    (teacher,) = {one.model for one in select(catalog, **of | {"models": ["ladder-43k"]}).cells}
    assert (how.documents, how.teacher_revision, how.teacher_path) == (64, teacher.revision, teacher.path)
    assert how.teacher_params == teacher.params
    with pytest.raises(
        PlanError, match="--treatment 'distill:ladder-9': unknown model 'ladder-9'; known: ladder-108k,"
    ):
        select(catalog, treatments=["distill:ladder-9"], **of)
