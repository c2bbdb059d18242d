"""Result files of lm-eval, field by field."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.exchange.files import foreign_file
from harness.exchange.lm_eval_results import groups, is_results, published, read_lm_eval
from harness.exchange.types import Published
from tests.builders.published import lm_eval_file

REAL = Path(__file__).parents[1] / "validation" / "data" / "lm_eval_0.3"


def read(path: Path) -> dict[str, Published]:
    raw = json.loads(path.read_text())
    assert is_results(raw)
    return {one.task: one for one in published(raw, path.name)}


def test_a_file_of_0_4_says_model_task_shots_and_documents(tmp_path: Path) -> None:
    found = read(lm_eval_file(tmp_path))
    assert set(found) == {"colours", "sums"}  # `both` is a mean over other rows
    colours, sums = found["colours"], found["sums"]
    assert (colours.model, colours.revision, colours.dtype) == ("lab/small", "step2000", "bfloat16")
    assert colours.params == 70_000_000
    assert (colours.version, colours.shots, colours.n, colours.limit, colours.seed) == ("1.0", 0, 4, None, 0)
    assert (sums.version, sums.shots, sums.n, sums.limit) == ("3.0", 5, 4, 4)
    assert (colours.tool, colours.tool_version) == ("lm-eval", "0.4.9")
    assert colours.date == datetime(2026, 3, 1, 12, 0, 0, 500_000, UTC)
    assert (colours.has_options, colours.options) == (True, 4)
    assert (sums.has_options, sums.options) == (False, None)


def test_metrics_keep_their_filter_and_the_order_of_the_task(tmp_path: Path) -> None:
    found = read(lm_eval_file(tmp_path))
    assert [(s.metric, s.value, s.stderr) for s in found["colours"].scores] == [
        ("acc_norm", 0.5, None),  # "N/A"
        ("acc", 0.75, 0.25),
    ]
    assert [s.metric for s in found["sums"].scores] == ["exact_match,strict-match", "exact_match,flexible-extract"]
    assert all(s.higher_is_better for s in found["sums"].scores)


def test_rows_of_groups_are_counted_and_left_out(tmp_path: Path) -> None:
    assert groups(json.loads(lm_eval_file(tmp_path).read_text())) == 1


def test_a_published_file_of_0_3_is_read_whole() -> None:
    found = read(REAL / "pythia_12b_five_shot_step143000.json")
    arc = found["arc_easy"]
    assert (arc.model, arc.revision, arc.shots, arc.version) == ("EleutherAI/pythia-v1.1-12b", "step143000", 5, "0")
    assert {s.metric: s.value for s in arc.scores} == {"acc": 0.710016835016835, "acc_norm": 0.7171717171717171}
    assert arc.n is arc.limit is arc.date is arc.params is arc.dtype is arc.has_options is None
    assert {s.metric for s in found["lambada_openai"].scores} == {"ppl", "acc"}
    zero = read(REAL / "pythia_70m_zero_shot_step143000.json")
    assert zero["piqa"].shots == 0
    assert {s.metric for s in zero["crows_pairs_english"].scores} == {"likelihood_difference", "pct_stereotype"}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("pretrained=lab/small", ("lab/small", "main", None)),
        ("pretrained=lab/small,peft=lab/adapter", ("lab/small", "main", "lab/adapter")),
        ({"pretrained": "/home/me/models/small", "revision": "v2"}, ("small", "v2", None)),
        ("model=gpt-x,base_url=http://h:1/v1?a=b", ("gpt-x", "main", None)),
    ],
)
def test_the_model_is_named_by_its_arguments(tmp_path: Path, args: Any, expected: tuple[str, str, str]) -> None:
    one = read(lm_eval_file(tmp_path, config={"model": "hf", "model_args": args}))["colours"]
    assert (one.model, one.revision, one.variant) == expected


def test_a_commit_stands_for_a_revision_that_nobody_named(tmp_path: Path) -> None:
    config = {"model_args": "pretrained=lab/small", "model_sha": "abc", "model_dtype": "torch.float16"}
    one = read(lm_eval_file(tmp_path, config=config))["colours"]
    assert (one.revision, one.dtype) == ("abc", "float16")


def test_what_was_asked_differs_where_there_is_no_version_or_other_options_of_generation(tmp_path: Path) -> None:
    plain = read(lm_eval_file(tmp_path))["sums"]
    assert plain.asked == {}
    without = read(lm_eval_file(tmp_path, versions={"colours": 1.0, "sums": "Yaml"}))["sums"]
    assert without.version is None
    assert without.asked["output_type"] == "generate_until"
    config = {"model_args": "pretrained=lab/small", "gen_kwargs": "temperature=1"}
    configs = {"sums": {"generation_kwargs": {"temperature": 1}}}
    assert read(lm_eval_file(tmp_path, config=config, configs=configs))["sums"].asked == {
        "gen_kwargs": {"temperature": 1}
    }


def test_a_chat_template_and_an_instruction_are_conditions(tmp_path: Path) -> None:
    one = read(lm_eval_file(tmp_path, chat_template="{{ messages }}", system_instruction="Be brief."))["colours"]
    assert (one.chat, one.system) == ("template", "Be brief.")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"results": {"colours": 3}}, "results.colours is 3; expected keys and values"),
        ({"results": {"colours": {"alias": "c"}}}, "results.colours: has no score; expected a metric with a number"),
        (
            {"results": {"c": {"acc,none": 1, "acc_stderr,none": "x"}}},
            "acc_stderr is 'x'; expected a number or N/A",
        ),
        ({"n-shot": {"colours": -1}}, "shots of colours are -1; expected a whole number"),
        ({"n-shot": {"colours": 0.5}}, "shots of colours are 0.5; expected a whole number"),
        ({"n-samples": {"colours": {"effective": "four"}}}, "effective is 'four'; expected a whole number"),
        ({"config": {"model_args": "dtype=float32"}}, "config.model_args is 'dtype=float32'; expected pretrained=NAME"),
        ({"configs": []}, "configs is []; expected keys and values"),
        ({"configs": {"colours": {"metric_list": "acc"}}}, "metric_list is 'acc'; expected a list"),
        ({"chat_template": True, "system_instruction": 5}, "system_instruction is 5; expected a text"),
    ],
)
def test_what_lm_eval_does_not_write_is_one_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(HarnessError, match="results_") as error:
        read(lm_eval_file(tmp_path, **changes))
    assert said in str(error.value)


@pytest.mark.parametrize(
    "raw", [[], 3, {}, {"results": []}, {"results": {}, "config": {}}, {"results": {}, "versions": {}}]
)
def test_other_json_is_no_result_file(raw: Any) -> None:
    assert not is_results(raw)


@pytest.mark.parametrize("task", ["x" * 300, "a/b", "a\0b", ".."])
def test_tasks_whose_names_no_file_has_are_read_without_documents(tmp_path: Path, task: str) -> None:
    path = lm_eval_file(tmp_path, results={task: {"acc,none": 0.5}}, group_subtasks={})
    found = read_lm_eval(foreign_file(path))
    assert found is not None
    assert [(one.task, one.answers) for one in found.results] == [(task, None)]
