from dataclasses import replace

import pytest

from harness.errors import PlanError
from harness.plan import Sweep, expand
from harness.schedule import lanes
from harness.specs import Suite
from tests.builders import cell, model, task

TASKS = {"colours": task(), "sums": task("sums", shots_available=None)}
SUITE = Suite(name="toy", tasks=("colours", "sums"), shots=(0, 2), seeds=3)


def test_zero_shot_keeps_one_seed() -> None:
    plan = expand([SUITE], TASKS, [model()])
    assert [(c.task, c.shots, c.seed) for c in plan.cells] == [
        (name, shots, seed) for name in ("colours", "sums") for shots, seed in ((0, 0), (2, 0), (2, 1), (2, 2))
    ]


SAMPLED = {"output_type": "generate_until", "generation_kwargs": {"do_sample": True, "temperature": 0.8}}


@pytest.mark.parametrize(
    ("config", "prompts", "seeds"),
    [
        (SAMPLED, {"default": {}}, 3),
        ({**SAMPLED, "generation_kwargs": {"temperature": 0.8}}, {"default": {}}, 3),
        ({**SAMPLED, "generation_kwargs": {"do_sample": False, "temperature": 0.8}}, {"default": {}}, 1),
        ({**SAMPLED, "generation_kwargs": {"until": ["."]}}, {"default": {}}, 1),
        ({**SAMPLED, "output_type": "multiple_choice"}, {"default": {}}, 1),
        ({"output_type": "generate_until"}, {"default": SAMPLED}, 3),
        (SAMPLED, {"default": {"generation_kwargs": {"do_sample": False}}}, 1),
    ],
)
def test_zero_shot_keeps_every_seed_where_answers_are_drawn(config, prompts, seeds: int) -> None:
    suite = Suite(name="toy", tasks=("drawn",), shots=(0,), seeds=3)
    plan = expand([suite], {"drawn": task("drawn", config=config, prompts=prompts)}, [model()])
    assert [c.seed for c in plan.cells] == list(range(seeds))


def test_a_cell_that_two_suites_ask_for_runs_once() -> None:
    again = replace(SUITE, name="again", shots=(2, 4))
    plan = expand([SUITE, again], TASKS, [model()])
    assert len({c.place for c in plan.cells}) == len(plan.cells) == 2 * (1 + 3 + 3)


def test_the_users_sweep_wins_over_the_suites() -> None:
    plan = expand([SUITE], TASKS, [model()], sweep=Sweep(shots=(1,), seeds=1, limit=7))
    assert [(c.shots, c.seed, c.limit) for c in plan.cells] == [(1, 0, 7)] * 2


def test_all_prompts_of_each_task() -> None:
    tasks = {"colours": task(prompts={"default": {}, "terse": {"doc_to_text": "x"}}), "sums": task("sums")}
    plan = expand([SUITE], tasks, [model()], sweep=Sweep(prompts=("all",), shots=(0,)))
    assert [(c.task, c.prompt) for c in plan.cells] == [
        ("colours", "default"),
        ("colours", "terse"),
        ("sums", "default"),
    ]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (Sweep(shots=(-1,)), "--shots -1: expected 0 or more"),
        (Sweep(seeds=0), "--seeds 0: expected 1 or more"),
        (Sweep(limit=0), "--limit 0: expected 1 or more"),
        (Sweep(shots=(9,)), "--shots 9: task colours has 8 demonstrations to give"),
        (Sweep(prompts=("terse",)), "task colours: unknown prompt 'terse'; known: default"),
    ],
)
def test_what_makes_no_sense_is_refused(sweep: Sweep, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        expand([SUITE], TASKS, [model()], sweep=sweep)


def test_the_key_changes_with_everything_that_changes_the_number() -> None:
    base = cell()
    changed = [
        replace(base, model=replace(base.model, name="other")),
        replace(base, model=replace(base.model, revision="abc")),
        replace(base, model=replace(base.model, dtype="bfloat16")),
        replace(base, model=replace(base.model, variant="int8")),
        replace(base, task="other"),
        replace(base, task_digest="1" * 12),
        replace(base, shots=1),
        replace(base, prompt="terse"),
        replace(base, seed=1),
        replace(base, limit=3),
        replace(base, engine="lm-eval"),
    ]
    assert len({c.key for c in [base, *changed]}) == 1 + len(changed)


def test_the_key_ignores_where_it_runs_and_how_it_is_labelled() -> None:
    base = cell()
    assert replace(base, model=replace(base.model, gpus=4, path="/elsewhere")).key == base.key
    assert replace(base, suite="other").key == base.key


def test_a_model_that_two_families_name_is_asked_for_each() -> None:
    plan = expand([SUITE], TASKS, [model(), model(family="mine"), model(family="mine")])
    assert len({c.key for c in plan.cells}) == len(plan.cells) / 2
    assert {c.model.family for c in plan.cells} == {"toy", "mine"}


def test_the_key_is_stable_across_versions() -> None:
    """Old results must stay found: change this number only together with the store's schema."""
    assert cell().key == "be72a90be2e13409"


def test_cells_of_a_model_share_a_lane_and_the_most_expensive_lane_is_first() -> None:
    plan = expand([SUITE], TASKS, [model(10), model(1000), model(100)])
    made = lanes(plan)
    assert [lane.model.params for lane in made] == [1000, 100, 10]
    assert all(job.cell.model == lane.model for lane in made for job in lane.jobs)
    assert sum(len(lane.jobs) for lane in made) == len(plan.cells)


def test_cells_of_a_task_follow_one_another() -> None:
    names = [job.cell.task for job in lanes(expand([SUITE], TASKS, [model()]))[0].jobs]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (Sweep(seeds=10**9), "the plan has 2,000,000,002 cells; expected at most 1,000,000: ask for fewer seeds"),
        (Sweep(seeds=10**30), "--seeds 1000000000000000000000000000000: expected 1 or more"),
        (Sweep(limit=10**30), "--limit 1000000000000000000000000000000: expected 1 or more, up to 1e+18"),
        (Sweep(shots=(10**30,)), "--shots 1000000000000000000000000000000: expected 0 or more, up to 1e+18"),
        (Sweep(limit=10**5000), "--limit a number of thousands of digits: expected 1 or more"),
    ],
)
def test_a_plan_that_nobody_could_list_is_refused_at_once(sweep: Sweep, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        expand([SUITE], TASKS, [model()], sweep=sweep)
    assert message in str(caught.value)
