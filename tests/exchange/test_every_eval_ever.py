"""Every Eval Ever: files as found in public field by field, and files of ours by its schema."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.errors import HarnessError
from harness.exchange import every_eval_ever_samples
from harness.exchange.every_eval_ever import read_every_eval_ever
from harness.exchange.files import foreign_file
from harness.exchange.types import Contents
from harness.records import CellResult
from harness.specs import MetricSpec
from harness.store import Store
from tests.builders import PROB, cell, model, result, task
from tests.builders.commands import Emergence
from tests.builders.published import lm_eval_file, option_row, sample_file, text_row
from tests.builders.published_eee import NAME, converted_record, leaderboard_record, record_file, sample_row

SCHEMAS = Path(__file__).parent / "schemas"
BLEU = MetricSpec(name="bleu", chance=None, best=None, continuous=True)
METRICS = (MetricSpec(name="acc", chance=0.25), PROB, BLEU)


def contents(folder: Path, record: Mapping[str, Any], *rows: Mapping[str, Any]) -> Contents:
    found = read_every_eval_ever(foreign_file(record_file(folder, record, rows)))
    assert found is not None
    return found


def test_a_record_of_a_leaderboard_says_model_and_scores_and_no_shots(tmp_path: Path) -> None:
    found = contents(tmp_path, leaderboard_record())
    first, second = found.results
    assert (first.model, first.revision, first.dtype, first.params) == (
        "lab/small-8B",
        "main",
        "bfloat16",
        8_250_000_000,
    )
    assert (first.task, first.version, first.shots, first.n, first.date) == ("IFEval", None, 0, None, None)
    assert (first.tool, first.tool_version) == ("HF Open LLM v2", None)
    assert first.asked == {
        "dataset": {"dataset_name": "IFEval", "hf_repo": "google/IFEval"},
        "generation": {},
        "source": "HF Open LLM v2",
    }
    (score,) = first.scores
    assert (score.metric, score.value, score.stderr, score.best) == ("Accuracy on IFEval", 0.4375, None, 1.0)
    assert score.higher_is_better
    assert (second.task, second.scores[0].metric) == ("MATH Level 5", "Exact Match on MATH Level 5")
    (said,) = (f"{number} {remark.what} {remark.text}" for remark, number in found.remarks.items())
    assert said == "2 result without a number of demonstrations: filed under 0-shot"


def test_a_record_of_its_converter_says_shots_documents_and_date(tmp_path: Path) -> None:
    rows = [sample_row(number, score=float(number % 2)) for number in range(4)]
    (found,) = contents(tmp_path, converted_record(), *rows).results
    assert (found.model, found.revision, found.dtype, found.params) == ("lab/small", "step2000", "float16", 70_426_624)
    assert (found.task, found.shots, found.n) == ("gsm8k/strict-match", 5, 4)
    assert (found.tool, found.tool_version) == ("lm-eval", "0.4.9")
    assert found.date == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert found.asked["generation"] == {"temperature": 0.0, "max_tokens": 256}
    (score,) = found.scores
    assert (score.value, score.stderr, score.n) == (0.5, 0.25, 4)
    assert found.answers is not None
    zero, one, *_ = found.answers.samples()
    assert (zero.doc_id, zero.prompt, zero.target, zero.output) == (0, "Q0", "0", "answer 0")
    assert (zero.doc_hash, zero.prompt_hash) == (f"{10:064x}", f"{20:064x}")
    assert (zero.scores, one.scores) == ({score.metric: 0.0}, {score.metric: 1.0})


def test_ids_that_are_no_numbers_count_documents_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [sample_row(number, score=1.0, sample_id=f"demo_{9 - number}") for number in range(3)]
    (found,) = contents(tmp_path, converted_record(), *rows).results
    assert found.answers is not None
    assert [(one.doc_id, one.prompt) for one in found.answers.samples()] == [(0, "Q0"), (1, "Q1"), (2, "Q2")]


def test_of_several_turns_the_last_of_the_model_is_the_answer(tmp_path: Path) -> None:
    turns = [("user", "hm?"), ("assistant", "let me see"), ("tool", "7"), ("assistant", "it is 7")]
    messages = [{"turn_idx": i, "role": role, "content": text} for i, (role, text) in enumerate(turns)]
    row = sample_row(0, score=1.0, interaction_type="multi_turn", output=None, messages=messages)
    (found,) = contents(tmp_path, converted_record(), row).results
    assert found.answers is not None
    assert found.answers.samples()[0].output == "it is 7"


def test_metrics_of_one_kind_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    entry = leaderboard_record()["evaluation_results"][0]
    entries = [
        {**entry, "metric_config": {**entry["metric_config"], "metric_kind": "pass_rate", "metric_id": f"pass_at_{k}"}}
        for k in (1, 10)
    ]
    (found,) = contents(tmp_path, leaderboard_record(evaluation_results=entries)).results
    assert [score.metric for score in found.scores] == ["pass_at_1", "pass_at_10"]


def test_percent_keep_their_unit_and_the_best_score_that_the_file_says(emergence: Emergence, tmp_path: Path) -> None:
    record = leaderboard_record()
    entry = record["evaluation_results"][0]
    config = {**entry["metric_config"], "metric_kind": "accuracy", "max_score": 100.0}
    entry |= {"evaluation_name": "arc_easy", "metric_config": config, "score_details": {"score": 43.75}}
    record_file(tmp_path / "a", {**record, "evaluation_results": [entry]})
    done = emergence("import", "every-eval-ever", tmp_path / "a", "--results", tmp_path / "r")
    assert done.code == 0
    (found,) = Store(tmp_path / "r").results()
    assert (found.scores[0].value, found.cell.metrics[0].best, found.cell.metrics[0].chance) == (43.75, 100.0, 25.0)
    assert "1 result without a number of demonstrations: filed under 0-shot" in done.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": "2.0"}, "schema_version is '2.0'; expected 0.2 or 0.3"),
        ({"model_info": {"name": "x"}}, "model_info: id is missing; expected a text"),
        ({"evaluation_results": [{"evaluation_name": "x"}]}, "score_details.score is None; expected a number"),
        ({"evaluation_results": "none"}, "evaluation_results is 'none'; expected a list"),
        (
            {"evaluation_results": leaderboard_record()["evaluation_results"][:1] * 2},
            "is a second result of 'IFEval' with the metric 'Accuracy on IFEval'; expected one",
        ),
        ({"eval_library": {"additional_details": {"emergence_harness": "{}"}}}, "expected what was exported"),
    ],
)
def test_what_the_schema_does_not_have_is_one_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(HarnessError, match="(?s)" + said.replace("[", r"\[")):
        contents(tmp_path, leaderboard_record(**changes))


@pytest.mark.parametrize("path", ["/", ".", "..", "x\0y", "z" * 300, "data/elsewhere_samples.jsonl"])
def test_a_sample_file_that_is_not_there_is_none(tmp_path: Path, path: str) -> None:
    record = {**converted_record(), "detailed_evaluation_results": {"format": "jsonl", "file_path": path}}
    (found,) = contents(tmp_path, record).results
    assert found.answers is None


def test_another_sample_file_than_the_aggregate_was_made_with_is_refused(tmp_path: Path) -> None:
    path = record_file(tmp_path, converted_record(), [sample_row(0, score=1.0)])
    path.with_name(f"{path.stem}_samples.jsonl").write_text(json.dumps(sample_row(1, score=1.0)))
    with pytest.raises(HarnessError, match=r"its sha256 is .*; expected"):
        read_every_eval_ever(foreign_file(path))


# --- what is exported ------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two sizes, with and without demonstrations."""
    made = Store(tmp_path / "results")
    for params in (1000, 4000):
        for shots in (0, 2):
            asked = cell(of=task("colours", metrics=METRICS), model=model(params), shots=shots)
            made.write(result(asked, values=[1.0, 0.0, 1.0, 1.0]))
    return made


def exported(emergence: Emergence, results: Path, out: Path) -> Path:
    done = emergence("export", "every-eval-ever", "--results", results, "-o", out)
    assert (done.code, done.out) == (0, "")
    return out


def schema(name: str) -> jsonschema.Draft7Validator:
    found = json.loads((SCHEMAS / name).read_text())
    jsonschema.Draft7Validator.check_schema(found)
    return jsonschema.Draft7Validator(found)


def test_what_is_exported_is_valid_by_its_schema(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    out = exported(emergence, store.root, tmp_path / "out")
    records, samples = sorted(out.rglob("*.json")), sorted(out.rglob("*_samples.jsonl"))
    assert (len(records), len(samples)) == (4, 4)
    for path in records:
        record = json.loads(path.read_text())
        schema("eval.schema.json").validate(record)
        assert record["model_info"]["developer"] == path.parts[-3] == "unknown"
        assert record["detailed_evaluation_results"]["file_path"] == samples_of(path).relative_to(out).as_posix()
    for path in samples:
        for line in path.read_text().splitlines():
            schema("instance_level_eval.schema.json").validate(json.loads(line))


def samples_of(record: Path) -> Path:
    return record.with_name(f"{record.stem}_samples.jsonl")


def test_every_score_lies_within_the_bounds_that_its_file_states(emergence: Emergence, tmp_path: Path) -> None:
    made = Store(tmp_path / "results")
    metrics = (MetricSpec(name="acc", chance=0.25), MetricSpec(name="mcc", chance=0.0), BLEU)
    metrics += (MetricSpec(name="perplexity", higher_is_better=False, chance=None, best=None, continuous=True),)
    base = result(cell(of=task("colours", metrics=metrics)), values=[1.0, 0.0, 1.0, 1.0])
    values = {"acc": 0.75, "mcc": -0.125, "bleu": 31.5, "perplexity": 12.5}
    scores = tuple(replace(base.scores[0], metric=name, value=value, stderr=None) for name, value in values.items())
    made.write(replace(base, scores=scores, samples=()))
    (path,) = exported(emergence, made.root, tmp_path / "out").rglob("*.json")
    entries = {one["metric_config"]["metric_id"]: one for one in json.loads(path.read_text())["evaluation_results"]}
    assert {name: one["score_details"]["score"] for name, one in entries.items()} == values
    bounds = {name: [one["metric_config"][key] for key in ("min_score", "max_score")] for name, one in entries.items()}
    assert bounds == {
        "acc": [0.0, 1.0],
        "mcc": ["-Infinity", 1.0],
        "bleu": ["-Infinity", "Infinity"],
        "perplexity": ["-Infinity", "Infinity"],
    }


def test_the_schema_refuses_what_is_not_in_it() -> None:
    with pytest.raises(jsonschema.ValidationError, match="'eval_library' is a required property"):
        schema("eval.schema.json").validate(leaderboard_record())


def test_exported_again_the_same_files_are_written(emergence: Emergence, store: Store, tmp_path: Path) -> None:
    first, second = (exported(emergence, store.root, tmp_path / name) for name in ("one", "two"))
    assert {path.relative_to(first): path.read_bytes() for path in first.rglob("*.json*")} == {
        path.relative_to(second): path.read_bytes() for path in second.rglob("*.json*")
    }


def facts(found: CellResult) -> tuple[object, ...]:
    return (
        found.cell,
        found.scores,
        found.n_expected,
        found.shots_effective,
        found.provenance.started_at,
        found.provenance.source and (found.provenance.source.tool_version, found.provenance.source.licence),
    )


def test_import_export_and_import_is_the_identity(emergence: Emergence, tmp_path: Path) -> None:
    lm_eval_file(tmp_path / "files")
    sample_file(tmp_path / "files", "colours", [option_row(i, [-3.0, -1.0, -2.0, -4.0], right=1) for i in range(4)])
    filters = ("strict-match", "flexible-extract")
    texts = [text_row(i, "7", "7", chosen=name, right="7") for i in range(4) for name in filters]
    sample_file(tmp_path / "files", "sums", texts)
    emergence("import", "lm-eval", tmp_path / "files", "--results", tmp_path / "a", "--licence", "MIT")
    out = exported(emergence, tmp_path / "a", tmp_path / "out")
    assert emergence("import", "every-eval-ever", out, "--results", tmp_path / "b").code == 0
    a, b = Store(tmp_path / "a"), Store(tmp_path / "b")
    assert {one.provenance.source.licence for one in b.results() if one.provenance.source} == {"MIT"}
    assert {one.cell.key: facts(one) for one in a.results()} == {one.cell.key: facts(one) for one in b.results()}
    for one in a.results():
        assert a.samples(one.cell) == b.samples(one.cell)


def test_cells_of_ours_come_back_as_they_were_but_for_the_engine(
    emergence: Emergence, store: Store, tmp_path: Path
) -> None:
    out = exported(emergence, store.root, tmp_path / "out")
    emergence("import", "every-eval-ever", out, "--results", tmp_path / "b")
    again = {(one.cell.model.name, one.cell.shots): one for one in Store(tmp_path / "b").results()}
    assert len(again) == 4
    for one in store.results():
        found = again[one.cell.model.name, one.cell.shots]
        assert found.cell.engine == f"imported:emergence-harness:{one.cell.engine}"
        assert (found.cell.metrics, found.cell.task_digest) == (one.cell.metrics, one.cell.task_digest)
        assert (found.scores, found.n_expected) == (one.scores, one.n_expected)
        assert Store(tmp_path / "b").samples(found.cell) == store.samples(one.cell)


def test_details_about_another_model_than_the_file_are_refused(
    emergence: Emergence, store: Store, tmp_path: Path
) -> None:
    out = exported(emergence, store.root, tmp_path / "out")
    path = next(out.rglob("*.json"))
    record = json.loads(path.read_text())
    record["model_info"]["id"] = "somebody/else"
    path.write_text(json.dumps(record))
    done = emergence("import", "every-eval-ever", path, "--results", tmp_path / "b")
    assert done.code == 2
    assert "is about toy-" in done.err
    assert "expected somebody/else and colours, as the rest of the file says" in done.err


def test_documents_of_many_evaluations_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = converted_record()["evaluation_results"][0]
    entries = [{**evaluation, "evaluation_name": f"e{i}", "evaluation_result_id": f"e{i}"} for i in range(20)]
    rows = [
        {**sample_row(i, score=i % 2), "evaluation_name": f"e{i % 20}", "evaluation_result_id": f"e{i % 20}"}
        for i in range(40)
    ]
    read: list[Path] = []

    def noted(path: Path) -> Any:
        read.append(path)
        return usual(path)

    usual = every_eval_ever_samples.rows_of
    monkeypatch.setattr(every_eval_ever_samples, "rows_of", noted)
    details = {"file_path": f"{NAME}_samples.jsonl"}
    found = contents(tmp_path, converted_record(evaluation_results=entries, detailed_evaluation_results=details), *rows)
    documents = [one.answers.samples() for one in found.results if one.answers is not None]
    assert [[sample.doc_id for sample in some] for some in documents] == [[i, i + 20] for i in range(20)]
    assert len(read) == 1
