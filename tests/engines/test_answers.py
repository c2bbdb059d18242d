"""A cell answered by a model that is a script: what is asked of a model, and what becomes of its answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from harness.engines.answers import evaluate_with
from harness.engines.cell_model import in_one_context
from harness.engines.documents import DocumentCache
from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.protocol import EngineSettings
from harness.errors import HarnessError
from harness.records import CellResult
from harness.scoring import sandbox
from harness.scoring.programs import pass_at_k
from harness.scoring.sandbox import open_sandbox
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.tasks import metrics, write_jsonl

RIGHT, WRONG = " x+1", " x"


class Script:
    """Writes the given texts in turn after each prompt; one token per character, each with probability 1/2."""

    max_length = 1000
    max_gen_toks = 20
    context_needed = staticmethod(in_one_context)
    batch_size_used = None
    token_budget_used = 77

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self.calls: list[Sequence[Instance]] = []
        self.fallback: str | None = None
        self.foreign_code = ("modeling_theirs.py@1f0c9d3e5a7b",)

    def learn(self, texts: Sequence[str]) -> None:
        """Nothing to learn."""

    def tok_encode(self, string: str) -> list[int]:
        return [ord(character) for character in string]

    gives_likelihoods = True
    reading = encoded = None

    def pair_tokens(self, requests: Sequence[Instance]) -> list[tuple[list[int], list[int]]]:
        return [(self.tok_encode(request.args[0]), self.tok_encode(request.args[1])) for request in requests]

    def respond(self, requests: Sequence[Instance]) -> list[Any]:
        self.calls.append(requests)
        self.fallback = "scripts are left to lm-eval"
        turn: Counter[str] = Counter()
        responses: list[Any] = []
        for request in requests:
            if request.request_type == "loglikelihood":
                responses.append((len(request.args[1]) * math.log(0.5), False))
                continue
            responses.append(self._texts[turn[request.args[0]] % len(self._texts)])
            turn[request.args[0]] += 1
        return responses


@pytest.fixture
def programs(tmp_path: Path) -> TaskSpec:
    """Programs of which each document asks for four."""
    documents = [{"about": f"x plus 1, {i}", "answer": "x+1", "tests": [[1, 2], [5, 6]]} for i in range(3)]
    config = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(write_jsonl(tmp_path / "x.test.jsonl", documents))}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "# {{about}}\ndef f(x): return",
        "doc_to_target": "answer",
        "repeats": 4,
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 12, "do_sample": True, "temperature": 0.8},
    }
    return TaskSpec(
        name="programs",
        kind="codegen",
        suite="toy",
        metrics=metrics("pass_at_1", "pass_at_3", "loglikelihood_per_byte"),
        config=config,
        unsafe_code=True,
        digest="f" * 12,
    )


def answered(lm: Script, task: TaskSpec, data: DocumentCache, **settings: Any) -> CellResult:
    agreed = EngineSettings(confirm_run_unsafe_code=True, **{"allow_unfenced": True, **settings})
    return evaluate_with(lm, cell(of=task), task, data=data, settings=agreed)


def values(result: CellResult) -> list[float]:
    return [score.value for score in result.scores]


def test_every_sampled_program_counts(programs: TaskSpec, data: DocumentCache) -> None:
    result = answered(Script(WRONG, RIGHT, WRONG, RIGHT), programs, data)
    assert values(result)[:2] == [0.5, pass_at_k(4, 2, 3)]
    assert result.samples is not None
    assert [sample.output for sample in result.samples] == [WRONG] * 3
    assert {sample.outputs for sample in result.samples} == {(WRONG, RIGHT, WRONG, RIGHT)}


def test_one_call_asks_for_each_text_as_often_as_the_task_repeats_and_for_the_reference_once(
    programs: TaskSpec, data: DocumentCache
) -> None:
    lm = Script(RIGHT)
    result = answered(lm, programs, data)
    (asked,) = lm.calls
    kinds = Counter((request.doc_id, request.request_type) for request in asked)
    assert kinds == {(doc, kind): n for doc in range(3) for kind, n in (("generate_until", 4), ("loglikelihood", 1))}
    assert values(result)[2] == pytest.approx(4 * math.log(0.5) / 3)  # " x+1" for the 3 bytes of "x+1"


def test_the_tasks_own_filter_says_how_many_texts_count(programs: TaskSpec, data: DocumentCache) -> None:
    def filtered(*steps: dict[str, Any], **changes: Any) -> TaskSpec:
        return replace(
            programs, config={**programs.config, "filter_list": [{"name": "kept", "filter": list(steps)}]}, **changes
        )

    script = Script(WRONG, RIGHT, RIGHT, RIGHT)
    one = filtered({"function": "take_first"}, metrics=metrics("pass_at_1", "loglikelihood_per_byte"))
    assert values(answered(script, one, data))[0] == 0.0
    two = filtered({"function": "take_first_k", "k": 2}, metrics=one.metrics)
    assert values(answered(script, two, data))[0] == 0.5
    all_of_them = filtered({"function": "remove_whitespace"}, metrics=one.metrics)
    assert values(answered(script, all_of_them, data))[0] == 0.75
    with pytest.raises(HarnessError, match="pass_at_3 needs as many programs per document, there are 2; raise"):
        answered(script, replace(two, metrics=programs.metrics), data)


def test_the_fence_that_held_stands_in_each_result_that_ran_programs(programs: TaskSpec, data: DocumentCache) -> None:
    textual = replace(programs, metrics=metrics("exact_match", "loglikelihood_per_byte"), unsafe_code=False)

    assert answered(Script(RIGHT), programs, data).provenance.fence == open_sandbox().fence
    assert answered(Script(RIGHT), textual, data).provenance.fence is None


def test_without_a_fence_no_model_is_asked_for_programs_unless_the_user_agreed(
    programs: TaskSpec, data: DocumentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = replace(open_sandbox(), isolation="none", prefix=(), guards=())
    monkeypatch.setattr(sandbox, "open_sandbox", lambda: opened)
    lm = Script(RIGHT)

    with pytest.raises(HarnessError, match=r"could reach files and network and sockets .* with --allow-unfenced"):
        answered(lm, programs, data, allow_unfenced=False)
    assert lm.calls == []
    assert answered(lm, programs, data, allow_unfenced=True).provenance.fence == "none"


def test_too_few_programs_are_told_before_the_model_is_asked(programs: TaskSpec, data: DocumentCache) -> None:
    lm = Script(RIGHT)
    greedy = replace(programs, config={**programs.config, "repeats": 2})
    with pytest.raises(HarnessError, match="pass_at_3 needs as many programs per document, there are 2; raise"):
        answered(lm, greedy, data)
    assert lm.calls == []


def test_a_single_text_leaves_the_list_of_texts_empty(programs: TaskSpec, data: DocumentCache) -> None:
    single = replace(programs, config={**programs.config, "repeats": 1}, metrics=metrics("pass_at_1"))
    samples = answered(Script(RIGHT), single, data).samples
    assert samples is not None
    assert {(sample.output, sample.outputs) for sample in samples} == {(RIGHT, ())}


def test_provenance_says_what_the_model_used_and_why_it_fell_back(programs: TaskSpec, data: DocumentCache) -> None:
    made = answered(Script(RIGHT), programs, data, deterministic=True).provenance
    assert (made.batch_size, made.token_budget, made.deterministic) == (None, 77, True)
    assert made.fallback == "scripts are left to lm-eval"
    assert made.foreign_code == ("modeling_theirs.py@1f0c9d3e5a7b",)


def test_a_model_draws_several_texts_the_same_ones_for_the_same_seed(
    engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    drawn = {"until": ["\n"], "max_gen_toks": 12, "do_sample": True, "temperature": 1.5}
    task = replace(text_task, config={**text_task.config, "repeats": 3, "generation_kwargs": drawn})

    def texts(seed: int) -> list[tuple[str, ...]]:
        result = engine.evaluate(cell(of=task, model=tiny, limit=6, seed=seed, engine="lm-eval"), task)
        assert result.samples is not None
        assert all(sample.output == sample.outputs[0] for sample in result.samples)
        return [sample.outputs for sample in result.samples]

    first = texts(0)
    assert {len(outputs) for outputs in first} == {3}
    assert any(len(set(outputs)) > 1 for outputs in first)
    assert texts(0) == first
    assert texts(1) != first
