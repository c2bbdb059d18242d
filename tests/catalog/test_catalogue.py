import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.catalog.catalogue import load_catalog, load_file
from harness.errors import CatalogError
from harness.specs import Family, MetricSpec, Suite, TaskSpec

TASK = {
    "task": "colours",
    "kind": "qa",
    "metrics": [{"name": "acc", "chance": 0.25}, {"name": "prob_correct", "chance": 0.25, "continuous": True}],
    "config": {
        "output_type": "multiple_choice",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": "data/test.jsonl", "fewshot": "data/fewshot.jsonl"}},
        "test_split": "test",
        "fewshot_split": "fewshot",
        "doc_to_text": "{{question}}",
    },
}
SUITE = {"suite": "toy", "tasks": ["colours"], "shots": [0, 2]}
FAMILY = {"family": "toy", "tokens": 1000, "models": [{"name": "big", "params": 20}, {"name": "small", "params": 10}]}


def write(folder: Path, name: str, content: dict[str, object]) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with one task, one suite and one family."""
    toy = tmp_path / "toy"
    data = toy / "data"
    data.mkdir(parents=True)
    (data / "test.jsonl").write_text(
        "".join(json.dumps({"question": f"{i}?", "label": "red"}) + "\n" for i in range(5))
    )
    (data / "fewshot.jsonl").write_text((json.dumps({"question": "x?", "label": "red"}) + "\n") * 2)
    write(toy, "colours.yaml", TASK)
    write(toy, "suite.yaml", SUITE)
    write(toy, "family.yaml", FAMILY)
    return toy


def test_files_of_the_package_are_right() -> None:
    catalog = load_catalog()
    assert {"embedded", "pythia", "gpt2", "opt", "qwen3"} <= catalog.families.keys()
    for name in ("classification", "ner", "qa", "codegen", "arithmetic", "prompting"):
        for task in catalog.suite(name).tasks:
            assert catalog.task(task).n_docs is not None
            assert catalog.task(task).n_docs >= 200, task


def test_bits_per_byte_need_no_key_but_their_name(folder: Path) -> None:
    metrics = [{"name": "acc", "chance": 0.25}, {"name": "correct_bits_per_byte"}]
    task = load_file(write(folder, "colours.yaml", {**TASK, "metrics": metrics}))
    assert isinstance(task, TaskSpec)
    bits = MetricSpec(name="correct_bits_per_byte", higher_is_better=False, chance=None, best=0.0, continuous=True)
    assert task.metrics[1] == bits
    metrics[1]["higher_is_better"] = True
    with pytest.raises(CatalogError, match=r"higher_is_better is true; expected false, since less is better"):
        load_file(write(folder, "colours.yaml", {**TASK, "metrics": metrics}))


def test_the_embedded_models_have_the_loss_their_training_recorded() -> None:
    for model in load_catalog().family("embedded").models:
        recorded = json.loads(Path(model.source, "training.json").read_text())
        assert model.loss == recorded["answer_loss"], model.name


def test_a_model_without_a_known_loss_has_none(folder: Path) -> None:
    family = load_file(folder / "family.yaml")
    assert isinstance(family, Family)
    assert [m.loss for m in family.models] == [None, None]


def test_a_family_names_the_training_runs_of_a_size_by_text_or_number(folder: Path) -> None:
    runs = [{"name": "x", "params": 1, "run": run, "revision": f"r{run}"} for run in (0, "seed-b")]
    family = load_file(write(folder, "family.yaml", FAMILY | {"models": [*runs, {"name": "y", "params": 2}]}))
    assert isinstance(family, Family)
    assert [m.run for m in family.models] == ["0", "seed-b", None]


def test_a_task_knows_its_documents_shots_and_home(folder: Path) -> None:
    task = load_file(folder / "colours.yaml")
    assert isinstance(task, TaskSpec)
    assert (task.n_docs, task.shots_available, task.suite) == (5, 2, "toy")
    assert task.config["dataset_kwargs"]["data_files"]["test"] == str((folder / "data/test.jsonl").resolve())
    assert list(task.prompts) == ["default"]


def test_a_task_tells_its_examples_and_what_the_page_of_its_data_says(folder: Path) -> None:
    before = load_catalog([folder]).task("colours")
    text = (folder / "colours.yaml").read_text()
    words = "shots: 3\npublished: {documents: 2376, source: https://example.org}\n"
    (folder / "colours.yaml").write_text(text + words)
    after = load_catalog([folder]).task("colours")
    assert (before.default_shots, after.default_shots) == (None, 3)
    assert (before.published_docs, after.published_docs) == (None, 2376)
    assert after.expected_docs == after.n_docs == before.n_docs  # counted ones are surer
    assert after.digest == before.digest


def test_the_digest_covers_config_and_data_but_not_the_place(folder: Path, tmp_path: Path) -> None:
    digest = load_file(folder / "colours.yaml").digest
    moved = tmp_path / "elsewhere" / "toy"
    shutil.copytree(folder, moved)
    assert load_file(moved / "colours.yaml").digest == digest
    with (moved / "data/test.jsonl").open("a") as file:
        file.write('{"question": "new?", "label": "red"}\n')
    assert load_file(moved / "colours.yaml").digest != digest
    write(folder, "colours.yaml", TASK | {"config": TASK["config"] | {"doc_to_text": "Q: {{question}}"}})
    assert load_file(folder / "colours.yaml").digest != digest
    write(folder, "colours.yaml", TASK | {"description": "only words for people"})
    assert load_file(folder / "colours.yaml").digest == digest


def test_a_family_is_sorted_by_size_and_inherits_tokens(folder: Path) -> None:
    family = load_file(folder / "family.yaml")
    assert isinstance(family, Family)
    assert [m.name for m in family.models] == ["small", "big"]
    assert family.models[0].flops == 6.0 * 10 * 1000


@pytest.mark.parametrize(("text", "number"), [("7e7", 7 * 10**7), ("2.1E10", 21 * 10**9), ("7_000", 7000), ("8.0", 8)])
def test_a_count_may_be_written_with_a_power_of_ten(folder: Path, text: str, number: int) -> None:
    (folder / "family.yaml").write_text(f"family: toy\nmodels:\n  - {{name: x, params: {text}, tokens: {text}}}\n")
    family = load_file(folder / "family.yaml")
    assert isinstance(family, Family)
    assert (family.models[0].params, family.models[0].tokens) == (number, number)


def test_a_model_may_lie_in_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    write(folder, "family.yaml", FAMILY | {"models": [{"name": "x", "path": "~/x", "params": 1}]})
    family = load_catalog([Path("~")]).family("toy")
    assert family.models[0].path == str(folder / "x")


def test_the_home_of_a_task_is_the_suite_beside_it_whatever_the_folder_is_called(folder: Path) -> None:
    write(folder, "suite.yaml", SUITE | {"suite": "rainbow", "tasks": ["colours", "topic"]})
    catalog = load_catalog([folder])
    assert catalog.task("colours").suite == "rainbow"
    assert catalog.task("topic").suite == "classification"


def test_a_document_is_no_example_of_itself(folder: Path) -> None:
    write(folder, "colours.yaml", TASK | {"config": TASK["config"] | {"fewshot_split": "test"}})
    task = load_file(folder / "colours.yaml")
    assert isinstance(task, TaskSpec)
    assert (task.n_docs, task.shots_available) == (5, 4)


def test_a_folder_without_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"no \*\.yaml or \*\.yml in it"):
        load_catalog([tmp_path])


def test_own_files_join_those_of_the_package(folder: Path) -> None:
    catalog = load_catalog([folder])
    assert catalog.suite("toy") == Suite(name="toy", tasks=("colours",), shots=(0, 2))
    assert "classification" in catalog.suites


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("colours.yaml", {"metrics": [{"name": "acc", "chance": 1.2}]}, "metrics[0].chance is 1.2; expected"),
        ("colours.yaml", {"metrcs": []}, "unknown key `metrcs`; expected task, kind"),
        ("colours.yaml", {"metrics": [{"name": "acc", "chanse": 0}]}, "`metrics[0].chanse`; expected name, higher_is"),
        ("colours.yaml", {"metrics": ["acc"]}, "metrics[0] is 'acc'; expected keys and values"),
        ("colours.yaml", {"config": "x"}, "config is 'x'; expected keys and values"),
        ("colours.yaml", {"task": "my task"}, "task is 'my task'; expected letters, digits"),
        ("colours.yaml", {"published": {"documents": 0, "source": "x"}}, "published.documents is 0; expected"),
        ("colours.yaml", {"published": {"documents": 9}}, "`published.source` is missing"),
        ("colours.yaml", {"shots": -1}, "shots is -1; expected"),
        ("suite.yaml", {"in_all": "perhaps"}, "in_all is 'perhaps'; expected"),
        ("colours.yaml", {"prompts": {"all": {}}}, "prompts.all is 'all'; expected another name"),
        ("colours.yaml", {"kind": "poetry"}, "kind is 'poetry'; expected 'classification', 'ner'"),
        ("colours.yaml", {"metrics": [{"name": "acc"}]}, "none is `continuous: true`"),
        ("colours.yaml", {"metrics": [{"name": "acc", "continuous": True}] * 2}, "a name stands twice"),
        ("colours.yaml", {"config": TASK["config"] | {"num_fewshot": 0}}, "config.num_fewshot is set"),
        ("colours.yaml", {"config": TASK["config"] | {"fewshot_split": "train"}}, "fewshot_split is 'train'"),
        ("colours.yaml", {"config": TASK["config"] | {"dataset_kwargs": {"data_files": 3}}}, "expected the name of a"),
        ("colours.yaml", {"demonstrations": "document"}, "a document has no `examples`"),
        ("suite.yaml", {"tasks": ["colors"]}, "tasks[0]: unknown task 'colors'; did you mean colours?"),
        ("suite.yaml", {"shots": [0, -1]}, "shots[1] is -1; expected greater than or equal to 0"),
        ("suite.yaml", {"shot": [0]}, "unknown key `shot`"),
        ("suite.yaml", {"seeds": 0}, "seeds is 0"),
        ("suite.yaml", {"seeds": True}, "seeds is True; expected a whole number"),
        ("suite.yaml", {"tasks": []}, "tasks is []; expected at least one"),
        ("suite.yaml", {"suite": "all"}, "suite is 'all'; expected another name, since `all` stands for every one"),
        ("suite.yaml", {"prompts": ["terse"]}, "prompts[0]: task colours: unknown prompt 'terse'; known: default"),
        ("suite.yaml", {"shots": [0, 3]}, "shots[1] is 3; task colours has 2 demonstrations to give"),
        (
            "colours.yaml",
            {"task": "x" * 300},
            f"task is '{'x' * 198}…; expected at most 200 characters, because a file",
        ),
        (
            "colours.yaml",
            {"prompts": {"x" * 300: {}}},
            "expected at most 200 characters, because a file of the",
        ),
        ("suite.yaml", {"seeds": 10**30}, "seeds is 1000000000000000000000000000000; expected less than or equal to 1"),
        ("family.yaml", {"family": "x" * 300}, "expected at most 200 characters, because a file of the results is"),
        ("family.yaml", {"models": [{"name": "x" * 300, "params": 1}]}, "models[0].name is 'xxx"),
        (
            "family.yaml",
            {"models": [{"name": "x", "params": 1, "variant": "x" * 41}]},
            "expected at most 40 char",
        ),
        ("family.yaml", {"models": [{"name": "x", "params": 1, "revision": "../x"}]}, "models[0].revision is '../x'"),
        (
            "family.yaml",
            {"models": [{"name": "x", "params": 1, "path": "a\0b"}]},
            "path of x is 'a\\x00b'; expected a",
        ),
        ("family.yaml", {"models": [{"name": "x", "params": 10**19}]}, "params is 10000000000000000000; expected less"),
        ("family.yaml", {"models": ["x"]}, "models[0] is 'x'; expected keys and values"),
        ("family.yaml", {"models": [{"name": "x", "size": 1}]}, "unknown key `models[0].size`; expected name, path"),
        ("family.yaml", {"models": [{"name": "", "params": 1}]}, "models[0].name is ''; expected a name"),
        ("family.yaml", {"models": [{"name": "x", "params": True}]}, "params is True; expected a whole number"),
        ("family.yaml", {"models": [{"name": "x", "params": "7e-1"}]}, "params is '7e-1'; expected a whole number"),
        ("family.yaml", {"models": [{"name": "x", "params": "1e999999999"}]}, "expected a whole number"),
        ("family.yaml", {"models": [{"name": "x", "params": 1, "loss": True}]}, "loss is True; expected a number"),
        ("family.yaml", {"models": [{"name": "x"}]}, "`models[0].params` is missing"),
        ("family.yaml", {"models": [{"name": "x", "params": 1}] * 2}, "one stands twice"),
        (
            "family.yaml",
            {"models": [{"name": "x", "params": 1, "run": True}]},
            "run is True; expected a text or a whole",
        ),
        ("family.yaml", {"models": [{"name": "x", "params": 1, "run": 1.5}]}, "run is 1.5; expected a text or a whole"),
        ("family.yaml", {"models": [{"name": "x", "params": 1, "run": ""}]}, "run is ''; expected a name"),
        (
            "family.yaml",
            {"models": [{"name": "x", "params": 1, "run": run} for run in (1, 2)]},
            "x@main stands there as run 1 and as run 2; expected other weights for each training run",
        ),
        ("family.yaml", {"models": [{"name": "x", "params": 1, "dtype": "int3"}]}, "models[0].dtype is 'int3'"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(folder: Path, file: str, change: dict[str, object], message: str) -> None:
    content = {"colours.yaml": TASK, "suite.yaml": SUITE, "family.yaml": FAMILY}[file]
    path = write(folder, file, content | change)
    with pytest.raises(CatalogError) as caught:
        load_catalog([folder])
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_behind_links_in_a_ring_is_refused(folder: Path) -> None:
    (folder / "ring").symlink_to("ring")
    write(folder, "family.yaml", FAMILY | {"models": [{"name": "x", "path": "ring/y", "params": 1}]})
    with pytest.raises(CatalogError, match="path of x is 'ring/y'; expected a folder"):
        load_catalog([folder])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "x.yaml: is a pipe; expected a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "x.yaml: is a device; expected a regular file"),
        (lambda path: path.symlink_to(path), "x.yaml: cannot be read: Too many levels of symbolic links"),
        (lambda path: path.write_bytes(b"#" * 10_000_001), "x.yaml: has 10,000,001 bytes; expected at most 10,000,000"),
        (lambda path: path.write_bytes(b"\xff"), "x.yaml: is not UTF-8"),
    ],
)
def test_what_is_no_file_of_a_catalogue_is_refused(folder: Path, make: Callable[[Path], object], message: str) -> None:
    make(folder / "x.yaml")
    for place in (folder, folder / "x.yaml"):
        with pytest.raises(CatalogError) as caught:
            load_catalog([place])
        assert message in str(caught.value)


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_a_place_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        load_catalog([Path(name)])


def test_a_date_is_a_text_and_keys_may_be_merged(folder: Path) -> None:
    text = (folder / "colours.yaml").read_text()
    text = text.replace("config:", "version: 2001-02-30\nprompts: {plain: &plain {}, terse: {<<: *plain}}\nconfig:")
    (folder / "colours.yaml").write_text(text)
    task = load_file(folder / "colours.yaml")
    assert isinstance(task, TaskSpec)
    assert task.version == "2001-02-30"
    assert list(task.prompts) == ["default", "plain", "terse"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json\n", "line 1 is not JSON; expected JSONL"),
        ('{"a": 1}\n[1]\n', "line 2 is a list; expected a JSON object"),
        ("", "data file is empty"),
    ],
)
def test_a_data_file_that_is_no_jsonl_is_named_with_its_line(folder: Path, text: str, message: str) -> None:
    (folder / "data/test.jsonl").write_text(text)
    with pytest.raises(CatalogError) as caught:
        load_catalog([folder])
    assert f"{(folder / 'data/test.jsonl').resolve()}: {message}" in str(caught.value)


def test_a_missing_data_file_is_named(folder: Path) -> None:
    (folder / "data/test.jsonl").unlink()
    with pytest.raises(CatalogError, match=r"test\.jsonl: data file cannot be read: No such file"):
        load_catalog([folder])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: [", "line 2: did not find expected node content"),
        ("task: x\ntask: y\n", "line 2: key 'task' stands twice"),
        ("task: !!python/object/apply:os.system [echo]\n", "could not determine a constructor"),
        ("task: !function utils.go\n", "could not determine a constructor"),
        ("config: {doc_to_text: {{country}}}\n", "line 1: a key is a mapping or a list; expected quotes around a text"),
        ("- 1\n", "is a list; expected keys and values"),
        ("name: x\n", "is neither family, suite nor task"),
    ],
)
def test_yaml_that_is_wrong_or_wants_code_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(CatalogError) as caught:
        load_catalog([path])
    assert message in str(caught.value)


def test_an_unsafe_task_needs_a_suite_that_says_so(folder: Path) -> None:
    write(folder, "colours.yaml", TASK | {"unsafe_code": True})
    with pytest.raises(CatalogError, match="unsafe_code is false, but task colours executes"):
        load_catalog([folder])
    write(folder, "suite.yaml", SUITE | {"unsafe_code": True})
    assert load_catalog([folder]).suite("toy").unsafe_code


def test_a_name_that_is_taken_is_refused(folder: Path) -> None:
    write(folder, "again.yaml", TASK)
    with pytest.raises(CatalogError, match="task colours is already defined in"):
        load_catalog([folder])
