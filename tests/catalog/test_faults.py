"""Everything that is wrong with a file is named, up to ten faults, and not the first one alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.catalog import load_catalog
from harness.errors import CatalogError, Faults, FaultsError
from tests.builders.commands import Emergence


def change(path: Path, **keys: object) -> None:
    """Set keys at the top of a YAML file."""
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | keys, sort_keys=False))


def config_of(path: Path, **keys: object) -> dict[str, object]:
    """The config of a task file, changed."""
    config: dict[str, object] = yaml.safe_load(path.read_text())["config"]
    return config | keys


def faults(emergence: Emergence, place: Path) -> list[str]:
    """What `check` says of a file or folder that is wrong."""
    done = emergence("check", place)
    assert done.code == 2
    return [line.removeprefix("error: ") for line in done.err.splitlines()]


def test_faults_of_keys_config_data_and_templates_are_named_together(emergence: Emergence, toy: Path) -> None:
    path = toy / "jumps.yaml"
    change(
        path,
        kind="poetry",
        metrics=[{"name": "acc", "chance": 1.2}, {"name": "prob_correct", "continuous": True}],
        config=config_of(path, test_split="tset", doc_to_txt="x", doc_to_text="{{qestion}}", repeats=0),
        prompts={"terse": {"doc_to_text": "{{label"}},
    )
    said = [line.removeprefix(f"{path}: ") for line in faults(emergence, toy)]
    beginnings = (
        *("kind is 'poetry'", "metrics[0].chance is 1.2", "config.doc_to_txt: unknown key", "config.repeats is 0"),
        *("config.test_split is 'tset'", "config.doc_to_text asks for 'qestion'"),
        "prompts.terse.doc_to_text is no template",
    )
    assert len(said) == len(beginnings)
    for beginning in beginnings:
        assert sum(line.startswith(beginning) for line in said) == 1, beginning


def test_faults_of_several_files_are_named_together(emergence: Emergence, toy: Path) -> None:
    change(toy / "jumps.yaml", kind="poetry")
    change(toy / "suite.yaml", shots=[-1], seeds=0)
    models = [{"name": "a", "params": 10, "variant": "int8"}, {"name": "b", "params": 20, "variant": "int4"}]
    change(toy / "family.yaml", models=models)
    said = faults(emergence, toy)
    assert [line.partition(": ")[0] for line in said] == [str(toy / "family.yaml")] * 2 + [
        str(toy / "jumps.yaml"),
        *[str(toy / "suite.yaml")] * 2,
    ]


def test_faults_of_a_suite_against_its_tasks_are_named_together(emergence: Emergence, toy: Path) -> None:
    change(toy / "suite.yaml", tasks=["jumps", "stay"], shots=[0, 50, 60], prompts=["terse"])
    said = [line.removeprefix(f"{toy / 'suite.yaml'}: ") for line in faults(emergence, toy)]
    assert [line[:9] for line in said] == ["prompts[0", "shots[1] ", "shots[2] ", "tasks[1]:"]


def test_ten_faults_of_a_file_are_named_and_the_others_counted(emergence: Emergence, toy: Path) -> None:
    path = toy / "jumps.yaml"
    change(path, config=config_of(path, **{f"key_{i}": 1 for i in range(13)}))
    said = faults(emergence, toy)
    assert [f"'key_{i}'" in line for i, line in enumerate(said[:10])] == [True] * 10
    assert said[10:] == [f"{path}: and 3 more"]


@pytest.mark.parametrize("broken", [{"fewshot_config": "x"}, {"metric_list": "x"}, {"dataset_kwargs": ["x"]}])
def test_a_section_of_the_wrong_form_hides_no_other_fault(toy: Path, broken: dict[str, object]) -> None:
    path = toy / "jumps.yaml"
    change(path, config=config_of(path, doc_to_txt="x", **broken))
    with pytest.raises(FaultsError) as caught:
        load_catalog([toy])
    assert len(caught.value.faults) == 2
    assert f"config.{next(iter(broken))} is" in str(caught.value)


def test_a_run_names_every_fault_too(emergence: Emergence, toy: Path, options: tuple[str, ...]) -> None:
    change(toy / "jumps.yaml", kind="poetry", version=3)
    done = emergence("run", *options)
    assert done.code == 2
    assert done.err.count(f"error: {toy / 'jumps.yaml'}: ") == 2
    assert not Path("results").exists()


def test_a_single_fault_is_an_error_of_its_own() -> None:
    collected = Faults("x.yaml")
    for _ in range(2):
        with collected:
            raise CatalogError("x.yaml: one")
    with pytest.raises(CatalogError, match=r"^x\.yaml: one$") as caught:
        collected.check()
    assert not isinstance(caught.value, FaultsError)
    with pytest.raises(ZeroDivisionError), collected:
        _ = 1 / 0


def test_many_unknown_keys_tell_what_is_known_once(emergence: Emergence, toy: Path) -> None:
    path = toy / "jumps.yaml"
    wrong = {f"key{i}": 1 for i in range(8)}
    change(path, config=config_of(path, generation_kwargs=wrong, filter_list=[{"name": "a", **wrong}]))
    said = faults(emergence, toy)

    assert sum("unknown key 'key" in line for line in said) >= 8
    assert sum("generation_kwargs" in line and "known: " in line for line in said) == 1
    assert len(str(FaultsError(["x" * 900] * 10))) <= 5_000
