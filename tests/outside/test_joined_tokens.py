"""Tokens that span a context and its continuation, and contexts and continuations of nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from harness.engines.protocol import EngineSettings
from harness.executors.worker import LaneWorker
from harness.records import CellFailure, CellResult
from harness.schedule import Job, Lane
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell, zoo
from tests.builders.outside import ENGINES, answered, choices, model_folder, refused, task_of, writing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose tokenizer reads `Answer` as one piece and `Ans` as two, and puts nothing first."""
    return model_folder(tmp_path_factory.mktemp("models") / "plain", "gpt-neox")


def by_hand(context: list[int], continuation: list[int]) -> float:
    """Log-likelihood by one forward pass."""
    model = zoo.model("gpt-neox")
    with torch.no_grad():
        logs = model(torch.tensor([[*context, *continuation]])).logits[0].double().log_softmax(-1)
    places = range(len(context) - 1, len(context) + len(continuation) - 1)
    return sum(float(logs[place, token]) for place, token in zip(places, continuation, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_option_of_which_nothing_is_left_is_named_with_the_remedy(engine: str, folder: Path, tmp_path: Path) -> None:
    """One token is the end of the question and the whole option (lm-eval#1297, #1053, #3336, PR#4055)."""
    documents = [{"question": "The", "answer": 0}, {"question": "Ans", "answer": 1}]
    task = task_of(tmp_path, documents, "acc", **choices(["wer", "xyz"], target_delimiter=""))
    said = refused(engine, folder, task)
    assert said.startswith("task outside: document 1: nothing of the answer 'wer' is left to score: ")
    assert re.search(r"end of the question 'Ans' in one token; put a `target_delimiter` between the two", said)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_delimiter_is_the_remedy(engine: str, folder: Path, tmp_path: Path) -> None:
    """What the message says helps."""
    documents = [{"question": "Ans", "answer": 1}]
    task = task_of(tmp_path, documents, "acc", **choices(["wer", "xyz"], target_delimiter=" "))
    (sample,) = answered(engine, folder, task).samples or ()
    words = zoo.tokens("plain")
    due = [by_hand(words.encode("Ans"), words.encode(f"Ans {o}")[len(words.encode("Ans")) :]) for o in ("wer", "xyz")]
    assert sample.option_loglikelihoods == pytest.approx(due, abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_reference_answer_of_which_nothing_is_left_is_named(engine: str, folder: Path, tmp_path: Path) -> None:
    """The likelihood of a reference answer is asked by the same rule."""
    task = task_of(
        tmp_path, [{"question": "Ans", "answer": "wer"}], "loglikelihood_per_byte", **writing(), target_delimiter=""
    )
    assert "document 0: nothing of the answer 'wer' is left to score" in refused(engine, folder, task)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_option_that_loses_its_beginning_is_scored_by_lm_evals_rule(
    engine: str, folder: Path, tmp_path: Path
) -> None:
    """What the joined token holds of the option is not scored, as in lm-eval (lm-eval#1297)."""
    documents = [{"question": "Ans", "answer": 0}]
    task = task_of(tmp_path, documents, "acc", **choices(["wer is red", "x"], target_delimiter=""))
    (sample,) = answered(engine, folder, task).samples or ()
    words = zoo.tokens("plain")
    whole, context = words.encode("Answer is red"), words.encode("Ans")
    assert sample.option_loglikelihoods[0] == pytest.approx(by_hand(context, whole[len(context) :]), abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_option_is_named(engine: str, folder: Path, tmp_path: Path) -> None:
    """lm-eval ends with IndexError or AssertionError (lm-eval#1297)."""
    for question in ("The apple is", ""):
        documents = [{"question": "The", "answer": 0}, {"question": question, "answer": 1}]
        config = choices([" red"], doc_to_choice="{{[' red', '' if question != 'The' else ' green']}}")
        task = task_of(tmp_path, documents, "acc", **{**config, "target_delimiter": ""})
        assert "document 1: an answer is empty: '' has no tokens to score" in refused(engine, folder, task)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("question", ["", " ", "\n", " \n "], ids=repr)
def test_a_context_of_white_space_is_an_empty_context(engine: str, folder: Path, tmp_path: Path, question: str) -> None:
    """lm-eval moves the white space to the option and asserts that something is left (lm-eval#1053)."""
    task = task_of(tmp_path, [{"question": question, "answer": 0}], "acc", **choices(["red", "green"]))
    (sample,) = answered(engine, folder, task).samples or ()
    words = zoo.tokens("plain")
    due = [by_hand([words.bos_token_id], words.encode(f"{question} {option}")) for option in ("red", "green")]
    assert sample.option_loglikelihoods == pytest.approx(due, abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("question", ["", " "], ids=repr)
def test_a_text_can_be_written_after_nothing(engine: str, folder: Path, tmp_path: Path, question: str) -> None:
    """A tokenizer that puts nothing first leaves no token to start from."""
    task = task_of(tmp_path, [{"question": question, "answer": "red"}], "exact_match", **writing())
    (sample,) = answered(engine, folder, task).samples or ()
    words, model = zoo.tokens("plain"), zoo.model("gpt-neox")
    start = words.encode(question) or [words.bos_token_id]
    with torch.no_grad():
        written = model.generate(
            torch.tensor([start]), attention_mask=torch.ones(1, len(start)), max_new_tokens=16, do_sample=False,
            pad_token_id=0,
        )  # fmt: skip
    whole = words.decode(written[0, len(start) :], skip_special_tokens=True)
    assert whole.startswith(sample.output)
    assert sample.output


@pytest.fixture(scope="module")
def weightless(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder with weights that cannot be loaded, so that a test sees whether they were to be."""
    copied = shutil.copytree(folder, tmp_path_factory.mktemp("weightless") / "plain")
    (copied / "model.safetensors").write_bytes(b"no weights")
    return copied


def opened(engine: str, folder: Path, tasks: Sequence[TaskSpec]) -> tuple[LaneWorker, tuple[CellFailure, ...]]:
    """A worker that was given a job for each task, and the failures it opened with."""
    model = ModelSpec(name="plain", family="toy", params=1000, path=str(folder))
    jobs = tuple(Job(cell=cell(of=task, model=model, engine=engine), task=task) for task in tasks)
    worker = LaneWorker(EngineSettings())
    return worker, worker.open(Lane(model=model, engine=engine, jobs=jobs))


def joined(folder: Path) -> TaskSpec:
    documents = [{"question": "The", "answer": 0}, {"question": "Ans", "answer": 1}]
    return task_of(folder, documents, "acc", **choices(["wer", "xyz"], target_delimiter=""))


@pytest.mark.parametrize("engine", ENGINES)
def test_it_is_said_before_the_weights_are_loaded(engine: str, weightless: Path, tmp_path: Path) -> None:
    """Loading a large model takes minutes, and the tokenizer tells it in a moment (lm-eval#1297)."""
    writes = task_of(
        tmp_path / "b", [{"question": "Ans", "answer": "wer"}], "edit_similarity", **writing(), target_delimiter=""
    )
    empty = task_of(
        tmp_path / "c", [{"question": "The", "answer": 1}], "acc", **choices(["", "x"], target_delimiter="")
    )
    _, failures = opened(engine, weightless, [joined(tmp_path / "a"), writes, empty])
    assert [failure.error for failure in failures] == ["HarnessError"] * 3
    joint, written, nothing = (failure.message for failure in failures)
    assert "document 1: nothing of the answer 'wer' is left to score" in joint
    assert "document 0: nothing of the answer 'wer' is left to score" in written
    assert "document 0: an answer is empty" in nothing


@pytest.mark.parametrize("engine", ENGINES)
def test_only_the_cells_that_it_is_true_of_are_refused(engine: str, folder: Path, tmp_path: Path) -> None:
    documents = [{"question": "Ans", "answer": 1}]
    apart = task_of(tmp_path / "b", documents, "acc", **choices(["wer", "xyz"], target_delimiter=" "))
    kept = task_of(tmp_path / "c", documents, "acc", **choices(["wer is red", "xyz"], target_delimiter=""))
    worker, failures = opened(engine, folder, [apart, joined(tmp_path / "a"), kept])
    outcomes = [worker.answer(i) for i in range(3)]
    worker.close()
    assert failures == ()
    assert [isinstance(outcome, CellResult) for outcome in outcomes] == [True, False, True]
    assert "nothing of the answer 'wer' is left" in getattr(outcomes[1], "message", "")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_that_cannot_be_loaded_is_told_as_that_where_nothing_is_refused(
    engine: str, weightless: Path, tmp_path: Path
) -> None:
    documents = [{"question": "The", "answer": 1}]
    task = task_of(tmp_path, documents, "acc", **choices(["wer", "xyz"], target_delimiter=""))
    _, (failure,) = opened(engine, weightless, [task])
    assert failure.error == "ModelError"
