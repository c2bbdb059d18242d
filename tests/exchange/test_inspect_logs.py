"""Logs of Inspect become cells with their documents, from `.eval` as from JSON, and cells become logs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.records import CellResult
from harness.specs import MetricSpec
from harness.store import Store
from tests.builders import PROB, cell, model, result, task
from tests.builders.archives import zip_bytes
from tests.builders.commands import Done, Emergence
from tests.builders.inspect_logs import eval_log, inspect_log, json_log, sample, scorer

Imported = Callable[..., Store]


@pytest.fixture
def imported(emergence: Emergence, tmp_path: Path) -> Imported:
    """`imported(log)`: a store with what one log gives."""

    def call(log: dict[str, Any]) -> Store:
        done = emergence("import", "inspect", json_log(tmp_path / "a.json", log), *into(tmp_path))
        assert done.code == 0, done.err
        return Store(tmp_path / "r")

    return call


def into(folder: Path) -> tuple[object, ...]:
    return "--results", folder / "r", "--params", "small=70M"


def only(store: Store) -> CellResult:
    (found,) = store.results()
    return found


def test_a_log_says_model_task_and_setting(imported: Imported) -> None:
    """As the header of `mmlu-summary-choices.eval` in the repository of inspect-ai says it."""
    found = only(imported(inspect_log()))
    asked = found.cell
    assert (asked.model.name, asked.model.revision, asked.model.dtype) == ("lab/small", "step2000", "bfloat16")
    assert (asked.task, asked.task_version, asked.shots, asked.seed, asked.limit) == ("colours_0_shot", "2", 5, 42, 4)
    assert asked.engine == "imported:inspect"
    assert [(m.name, m.chance, m.best) for m in asked.metrics] == [("accuracy,choice", 0.25, 1.0)]
    assert [(s.value, s.stderr, s.n) for s in found.scores] == [(0.75, 0.25, 4)]
    assert (found.provenance.started_at.isoformat(), found.provenance.seconds) == ("2025-07-05T13:59:48+00:00", 30.0)
    source = found.provenance.source
    assert source is not None
    assert (source.tool, source.tool_version) == ("inspect", "0.3.154")


def test_documents_have_prompt_answer_and_grade(imported: Imported) -> None:
    store = imported(inspect_log())
    first, second, *_ = store.samples(only(store).cell)
    assert (first.doc_id, first.prompt) == (0, "Pick one.\n\nWhich is 1?")
    assert (first.target, first.output, first.scores) == ("B", "ANSWER: B", {"accuracy,choice": 1.0})
    assert (second.target, second.scores) == ("A", {"accuracy,choice": 0.0})


@pytest.mark.parametrize("zstd", [False, True])
def test_eval_files_say_the_same_as_json(emergence: Emergence, tmp_path: Path, imported: Imported, zstd: bool) -> None:
    as_json = only(imported(inspect_log()))
    path = eval_log(tmp_path / "logs" / "a.eval", inspect_log(), zstd=zstd)
    emergence("import", "inspect", path.parent, "--results", tmp_path / "z", "--params", "small=70M")
    store = Store(tmp_path / "z")
    assert only(store).cell == as_json.cell
    assert only(store).scores == as_json.scores
    assert store.samples(as_json.cell) == Store(tmp_path / "r").samples(as_json.cell)
    (copy,) = (store.root / ".imported").iterdir()
    assert (copy.suffix, copy.read_bytes()) == (".eval", path.read_bytes())


def test_unknown_keys_are_kept_in_the_copy(imported: Imported) -> None:
    (copy,) = (imported(inspect_log()).root / ".imported").iterdir()
    assert json.loads(copy.read_text())["something_new"] == {"kept": True}


def test_several_answers_to_a_document_are_its_outputs(imported: Imported) -> None:
    again = [sample(number, "I", epoch=2) for number in (1, 2)]
    changes = {
        "results": {"total_samples": 4, "completed_samples": 4, "scores": [scorer(accuracy=0.5, stderr=0.1)]},
        "eval_config": {"epochs": 2, "epochs_reducer": ["mean"]},
    }
    store = imported(inspect_log([sample(1, "C"), sample(2, "C"), *again], **changes))
    assert only(store).n_expected == 2
    assert [(one.outputs, one.scores) for one in store.samples(only(store).cell)] == [
        (("ANSWER: B", "ANSWER: B"), {"accuracy,choice": 0.5})
    ] * 2


def test_every_scorer_has_metrics_of_its_own(imported: Imported) -> None:
    scores = [scorer(accuracy=0.75, stderr=0.25), scorer("f1", mean=0.5, stderr=0.1, std=0.2), scorer("g", mean=0.5)]
    scores[2] = {**scores[2], "reducer": "pass_at_2"}
    graded = [
        sample(n, "C", scores={"choice": {"value": "C"}, "f1": {"value": 0.5}, "g": {"value": 1}}) for n in range(4)
    ]
    results = {"total_samples": 4, "completed_samples": 4, "scores": scores}
    store = imported(inspect_log(graded, results=results))
    found = {score.metric: (score.value, score.stderr) for score in only(store).scores}
    assert found == {"accuracy,choice": (0.75, 0.25), "mean,f1": (0.5, 0.1), "mean,g:pass_at_2": (0.5, None)}
    assert store.samples(only(store).cell)[0].scores == {"accuracy,choice": 1.0, "mean,f1": 0.5}


def test_a_scorer_can_give_several_scores_at_once(imported: Imported) -> None:
    scores = [{**scorer(name, mean=value), "scorer": "tests"} for name, value in (("first", 1.0), ("last", 0.0))]
    graded = [sample(n, "C", scores={"tests": {"value": {"first": True, "last": "I"}}}) for n in range(4)]
    results = {"total_samples": 4, "completed_samples": 4, "scores": scores}
    store = imported(inspect_log(graded, results=results))
    assert store.samples(only(store).cell)[0].scores == {"mean,first": 1.0, "mean,last": 0.0}


def test_logs_of_2024_are_read(imported: Imported) -> None:
    """As `log_with_nan.txt` in the repository of inspect-ai has it: version 1, one scorer, metrics beside it."""
    metrics = {"accuracy": {"name": "accuracy", "value": 0.5}, "bootstrap_std": {"name": "bootstrap_std", "value": 0.1}}
    results = {"scorer": {"name": "match", "params": {}}, "metrics": metrics}
    old = [{**sample(n, "C"), "scores": None, "score": {"value": "C"}} for n in range(2)]
    store = imported(inspect_log(old, version=1, results=results))
    assert [(s.metric, s.value, s.stderr, s.n) for s in only(store).scores] == [("accuracy,match", 0.5, 0.1, 2)]
    assert store.samples(only(store).cell)[0].scores == {"accuracy,match": 1.0}


def test_texts_that_stand_elsewhere_in_the_sample_are_put_in_place(imported: Imported) -> None:
    said = {"role": "user", "content": [{"type": "text", "text": "attachment://0af1"}, {"type": "image", "image": "x"}]}
    one = sample(1, "C", messages=[{"role": "system", "content": "Be brief."}, said], attachments={"0af1": "Long."})
    store = imported(inspect_log([one], results={"completed_samples": 1, "scores": [scorer(accuracy=1.0)]}))
    assert store.samples(only(store).cell)[0].prompt == "Be brief.\n\nLong."


@pytest.mark.parametrize(
    "change",
    [
        {"eval_task_version": 3},
        {"eval_task_args": {"fewshot": 5, "fewshot_seed": 42, "language": "DE"}},
        {"plan": {"steps": [{"solver": "multiple_choice", "params": {"cot": True}}]}},
        {"eval_config": {"limit": 4, "epochs": 3}},
    ],
)
def test_what_is_asked_otherwise_is_never_joined(emergence: Emergence, tmp_path: Path, change: dict[str, Any]) -> None:
    json_log(tmp_path / "a" / "1.json", inspect_log())
    json_log(tmp_path / "a" / "2.json", inspect_log(**change))
    done = emergence("import", "inspect", tmp_path / "a", *into(tmp_path))
    assert "1 task kept apart by version or prompt, which differ between the files: colours_0_shot" in done.err
    assert len({found.cell.task_digest for found in Store(tmp_path / "r").results()}) == 2


def test_what_only_changes_the_speed_keeps_results_together(emergence: Emergence, tmp_path: Path) -> None:
    json_log(tmp_path / "a" / "1.json", inspect_log())
    plan = {**inspect_log()["plan"], "config": {"temperature": 0.0, "max_connections": 99, "timeout": 5}}
    json_log(tmp_path / "a" / "2.json", inspect_log(plan=plan, eval_model="vllm/lab/small"))
    done = emergence("import", "inspect", tmp_path / "a", *into(tmp_path))
    assert "imported 1 cell from 1 file of inspect" in done.err


def test_evaluations_that_did_not_finish_are_left_out_and_counted(emergence: Emergence, tmp_path: Path) -> None:
    eval_log(tmp_path / "a" / "1.eval", inspect_log())
    eval_log(tmp_path / "a" / "2.eval", inspect_log(), finished=False)
    json_log(tmp_path / "a" / "3.json", inspect_log(status="error"))
    json_log(tmp_path / "a" / "4.json", inspect_log(results=None))
    done = emergence("import", "inspect", tmp_path / "a", *into(tmp_path))
    assert "3 logs left out, whose evaluation did not finish" in done.err
    assert "imported 1 cell from 1 file of inspect" in done.err


def test_an_unfinished_log_alone_is_named_as_what_it_is(emergence: Emergence, tmp_path: Path) -> None:
    path = eval_log(tmp_path / "a.eval", inspect_log(), finished=False)
    done = emergence("import", "inspect", path, *into(tmp_path))
    assert done.code == 2
    assert f"error: {path}: nothing to import: 1 log left out, whose evaluation did not finish; expected" in done.err


def test_shots_that_no_log_says_are_said(emergence: Emergence, tmp_path: Path) -> None:
    done = emergence(
        "import", "inspect", json_log(tmp_path / "a.json", inspect_log(eval_task_args={})), *into(tmp_path)
    )
    assert "1 result without a number of demonstrations: filed under 0-shot" in done.err


def test_models_without_a_size_are_asked_for(emergence: Emergence, tmp_path: Path) -> None:
    path = json_log(tmp_path / "a.json", inspect_log(eval_model="openai/gpt-4o"))
    done = emergence("import", "inspect", path, *into(tmp_path))
    assert done.code == 2
    assert "parameters of 1 model are not known: openai/gpt-4o; expected --params openai/gpt-4o=SIZE" in done.err


def refused(emergence: Emergence, path: Path) -> Done:
    done = emergence("import", "inspect", path, "--results", path.parent / "r", "--params", "small=70M")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert not [found for found in (path.parent / "r").rglob("*") if found.is_file()]
    return done


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 3}, "version is 3; expected a log of Inspect in version 1 or 2"),
        (
            {"results": {"scores": [scorer()]}},
            "results have no score; expected a scorer with a metric that is a number",
        ),
        ({"results": {"scores": 5}}, "results: scores is 5; expected a list"),
        ({"eval_task": 5}, "eval: task is 5; expected a text"),
        ({"eval_model": ""}, "eval: model is ''; expected a name"),
        ({"eval_config": []}, "eval: config is []; expected keys and values"),
        ({"samples": [5]}, "samples is 5; expected keys and values"),
        ({"samples": [sample(1, "C", messages={})]}, "samples: messages is {}; expected a list"),
        (
            {"results": {"completed_samples": 4, "scores": [scorer(accuracy=0.5, stderr=-1.0)]}},
            "metric accuracy,choice came out as 0.5 +- -1",
        ),
    ],
)
def test_damage_is_one_line_and_nothing_is_written(
    emergence: Emergence, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    assert said in refused(emergence, json_log(tmp_path / "a.json", inspect_log(**changes))).err


def test_eval_files_that_unpack_to_more_than_allowed_are_refused(
    emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.eval"
    path.write_bytes(zip_bytes({"header.json": b" " * 21_000_000}))
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.2")
    assert f"{path}: 'header.json' has more than 20,000,000 bytes" in refused(emergence, path).err


def test_documents_of_more_values_than_memory_has_room_for_are_refused_but_not_what_happened_in_between(
    emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.1")
    kept = eval_log(tmp_path / "a.eval", inspect_log([sample(i, "C", metadata={"x": [0] * 350_000}) for i in (1, 2)]))
    assert "values; expected at most 600,000" in refused(emergence, kept).err
    left = eval_log(tmp_path / "b.eval", inspect_log([sample(i, "C", events=[0] * 350_000) for i in (1, 2)]))
    assert emergence("import", "inspect", left, *into(tmp_path)).code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\3\4", "cannot be read: File is not a zip file"),
        (zip_bytes({"header.json": b"{"}), "is not JSON"),
        (zip_bytes({"other.txt": b""}), "is no result file of inspect"),
        (b"nothing", "is not JSON"),
    ],
)
def test_files_that_are_no_logs_are_one_line(emergence: Emergence, tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.eval"
    path.write_bytes(content)
    assert f"{path}: {said}" in refused(emergence, path).err


@pytest.fixture
def evaluated(tmp_path: Path) -> Store:
    """Two sizes on a task, evaluated here."""
    store = Store(tmp_path / "results")
    for params in (1000, 4000):
        asked = cell(
            of=task("colours", metrics=(MetricSpec(name="acc", chance=0.25), PROB)), model=model(params), shots=2
        )
        store.write(result(asked, values=[1.0, 0.0, 1.0, 1.0]))
    return store


def test_an_exported_log_is_read_again_as_what_it_was(emergence: Emergence, evaluated: Store, tmp_path: Path) -> None:
    done = emergence("export", "inspect", "--results", evaluated.root, "-o", tmp_path / "out")
    assert (done.code, "2 cells written to 2 files" in done.err) == (0, True)
    assert emergence("import", "inspect", tmp_path / "out", "--results", tmp_path / "again").code == 0
    again = Store(tmp_path / "again")
    before = {one.cell.model.name: one for one in evaluated.results()}
    for one in again.results():
        was = before[one.cell.model.name]
        assert (one.cell.metrics, one.cell.kind, one.cell.shots) == (was.cell.metrics, was.cell.kind, was.cell.shots)
        assert (one.scores, one.n_expected) == (was.scores, was.n_expected)
        assert one.cell.model == was.cell.model
        assert again.samples(one.cell) == evaluated.samples(was.cell)


def test_import_export_and_import_is_the_identity(emergence: Emergence, tmp_path: Path) -> None:
    eval_log(tmp_path / "a" / "1.eval", inspect_log())
    emergence("import", "inspect", tmp_path / "a", "--results", tmp_path / "r", "--params", "small=70M")
    emergence("export", "inspect", "--results", tmp_path / "r", "-o", tmp_path / "out")
    emergence("import", "inspect", tmp_path / "out", "--results", tmp_path / "again")
    first, second = Store(tmp_path / "r"), Store(tmp_path / "again")
    assert only(first).cell == only(second).cell
    assert only(first).scores == only(second).scores
    assert first.samples(only(first).cell) == second.samples(only(second).cell)


def test_inspect_reads_what_is_exported(emergence: Emergence, evaluated: Store, tmp_path: Path) -> None:
    log_api = pytest.importorskip("inspect_ai.log", reason="needs the extra inspect")
    emergence("export", "inspect", "--results", evaluated.root, "-o", tmp_path / "out")
    logs = log_api.list_eval_logs(str(tmp_path / "out"))
    assert len(logs) == 2
    read = log_api.read_eval_log(logs[0])
    assert (read.status, read.eval.task, read.results.completed_samples) == ("success", "colours", 4)
    assert read.results.scores[0].metrics["mean"].value == 0.75
    assert [one.scores["acc"].value for one in read.samples] == [1.0, 0.0, 1.0, 1.0]
    assert read.samples[0].output.completion
