"""A cell that several workers share has the scores it has from one, in every byte."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.engines import answers
from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.protocol import CellPart, EngineSettings, attempt_join
from harness.engines.simulated import SimulatedEngine
from harness.engines.tree.lm import TreeEngine
from harness.records import CellFailure, CellResult
from harness.schedule import ALL_LATER, Job, Piece, pieces
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders import task as toy_task


@pytest.fixture(scope="module")
def tree(tiny: ModelSpec) -> TreeEngine:
    return TreeEngine(tiny, EngineSettings())


@pytest.fixture(params=["choice", "text"])
def asked(request: pytest.FixtureRequest, choice_task: TaskSpec, text_task: TaskSpec) -> TaskSpec:
    return choice_task if request.param == "choice" else text_task


@pytest.mark.parametrize("kind", ["tree", "lm-eval"])
def test_scores_of_a_cell_in_parts_equal_those_of_the_whole_cell(
    kind: str,
    asked: TaskSpec,
    tree: TreeEngine,
    engine: LmEvalEngine,
    tiny: ModelSpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "BLOCK", 8)
    of: Any = tree if kind == "tree" else engine
    wanted = cell(of=asked, model=tiny, engine=kind, shots=2)
    whole = of.evaluate(wanted, asked)
    parts = [of.answer_part(wanted, asked, each) for each in (range(8, 24), range(8))]
    joined = attempt_join(of, wanted, asked, parts)
    assert isinstance(joined, CellResult)
    assert (joined.scores, joined.samples) == (whole.scores, whole.samples)
    assert (joined.n_expected, joined.shots_effective) == (24, 2)


@pytest.mark.parametrize("published", [20, 24, 40])
def test_a_cell_whose_data_set_has_more_or_fewer_documents_than_its_page_says_can_be_cut(
    published: int, asked: TaskSpec, tree: TreeEngine, tiny: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "BLOCK", 8)
    monkeypatch.setattr(pieces, "BLOCK", 8)
    wanted = cell(of=asked, model=tiny, engine="tree", shots=2)
    job = Job(cell=wanted, task=replace(asked, n_docs=None, published_docs=published))
    assert job.blocks == math.ceil(published / 8)
    whole = Piece(lane=0, job=0, task=asked.name, seconds=1.0)
    first, rest = whole.cut(1, job.blocks)
    second, last = rest.cut(1, job.blocks)
    documents = [job.documents_of(each) for each in (first, second, last)]
    assert documents == [range(8), range(8, 16), range(16, ALL_LATER)]
    parts = [tree.answer_part(wanted, asked, each) for each in documents if each is not None]
    if published == 40:
        parts.append(tree.answer_part(wanted, asked, range(32, ALL_LATER)))  # there are none
    joined = attempt_join(tree, wanted, asked, parts)
    assert isinstance(joined, CellResult)
    assert joined.scores == tree.evaluate(wanted, asked).scores


def test_the_time_and_energy_of_a_cell_are_those_of_its_parts_together(
    tree: TreeEngine, tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    wanted = cell(of=choice_task, model=tiny, engine="tree")
    part = tree.answer_part(wanted, choice_task, range(24))
    halves = [
        replace(part, documents=range(i, i + 12), responses=part.responses[i : i + 12], seconds=100.0, energy_wh=1.5)
        for i in (0, 12)
    ]
    joined = attempt_join(tree, wanted, choice_task, halves)
    assert isinstance(joined, CellResult)
    assert joined.provenance.seconds == pytest.approx(200.0, abs=5)
    assert joined.provenance.energy_wh == 3.0
    assert joined.provenance.started_at == part.started_at


def test_parts_that_are_not_the_whole_cell_fail_it(tree: TreeEngine, tiny: ModelSpec, choice_task: TaskSpec) -> None:
    wanted = cell(of=choice_task, model=tiny, engine="tree")
    failed = attempt_join(tree, wanted, choice_task, [tree.answer_part(wanted, choice_task, range(16))])
    assert isinstance(failed, CellFailure)
    assert "workers answered 16 documents and there are 24" in failed.message


def test_a_simulated_cell_in_parts_equals_the_whole_one() -> None:
    task = toy_task(n_docs=600)
    engine = SimulatedEngine(cell().model, EngineSettings())
    wanted = cell(of=task)
    parts: Callable[[range], CellPart] = lambda documents: engine.answer_part(wanted, task, documents)  # noqa: E731
    joined = attempt_join(engine, wanted, task, [parts(range(256)), parts(range(256, 768))])
    whole = engine.evaluate(wanted, task)
    assert isinstance(joined, CellResult)
    assert (joined.scores, joined.samples) == (whole.scores, whole.samples)
