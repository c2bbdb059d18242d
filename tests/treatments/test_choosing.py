"""What a user's choice of treatments makes of the models, and which engines make them."""

from __future__ import annotations

import pytest

from harness.errors import PlanError
from harness.treatments import (
    Distill,
    Prune,
    check_engine,
    method_from,
    moved_teacher,
    name_of,
    treated,
    treatment_named,
)
from tests.builders.cells import cell, model


def test_a_percentage_of_zeros_is_part_of_the_name() -> None:
    assert treatment_named("sparse15", {}).method == Prune(share=0.15)


@pytest.mark.parametrize("name", ["sparse0", "sparse100", "sparse05", "int3", "sparse"])
def test_names_that_nothing_is_called_are_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(PlanError, match=f"unknown treatment '{name}'.*int8.*sparseNN"):
        treatment_named(name, {})


def test_every_treatment_is_a_cell_of_its_own_and_none_is_the_cell_of_before() -> None:
    models = treated([model(1000)], ["none", "int8", "sparse50", "int8", "plain"], {})
    keys = [cell(model=one).key for one in models]
    assert [one.variant for one in models] == [None, "int8", "sparse50"]
    assert keys[0] == cell(model=model(1000)).key
    assert len({*keys}) == 3


@pytest.mark.parametrize("engine", ["simulated", "vllm", "server"])
def test_engines_that_take_weights_as_they_are_refuse_treated_models(engine: str) -> None:
    with pytest.raises(PlanError, match=f"--treatment 'int8': engine {engine} answers with weights as they are"):
        check_engine(treated([model(1000)], ["none", "int8"], {}), {engine})
    check_engine(treated([model(1000)], ["none"], {}), {engine})


def test_engines_that_train_nothing_refuse_models_to_be_trained() -> None:
    models = treated([model(1000)], ["none", "prompt4@64"], {})
    with pytest.raises(PlanError, match="'prompt4@64': engine encoder trains no model in this way; expected --engine"):
        check_engine(models, {"encoder"})
    check_engine(treated([model(1000)], ["int8", "finetune@64", "lora8"], {}), {"encoder"})
    check_engine(models, {"tree", "seq2seq"})
    check_engine(treated([model(1000)], ["head@64"], {}), {"encoder", "tree"})


def test_a_distillation_is_known_by_the_weights_of_its_teacher() -> None:
    student, teachers = model(1000), {"r1": model(4000, revision="r1"), "r2": model(4000, revision="r2")}
    variants = []
    for teacher in teachers.values():
        for name in ("distill:toy-4000", "distill:toy-4000@64"):
            (made,) = treated([student], [name], {}, lambda student, name, teacher=teacher: teacher)
            assert name_of(str(made.variant)) == name
            assert made.tuned
            assert method_from(str(made.treatment)) == Distill(
                teacher="toy-4000",
                documents=64 if "@" in name else None,
                teacher_revision=teacher.revision,
                teacher_params=4000,
            )
            variants.append(made.variant)
    assert len({*variants}) == 4


def test_a_distillation_is_called_the_same_with_and_without_the_organisation_of_its_teacher() -> None:
    variants = {
        treated([model(1000)], [name], {}, lambda *_: model(4000, name="org/big"))[0].variant
        for name in ("distill:big@64", "distill:org/big@64")
    }
    (variant,) = variants
    assert name_of(str(variant)) == "distill:big@64"


def test_the_folder_of_a_teacher_is_no_part_of_what_a_distillation_is_called() -> None:
    made = [
        treated([model(1000)], ["distill:b"], {}, lambda *_, path=path: model(4000, name="b", path=path))[0]
        for path in ("/here/b", "/there/b")
    ]
    assert made[0].variant == made[1].variant
    assert made[0].treatment != made[1].treatment
    assert moved_teacher(str(made[0].treatment), lambda path: path.replace("here", "there")) == made[1].treatment
