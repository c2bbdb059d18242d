"""Small inputs on which other harnesses went wrong, asked of every engine that loads a model."""

from __future__ import annotations

import copy
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from harness.engines.protocol import Engine, EngineSettings, attempt, open_engine
from harness.records import CellFailure, CellResult, Outcome
from harness.specs import ModelSpec, TaskSpec
from tests.builders import zoo
from tests.builders.cells import cell
from tests.builders.tasks import metrics, write_jsonl

ENGINES = ("tree", "lm-eval")
"""Engines that load a model."""


def model_folder(
    folder: Path, species: str = "llama", tokenizer: Any = None, change: Callable[[Any], None] | None = None
) -> Path:
    """A model of the zoo as a folder, after `change` to its weights."""
    words = tokenizer or zoo.tokens(zoo.ZOO[species].tokenizer)
    made = copy.deepcopy(zoo.model(species))
    if change is not None:
        with torch.no_grad():
            change(made)
    made.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def scripted_folder(folder: Path, tokenizer: Any, prompt: str, text: str) -> Path:
    """A model that writes `text` after `prompt`, and then its end: what it writes depends on the position alone."""
    prompt_ids = tokenizer.encode(prompt)
    ids = [*tokenizer.encode(prompt + text)[len(prompt_ids) :], tokenizer.eos_token_id]
    size = len(tokenizer)
    config = GPT2Config(
        vocab_size=size, n_embd=size, n_layer=1, n_head=1, n_inner=8, n_positions=len(prompt_ids) + len(ids) + 40,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    made = GPT2LMHeadModel(config)
    with torch.no_grad():
        for weight in made.transformer.h.parameters():
            weight.zero_()
        made.transformer.wte.weight.copy_(0.1 * torch.eye(size))
        made.transformer.wpe.weight.zero_()
        made.transformer.wpe.weight[:, tokenizer.eos_token_id] = 10
        for i, token in enumerate(ids):
            place = made.transformer.wpe.weight[len(prompt_ids) - 1 + i]
            place.zero_()
            place[token] = 10
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def task_of(
    folder: Path,
    documents: Sequence[Mapping[str, Any]],
    *names: str,
    examples: Sequence[Mapping[str, Any]] = (),
    **config: Any,
) -> TaskSpec:
    """A task with documents of its own and the metrics `names`; `config` is lm-eval's."""
    folder.mkdir(exist_ok=True)
    files = {"test": str(write_jsonl(folder / "test.jsonl", documents))}
    if examples:
        files["fewshot"] = str(write_jsonl(folder / "fewshot.jsonl", examples))
        config["fewshot_split"] = "fewshot"
    local = {"dataset_path": "json", "dataset_kwargs": {"data_files": files}, "test_split": "test"}
    return TaskSpec(
        name="outside",
        kind="qa",
        suite="toy",
        metrics=metrics(*names),
        config={**local, "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}", **config},
        unsafe_code=any(name.startswith("pass_at_") for name in names),
        # engines keep the documents of a digest
        digest=hashlib.sha256(repr((documents, examples)).encode()).hexdigest()[:12],
    )


def choices(options: Sequence[str], **config: Any) -> dict[str, Any]:
    """Config of a multiple-choice task whose documents give the right option's number as `answer`."""
    return {"output_type": "multiple_choice", "doc_to_choice": list(options), "doc_to_target": "answer", **config}


def writing(**options: Any) -> dict[str, Any]:
    """Config of a task that generates; `options` are generation options."""
    return {"output_type": "generate_until", "generation_kwargs": {"max_gen_toks": 16, **options}}


def asked(
    engine: str, folder: Path, task: TaskSpec, *, dtype: Any = "float32", shots: int = 0, **settings: Any
) -> Outcome:
    """What becomes of the task's cell on the model in `folder`."""
    model = ModelSpec(name=folder.name, family="toy", params=1000, path=str(folder), dtype=dtype)
    opened = _opened(engine, model, EngineSettings(**settings))
    return attempt(opened, cell(of=task, model=model, engine=engine, shots=shots), task)


@functools.lru_cache(maxsize=4)
def _opened(engine: str, model: ModelSpec, settings: EngineSettings) -> Engine:
    """Loaded once for the tests of a module that ask the same model."""
    return open_engine(engine, model, settings)


def answered(engine: str, folder: Path, task: TaskSpec, **settings: Any) -> CellResult:
    """The result of the task's cell, which must have one."""
    outcome = asked(engine, folder, task, **settings)
    assert isinstance(outcome, CellResult), outcome.traceback
    return outcome


def refused(engine: str, folder: Path, task: TaskSpec, **settings: Any) -> str:
    """Why the task's cell fails, which it must."""
    outcome = asked(engine, folder, task, **settings)
    assert isinstance(outcome, CellFailure), outcome.scores
    return outcome.message


def outputs(result: CellResult) -> list[str]:
    """What was written for each document."""
    assert result.samples is not None
    return [sample.output for sample in result.samples]


def score(result: CellResult, metric: str) -> float:
    """The value of one metric."""
    return next(score.value for score in result.scores if score.metric == metric)
