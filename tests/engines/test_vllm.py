"""The engine vllm, with a stand-in for the library: the scores of the tree engine, asked for as vLLM answers best."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from harness.catalog import load_catalog, select
from harness.engines.protocol import EngineSettings, attempt, open_engine
from harness.engines.vllm_lm import VllmEngine
from harness.errors import HarnessError, MachineError
from harness.plan import RunPlan
from harness.records import CellResult
from tests.builders.vllm import stand_in

MODEL = "ladder-12k"


def plan(*tasks: str, engine: str = "vllm", shots: int = 2) -> RunPlan:
    return select(load_catalog(), models=[MODEL], tasks=tasks, engine=engine, shots=[shots], seeds=1, limit=5)


def opened(chosen: RunPlan, monkeypatch: pytest.MonkeyPatch, *, by_letter: bool = True, **settings: Any) -> VllmEngine:
    monkeypatch.setitem(sys.modules, "vllm", stand_in(by_letter=by_letter))
    engine = open_engine("vllm", chosen.cells[0].model, EngineSettings(**settings))
    assert isinstance(engine, VllmEngine)
    return engine


@pytest.mark.parity
@pytest.mark.parametrize("by_letter", [True, False])
def test_scores_and_texts_are_those_of_the_tree_engine(monkeypatch: pytest.MonkeyPatch, by_letter: bool) -> None:
    mine, theirs = plan("sentiment", "add_2", engine="tree"), plan("sentiment", "add_2")
    tree, engine = (
        open_engine("tree", mine.cells[0].model, EngineSettings()),
        opened(theirs, monkeypatch, by_letter=by_letter),
    )
    for one, other in zip(mine.cells, theirs.cells, strict=True):
        assert one.key != other.key
        expected, found = attempt(tree, one, mine.tasks[one.task]), attempt(engine, other, theirs.tasks[other.task])
        assert isinstance(expected, CellResult)
        assert isinstance(found, CellResult), found
        assert [s.value for s in found.scores] == pytest.approx([s.value for s in expected.scores], abs=1e-5)
        assert [s.output for s in found.samples] == [s.output for s in expected.samples]


def test_the_letters_after_one_question_are_one_request_that_the_cache_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = plan("sentiment", shots=0)
    engine = opened(chosen, monkeypatch)
    llm = engine._lm._llm
    result = attempt(engine, chosen.cells[0], chosen.tasks["sentiment"])
    assert isinstance(result, CellResult)
    assert llm.enable_prefix_caching is True
    assert (llm.load_format, llm.trust_remote_code, llm.tensor_parallel_size) == ("safetensors", False, 1)
    letters = [params for _, params in llm.asked if params.logprob_token_ids]
    assert letters
    assert all(params.prompt_logprobs is None and params.temperature == 0.0 for params in letters)
    assert len(letters) <= 5


def test_an_option_that_vllm_does_not_follow_fails_the_cell_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened(plan("add_2"), monkeypatch)
    with pytest.raises(HarnessError, match="generation_kwargs: vLLM does not follow 'num_beams'"):
        engine._lm.respond([Instance("generate_until", {}, ("2 + 2 =", {"num_beams": 4}), 0)])


def test_without_the_library_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MachineError, match=r"pip install 'emergence-harness\[vllm\]'"):
        open_engine("vllm", plan("add_2").cells[0].model, EngineSettings())
