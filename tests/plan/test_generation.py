"""Options of writing texts beside those of a task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import PlanError
from harness.plan import Sweep, expand
from harness.plan.generation import generation_options
from harness.specs import ModelSpec, Suite, TaskSpec
from tests.builders.tasks import choice_task, text_task

MODEL = ModelSpec(name="m", family="f", params=10)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("temperature=0,do_sample=false", {"temperature": 0, "do_sample": False}),
        ("temperature=0.7, top_p=0.9 ,do_sample=True", {"temperature": 0.7, "top_p": 0.9, "do_sample": True}),
        ('stop=["Q:", "a, b"],max_gen_toks=8', {"until": ["Q:", "a, b"], "max_gen_toks": 8}),
        ("until=['\\n\\n'],max_gen_toks=8", {"until": ["\n\n"], "max_gen_toks": 8}),
        ('{"max_gen_toks": 8, "stop": ["x"]}', {"max_gen_toks": 8, "until": ["x"]}),
        ("max_gen_toks=8,", {"max_gen_toks": 8}),
        ("top_k=none", {"top_k": None}),
    ],
)
def test_options_are_read_as_lm_eval_reads_them(text: str, options: dict[str, Any]) -> None:
    assert generation_options(text) == options


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("temperature", "--gen-kwargs 'temperature': expected name=value, such as temperature=0.7,max_gen_toks=64"),
        ("{max_gen_toks: 8}", "--gen-kwargs {max_gen_toks: 8}: is no JSON: "),
    ],
)
def test_what_is_neither_pairs_nor_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        generation_options(text)
    assert str(caught.value).startswith(message)


def planned(*tasks: TaskSpec, seeds: int = 1, **generation: Any) -> list[tuple[str, int, str | None, str]]:
    suite = Suite(name="s", tasks=tuple(task.name for task in tasks), shots=(0,))
    sweep = Sweep(generation=generation or None, seeds=seeds)
    plan = expand([suite], {task.name: task for task in tasks}, [MODEL], sweep=sweep)
    return [(cell.task, cell.seed, cell.generation, cell.key) for cell in plan.cells]


def test_options_are_part_of_the_key_of_tasks_that_have_texts_written(tmp_path: Path) -> None:
    text, choice = text_task(tmp_path), choice_task(tmp_path)
    before = {task: key for task, _, _, key in planned(text, choice)}
    after = {task: (written, key) for task, _, written, key in planned(text, choice, max_gen_toks=5, top_p=0.5)}
    assert after[choice.name] == (None, before[choice.name])
    assert after[text.name][0] == '{"max_gen_toks":5,"top_p":0.5}'
    assert after[text.name][1] != before[text.name]


def test_options_that_change_nothing_leave_the_key_as_it_was(tmp_path: Path) -> None:
    task = text_task(tmp_path)
    own = task.config["generation_kwargs"]
    assert planned(task, temperature=0, **own) == planned(task)
    drawn = replace(task, config={**task.config, "generation_kwargs": {"do_sample": True, "temperature": 0.5}})
    assert planned(drawn, do_sample=False) != planned(drawn)


def test_texts_that_are_drawn_by_the_users_wish_are_drawn_for_every_seed(tmp_path: Path) -> None:
    task = text_task(tmp_path)
    task = replace(task, config={**task.config, "generation_kwargs": {"max_gen_toks": 12}})
    assert [seed for _, seed, _, _ in planned(task, seeds=3)] == [0]
    assert [seed for _, seed, _, _ in planned(task, seeds=3, temperature=0.8)] == [0, 1, 2]


def test_a_plan_without_texts_refuses_options_of_writing_them(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="--gen-kwargs: no task has texts written: choice"):
        planned(choice_task(tmp_path), max_gen_toks=5)
