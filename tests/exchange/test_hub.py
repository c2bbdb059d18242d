"""Results are written as the Hugging Face hub shows them beside a model, and read from there."""

from pathlib import Path

import huggingface_hub
import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results

from harness.specs import MetricSpec
from harness.store import Store
from tests.builders import PROB, cell, model, result, task
from tests.builders.commands import Emergence
from tests.builders.model_cards import EVAL_RESULTS, README, eval_results, readme

METRICS = (MetricSpec(name="acc", chance=0.25), PROB)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A known task and one of our own, with two numbers of shots."""
    made = Store(tmp_path / "results")
    for name in ("arc_easy", "colours"):
        for shots in (0, 2):
            asked = cell(of=task(name, metrics=METRICS), model=model(1000), shots=shots)
            made.write(result(asked, values=[1.0, 0.0, 1.0, 1.0]))
    return made


def exported(emergence: Emergence, store: Store, *options: object) -> Path:
    out = store.root.parent / "out"
    done = emergence("export", "hf", "--results", store.root, "-o", out, *options)
    assert (done.code, done.out) == (0, ""), done.err
    return out / "toy-1000"


def test_eval_results_are_those_that_the_hub_reads(emergence: Emergence, store: Store) -> None:
    folder = exported(emergence, store)
    raw = yaml.safe_load((folder / ".eval_results" / "emergence-harness.yaml").read_text())
    if hasattr(huggingface_hub, "parse_eval_result_entries"):
        first, second = huggingface_hub.parse_eval_result_entries(raw)
        assert (first.dataset_id, first.task_id, first.value) == ("allenai/ai2_arc", "ARC-Easy", 0.75)
        assert first.date == "2026-01-01T00:00:00+00:00"
        assert "2-shot" in second.notes
    assert raw[0]["notes"].startswith("acc, 0-shot, dtype float32, stderr 0.25, 4 documents, emergence-harness ")


def test_model_index_is_the_one_that_the_hub_reads(emergence: Emergence, store: Store) -> None:
    text = (exported(emergence, store) / "README.md").read_text()
    raw = yaml.safe_load(text.split("---\n")[1])
    name, found = model_index_to_eval_results(raw["model-index"])
    assert name == "toy-1000"
    assert [(one.dataset_name, one.dataset_type, one.metric_type, one.metric_value) for one in found[:3]] == [
        ("arc_easy", "allenai/ai2_arc", "acc", 0.75),
        ("arc_easy", "allenai/ai2_arc", "prob_correct", 0.75),
        ("arc_easy", "allenai/ai2_arc", "acc", 0.75),
    ]
    assert found[-1].dataset_type == "colours"
    assert [one.dataset_args["num_few_shot"] for one in found] == [0, 0, 2, 2, 0, 0, 2, 2]


def test_tasks_whose_data_set_is_not_known_are_asked_for(emergence: Emergence, store: Store) -> None:
    out = store.root.parent / "out"
    done = emergence("export", "hf", "--results", store.root, "-o", out)
    assert (
        "`.eval_results` leaves out 1 task whose data set is not known: colours; --dataset colours=ORG/NAME gives it"
        in done.err
    )
    folder = exported(emergence, store, "--dataset", "colours=lab/colours:hard")
    raw = yaml.safe_load((folder / ".eval_results" / "emergence-harness.yaml").read_text())
    assert [one["dataset"] for one in raw[2:]] == [{"id": "lab/colours", "task_id": "hard"}] * 2


@pytest.mark.parametrize("text", ["colours", "colours=lab", "=lab/x", "a=/x", "a=b/c/d"])
def test_data_sets_that_are_none_are_refused(emergence: Emergence, store: Store, text: str) -> None:
    done = emergence("export", "hf", "--results", store.root, "-o", store.root.parent / "out", "--dataset", text)
    assert done.code == 2
    assert f"--dataset is '{text}'; expected TASK=ORG/NAME or TASK=ORG/NAME:PART" in done.err


def test_model_index_of_a_leaderboard_is_read(emergence: Emergence, tmp_path: Path) -> None:
    readme(tmp_path / "a")
    done = emergence("import", "hf", tmp_path / "a", "--results", tmp_path / "r", "--params", "small=70M")
    assert done.code == 0, done.err
    assert "2 results in percent, read as shares of 1" in done.err
    found = {one.cell.task: one for one in Store(tmp_path / "r").results()}
    assert (found["arc_easy"].cell.shots, found["sciq"].cell.shots) == (25, 0)
    assert found["arc_easy"].scores[0].value == pytest.approx(0.6135)
    assert (found["arc_easy"].n_expected, found["arc_easy"].cell.engine) == (2376, "imported:model-index")


def test_eval_results_are_read_by_name(emergence: Emergence, tmp_path: Path) -> None:
    path = eval_results(tmp_path / "lab__small")
    options = ("--results", tmp_path / "r", "--params", "lab/small=70M", "--documents", "gpqa_diamond=198")
    done = emergence("import", "hf", path, *options)
    assert done.code == 0, done.err
    assert "1 result without a number of demonstrations: filed under 0-shot" in done.err
    (only,) = Store(tmp_path / "r").results()
    assert (only.cell.model.name, only.cell.task, only.scores[0].metric) == ("lab/small", "gpqa_diamond", "score")
    assert (only.scores[0].value, only.provenance.started_at.isoformat()[:10]) == (0.412, "2025-01-15")


def test_what_was_exported_and_imported_says_the_same(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    out = exported(emergence, store).parent
    emergence("import", "hf", out, "--results", tmp_path / "a", "--params", "toy-1000=1000")
    emergence("export", "hf", "--results", tmp_path / "a", "-o", tmp_path / "again")
    emergence("import", "hf", tmp_path / "again", "--results", tmp_path / "b", "--params", "toy-1000=1000")
    first, second = Store(tmp_path / "a"), Store(tmp_path / "b")
    facts = {(one.cell.model.name, one.cell.task, one.cell.shots, one.scores) for one in store.results()}
    assert {(one.cell.model.name, one.cell.task, one.cell.shots, one.scores) for one in first.results()} == facts
    assert {(one.cell.model.name, one.cell.task, one.cell.shots, one.scores) for one in second.results()} == facts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (README.replace("value: 61.35", "value: many"), "metrics: value is 'many'; expected a number"),
        (README.replace("name: small\n", "name: 5\n"), "model-index: name is 5; expected a text"),
        (README.replace("num_few_shot: 25", "num_few_shot: -1"), "args: num_few_shot is -1; expected a whole number"),
        (README.replace("model-index:", "model-index: {"), "line 5: "),
        ("# A card without front matter", "is no result file of hf; expected `model-index`, or entries with"),
        (EVAL_RESULTS.replace("0.412", "[1]"), "value is [1]; expected a number"),
    ],
)
def test_damage_is_one_line_and_nothing_is_written(emergence: Emergence, tmp_path: Path, text: str, said: str) -> None:
    done = emergence("import", "hf", readme(tmp_path / "a", text), "--results", tmp_path / "r", "--params", "small=1M")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert said in done.err
    assert not [path for path in (tmp_path / "r").rglob("*") if path.is_file()]
