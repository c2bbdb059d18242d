"""The engine as a run sees it: the same cells as `lm-eval`, out of memory, what is left to lm-eval, bit-equal runs."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.protocol import EngineSettings, attempt, open_engine
from harness.engines.tree import kernels, passes
from harness.engines.tree.lm import GPU_BUDGET, TreeEngine
from harness.engines.tree.model import TreeModel
from harness.plan import Cell
from harness.records import CellFailure, CellResult
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell, zoo


@pytest.fixture(scope="module")
def tree(tiny: ModelSpec) -> TreeEngine:
    """The tiny model, loaded."""
    return TreeEngine(tiny, EngineSettings())


def asked(task: TaskSpec, model: ModelSpec, **changes: Any) -> Cell:
    """A cell of `task` on `model`."""
    return cell(of=task, model=model, engine="tree", **changes)


def loglikelihoods(result: CellResult) -> list[float]:
    """Of every option of every document."""
    assert result.samples is not None
    return [value for sample in result.samples for value in sample.option_loglikelihoods]


@pytest.mark.parametrize("shots", [0, 3])
@pytest.mark.parametrize("kind", ["choice_task", "text_task"])
def test_a_cell_has_the_scores_of_lm_eval(
    kind: str, shots: int, tree: TreeEngine, engine: LmEvalEngine, tiny: ModelSpec, request: pytest.FixtureRequest
) -> None:
    task: TaskSpec = request.getfixturevalue(kind)
    ours = tree.evaluate(asked(task, tiny, shots=shots), task)
    theirs = engine.evaluate(asked(task, tiny, shots=shots), task)
    for one, other in zip(ours.scores, theirs.scores, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-5), one.metric
    assert ours.samples is not None
    assert theirs.samples is not None
    assert [s.output for s in ours.samples] == [s.output for s in theirs.samples]
    assert [s.prompt_hash for s in ours.samples] == [s.prompt_hash for s in theirs.samples]


def test_it_opens_by_name_and_says_how_it_ran(tiny: ModelSpec, choice_task: TaskSpec) -> None:
    engine = open_engine("tree", tiny, EngineSettings(token_budget=100))
    made = engine.evaluate(asked(choice_task, tiny, limit=4), choice_task).provenance
    assert (made.token_budget, made.batch_size, made.fallback) == (100, None, None)


def test_out_of_memory_halves_the_token_budget_and_the_smaller_one_stays(
    tiny: ModelSpec, choice_task: TaskSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TreeEngine(tiny, EngineSettings())
    wanted = asked(choice_task, tiny)
    run, sizes = TreeModel._run, [0]

    def watched(self: TreeModel, current: Any, tokens: Any, *others: Any) -> Any:
        sizes.append(len(tokens))
        return run(self, current, tokens, *others)

    monkeypatch.setattr(TreeModel, "_run", watched)
    expected = engine.evaluate(wanted, choice_task)
    most = max(sizes) - 1

    def short_of_memory(self: TreeModel, current: Any, tokens: Any, *others: Any) -> Any:
        if len(tokens) > most:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return watched(self, current, tokens, *others)

    monkeypatch.setattr(TreeModel, "_run", short_of_memory)
    first, second = (engine.evaluate(wanted, choice_task) for _ in range(2))
    budget = first.provenance.token_budget
    assert budget is not None
    assert most / 2 < budget <= most
    assert second.provenance.token_budget == budget
    assert loglikelihoods(first) == pytest.approx(loglikelihoods(expected), abs=1e-4)


@pytest.mark.skipif(zoo.DEVICE == "cpu", reason="fills a GPU; needs pytest --device cuda")
def test_a_gpu_that_is_full_halves_the_token_budget(tiny: ModelSpec, choice_task: TaskSpec) -> None:
    long = replace(
        choice_task, config={**choice_task.config, "doc_to_text": "{{ (question ~ '. ') * 24 }}{{question}}"}
    )
    engine, wanted = TreeEngine(tiny, EngineSettings(truncation="allow")), asked(long, tiny)
    expected = engine.evaluate(wanted, long)
    torch.cuda.empty_cache()
    room = torch.cuda.memory_reserved() + 4 * 2**20
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.get_device_properties(0).total_memory)
    try:
        result = engine.evaluate(wanted, long)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert expected.provenance.token_budget == GPU_BUDGET
    assert result.provenance.token_budget is not None
    assert result.provenance.token_budget < GPU_BUDGET
    assert loglikelihoods(result) == pytest.approx(loglikelihoods(expected), abs=1e-4)


def test_memory_that_is_short_even_for_a_few_tokens_fails_the_cell(
    tiny: ModelSpec, text_task: TaskSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    engine = TreeEngine(tiny, EngineSettings(token_budget=64))
    monkeypatch.setattr(TreeModel, "_run", never)
    outcome = attempt(engine, asked(text_task, tiny, limit=2), text_task)
    assert isinstance(outcome, CellFailure)
    assert outcome.error == "OutOfMemoryError"


def test_a_deterministic_run_has_the_same_bits_whatever_else_is_asked(tiny: ModelSpec, choice_task: TaskSpec) -> None:
    few, all_ = (
        TreeEngine(tiny, EngineSettings(deterministic=True, token_budget=budget)).evaluate(
            asked(choice_task, tiny, shots=2, limit=limit), choice_task
        )
        for budget, limit in ((4096, 5), (50, None))
    )
    assert loglikelihoods(all_)[: len(loglikelihoods(few))] == loglikelihoods(few)
    assert few.provenance.deterministic


@pytest.fixture(scope="module")
def soft_capped(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """A Gemma 2, whose attention no tree follows, with the tiny model's tokenizer."""
    from transformers import AutoTokenizer, Gemma2Config, Gemma2ForCausalLM

    folder = tmp_path_factory.mktemp("models") / "capped"
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        intermediate_size=32,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    Gemma2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ModelSpec(name="capped", family="toy", params=5_000, path=str(folder), revision="r1")


def test_a_model_that_trees_do_not_fit_runs_on_lm_evals_code_and_says_so(
    soft_capped: ModelSpec, choice_task: TaskSpec, text_task: TaskSpec
) -> None:
    tree, plain = (open_engine(name, soft_capped, EngineSettings()) for name in ("tree", "lm-eval"))
    for task in (choice_task, text_task):
        ours = tree.evaluate(asked(task, soft_capped, shots=1), task)
        theirs = plain.evaluate(asked(task, soft_capped, shots=1), task)
        assert [s.value for s in ours.scores] == [s.value for s in theirs.scores]
        assert ours.provenance.fallback == "its attention uses soft-capping"
        assert (ours.provenance.token_budget, ours.provenance.batch_size) == (None, 32)


def test_a_deterministic_run_is_that_on_lm_evals_code_too(soft_capped: ModelSpec, choice_task: TaskSpec) -> None:
    engine = open_engine("tree", soft_capped, EngineSettings(deterministic=True))
    few, all_ = (engine.evaluate(asked(choice_task, soft_capped, limit=n), choice_task) for n in (5, None))
    assert loglikelihoods(all_)[: len(loglikelihoods(few))] == loglikelihoods(few)
    assert few.provenance.batch_size == 1


def test_texts_left_to_lm_eval_are_told_for_their_cells_alone(
    tree: TreeEngine, engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    config = {**text_task.config, "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "num_beams": 2}}
    beams = replace(text_task, config=config, digest="b" * 12)
    result = tree.evaluate(asked(beams, tiny, limit=6), beams)
    assert result.provenance.fallback == "it generates with num_beams 2"
    expected = engine.evaluate(asked(beams, tiny, limit=6), beams)
    assert [s.output for s in result.samples or ()] == [s.output for s in expected.samples or ()]
    assert tree.evaluate(asked(text_task, tiny, limit=6), text_task).provenance.fallback is None


def test_devices_without_the_fused_kernel_give_the_same_numbers(
    tree: TreeEngine, tiny: ModelSpec, choice_task: TaskSpec, text_task: TaskSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = (choice_task, text_task)
    fused = [tree.evaluate(asked(task, tiny, shots=3), task) for task in tasks]
    for module in (kernels, passes):
        monkeypatch.setattr(module, "attention", kernels.plain_attention)
    plain = [tree.evaluate(asked(task, tiny, shots=3), task) for task in tasks]
    assert loglikelihoods(plain[0]) == pytest.approx(loglikelihoods(fused[0]), abs=1e-4)
    assert [s.output for s in plain[1].samples or ()] == [s.output for s in fused[1].samples or ()]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_runs(
    dtype: str, tree: TreeEngine, tiny: ModelSpec, choice_task: TaskSpec, text_task: TaskSpec
) -> None:
    half = TreeEngine(replace(tiny, dtype=dtype), EngineSettings())
    wanted = asked(choice_task, tiny, shots=2)
    assert loglikelihoods(half.evaluate(wanted, choice_task)) == pytest.approx(
        loglikelihoods(tree.evaluate(wanted, choice_task)), abs=0.3
    )
    result = half.evaluate(asked(text_task, tiny, shots=2), text_task)
    assert result.provenance.fallback is None


def test_loading_is_quiet(tiny: ModelSpec, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        TreeEngine(tiny, EngineSettings())
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
