"""Tokenizers without the special tokens that engines lean on, and prompts that bring such tokens along."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from tests.builders import zoo
from tests.builders.outside import ENGINES, answered, choices, model_folder, outputs, refused, task_of, writing


def bare() -> Any:
    """A tokenizer without any special token."""
    backend = copy.deepcopy(zoo.tokens("plain").backend_tokenizer)
    said = json.loads(backend.to_str())
    said["added_tokens"] = []
    made: Any = PreTrainedTokenizerFast
    return made(tokenizer_object=type(backend).from_str(json.dumps(said)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose tokenizer has neither <bos> nor <eos> nor padding."""
    return model_folder(tmp_path_factory.mktemp("models") / "bare", "gpt-neox", bare())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_tokenizer_without_special_tokens_is_enough(engine: str, folder: Path, tmp_path: Path) -> None:
    """lm-eval decodes the token that begins a text before it looks whether there is one (lm-eval#3295)."""
    questions = ("The apple is", "Question: what colour has the sea? Answer:")
    documents = [{"question": question, "answer": 0} for question in questions]
    words, model = zoo.tokens("plain"), zoo.model("gpt-neox")
    task = task_of(tmp_path, documents, "acc", **choices(["red", "dark blue"]))
    for sample, question in zip(answered(engine, folder, task).samples or (), questions, strict=True):
        context, whole = words.encode(question), words.encode(f"{question} red")
        with torch.no_grad():
            logs = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
        due = sum(float(logs[i - 1, whole[i]]) for i in range(len(context), len(whole)))
        assert sample.option_loglikelihoods[0] == pytest.approx(due, abs=1e-4)
    text = task_of(
        tmp_path, [{"question": q, "answer": "x"} for q in questions], "exact_match", **writing(until=["\n"])
    )
    found = outputs(answered(engine, folder, text))
    for question, output in zip(questions, found, strict=True):
        tokens = words.encode(question)
        for _ in range(16):
            with torch.no_grad():
                tokens = [*tokens, int(model(torch.tensor([tokens])).logits[0, -1].argmax())]
            if tokens[-1] == words.eos_token_id:
                break
        assert output == words.decode(tokens[len(words.encode(question)) :], skip_special_tokens=True).split("\n")[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_question_without_a_first_token_is_named(engine: str, folder: Path, tmp_path: Path) -> None:
    """There is nothing that the answer could follow."""
    task = task_of(tmp_path, [{"question": "", "answer": 0}], "acc", **choices(["red", "green"]))
    said = refused(engine, folder, task)
    assert said.startswith(
        "task outside: document 0: the question is empty, and the tokenizer has no token that begins"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_prompt_that_brings_its_bos_gets_no_second_one(engine: str, tmp_path: Path) -> None:
    """A chat template writes <bos>, and so does the tokenizer (lm-eval#3295, evalplus#207, open-r1 PR#462)."""
    folder = model_folder(tmp_path / "model")
    for template in ("{{question}}", "<bos>{{question}}"):
        task = task_of(
            tmp_path,
            [{"question": "The apple is", "answer": 0}],
            "acc",
            **choices(["red", "green"], doc_to_text=template),
        )
        (sample,) = answered(engine, folder, task).samples or ()
        words, model = zoo.tokens("bos"), zoo.model("llama")
        whole = words.encode("The apple is red")
        assert whole.count(words.bos_token_id) == 1
        with torch.no_grad():
            logs = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
        start = len(words.encode("The apple is"))
        due = sum(float(logs[i - 1, whole[i]]) for i in range(start, len(whole)))
        assert sample.option_loglikelihoods[0] == pytest.approx(due, abs=1e-4)
    mixed = [{"question": "<bos>The apple is", "answer": "x"}, {"question": "The apple is", "answer": "x"}]
    for documents in (mixed, mixed[::-1]):
        task = task_of(tmp_path, documents, "exact_match", **writing(until=["\n"]))
        first, second = outputs(answered(engine, folder, task))
        assert first == second
