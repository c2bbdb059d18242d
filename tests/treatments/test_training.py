"""Settings of trainings, names with amounts of documents, and tasks that have nothing to learn from."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import PlanError
from harness.plan import Sweep, expand
from harness.specs import Suite
from harness.treatments import (
    Finetune,
    Lora,
    PromptTuning,
    TaskTraining,
    Treatment,
    check_trainable,
    method_from,
    method_of,
    name_of,
    treated,
    treatment_named,
)
from tests.builders.cells import model, task


@pytest.mark.parametrize(
    ("method", "settings", "said"),
    [
        ("finetune", {"steps": 0}, "steps is 0; expected a whole number of 1 or more"),
        ("finetune", {"documents": True}, "documents is True; expected a whole number of 1 or more"),
        ("finetune", {"steps": 5, "epochs": 2}, "steps is 5 and epochs is 2; expected one of them"),
        ("finetune", {"batch": 6, "accumulate": 4}, "accumulate is 4; expected a divisor of batch, which is 6"),
        ("finetune", {"learning_rate": 0}, "learning_rate is 0; expected a number above 0 and at most 10"),
        ("finetune", {"learning_rate": float("nan")}, "learning_rate is nan; expected a number above 0"),
        ("finetune", {"dropout": 1.0}, "dropout is 1.0; expected a number at least 0 and below 1"),
        ("finetune", {"warmup": 1.5}, "warmup is 1.5; expected a number at least 0 and at most 1"),
        ("finetune", {"rank": 4}, "rank is no setting of method finetune; expected documents, steps"),
        ("lora", {}, "rank is missing, which method lora needs"),
        ("lora", {"rank": 5000}, "rank is 5000; expected 4096 or less"),
        ("prompt", {"tokens": 0}, "tokens is 0; expected a whole number of 1 or more"),
        ("finetune", {"seed": -1}, "seed is -1; expected a whole number of 0 or more"),
    ],
)
def test_settings_with_which_nothing_is_learnt_are_refused(method: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        method_of(method, settings)


@pytest.mark.parametrize(
    "method", [Finetune(documents=64, patience=3), Lora(rank=4, alpha=4.0), PromptTuning(tokens=8, epochs=2.5)]
)
def test_settings_are_read_as_they_were_written(method: TaskTraining) -> None:
    assert method_from(Treatment(name="any", method=method).settings) == method


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("finetune", Finetune()),
        ("finetune@64", Finetune(documents=64)),
        ("lora32", Lora(rank=32)),
        ("lora4@1000", Lora(rank=4, documents=1000)),
        ("prompt5", PromptTuning(tokens=5)),
    ],
)
def test_names_tell_rank_and_amount(name: str, method: TaskTraining) -> None:
    found = treatment_named(name, {})
    assert found.method == method
    assert found.variant == name
    assert name_of(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("finetune@", "'finetune@': expected a number of documents after the @, such as finetune@64"),
        ("finetune@0", "'finetune@0': expected a number of documents"),
        ("int8@64", "'int8' trains nothing; expected no number of documents after it"),
        ("lora0", "unknown treatment 'lora0'.*loraN"),
        ("lora5000", "unknown treatment 'lora5000'"),
    ],
)
def test_names_that_tell_no_training_are_refused(name: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        treatment_named(name, {})


def test_a_training_of_ones_own_keeps_the_digest_of_its_settings_behind_the_amount() -> None:
    own = {"mine": Treatment(name="mine", method=Lora(rank=3, steps=7), own=True)}
    one, other = (str(made.variant) for made in treated([model()], ["mine@64", "128"], own))
    assert one.startswith("mine@64@")
    assert (name_of(one), name_of(other)) == ("mine@64", "mine@128")
    assert one[-6:] != other[-6:]


def test_each_seed_of_a_plan_is_a_training_of_its_own() -> None:
    """A plain model gives the same answers without examples whatever the seed, and is asked once."""
    models = treated([model()], ["none", "int8", "finetune"], {})
    plan = expand([Suite(name="s", tasks=("colours",))], {"colours": task()}, models, sweep=Sweep(seeds=3))
    assert [(cell.model.variant, cell.seed) for cell in plan.cells] == [
        (None, 0),
        ("int8", 0),
        ("finetune", 0),
        ("finetune", 1),
        ("finetune", 2),
    ]


def test_a_task_without_a_training_split_is_refused_where_models_are_to_be_trained() -> None:
    tasks = [task("with", training="split"), task("without")]
    with pytest.raises(PlanError, match="--treatment 'lora8@64': no training split to learn from in without; expected"):
        check_trainable(treated([model()], ["none", "lora8@64"], {}), tasks)
    check_trainable(treated([model()], ["none", "int8"], {}), tasks)


def test_more_parameters_learn_slower() -> None:
    rates = [Finetune().rate_for(n) for n in (10_000, 1_000_000, 110_000_000, 7_000_000_000)]
    assert rates == sorted(rates, reverse=True)
    assert Finetune(learning_rate=0.5).rate_for(10) == 0.5
    assert Lora(rank=8).rate_for(7_000_000_000) == pytest.approx(10 * rates[-1])
