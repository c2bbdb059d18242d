"""What the benchmarks compute themselves; nothing here is timed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest

from harness.catalog.catalogue import Catalog, load_catalog
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.engines.tree.model import Work
from harness.plan import expand
from harness.specs import ModelSpec
from harness.store.samples import page
from tests.benchmarks import suite
from tests.benchmarks.big_store import write_big_store
from tests.benchmarks.documents import FIXED, KINDS, LONG, OWN, Kind
from tests.benchmarks.engines import CHOICES, TEXTS, count, difference, largest_difference, least_flop
from tests.benchmarks.models import SHAPES, Parameters
from tests.benchmarks.timing import Contender, in_turns
from tests.builders import cell


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_the_first_documents_are_the_same_when_more_are_asked(kind: Kind) -> None:
    few, many = kind.build(3), kind.build(5)
    assert [request.args for request in few] == [request.args for request in many[: len(few)]]
    assert len(few) < len(many)


def test_fixed_shots_are_shared_and_own_shots_are_not() -> None:
    def first_examples(kind: Kind) -> set[str]:
        return {request.args[0].split("\n\n")[0] for request in kind.build(8)}

    assert len(first_examples(FIXED)) == 1
    assert len(first_examples(OWN)) > 1


def test_every_model_has_its_numbers_of_documents() -> None:
    assert SHAPES.keys() == CHOICES.keys() == TEXTS.keys()
    for name in SHAPES:
        for kind in KINDS.values():
            assert 0 < count(kind, name).theirs <= count(kind, name).ours


def test_the_least_work_counts_body_head_and_attention() -> None:
    work = Work(nodes=10, scored=3, pairs=7)
    shape = SHAPES["llama-1m"]
    flop = least_flop(work, Parameters(body=100, head=1000), shape)
    assert flop == 2 * 10 * 100 + 2 * 3 * 1000 + 4 * 7 * 64 * 4


def test_contenders_take_turns_and_start_afresh_each_time() -> None:
    asked: list[str] = []

    def contender(name: str) -> Contender:
        def ask(made: list[str]) -> int:
            made.append(name)
            asked.append(name)
            return len(made)

        return Contender(make=list, ask=ask, documents=2)

    took = in_turns({"a": contender("a"), "b": contender("b")}, rounds=3)
    assert asked == ["a", "b"] * 3
    assert took["a"].answers == 1
    assert len(took["b"].seconds) == 3


def test_answers_are_compared_over_the_documents_both_gave() -> None:
    assert largest_difference([-1.0], [-1.25, -9.0]) == 0.25
    assert difference(FIXED, [(-1.0, True)], [(-1.5, False)]) == "5.0e-01, 1 greedy"
    assert difference(LONG, ["a", "b"], ["a", "c", "d"]) == "1 of 2 texts"


def test_models_that_lm_eval_is_not_given_count_like_those_of_their_size() -> None:
    family = [ModelSpec(name=f"m{n}-{run}", family="f", params=n, run=run) for n in (10, 20, 40) for run in (1, 2, 3)]
    small, middle, large = suite.one_of_each_size(reversed(family))
    measured = suite.TheirRuns(seconds={large: 70.0, small: 10.0})
    assert [model.params for model in (small, middle, large)] == [10, 20, 40]
    assert measured.for_all(family) == pytest.approx(3 * (10.0 + 30.0 + 70.0))
    measured.seconds[middle] = 12.0
    assert measured.for_all(family) == pytest.approx(3 * (10.0 + 12.0 + 70.0))


def test_lm_eval_is_asked_for_every_cell_that_the_suites_ask_for(catalog: Catalog) -> None:
    model = catalog.family("embedded").models[0]
    embedded = [one for one in catalog.suites.values() if one.in_all]
    plan = expand(embedded, catalog.tasks, [model])
    asked = {(task, shots) for shots, tasks in suite.tasks_by_shots(catalog).items() for task in tasks}
    assert asked == {(wanted.task, wanted.shots) for wanted in plan.cells}


@pytest.mark.parametrize("name", ["skill_class", "skill_shift", "skill_halves"])
def test_examples_of_a_document_stand_in_lm_evals_template_as_in_our_prompt(
    catalog: Catalog, tmp_path: Path, name: str
) -> None:
    task = catalog.task(name)
    config = suite.lm_eval_config(task, 3, tmp_path)
    built = build_cell(cell(of=task, shots=3, seed=suite.SEED, limit=5), task, DocumentCache())
    lines = _lines(task.data_files[0])[:5]
    for (request, *_), line in zip(built.documents, lines, strict=True):
        assert jinja2.Template(config["doc_to_text"]).render(line) == request.args[0]
    assert config["num_fewshot"] == 0


def test_a_pool_is_written_in_the_order_we_take_it(catalog: Catalog, tmp_path: Path) -> None:
    task = catalog.task("add_2")
    config = suite.lm_eval_config(task, 2, tmp_path)
    first, second, *_ = _lines(Path(config["dataset_kwargs"]["data_files"]["fewshot"]))
    built = build_cell(cell(of=task, shots=2, seed=suite.SEED, limit=1), task, DocumentCache())
    shots = "".join(f"{doc['a']}+{doc['b']}={doc['answer']}\n" for doc in (first, second))
    assert built.documents[0][0].args[0].startswith(shots)


def test_a_generated_store_holds_what_a_run_would_have_written(tmp_path: Path) -> None:
    store = write_big_store(tmp_path, tasks=1, sizes=3, settings=2, documents=20)
    results, failures, problems = store.outcomes()
    assert (len(results), failures, problems) == (2 * 3 * 2, (), ())
    for result in results:
        samples = store.samples(result.cell)
        assert len(samples) == result.n_expected == 20
        for score in result.scores:
            assert score.value == pytest.approx(sum(s.scores[score.metric] for s in samples) / 20)
        for one in samples:
            assert one.output == one.options[one.option_loglikelihoods.index(max(one.option_loglikelihoods))]
            assert one.scores["acc"] == (one.output == one.target)
            assert one.prompt.count("Answer:") == result.cell.shots + 1
        assert page(store, [result.cell]).rows[3].sample == samples[3]
    assert len({one.doc_hash for result in results for one in store.samples(result.cell)}) == 20


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
