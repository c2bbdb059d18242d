"""Task files of others that would run code, or read and write beside their own data, if they could."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from harness.catalog import load_catalog
from harness.catalog.catalogue import load_file
from harness.catalog.tasks.keys import AGGREGATIONS, FILTERS, GENERATION_KEYS, LOADERS
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.errors import CatalogError, HarnessError
from harness.specs import TaskSpec
from harness.wording import quoted
from tests.builders import cell
from tests.builders.commands import Emergence

CONFIG = {
    "output_type": "generate_until",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "test.jsonl"}},
    "test_split": "test",
    "doc_to_text": "{{q}}",
    "doc_to_target": "a",
}
METRICS = [{"name": "exact_match"}, {"name": "loglikelihood_per_token", "continuous": True}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Somebody's task folder, with scripts that leave a file `canary` beside it when they run."""
    made = tmp_path / "theirs"
    canary = f"open({str(tmp_path / 'canary')!r}, 'w').close()\n"
    for name in ("custom_generate/generate.py", "exact_match/exact_match.py", "set/set.py", "set.py"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(canary + "def generate(model, **kwargs):\n    return None\n")
    write(made / "test.jsonl")
    write(tmp_path / "outside.jsonl")
    return made


def write(path: Path) -> Path:
    """One document."""
    path.write_text(json.dumps({"q": "1+1=", "a": "2"}) + "\n")
    return path


def task_file(folder: Path, config: dict[str, Any], **keys: Any) -> Path:
    """The task `sums`, its config changed."""
    path = folder / "sums.yaml"
    path.write_text(
        yaml.safe_dump({"task": "sums", "kind": "qa", "metrics": METRICS, "config": CONFIG | config, **keys})
    )
    return path


def data(**kwargs: Any) -> dict[str, Any]:
    """A config with one more argument of `datasets.load_dataset`."""
    return {"dataset_kwargs": CONFIG["dataset_kwargs"] | kwargs}  # type: ignore[operator]


def filtered(**step: Any) -> dict[str, Any]:
    """A config with one filter."""
    return {"filter_list": [{"name": "f", "filter": [step]}]}


def scored(**entry: Any) -> dict[str, Any]:
    """A config with one metric."""
    return {"metric_list": [{"metric": "exact_match", **entry}]}


WIDE = "(?i)" + "[\0-\U0010ffff]" * 1990
"""An expression that takes seconds to be read."""
HOSTILE: list[tuple[dict[str, Any], str]] = [
    *(
        (
            {"generation_kwargs": {"until": ["\n"], key: value}},
            f"config.generation_kwargs.{key} runs Python code that comes with the task; agree with --allow-code",
        )
        for key, value in {"custom_generate": ".", "trust_remote_code": True}.items()
    ),
    *(
        ({"generation_kwargs": {"until": ["\n"], key: value}}, f"config.generation_kwargs: unknown key '{key}'; known")
        for key, value in {
            "assistant_model": "org/model",
            "compile_config": {"backend": "x"},
            "cache_implementation": "offloaded",
            "cache_config": {"backend": "quanto"},
            "logits_processor": ["x"],
            "generation_config": "theirs",
            "constraints": ["x"],
            "penalty_alpha": 0.6,
            "dola_layers": "high",
            "force_words_ids": [[1]],
            "num_beam_groups": 2,
            "return_dict_in_generate": True,
            "streamer": "x",
            "visualize": True,
        }.items()
    ),
    ({"generation_kwargs": {"until": {"a": 1}}}, "config.generation_kwargs.until is {'a': 1}; expected a number, a te"),
    ({"generation_kwargs": ["until"]}, "config.generation_kwargs is ['until']; expected keys and values"),
    (scored(hf_evaluate=True), "config.metric_list[0].hf_evaluate runs Python code that comes with the task; agree wi"),
    (scored(module_type="metric"), "config.metric_list[0]: unknown key 'module_type'; known: "),
    (scored(aggregation="os:system"), "config.metric_list[0].aggregation: unknown aggregation 'os:system'; known: "),
    (scored(aggregation=["mean"]), "config.metric_list[0].aggregation: unknown aggregation"),
    ({"metric_list": [{"metric": "./exact_match"}]}, "config.metric_list[0].metric: unknown metric './exact_match'"),
    (filtered(function="custom", filter_fn="x"), "config.filter_list[0].filter[0].function: unknown filter 'custom'"),
    (filtered(function="os:system"), "config.filter_list[0].filter[0].function: unknown filter 'os:system'"),
    (
        filtered(function="take_first", path="/x"),
        "config.filter_list[0].filter[0]: unknown key 'path'; known: function",
    ),
    (filtered(function=["regex"]), "filter[0].function: unknown filter"),
    ({"filter_list": "theirs.py"}, "config.filter_list is 'theirs.py'; expected a list"),
    ({"filter_list": [{"name": "f"}]}, "config.filter_list[0] is {'name': 'f'}; expected the keys `name` and `filter`"),
    ({"fewshot_config": {"sampler": "theirs"}}, "config.fewshot_config.sampler: unknown sampler 'theirs'; known: def"),
    ({"fewshot_config": {"process_docs": "x"}}, "config.fewshot_config: unknown key 'process_docs'; known: "),
    ({"custom_dataset": "theirs.set"}, "config.custom_dataset is 'theirs.set'; expected none"),
    ({"process_docs": "theirs.docs"}, "config.process_docs is 'theirs.docs'; expected none"),
    ({"process_results": "theirs.results"}, "config.process_results is 'theirs.results'; expected none"),
    ({"use_prompt": "promptsource:GPT-3 style"}, "config.use_prompt is 'promptsource:GPT-3 style'; expected none"),
    ({"use_prompt": "/x/p.yaml:one"}, "config.use_prompt is '/x/p.yaml:one'; expected none"),
    *(
        (data(**{key: value}), f"config.dataset_kwargs: unknown key '{key}'; known: data_files, revision")
        for key, value in {
            "data_dir": "~/.ssh",
            "cache_dir": "/tmp/elsewhere",
            "num_proc": 64,
            "storage_options": {"key": "x"},
            "trust_remote_code": True,
            "download_config": {"cache_dir": "/tmp/elsewhere"},
            "token": "x",
            "features": "x",
            "streaming": True,
            "save_infos": True,
            "name": "x",
        }.items()
    ),
    *(
        ({"dataset_path": path, "dataset_kwargs": None}, f"config.dataset_path is {quoted(path)}; expected json with")
        for path in (
            *(
                "text",
                "json",
                "csv",
                "parquet",
                "arrow",
                "pandas",
                "pickle",
                "imagefolder",
                "webdataset",
                "set",
                "set.py",
            ),
            *("./set", "../theirs/set", "/etc", "~/.ssh", "file:///etc/passwd", "https://x.org/set", "s3://x/set"),
            *(
                "zip://a::https://x.org/b",
                "hf://datasets/org/set",
                "org/set/../../..",
                "a/b/c",
                "",
                "..",
                "a" * 500,
                ["text"],
                3,
            ),
        )
    ),
    ({"dataset_path": "arrow"}, "config.dataset_path is 'arrow'; expected json, csv, parquet, text, which read data_f"),
    ({"dataset_path": "org/set"}, "config.dataset_path is 'org/set'; expected json, csv, parquet, text, which read"),
    ({"dataset_name": "../../elsewhere"}, "config.dataset_name is '../../elsewhere'; expected the name of a part"),
    ({"repeats": 10**9}, "config.repeats is 1000000000; expected at most 10,000 (EMERGENCE_LIMITS=10 in the environ"),
    ({"repeats": 0}, "config.repeats is 0; expected a whole number, 1 or more"),
    ({"repeats": "9"}, "config.repeats is '9'; expected a whole number, 1 or more"),
    ({"repeats": True}, "config.repeats is True; expected a whole number, 1 or more"),
    ({"generation_kwargs": {"max_gen_toks": 10**9}}, "generation_kwargs.max_gen_toks is 1000000000; expected at most"),
    ({"generation_kwargs": {"num_beams": 10**5}}, "generation_kwargs.num_beams is 100000; expected at most 1,000 ("),
    ({"generation_kwargs": {"temperature": "hot"}}, "generation_kwargs.temperature is 'hot'; expected a number"),
    ({"generation_kwargs": {"temperature": 10**309}}, "generation_kwargs.temperature is 1000"),
    ({"metric_list": [{"metric": ["acc"]}]}, "config.metric_list[0].metric is ['acc']; expected the name of a"),
    ({"generation_kwargs": {"max_gen_toks": float("inf")}}, "generation_kwargs.max_gen_toks is inf; expected a number"),
    ({"generation_kwargs": {"bad_words_ids": [[10**9]]}}, "generation_kwargs.bad_words_ids is 1000000000; expected"),
    (filtered(function="take_first_k", k=10**9), "config.filter_list[0].filter[0].k is 1000000000; expected at most"),
    (filtered(function="regex", regex_pattern="("), "regex_pattern is '(', which is no regular expression: missing )"),
    (filtered(function="regex", regex_pattern="(" * 3000 + ")" * 3000), "no regular expression: it is nested too deep"),
    (filtered(function="regex", regex_pattern="a" * 20_000), "regex_pattern has 20,000 characters; expected at most"),
    (filtered(function="regex", regex_pattern=3), "regex_pattern is 3; expected a regular expression"),
    (scored(regexes_to_ignore=["a", "["]), "metric_list[0].regexes_to_ignore is '[', which is no regular expression"),
    (scored(regexes_to_ignore="a+"), "metric_list[0].regexes_to_ignore is 'a+'; expected a list of regular"),
    (
        filtered(function="regex", regex_pattern=WIDE),
        "regex_pattern takes more than 1 s (",
    ),
    ({"generation_kwargs": {"until": ["a"] * 2000}}, "generation_kwargs.until has 2,000 texts; expected at most 1,000"),
    ({"doc_to_image": "{{ a }}"}, "config.doc_to_image is '{{ a }}'; expected none, since models here read text"),
    ({"target_delimiter": "a" * 2000}, "config.target_delimiter has 2,000 characters; expected at most 1,000 ("),
    ({"fewshot_config": {"fewshot_delimiter": "a" * 2000}}, "fewshot_config.fewshot_delimiter has 2,000 characters"),
    (
        {"filter_list": [{"name": "f", "filter": [{"function": "lowercase"}] * 200}]},
        "config.filter_list has 200 filters",
    ),
    (
        {"filter_list": [{"name": "f", "filter": []}] * 200},
        "filter_list has 200 filters; expected at most 100 (",
    ),
    ({"dataset_name": "~"}, "config.dataset_name is '~'; expected the name of a part"),
    (data(revision="../x"), "config.dataset_kwargs.revision is '../x'; expected a branch, a tag or a commit"),
]


@pytest.mark.parametrize(("config", "message"), HOSTILE)
def test_what_could_run_code_or_reach_beyond_the_data_is_refused_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(folder)  # where lm-eval and `datasets` look for scripts
    path = task_file(folder, config)
    with pytest.raises(CatalogError) as caught:
        load_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (folder.parent / "canary").exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [case for case in HOSTILE if not any(key.startswith(("custom_d", "proc")) for key in case[0])],
)
def test_it_is_refused_once_more_where_a_config_is_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(folder)
    task = load_file(task_file(folder, {}))
    assert isinstance(task, TaskSpec)
    forged = TaskSpec(
        name="sums", kind="qa", suite="s", metrics=task.metrics, config={**task.config, **config}, prompts=task.prompts
    )
    with pytest.raises(HarnessError):
        build_cell(cell(of=forged), forged, DocumentCache())
    assert not (folder.parent / "canary").exists()


def test_a_prompt_variant_is_held_to_the_same_keys(folder: Path) -> None:
    generation = {"generation_kwargs": {"custom_generate": "."}}
    with pytest.raises(CatalogError, match=r"prompts\.terse\.generation_kwargs\.custom_generate runs Python code"):
        load_file(task_file(folder, {}, prompts={"terse": generation}))
    for key, value in {"dataset_kwargs": {"data_files": {"test": "/etc/passwd"}}, "dataset_path": "org/other"}.items():
        with pytest.raises(CatalogError, match=rf"prompts\.terse\.{key}: a prompt asks the same documents"):
            load_file(task_file(folder, {}, prompts={"terse": {key: value}}))


def test_a_function_in_yaml_is_refused(folder: Path) -> None:
    path = task_file(folder, {})
    path.write_text(path.read_text().replace("doc_to_target: a", "doc_to_target: !function set.generate"))
    with pytest.raises(CatalogError, match="could not determine a constructor for the tag '!function'"):
        load_file(path)
    assert not (folder.parent / "canary").exists()


def link(folder: Path) -> str:
    (folder / "link.jsonl").symlink_to(folder.parent / "outside.jsonl")
    return "link.jsonl"


def linked_folder(folder: Path) -> str:
    (folder / "data").symlink_to(folder.parent)
    return "data/outside.jsonl"


def ring(folder: Path) -> str:
    (folder / "ring.jsonl").symlink_to(folder / "ring.jsonl")
    return "ring.jsonl"


def pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe.jsonl")
    return "pipe.jsonl"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "../outside.jsonl",
            "outside the task's folder; expected a file below it, or below a folder given with --data",
        ),
        ("/etc/passwd", "'/etc/passwd', outside the task's folder"),
        ("/dev/zero", "outside the task's folder"),
        (link, "outside the task's folder"),
        (linked_folder, "outside the task's folder"),
        (ring, "expected "),
        (pipe, "expected a regular file"),
        (".", "expected a regular file"),
        ("a\0b", "expected the name of a file"),
        ("~/.ssh/id_rsa", "data file cannot be read: No such file or directory"),
        ("file:///etc/passwd", "data file cannot be read: No such file or directory"),
        ("https://x.org/test.jsonl", "data file cannot be read: No such file or directory"),
        ("zip://test.jsonl::https://x.org/a.zip", "data file cannot be read: No such file or directory"),
    ],
)
def test_data_lie_below_the_folder_of_the_task(folder: Path, name: Any, message: str) -> None:
    said = name if isinstance(name, str) else name(folder)
    with pytest.raises(CatalogError) as caught:
        load_file(task_file(folder, {"dataset_kwargs": {"data_files": {"test": said}}}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_may_lie_below_a_folder_that_the_user_names(folder: Path) -> None:
    file = write(folder.parent / "outside.jsonl")
    path = task_file(folder, {"dataset_kwargs": {"data_files": {"test": "../outside.jsonl"}}})
    for catalog in (load_catalog([folder.parent]), load_catalog([path], data_roots=[folder.parent])):
        assert catalog.task("sums").data_files == (file.resolve(),)


def test_a_link_that_stays_inside_is_followed(folder: Path) -> None:
    (folder / "same.jsonl").symlink_to(folder / "test.jsonl")
    catalog = load_catalog([task_file(folder, {"dataset_kwargs": {"data_files": {"test": "same.jsonl"}}})])
    assert catalog.task("sums").data_files == ((folder / "test.jsonl").resolve(),)


@pytest.mark.parametrize("verb", ["check", "plan", "run", "list"])
def test_data_root_is_an_option_of_every_verb_that_reads_tasks(folder: Path, emergence: Emergence, verb: str) -> None:
    path = task_file(folder, {"dataset_kwargs": {"data_files": {"test": "../outside.jsonl"}}})
    which = ("--task", "sums", "--family", "embedded", "--engine", "simulated")
    tail = {"check": (path,), "list": ("--include-path", path)}.get(verb, (*which, "--include-path", path))
    executor = ("--executor", "inline") if verb == "run" else ()
    done = emergence(verb, *tail, *executor)
    assert (done.code, "outside the task's folder" in done.err) == (2, True)
    done = emergence(verb, *tail, *executor, "--data-root", folder.parent)
    assert done.code == 0, done.err


class HubBuilder:
    """What `datasets` gives for a data set of the hub whose card names these files."""

    def __init__(self, *files: str) -> None:
        self.config = SimpleNamespace(data_files={"test": list(files)})
        self.asked: list[Any] = []
        self.prepared = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.asked.append((args, kwargs))
        return self

    def download_and_prepare(self) -> None:
        self.prepared = True

    def as_dataset(self) -> Any:
        import datasets

        return datasets.DatasetDict({"test": datasets.Dataset.from_list([{"q": "1+1=", "a": "2"}])})


HUB = {"dataset_path": "org/set", "dataset_name": "main", "dataset_kwargs": {"revision": "refs/pr/1"}}


def test_a_data_set_of_the_hub_gets_its_name_and_revision_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = HubBuilder("hf://datasets/org/set@1f0c/test.jsonl")
    monkeypatch.setattr("datasets.load_dataset_builder", builder)
    task = load_catalog([task_file(folder, HUB)]).task("sums")
    assert build_cell(cell(of=task), task, DocumentCache()).documents[0][0].args[0] == "1+1="
    assert builder.asked == [(("hf://datasets/org/set", "main"), {"revision": "refs/pr/1"})]


@pytest.mark.parametrize("file", ["/etc/passwd", "file:///etc/passwd", "https://x.org/a.json"])
def test_a_data_set_of_the_hub_cannot_name_files_outside_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    builder = HubBuilder("hf://datasets/org/set@1f0c/test.jsonl", file)
    monkeypatch.setattr("datasets.load_dataset_builder", builder)
    task = load_catalog([task_file(folder, HUB)]).task("sums")
    with pytest.raises(CatalogError, match=f"data set org/set names {file}; expected files of the hub alone"):
        build_cell(cell(of=task), task, DocumentCache())
    assert not builder.prepared


def test_the_allowed_names_are_those_of_the_installed_libraries() -> None:
    import lm_eval.filters
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES
    from lm_eval.api.registry import aggregation_registry, filter_registry
    from transformers import GenerationConfig

    assert set(FILTERS) == set(filter_registry.keys()) - {"custom"}
    assert lm_eval.filters
    assert set(AGGREGATIONS) == set(aggregation_registry.keys())
    assert set(LOADERS) >= set(_PACKAGED_DATASETS_MODULES)
    own = {"until", "max_gen_toks", "max_tokens", "max_completion_tokens"}
    newer = {"top_h"}  # the lowest version of transformers that we allow does not know it
    assert set(GENERATION_KEYS) - own - newer <= set(vars(GenerationConfig()))
