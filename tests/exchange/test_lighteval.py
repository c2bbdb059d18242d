"""Files of lighteval, field by field."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.exchange.files import foreign_file
from harness.exchange.lighteval_results import read_lighteval
from harness.exchange.types import Contents, Published
from harness.store import Store
from tests.builders.commands import Emergence
from tests.builders.published_lighteval import (
    DATE,
    details_file,
    new_file,
    old_detail,
    old_file,
    option_detail,
    text_detail,
)

OPTIONS = [option_detail(i, [-3.0, -1.0, -2.0, -9.0], right=int(i > 0)) for i in range(4)]


def contents(path: Path) -> Contents:
    found = read_lighteval(foreign_file(path))
    assert found is not None
    return found


def by_task(path: Path) -> dict[str, Published]:
    return {one.task: one for one in contents(path).results}


def test_a_file_says_model_task_shots_documents_and_chat(tmp_path: Path) -> None:
    found = by_task(new_file(tmp_path))
    assert set(found) == {"arc:easy", "gsm8k"}
    arc, gsm8k = found["arc:easy"], found["gsm8k"]
    assert (arc.model, arc.revision, arc.dtype, arc.variant) == ("lab/small", "step2000", "bfloat16", None)
    assert (arc.chat, arc.system, arc.seconds) == ("template", "Answer.", 0.0)
    assert (arc.shots, arc.version, arc.n, arc.limit) == (5, "0", 4, None)
    assert (gsm8k.shots, gsm8k.n, gsm8k.limit) == (0, 2, 2)
    assert (arc.tool, arc.tool_version) == ("lighteval", "203045a8431bc9b77245c9998e05fc54509ea07f")
    assert arc.date == datetime(2025, 11, 5, 14, 43, 47, 148527, UTC)
    assert arc.asked == {"suite": None, "generation": {"temperature": 0}}


def test_metrics_stand_in_the_order_of_the_task_and_nan_is_none(tmp_path: Path) -> None:
    scores = by_task(new_file(tmp_path))["arc:easy"].scores
    assert [(one.metric, one.value, one.stderr, one.higher_is_better) for one in scores] == [
        ("acc", 0.75, 0.25, True),
        ("pass@1", 0.25, None, True),
    ]


def test_a_file_of_2024_has_suites_and_no_versions(tmp_path: Path) -> None:
    (found,) = contents(old_file(tmp_path)).results
    assert (found.model, found.revision, found.dtype) == (
        "small",
        "84430552036c85cc6a16722b26496df4d93f3afe",
        "float16",
    )
    assert (found.task, found.shots, found.version, found.n, found.limit) == ("arc:challenge", 25, None, None, None)
    assert (found.tool_version, found.seconds) == (None, 3579.75)
    assert found.date == datetime(2024, 5, 2, 10, 0, 0, 1, UTC)
    assert found.asked == {
        "suite": "leaderboard",
        "generation": {},
        "prompt_function": "arc",
        "hf_repo": "ai2_arc",
    }
    assert [(one.metric, one.value, one.stderr) for one in found.scores] == [
        ("acc", 0.5, 0.25),
        ("acc_norm", 0.75, None),
    ]


def test_details_are_found_where_lighteval_puts_them(emergence: Emergence, tmp_path: Path) -> None:
    new_file(tmp_path / "runs")
    folder = tmp_path / "runs" / "details" / "lab" / "small" / DATE
    details_file(folder, "arc:easy|5", OPTIONS)
    details_file(folder, "gsm8k|0", [text_detail(i, ["7", "8"], right="7") for i in range(2)])
    sizes = ("--params", "small=70M")
    done = emergence("import", "lighteval", tmp_path / "runs", "--results", tmp_path / "r", *sizes)
    assert done.code == 0
    assert "2 rows left out, which are means over other rows" in done.err
    store = Store(tmp_path / "r")
    cells = {one.cell.task: one.cell for one in store.results()}
    assert [(metric.name, metric.chance) for metric in cells["arc:easy"].metrics] == [("acc", 0.25), ("pass@1", 0.25)]
    zero, one, *_ = store.samples(cells["arc:easy"])
    assert (zero.prompt, zero.target, zero.output, zero.scores) == ("prompt 0", " option 0", " option 1", {"acc": 0.0})
    assert (one.target, one.scores, one.truncated) == (" option 1", {"acc": 1.0}, True)
    assert zero.option_loglikelihoods == (-3.0, -1.0, -2.0, -9.0)
    assert zero.doc_hash != one.doc_hash
    text, _ = store.samples(cells["gsm8k"])
    assert (text.output, text.outputs, text.target, text.options) == ("7", ("7", "8"), "7", ())


@pytest.mark.parametrize("place", [".", DATE])
def test_details_beside_the_file_are_found_as_on_the_hub(tmp_path: Path, place: str) -> None:
    path = new_file(tmp_path)
    details_file(path.parent / place, "arc:easy|5", OPTIONS)
    answers = by_task(path)["arc:easy"].answers
    assert answers is not None
    assert len(answers.samples()) == 4


def test_details_of_2024_have_lists_as_texts(tmp_path: Path) -> None:
    path = old_file(tmp_path)
    date = path.stem.removeprefix("results_")
    key = "leaderboard|arc:challenge|25|0"
    details_file(tmp_path / date, key, [old_detail(i, right=i) for i in range(2)], date)
    answers = by_task(path)["arc:challenge"].answers
    assert answers is not None
    zero, one = answers.samples()
    assert (zero.prompt, zero.options, zero.option_loglikelihoods) == (
        "prompt 0",
        (" option 0", " option 1"),
        (-1.5, -3.0),
    )
    assert (one.target, one.output, one.scores) == (" option 1", " option 0", {"acc": 0.0, "acc_norm": 1.0})


def test_known_tasks_are_known_by_the_names_of_lighteval(emergence: Emergence, tmp_path: Path) -> None:
    emergence("import", "lighteval", old_file(tmp_path), "--results", tmp_path / "r", "--params", "small=8B")
    (found,) = Store(tmp_path / "r").results()
    assert (found.n_expected, found.cell.kind, found.cell.metrics[0].chance) == (1172, "qa", 0.25)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config_general": {}}, r"config_general: model_name is missing; expected the name of a model"),
        ({"results": {"x|0": {}}}, r"results.x\|0: has no score; expected a metric with a number"),
        ({"results": {"x|0": 1}}, r"results.x\|0 is 1; expected keys and values"),
        ({"results": {"x|0": {"acc": 1, "acc_stderr": "N/A"}}}, r"acc_stderr is 'N/A'; expected a number"),
        ({"config_tasks": {"gsm8k|0": {"effective_num_docs": "x"}}}, r"effective_num_docs is 'x'; expected a whole"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(HarnessError, match=said):
        contents(new_file(tmp_path, **changes))


def test_damaged_details_stop_the_import(emergence: Emergence, tmp_path: Path) -> None:
    path = new_file(tmp_path / "runs")
    damaged = details_file(path.parent, "gsm8k|0", [text_detail(0, ["7"], right="7")])
    damaged.write_bytes(damaged.read_bytes()[:-20])
    done = emergence("import", "lighteval", path, "--results", tmp_path / "r", "--params", "small=70M")
    assert done.code == 2
    assert f"{damaged.name}: cannot be read" in done.err
    other = details_file(path.parent, "gsm8k|0", [{"a": 1}])
    done = emergence("import", "lighteval", path, "--results", tmp_path / "r", "--params", "small=70M")
    assert f"{other.name}: row 1: has the columns ['a']; expected doc, model_response and metric" in done.err
    assert not list((tmp_path / "r").rglob("cell.json"))


def test_result_files_of_lm_eval_are_left_out(emergence: Emergence, tmp_path: Path) -> None:
    (tmp_path / "results_1.json").write_text(json.dumps({"results": {}, "config": {}, "versions": {}}))
    done = emergence("import", "lighteval", tmp_path, "--results", tmp_path / "r")
    assert "no result file of lighteval there; expected results_*.json" in done.err
