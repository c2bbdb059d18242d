"""Both formats of a task run, and score the same options of the same documents."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from harness.engines.lm_eval_engine import LmEvalEngine
from harness.errors import HarnessError
from harness.plan.formats import Format, twin_metrics
from harness.records import CellResult
from harness.scoring.metrics import OF_RIGHT_OPTION
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.tasks import COLOURS, metrics

LETTERED = "{{question}}\n{% for one in options %}{{'ABCD'[loop.index0]}}. {{one}}\n{% endfor %}Answer:"


@pytest.fixture
def letters(choice_task: TaskSpec) -> TaskSpec:
    """The task `choice`, asked by letter."""
    config = {**choice_task.config, "doc_to_text": LETTERED, "doc_to_choice": list("ABCD")}
    return replace(
        choice_task, name="letters", config=config, metrics=metrics("acc", "prob_correct"), prompts={"default": {}}
    )


def asked(engine: LmEvalEngine, model: ModelSpec, task: TaskSpec, format: Format | None, **changes: Any) -> CellResult:
    own = replace(cell(of=task, model=model, engine="lm-eval"), shots=1, limit=6)
    twin = own if format is None else replace(own, format=format, metrics=twin_metrics(task, format))
    return engine.evaluate(replace(twin, **changes), task)


def test_a_task_of_texts_is_asked_by_letter(engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec) -> None:
    own, twin = (asked(engine, tiny, choice_task, format) for format in (None, "mc"))
    assert [s.metric for s in twin.scores] == ["acc", "prob_correct", "correct_bits_per_byte"]
    for before, sample in zip(own.samples or (), twin.samples or (), strict=True):
        example, question = sample.prompt.split("\n\n")
        lines = [f"{letter}. {colour}" for letter, colour in zip("ABCD", COLOURS, strict=True)]
        assert question.splitlines() == [*before.prompt.splitlines()[-1:], *lines, "Answer:"]
        assert example.splitlines()[1:5] == lines
        assert example.splitlines()[5][:-1] == "Answer: "
        assert sample.options == tuple("ABCD")
        assert before.doc_hash == sample.doc_hash
        assert COLOURS["ABCD".index(sample.target)] == before.target
        assert sample.target == "ABCD"[before.options.index(before.target)]


def test_a_task_of_letters_is_asked_by_texts_that_are_scored_per_byte(
    engine: LmEvalEngine, tiny: ModelSpec, letters: TaskSpec
) -> None:
    own, twin = (asked(engine, tiny, letters, format) for format in (None, "cloze"))
    assert [s.metric for s in twin.scores] == ["acc_bytes", "acc", "prob_correct", "correct_bits_per_byte"]
    for before, sample in zip(own.samples or (), twin.samples or (), strict=True):
        example, question = sample.prompt.split("\n\n")
        assert not any(colour in question for colour in COLOURS)
        assert question.endswith("\nAnswer:")
        assert example.splitlines()[-1].removeprefix("Answer: ") in COLOURS
        assert sample.options == COLOURS
        assert sample.target == COLOURS["ABCD".index(before.target)]
        per_byte = [x / len(option) for x, option in zip(sample.option_loglikelihoods, COLOURS, strict=True)]
        assert sample.scores["acc_bytes"] == float(COLOURS[per_byte.index(max(per_byte))] == sample.target)
        bits = -sample.option_loglikelihoods[COLOURS.index(sample.target)] / math.log(2) / (len(sample.target) + 1)
        assert sample.scores["correct_bits_per_byte"] == pytest.approx(bits)


def test_a_twin_that_cannot_be_derived_is_one_line(engine: LmEvalEngine, tiny: ModelSpec, letters: TaskSpec) -> None:
    bare = replace(letters, config={**letters.config, "doc_to_text": "{{question}}\nAnswer:"})
    with pytest.raises(HarnessError) as caught:
        asked(engine, tiny, bare, "cloze")
    said = str(caught.value)
    assert said.startswith("task letters: ")
    assert "has no cloze twin: doc_to_text does not list the texts of the options ['A', 'B', 'C', 'D']" in said
    assert "\n" not in said


def test_what_the_author_made_of_the_answers_is_left_out_of_the_twin(
    engine: LmEvalEngine, tiny: ModelSpec, letters: TaskSpec
) -> None:
    listed = [{"metric": "acc_mutual_info", "aggregation": "mean", "higher_is_better": True}]
    config = {**letters.config, "metric_list": listed, "process_results": lambda doc, results: {"acc": 1.0}}
    task = replace(letters, config=config)
    assert asked(engine, tiny, task, "cloze").scores == asked(engine, tiny, letters, "cloze").scores


def test_every_answer_to_multiple_choice_has_both_smooth_numbers(
    engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    bare, both = (replace(choice_task, metrics=metrics("acc", *more)) for more in ((), OF_RIGHT_OPTION))
    listed, stored = (asked(engine, tiny, task, None) for task in (both, bare))
    assert [score.metric for score in stored.scores] == ["acc"]
    assert [sample.scores for sample in stored.samples or ()] == [sample.scores for sample in listed.samples or ()]


def test_a_twin_of_a_task_without_a_chance_level_takes_that_of_a_guess(
    engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    task = replace(choice_task, metrics=metrics("mcc", "brier"))
    found = asked(engine, tiny, task, "mc").cell.metrics
    assert {metric.name: metric.chance for metric in found} == {
        "acc": 0.25,
        "prob_correct": 0.25,
        "correct_bits_per_byte": None,
    }
