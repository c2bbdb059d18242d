"""Which format a task is written in, and which cells its twin adds."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import PlanError
from harness.plan import Sweep, expand
from harness.plan.formats import own_format, twin_metrics
from harness.specs import MetricSpec, Suite, TaskSpec
from tests.builders import cell, model, task


def choice(**config: Any) -> TaskSpec:
    return task(config={"output_type": "multiple_choice", **config})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["A", "B", "C", "D"], "mc"),
        (["(A)", "(B)"], "mc"),
        ({"first": "a", "second": "b"}, "mc"),
        ("{{['A', 'B', 'C']}}", "mc"),
        ("{{choices.label}}", "mc"),
        ("{{choices.text}}", "cloze"),
        ("options", "cloze"),
        (["no", "yes"], "cloze"),
        (["B", "A"], "cloze"),
        (lambda doc: doc["options"], "cloze"),
    ],
)
def test_the_format_is_told_from_the_options(options: Any, expected: str) -> None:
    assert own_format(choice(doc_to_choice=options), "default") == expected


def test_a_prompt_variant_may_have_a_format_of_its_own() -> None:
    both = task(
        config={"output_type": "multiple_choice", "doc_to_choice": "options"},
        prompts={"default": {}, "letters": {"doc_to_choice": ["A", "B"]}},
    )
    assert (own_format(both, "default"), own_format(both, "letters")) == ("cloze", "mc")
    assert own_format(task(config={"output_type": "generate_until"}), "default") is None


def planned(spec: TaskSpec, *formats: str) -> list[str | None]:
    plan = expand(
        [Suite(name="toy", tasks=(spec.name,))], {spec.name: spec}, [model()], sweep=Sweep(formats=formats or None)
    )
    return [one.format for one in plan.cells]


def test_the_format_of_the_task_keeps_its_cells_and_the_twin_adds_some() -> None:
    letters = choice(doc_to_choice=["A", "B"])
    assert planned(letters) == planned(letters, "mc") == [None]
    assert planned(letters, "mc", "cloze") == planned(letters, "cloze", "mc") == [None, "cloze"]
    assert planned(letters, "cloze") == ["cloze"]
    assert planned(choice(doc_to_choice="options"), "mc", "cloze") == [None, "mc"]


def test_no_key_of_a_cell_in_its_own_format_changes() -> None:
    assert cell().key == "be72a90be2e13409"
    assert len({cell().key, cell(format="mc").key, cell(format="cloze").key}) == 3


def test_an_unknown_format_and_tasks_without_options_are_one_line() -> None:
    with pytest.raises(PlanError, match=r"--formats: unknown format 'letters'; known: cloze, mc"):
        planned(choice(doc_to_choice="options"), "letters")
    with pytest.raises(PlanError, match=r"--formats mc,cloze: no task has options to ask in another format: colours"):
        planned(task(config={"output_type": "generate_until"}), "mc", "cloze")


def test_a_twin_counts_right_answers_with_the_chance_of_the_task() -> None:
    spec = task(metrics=(MetricSpec(name="f1", chance=0.5), MetricSpec(name="acc_norm", chance=0.2)))
    assert [(m.name, m.chance) for m in twin_metrics(spec, "cloze")] == [
        *(("acc_bytes", 0.2), ("acc", 0.2), ("prob_correct", 0.2)),
        ("correct_bits_per_byte", None),
    ]
    assert twin_metrics(spec, "mc")[0] == MetricSpec(name="acc", chance=0.2)
