"""The suite `core` on small documents in the schema of its data sets: every task loads, and scores what is right."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import Catalog, load_catalog
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.engines.protocol import EngineSettings, open_engine
from harness.scoring.metrics import OF_OPTIONS, Answer, is_own, sample_metric
from harness.scoring.programs import JudgedProgram, program_of
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.commands import Emergence
from tests.builders.hub import write_mirror
from tests.lm_eval_tasks import asked

ROOT = Path(__file__).parents[2]
NAMES = load_catalog().suite("core").tasks
PROGRAMS = ("core_humaneval", "core_mbpp")
TEXTS = tuple(name for name in NAMES if name not in PROGRAMS)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    mirror = write_mirror(tmp_path_factory.mktemp("hub") / "mirror")
    return load_catalog(mirror=mirror).with_others(NAMES)[0]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, ModelSpec]]:
    folder = asked.write_model(tmp_path_factory.mktemp("model") / "184k")
    model = ModelSpec(name="184k", family="embedded", params=184_000, path=str(folder), revision="r1")
    opened = open_engine("tree", model, EngineSettings())
    yield opened, model
    opened.close()


def task_of(catalog: Catalog, name: str) -> TaskSpec:
    assert catalog.mirror is not None
    return catalog.mirror.task(catalog.task(name))


@pytest.mark.parametrize("name", TEXTS)
def test_every_task_is_evaluated_without_code_of_others(
    catalog: Catalog, engine: tuple[Any, ModelSpec], name: str
) -> None:
    opened, model = engine
    task = task_of(catalog, name)
    shots = task.default_shots or 0
    result = opened.evaluate(cell(of=task, model=model, engine="tree", shots=shots, limit=6), task)
    assert result.shots_effective == shots
    assert [score.metric for score in result.scores] == [metric.name for metric in task.metrics]
    assert all(math.isfinite(score.value) for score in result.scores)
    assert all(score.n == 6 for score in result.scores)


@pytest.mark.parametrize("name", NAMES)
def test_every_task_says_what_a_curve_needs_to_know(catalog: Catalog, name: str) -> None:
    task = task_of(catalog, name)
    assert not task.headline.continuous
    assert any(metric.continuous for metric in task.metrics)
    assert task.headline.chance is not None
    assert task.published_docs
    assert task.default_shots is not None
    assert task.description


@pytest.mark.parametrize("name", TEXTS)
def test_the_right_answer_gets_the_best_score_and_the_chance_level_is_a_guess(catalog: Catalog, name: str) -> None:
    task = task_of(catalog, name)
    built = build_cell(cell(of=task, shots=0, limit=8), task, DocumentCache())
    best = {metric.name: metric.best for metric in task.metrics}
    if task.config["output_type"] == "multiple_choice":
        guess = sum(1 / len(requests) for requests in built.documents) / len(built.documents)
        spread = 0.05 if "arc" in name else 1e-9  # a few questions have three or five options
        assert task.headline.chance == pytest.approx(guess, abs=spread)
    if not task.generates:
        return
    for (request,) in built.documents:
        target = built.task.doc_to_target(request.doc)
        first = target[0] if isinstance(target, list) else target
        also = tuple(Answer(doc=request.doc, target=one, output=first) for one in (target if first != target else ()))
        answer = Answer(doc=request.doc, target=first, output=f" {first} ", also=also)
        for metric in filter(is_own, best):
            if metric in OF_OPTIONS or "entity" in metric or "parse" in metric or metric.startswith("loglik"):
                continue
            assert sample_metric(metric)(answer) == best[metric], metric
        request.resps.append(f" {first} ")
    built.task.apply_filters()
    if "exact_match" in best and name != "core_gsm8k":
        chosen = next(iter(built.documents[0][0].filtered_resps))
        for (request,) in built.documents:
            scores = built.task.process_results(request.doc, [request.filtered_resps[chosen]])
            assert scores["exact_match"] == 1.0


def test_programs_are_judged_by_the_documents_own_tests(catalog: Catalog) -> None:
    for name in PROGRAMS:
        task = task_of(catalog, name)
        assert task.unsafe_code
        built = build_cell(cell(of=task, shots=task.default_shots or 0, limit=2), task, DocumentCache())
        for (request,) in built.documents:
            reference = Answer(
                doc=request.doc,
                target=built.task.doc_to_target(request.doc),
                question=built.task.doc_to_text(request.doc),
                output=built.task.doc_to_target(request.doc),
            )
            program = program_of(reference)
            assert isinstance(program, JudgedProgram)
            compile(program.source, name, "exec")


def test_the_page_tells_of_each_task_what_its_file_says(catalog: Catalog) -> None:
    rows = {}
    for line in (ROOT / "docs" / "core.md").read_text(encoding="utf-8").splitlines():
        cells = [part.strip() for part in line.strip("|").split(" | ")]
        if len(cells) >= 8 and cells[0].startswith("`"):
            rows[cells[0].strip("`")] = cells
    assert tuple(rows) == NAMES
    for name in NAMES:
        task = catalog.task(name)
        _, kind, data, _, documents, shots, metric, chance, *_ = rows[name]
        assert kind == task.kind
        assert str(task.config["dataset_path"]) in data
        assert documents == f"{task.published_docs:,}"
        assert shots == str(task.default_shots)
        assert metric.startswith(f"`{task.headline.name}`")
        assert float(chance) == task.headline.chance


def test_a_plan_needs_no_network_and_estimates_every_task(emergence: Emergence) -> None:
    planned = emergence("plan", "--suite", "core", "--family", "pythia")
    assert planned.code == 0
    assert "known only to the hub" not in planned.out
    assert "tasks is the one that the data set's page gives" in planned.out
    rows = json.loads(emergence("plan", "--suite", "core", "--family", "pythia", "--json").out)
    assert all(row["documents"] for row in rows)
    hellaswag = next(row for row in rows if row["task"] == "core_hellaswag")
    assert hellaswag["documents"] == 10_042
    assert hellaswag["shots"] == 5
    assert hellaswag["requests"] % 10_042 == 0
    assert next(row for row in rows if row["task"] == "core_lambada")["requests"] == 5153


def test_all_suites_leave_it_out(emergence: Emergence) -> None:
    planned = emergence("plan", "--suite", "all", "--model", "ladder-12k", "--json")
    assert planned.code == 0
    assert not {row["task"] for row in json.loads(planned.out)} & {*NAMES}
