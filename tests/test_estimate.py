from dataclasses import replace

import pytest

from harness.estimate import (
    LOAD_BYTES_PER_SECOND,
    OPEN_SECONDS,
    START_SECONDS,
    CostEstimate,
    cost_of,
    load_seconds,
    measured_loading,
    measured_pace,
    opening_seconds,
    run_time,
)
from harness.plan import RunPlan
from tests.builders import cell, model, result, task
from tests.builders.schedules import nodes

CHOICE = task(config={"output_type": "multiple_choice", "doc_to_choice": ["a", "b"]})
TEXT = task("text", config={"output_type": "generate_until"})


def test_each_of_several_texts_is_a_request() -> None:
    several = task("several", config={"output_type": "generate_until", "repeats": 10})
    (one, ten) = (cost_of(cell(of=spec, limit=5), spec) for spec in (TEXT, several))
    assert one is not None
    assert ten is not None
    assert (one.requests, ten.requests) == (10, 55)


def test_options_and_generations_are_counted_as_requests() -> None:
    assert cost_of(cell(of=CHOICE), CHOICE).requests == 2 * 20
    assert cost_of(cell(of=TEXT), TEXT).requests == 2 * 20
    assert cost_of(cell(of=TEXT, limit=5), TEXT).requests == 2 * 5


def test_a_likelihood_is_one_request_for_each_document() -> None:
    for kind in ("loglikelihood", "loglikelihood_rolling"):
        spec = task("likely", config={"output_type": kind})
        assert cost_of(cell(of=spec), spec).requests == 20


def test_a_task_of_the_hub_counts_the_documents_that_its_page_gives() -> None:
    unknown = replace(CHOICE, n_docs=None, mean_doc_chars=None)
    assert cost_of(cell(of=unknown), unknown) is None
    published = replace(unknown, published_docs=300)
    assert published.expected_docs == 300
    assert cost_of(cell(of=published), published).requests == 2 * 300
    assert cost_of(cell(of=published, limit=7), published).requests == 2 * 7
    assert cost_of(cell(of=published), published).tokens > 0
    assert replace(published, n_docs=20).expected_docs == 20  # counted ones are surer


def test_shots_lengthen_every_prompt() -> None:
    assert cost_of(cell(shots=4), CHOICE).tokens == 5 * cost_of(cell(shots=0), CHOICE).tokens


def test_documents_that_bring_their_examples_are_counted_with_them() -> None:
    own = replace(CHOICE, demonstrations="document")
    assert cost_of(cell(shots=4), own).tokens == cost_of(cell(shots=0), own).tokens


def test_on_trees_examples_cost_next_to_nothing() -> None:
    big = model(10**9)
    tree, other = (cost_of(cell(of=CHOICE, model=big, shots=4, engine=e), CHOICE) for e in ("tree", "lm-eval"))
    assert tree.tokens == other.tokens
    # 20 documents and 4 examples, each read once, against 40 prompts of 5 documents' length
    assert tree.seconds < other.seconds / 8


def test_a_task_whose_size_only_the_hub_knows_has_no_estimate() -> None:
    assert cost_of(cell(), task(n_docs=None)) is None


def test_larger_models_take_longer_and_gpus_less() -> None:
    small, large = (cost_of(cell(model=model(n)), CHOICE) for n in (10**6, 10**9))
    assert small.seconds < large.seconds
    assert cost_of(cell(model=model(10**9, gpus=1)), CHOICE).seconds < large.seconds


def test_the_pace_of_done_cells_corrects_the_estimate() -> None:
    done = result(cell(of=CHOICE))
    guess = cost_of(done.cell, CHOICE).seconds
    slow = replace(done, provenance=replace(done.provenance, seconds=7 * guess))
    pace = measured_pace([slow], {"colours": CHOICE}, {"simulated"})
    assert pace == pytest.approx(7)
    assert cost_of(done.cell, CHOICE, pace=pace).seconds == pytest.approx(7 * guess)
    assert measured_pace([slow], {"colours": CHOICE}, {"lm-eval"}) is None


def test_measured_load_times_are_used_and_correct_those_of_other_models() -> None:
    known, other = model(10**9, name="known"), model(2 * 10**9, name="other")
    done = [
        replace(made, provenance=replace(made.provenance, load_seconds=seconds))
        for made in (result(cell(of=CHOICE, model=known, engine="tree", seed=seed, shots=1)) for seed in (0,))
        for seconds in (90.0, 100.0, 300.0)
    ]
    loading = measured_loading(done)
    assert loading(cell(model=known, engine="tree")) == 100.0
    ratio = 100.0 / load_seconds(done[0].cell)
    assert loading(cell(model=other, engine="tree")) == pytest.approx(
        load_seconds(cell(model=other, engine="tree")) * ratio
    )
    assert loading(cell(model=other, engine="lm-eval")) == load_seconds(cell(model=other, engine="lm-eval"))
    plan = RunPlan(cells=(cell(model=known, engine="tree"),), tasks={"colours": CHOICE})
    assert run_time(plan, nodes(), loading=loading).seconds - run_time(plan, nodes()).seconds == pytest.approx(
        100.0 - load_seconds(plan.cells[0])
    )


def test_estimates_add_up() -> None:
    one = CostEstimate(requests=1, tokens=2.0, seconds=3.0)
    assert one + one == CostEstimate(requests=2, tokens=4.0, seconds=6.0)


def test_a_run_takes_the_time_to_start_and_to_load_each_model_once() -> None:
    small, large = model(10**6, name="small"), model(10**9, name="large")
    cells = [cell(model=of, seed=seed, shots=1, engine="tree") for of in (small, large) for seed in range(3)]
    loading = 2 * OPEN_SECONDS + 4 * (10**6 + 10**9) / LOAD_BYTES_PER_SECOND
    assert opening_seconds(cells) == pytest.approx(loading)
    plan = RunPlan(cells=tuple(cells), tasks={"colours": CHOICE})
    work = sum(cost_of(each, CHOICE).seconds for each in cells)
    alone = run_time(plan, nodes(), workers=1)
    assert alone.seconds == pytest.approx(START_SECONDS + loading + work)
    assert alone.bound_seconds == pytest.approx(alone.seconds)
    assert alone.gpu_seconds == 0.0
    two = run_time(plan, nodes(), workers=2)
    assert alone.seconds / 2 < two.seconds < alone.seconds
    assert run_time(replace(plan, cells=()), nodes()).seconds == 0.0
    simulated = RunPlan(cells=(cell(engine="simulated"),), tasks={"colours": CHOICE})
    assert run_time(simulated, nodes()).seconds == pytest.approx(cost_of(simulated.cells[0], CHOICE).seconds)


def test_gpus_make_a_run_shorter_and_their_hours_are_counted() -> None:
    big = [cell(model=model(10**10, name=f"big-{i}"), engine="tree", shots=4, seed=i) for i in range(3)]
    plan = RunPlan(cells=tuple(big), tasks={"colours": CHOICE})
    one, three = (run_time(plan, nodes(gpus=n)) for n in (1, 3))
    assert one.loads == three.loads == 3
    assert one.gpu_seconds == pytest.approx(three.gpu_seconds)
    assert one.seconds - START_SECONDS == pytest.approx(3 * (three.seconds - START_SECONDS))
    assert run_time(plan, nodes()).gpu_seconds == 0.0
