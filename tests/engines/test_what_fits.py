"""What is too much for the memory, or for the context of a model."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.loading import is_out_of_memory
from harness.engines.protocol import EngineSettings, attempt
from harness.errors import HarnessError
from harness.plan import Cell
from harness.records import CellFailure, CellResult
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.models import CONTEXT
from tests.builders.outside import score
from tests.builders.tasks import configured


def asked(task: TaskSpec, tiny: ModelSpec, **changes: Any) -> Cell:
    return cell(of=task, model=tiny, engine="lm-eval", **changes)


@pytest.fixture
def lenient(engine: LmEvalEngine, monkeypatch: pytest.MonkeyPatch) -> LmEvalEngine:
    """The loaded model with truncation allowed."""
    monkeypatch.setattr(engine, "_settings", EngineSettings(batch_size=8, truncation="allow"))
    return engine


def test_out_of_memory_halves_the_batch_and_the_smaller_one_stays(
    tiny: ModelSpec, choice_task: TaskSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LmEvalEngine(tiny, EngineSettings(batch_size=16))
    wanted = asked(choice_task, tiny, limit=8)
    expected = engine.evaluate(wanted, choice_task)
    call = engine._lm._model_call

    def too_wide(inputs: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        if len(inputs) > 4:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        answered: torch.Tensor = call(inputs, **kwargs)
        return answered

    monkeypatch.setattr(engine._lm, "_model_call", too_wide)
    result = engine.evaluate(wanted, choice_task)
    assert result.provenance.batch_size == 4
    assert score(result, "acc") == score(expected, "acc")
    assert engine.evaluate(wanted, choice_task).provenance.batch_size == 4


def test_memory_that_is_short_even_for_one_prompt_fails_the_cell(
    tiny: ModelSpec, choice_task: TaskSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LmEvalEngine(tiny, EngineSettings(batch_size=2))

    def never(inputs: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(engine._lm, "_model_call", never)
    outcome = attempt(engine, asked(choice_task, tiny, limit=2), choice_task)
    assert isinstance(outcome, CellFailure)
    assert outcome.error == "OutOfMemoryError"
    assert outcome.message.startswith("CUDA out of memory")


def test_other_runtime_errors_are_no_memory_trouble() -> None:
    assert not is_out_of_memory(RuntimeError("shape '[2, 3]' is invalid"))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert is_out_of_memory(MemoryError())


def test_prompts_that_do_not_fit_are_refused_before_the_model_runs(
    engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = configured(choice_task, doc_to_text="{{question * (90 if label == 0 else 1)}}")
    long = sum(1 for doc in engine._data.splits(task, task.config)["test"] if doc["label"] == 0)
    monkeypatch.setattr(engine._lm, "_model_call", lambda *_: pytest.fail("the model ran"))
    with pytest.raises(HarnessError) as caught:
        engine.evaluate(asked(task, tiny), task)
    assert str(caught.value).startswith(
        f"task choice, 0 shots: {long} of 24 prompts do not fit tiny: the longest takes "
    )
    assert f"the model reads {CONTEXT}; use fewer shots, or --truncation allow" in str(caught.value)


def test_prompts_that_are_cut_are_counted_and_marked(
    lenient: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    task = configured(choice_task, doc_to_text="{{question * (90 if label == 0 else 1)}}")
    result = lenient.evaluate(asked(task, tiny), task)
    assert result.samples is not None
    assert [s.truncated for s in result.samples] == [s.target == "red" for s in result.samples]
    assert 0 < result.n_truncated == sum(s.truncated for s in result.samples) < 24


def test_a_prompt_that_just_fits_is_kept(engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec) -> None:
    prompt = len(engine._lm.tok_encode("Colour of sun 1:"))
    room = CONTEXT - prompt
    for new, fits in ((room, True), (room + 1, False)):
        task = configured(
            text_task,
            doc_to_text="Colour of sun 1:",
            generation_kwargs={"until": ["\n"], "max_gen_toks": new},
        )
        outcome = attempt(engine, asked(task, tiny, limit=1), task)
        assert isinstance(outcome, CellResult) == fits


def test_more_new_tokens_than_the_model_reads_are_refused_even_when_cutting_is_allowed(
    lenient: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    task = configured(text_task, generation_kwargs={"until": ["\n"], "max_gen_toks": CONTEXT})
    with pytest.raises(HarnessError, match=r"generates up to 256 tokens, the model reads 256 in all; lower .*max_gen"):
        lenient.evaluate(asked(task, tiny, limit=1), task)
