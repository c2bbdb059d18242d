"""What comes back from a cell that the engine `lm-eval` evaluates."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import __version__
from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.protocol import EngineSettings, open_engine
from harness.errors import HarnessError
from harness.plan import Cell
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell, zoo
from tests.builders.outside import score
from tests.builders.tasks import configured, metrics, write_jsonl


def asked(task: TaskSpec, tiny: ModelSpec, **changes: Any) -> Cell:
    return cell(of=task, model=tiny, engine="lm-eval", **changes)


def test_a_multiple_choice_cell_comes_back_whole(engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec) -> None:
    wanted = asked(choice_task, tiny, shots=2, limit=10)
    result = engine.evaluate(wanted, choice_task)
    assert result.cell == wanted
    assert [s.metric for s in result.scores] == [m.name for m in choice_task.metrics]
    assert (result.shots_effective, result.n_expected, result.n_truncated) == (2, 10, 0)
    assert result.samples is not None
    for sample in result.samples:
        assert sample.options == ("red", "green", "dark blue", "yellow")
        likelihoods = sample.option_loglikelihoods
        assert sample.output == sample.options[likelihoods.index(max(likelihoods))]
        assert sample.scores["acc"] == float(sample.output == sample.target)
        gold = likelihoods[sample.options.index(sample.target)]
        assert sample.scores["loglikelihood_per_byte"] == pytest.approx(gold / len(sample.target))
        expected = math.exp(gold) / sum(math.exp(value) for value in likelihoods)
        assert sample.scores["prob_correct"] == pytest.approx(expected)
    assert len({s.doc_hash for s in result.samples}) == len({s.prompt_hash for s in result.samples}) == 10
    assert all(len(h) == 16 for s in result.samples for h in (s.doc_hash, s.prompt_hash))


@pytest.mark.parametrize(
    ("question", "delimiter", "extra"),
    [("{{question}}", " ", 1), ("{{question}}: ", "", 1), ("{{question}} \n", " ", 3)],
)
def test_the_space_that_is_scored_with_the_right_option_counts_among_its_bytes(
    engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec, question: str, delimiter: str, extra: int
) -> None:
    changed = configured(choice_task, doc_to_text=question, target_delimiter=delimiter)
    task = replace(changed, metrics=metrics("acc", "correct_bits_per_byte"))
    for sample in engine.evaluate(asked(task, tiny, limit=5), task).samples or ():
        gold = sample.option_loglikelihoods[sample.options.index(sample.target)]
        bits = -gold / math.log(2) / (len(sample.target) + extra)
        assert sample.scores["correct_bits_per_byte"] == pytest.approx(bits)


def test_bits_per_byte_of_a_reference_answer_count_the_delimiter(
    engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    task = replace(text_task, metrics=metrics("exact_match", "loglikelihood_per_byte", "correct_bits_per_byte"))
    for sample in engine.evaluate(asked(task, tiny, limit=5), task).samples or ():
        likelihood = sample.scores["loglikelihood_per_byte"] * len(sample.target)
        bits = -likelihood / math.log(2) / (len(sample.target) + 1)
        assert sample.scores["correct_bits_per_byte"] == pytest.approx(bits)


def test_a_generation_cell_has_its_smooth_partner(engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec) -> None:
    result = engine.evaluate(asked(text_task, tiny, shots=2), text_task)
    assert [s.metric for s in result.scores] == [
        "exact_match",
        "loglikelihood_per_token",
        "edit_similarity",
        "token_f1",
    ]
    assert result.samples is not None
    for sample in result.samples:
        assert sample.options == ()
        assert "\n" not in sample.output
        assert sample.scores["exact_match"] == float(sample.output.strip() == sample.target)
        assert sample.scores["loglikelihood_per_token"] < 0
    right = [s.scores["edit_similarity"] for s in result.samples if s.scores["exact_match"] == 1]
    assert right
    assert set(right) == {1.0}


def test_results_hold_plain_values_that_travel_between_processes(
    engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec, text_task: TaskSpec
) -> None:
    for task in (choice_task, text_task):
        result = engine.evaluate(asked(task, tiny, shots=1, limit=3), task)
        assert pickle.loads(pickle.dumps(result)) == result
        assert result.samples is not None
        values = [value for sample in result.samples for value in sample.scores.values()]
        values += [score.value for score in result.scores]
        assert {type(value) for value in values} == {float}


def test_the_reference_likelihood_is_the_one_of_the_answer_after_the_prompt(
    engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    result = engine.evaluate(asked(text_task, tiny, shots=1, limit=3), text_task)
    tokenizer, model = engine._lm.tokenizer, engine._lm.model
    assert result.samples is not None
    for sample in result.samples:
        prompt = tokenizer(sample.prompt)["input_ids"]
        whole = tokenizer(f"{sample.prompt} {sample.target}")["input_ids"]
        assert whole[0] == tokenizer.bos_token_id
        with torch.no_grad():
            logs = model(torch.tensor([whole], device=model.device)).logits.log_softmax(-1)[0]
        total = sum(float(logs[i - 1, whole[i]]) for i in range(len(prompt), len(whole)))
        expected = total / (len(whole) - len(prompt))
        assert sample.scores["loglikelihood_per_token"] == pytest.approx(expected, abs=1e-4)


def test_provenance_says_when_where_and_with_what(engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec) -> None:
    made = engine.evaluate(asked(choice_task, tiny, limit=2), choice_task).provenance
    assert made.versions.keys() == {"harness", "torch", "transformers", "lm_eval"}
    assert made.versions["harness"] == __version__
    assert made.started_at.utcoffset() is not None
    assert made.seconds > 0
    assert made.device.startswith(zoo.DEVICE)
    assert made.host
    assert made.batch_size == 8


def test_results_do_not_depend_on_the_batch_size(engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec) -> None:
    one = open_engine("lm-eval", tiny, EngineSettings(batch_size=1))
    wanted = asked(text_task, tiny, shots=1, limit=12)
    narrow, wide = one.evaluate(wanted, text_task), engine.evaluate(wanted, text_task)
    assert narrow.samples is not None
    assert wide.samples is not None
    assert [s.output for s in narrow.samples] == [s.output for s in wide.samples]
    assert score(narrow, "loglikelihood_per_token") == pytest.approx(score(wide, "loglikelihood_per_token"), abs=1e-5)


def test_empty_outputs_are_wrong_answers_and_not_errors(
    engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    # every text holds the empty stop string, so that nothing is left of it
    task = configured(text_task, generation_kwargs={"until": [" "], "max_gen_toks": 4})
    result = engine.evaluate(asked(task, tiny, shots=2, limit=6), task)
    assert result.samples is not None
    assert {s.output for s in result.samples} == {""}
    assert score(result, "exact_match") == score(result, "token_f1") == score(result, "edit_similarity") == 0.0


def test_an_empty_reference_answer_has_no_likelihood_per_byte(
    engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    task = replace(configured(text_task, doc_to_target=""), metrics=metrics("loglikelihood_per_byte"))
    with pytest.raises(HarnessError, match="needs a reference answer with bytes; found an empty one"):
        engine.evaluate(asked(task, tiny, limit=1), task)


def test_one_document_has_a_score_without_an_error(
    engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    result = engine.evaluate(asked(choice_task, tiny, limit=1), choice_task)
    assert {s.stderr for s in result.scores} == {None}


def test_a_metric_can_name_the_filter_it_is_read_after(
    engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    word = {"function": "regex", "regex_pattern": "([a-z]+)$"}
    filters = [
        {"name": "whole", "filter": [{"function": "take_first"}]},
        {"name": "last-word", "filter": [word, {"function": "take_first"}]},
    ]
    task = replace(
        configured(text_task, filter_list=filters, doc_to_target="{{answer.split()[-1]}}"),
        metrics=metrics("exact_match", "exact_match,last-word"),
    )
    result = engine.evaluate(asked(task, tiny, shots=2), task)
    # " red" with its space is no exact match, its last word is
    assert score(result, "exact_match") == 0.0
    assert score(result, "exact_match,last-word") > 0.0
    assert result.samples is not None
    assert len(result.samples) == 24
    unknown = replace(task, metrics=metrics("exact_match,first-word"))
    with pytest.raises(HarnessError, match="no filter 'first-word' in the task; it has: whole, last-word"):
        engine.evaluate(asked(unknown, tiny, limit=1), unknown)


def test_lm_evals_corpus_metrics_have_an_error_too(
    engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    binary = {"doc_to_choice": ["green", "red"], "doc_to_target": "{{label % 2}}"}
    task = replace(configured(choice_task, **binary), metrics=metrics("f1", "prob_correct"))
    result = engine.evaluate(asked(task, tiny), task)
    f1 = result.scores[0]
    assert 0.0 <= f1.value <= 1.0
    assert f1.stderr is not None
    assert 0.0 < f1.stderr < 0.5
    assert result.samples is not None
    assert result.samples[0].scores.keys() == {"prob_correct", "correct_bits_per_byte"}


def test_code_is_not_executed_without_consent(engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec) -> None:
    task = replace(text_task, unsafe_code=True)
    with pytest.raises(HarnessError, match=r"executes programs that the model wrote; agree with --confirm-run"):
        engine.evaluate(asked(task, tiny, limit=1), task)
    unsaid = replace(text_task, metrics=metrics("pass_at_1"))
    with pytest.raises(HarnessError, match=r"pass_at_1 executes what the model wrote; expected `unsafe_code: true`"):
        engine.evaluate(asked(unsaid, tiny, limit=1), unsaid)


def test_the_likelihood_of_one_continuation_can_be_a_task(
    engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    config = {k: v for k, v in text_task.config.items() if k not in ("generation_kwargs", "filter_list")}
    config |= {"output_type": "loglikelihood", "doc_to_target": " {{answer}}"}
    task = replace(text_task, config=config, metrics=metrics("acc", "loglikelihood_per_token", "perplexity"))
    result = engine.evaluate(asked(task, tiny, shots=2), task)
    assert result.samples is not None
    assert all((s.output == s.target) == (s.scores["acc"] == 1.0) for s in result.samples)
    assert score(result, "loglikelihood_per_token") < 0 < score(result, "perplexity")


def test_a_whole_text_can_be_scored(
    engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = write_jsonl(tmp_path / "texts.jsonl", [{"page": "The sun 1 is red\n" * n} for n in (1, 40)])
    config = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(texts)}},
        "test_split": "test",
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{page}}",
    }
    task = replace(text_task, config=config, metrics=metrics("bits_per_byte", "loglikelihood_per_byte"))
    result = engine.evaluate(asked(task, tiny), task)
    assert capfd.readouterr() == ("", "")
    assert result.n_truncated == 0
    assert score(result, "bits_per_byte") > 0 > score(result, "loglikelihood_per_byte")


@pytest.mark.parametrize("metric", ["acc", "prob_correct"])
def test_weights_that_are_no_numbers_fail_the_cell_whatever_its_metric(
    tiny: ModelSpec, choice_task: TaskSpec, metric: str
) -> None:
    engine = LmEvalEngine(tiny, EngineSettings())
    with torch.no_grad():
        engine._lm.model.get_input_embeddings().weight.fill_(math.nan)
    task = replace(choice_task, metrics=metrics(metric))
    with pytest.raises(HarnessError, match=r"not finite: the model's log-likelihoods are nan in 3 of 3 documents"):
        engine.evaluate(asked(task, tiny, limit=3), task)


def test_an_engine_writes_nothing_to_the_terminal(
    tiny: ModelSpec, choice_task: TaskSpec, text_task: TaskSpec, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = LmEvalEngine(tiny, EngineSettings())
    for task in (choice_task, text_task):
        engine.evaluate(asked(task, tiny, shots=1, limit=2), task)
    engine.close()
    assert capfd.readouterr() == ("", "")
