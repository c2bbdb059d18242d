"""A model that says what a test tells it to: one text, and a likelihood for each continuation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance

from harness.engines.answers import evaluate_with
from harness.engines.cell_model import in_one_context
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.engines.protocol import EngineSettings
from harness.records import CellResult
from harness.specs import TaskSpec
from tests.builders.cells import cell
from tests.builders.tasks import metrics, write_jsonl


class Saying:
    """Writes `text`, and finds each continuation as likely as `likely` says; one token per character."""

    max_length = 1000
    max_gen_toks = 20
    context_needed = staticmethod(in_one_context)
    batch_size_used = None
    token_budget_used = 77
    fallback = None
    foreign_code = ()

    def __init__(self, text: str = "", likely: Mapping[str, float] | None = None) -> None:
        self._text = text
        self._likely = likely or {}

    def learn(self, texts: Sequence[str]) -> None:
        """Nothing to learn."""

    def chat_text(self, turns: Sequence[Mapping[str, str]], *, begins_answer: bool) -> str:
        """A line for each turn."""
        return "".join(f"{turn['role']}: {turn['content']}\n" for turn in turns)

    def tok_encode(self, string: str) -> list[int]:
        """A token for each character."""
        return [ord(character) for character in string]

    gives_likelihoods = True
    reading = encoded = None

    def pair_tokens(self, pairs: Sequence[Any]) -> list[tuple[list[int], list[int]]]:
        """Context and continuation."""
        texts = [pair.args if isinstance(pair, Instance) else pair for pair in pairs]
        return [(self.tok_encode(context), self.tok_encode(continuation)) for context, continuation in texts]

    def respond(self, requests: Sequence[Instance]) -> list[Any]:
        """A text, or the log-likelihood of a continuation and whether it is the text."""
        return [
            self._text
            if request.request_type == "generate_until"
            else (self._likely.get(request.args[-1].strip(), -9.0), request.args[-1].strip() == self._text)
            for request in requests
        ]


def local_task(
    folder: Path,
    splits: Mapping[str, Sequence[Mapping[str, Any]]],
    *names: str,
    demonstrations: Any = "pool",
    **config: Any,
) -> TaskSpec:
    """A task with documents of its own in each split; `config` is lm-eval's."""
    files = {split: str(write_jsonl(folder / f"{split}.jsonl", documents)) for split, documents in splits.items()}
    local = {"dataset_path": "json", "dataset_kwargs": {"data_files": files}, "test_split": "test"}
    return TaskSpec(
        name="outside",
        kind="qa",
        suite="toy",
        metrics=metrics(*(names or ("acc" if config["output_type"] == "multiple_choice" else "exact_match",))),
        config={**local, "doc_to_text": "{{q}}", "doc_to_target": "{{a}}", **config},
        demonstrations=demonstrations,
        digest="0" * 12,
    )


def prompts(task: TaskSpec, **asked: Any) -> list[str]:
    """The prompt of each document."""
    built = build_cell(cell(of=task, **asked), task, DocumentCache())
    return [requests[0].args[0] for requests in built.documents]


def said(task: TaskSpec, model: Saying, **asked: Any) -> CellResult:
    """The result of the task's cell."""
    return evaluate_with(model, cell(of=task, **asked), task, data=DocumentCache(), settings=EngineSettings())


def scores(result: CellResult) -> dict[str, float]:
    """Metric -> value."""
    return {score.metric: score.value for score in result.scores}
