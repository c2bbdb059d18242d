import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.catalog.catalogue import load_catalog
from harness.catalog.tasks.config import CONFIG_KEYS, LM_EVAL_METRICS, METRICS
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import OWN_KEYS, build_cell
from harness.errors import CatalogError
from harness.plan import expand
from harness.specs import Suite
from tests.builders import model

DOCUMENTS = {
    "test": {"country": "Peru", "capital": "Lima", "near": ["Quito", "Lima"], "hint": "L"},
    "fewshot": {"country": "Canada", "capital": "Ottawa"},
}
CONFIG = {
    "output_type": "generate_until",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {split: f"{split}.jsonl" for split in DOCUMENTS}},
    "test_split": "test",
    "fewshot_split": "fewshot",
    "doc_to_text": "{{country}}:",
    "doc_to_target": "capital",
    "metric_list": [{"metric": "exact_match"}],
}
SMOOTH = [{"name": "loglikelihood_per_token", "continuous": True}]


def check(folder: Path, config: dict[str, Any], **task: Any) -> Path:
    """What `emergence check` does with a task whose config is CONFIG changed by `config`."""
    for split, document in DOCUMENTS.items():
        (folder / f"{split}.jsonl").write_text(json.dumps(document) + "\n")
    task = {"task": "capitals", "kind": "qa", "metrics": [{"name": "exact_match"}, *SMOOTH], **task}
    path = folder / "capitals.yaml"
    path.write_text(yaml.safe_dump({**task, "config": {**CONFIG, **config}}))
    load_catalog([path]).check_templates(["capitals"])
    return path


def test_the_words_of_lm_eval_are_those_of_the_installed_one() -> None:
    import lm_eval.api.metrics  # noqa: F401  # fills the registry
    from lm_eval.api.registry import metric_registry
    from lm_eval.api.task import ALL_OUTPUT_TYPES, TaskConfig

    assert set(METRICS) == set(ALL_OUTPUT_TYPES)
    assert set(LM_EVAL_METRICS) == set(metric_registry.keys())
    assert set(CONFIG_KEYS) == {field.name for field in fields(TaskConfig)} | OWN_KEYS


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"output_type": "generate"},
            "config.output_type is 'generate'; expected generate_until, multiple_choice",
        ),
        ({"test_split": "tset"}, "config.test_split is 'tset'; data_files has fewshot, test"),
        ({"test_split": ["test"]}, "config.test_split is ['test']; data_files has fewshot, test"),
        ({"output_type": ["x"]}, "config.output_type is ['x']; expected generate_until, multiple_choice"),
        ({"dataset_kwargs": ["x"]}, "config.dataset_kwargs is ['x']; expected keys and values"),
        ({"test_split": None}, "config.test_split is missing; expected the split to evaluate"),
        ({"fewshot_config": {"split": "pool"}}, "config.fewshot_config.split is 'pool'; data_files has fewshot, test"),
        ({"fewshot_config": "pool"}, "config.fewshot_config is 'pool'; expected keys and values"),
        ({"metric_list": [{"metric": "exakt_match"}]}, "config.metric_list[0].metric: unknown metric 'exakt_match'"),
        ({"metric_list": ["exact_match"]}, "config.metric_list[0] is 'exact_match'; expected the key `metric`"),
        ({"doc_to_txt": "x"}, "config.doc_to_txt: unknown key 'doc_to_txt'; known: custom_dataset"),
        ({"doc_to_text": {"country": None}}, "expected a text, in quotes where it begins with {"),
        ({"target_delimiter": [" "]}, "config.target_delimiter is [' ']; expected a text"),
        ({"fewshot_delimiter": 3}, "config.fewshot_delimiter is 3; expected a text"),
        ({"metadata": "1.0"}, "config.metadata is '1.0'; expected keys and values"),
        ({"fewshot_config": {"target_delimiter": 1}}, "config.fewshot_config.target_delimiter is 1; expected a text"),
        ({"fewshot_config": {"doc_to_text": ["q"]}}, "config.fewshot_config.doc_to_text is ['q']; expected a text, in"),
        ({"doc_to_target": "capitol"}, "config.doc_to_target is 'capitol'; documents of test have capital, country, h"),
        ({"doc_to_text": "contry"}, "config.doc_to_text is 'contry'; documents of test have"),
        ({"doc_to_choice": "nears"}, "config.doc_to_choice is 'nears'; documents of test have"),
        ({"doc_to_text": "{{contry}}:"}, "config.doc_to_text asks for 'contry'; documents of test have"),
        ({"doc_to_text": "{{doc.country}}:"}, "config.doc_to_text asks for 'doc'; documents of test have"),
        ({"description": "{{topic}}"}, "config.description asks for 'topic'"),
        ({"doc_to_text": "{{country}"}, "config.doc_to_text is no template: unexpected '}'"),
        ({"doc_to_text": "{{country | shout}}"}, "config.doc_to_text is no template: No filter named 'shout'"),
        ({"doc_to_text": "{{country}} ({{hint}}):"}, "asks for 'hint'; documents of fewshot have capital, country"),
        ({"fewshot_config": {"doc_to_text": "{{contry}}"}}, "config.fewshot_config.doc_to_text asks for 'contry'"),
    ],
)
def test_what_every_cell_would_fail_on_is_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogError) as caught:
        check(tmp_path, config)
    assert str(caught.value).startswith(f"{tmp_path / 'capitals.yaml'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("output_type", METRICS)
def test_each_output_type_has_the_metrics_that_lm_eval_computes_for_it(tmp_path: Path, output_type: str) -> None:
    choice = {"doc_to_choice": ["Lima", "Quito"]} if output_type == "multiple_choice" else {}
    # for a text lm-eval computes whatever is listed, or fails
    names = METRICS[output_type] if output_type == "generate_until" else LM_EVAL_METRICS
    config = {"output_type": output_type, "metric_list": [{"metric": name} for name in names], **choice}
    check(tmp_path, config, metrics=SMOOTH)
    task = load_catalog([tmp_path]).task("capitals")
    plan = expand([Suite(name="chosen", tasks=("capitals",))], {"capitals": task}, [model()])
    built = build_cell(plan.cells[0], task, DocumentCache())
    answers = {
        "generate_until": ["Lima"],
        "multiple_choice": [(-1.0, True), (-2.0, False)] * 2,  # once more without the question, for mutual information
        "loglikelihood": [(-1.0, True)],
        "loglikelihood_rolling": [-1.0],
    }
    computed = built.task.process_results(built.documents[0][0].doc, answers[output_type])
    assert set(computed) == set(METRICS[output_type])


@pytest.mark.parametrize(
    ("output_type", "metric"),
    [("generate_until", "acc"), ("generate_until", "brier"), ("multiple_choice", "bleu"), ("loglikelihood", "bypass")],
)
def test_a_metric_that_the_output_type_does_not_give_is_refused(tmp_path: Path, output_type: str, metric: str) -> None:
    metrics = [{"name": metric}, {"name": "loglikelihood_per_token", "continuous": True}]
    with pytest.raises(
        CatalogError, match=rf"metrics\[0\]\.name is '{metric}', which {output_type} does not give; exp"
    ):
        check(tmp_path, {"output_type": output_type}, metrics=metrics)


def test_a_mistake_in_a_prompt_is_named_with_the_prompt(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"prompts\.terse\.doc_to_text asks for 'contry'"):
        check(tmp_path, {}, prompts={"terse": {"doc_to_text": "{{contry}}:"}})


def test_a_metric_nobody_knows_is_refused(tmp_path: Path) -> None:
    metrics = [{"name": "exact_match,first"}, {"name": "pass_at_3"}, {"name": "f2", "continuous": True}]
    with pytest.raises(CatalogError, match=r"metrics\[2\]\.name: unknown metric 'f2'; known: .*exact_match"):
        check(tmp_path, {}, metrics=metrics)


@pytest.mark.parametrize(
    "config",
    [
        {
            "doc_to_text": "{% set c = country %}{% for n in near %}{{n}}{{loop.index}}{% endfor %}{{c}}",
            "fewshot_split": None,
        },
        {"doc_to_text": "{{country}}{% if hint is defined %} ({{hint}}){% endif %}:"},
        {"doc_to_text": "{{country}} {{hint | default('')}}:"},
        {"doc_to_text": "{{country | regex_replace('a', 'b')}} {{range(3) | list}}"},
        {"doc_to_text": "country", "doc_to_target": 0, "doc_to_choice": ["a", "b"]},
        {"doc_to_target": "{{ 'capitol' }}"},
        {"doc_to_text": "", "doc_to_target": "{{country}} {{capital}}"},
        {"doc_to_choice": "near", "fewshot_config": {"doc_to_choice": None}},
        {"test_split": None, "validation_split": "test"},
        {"gen_prefix": "Answer"},
    ],
)
def test_what_lm_eval_takes_passes(tmp_path: Path, config: dict[str, Any]) -> None:
    check(tmp_path, config)


def test_documents_that_only_the_hub_knows_are_not_judged(tmp_path: Path) -> None:
    check(tmp_path, {"dataset_path": "org/set", "dataset_kwargs": None, "test_split": "x", "doc_to_target": "any"})


def test_the_tasks_of_the_package_pass() -> None:
    catalog = load_catalog()
    assert len(catalog.tasks) > 10
    catalog.check_templates(catalog.tasks)
