"""What a user's choice of treatments makes of the models, and which engines make them."""

from __future__ import annotations

import pytest

from harness.errors import PlanError
from harness.treatments import Prune, check_engine, treated, treatment_named
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
    models = treated([model(1000)], ["none", "finetune@64"], {})
    with pytest.raises(PlanError, match="--treatment 'finetune@64': engine encoder trains no model; expected --engine"):
        check_engine(models, {"encoder"})
    check_engine(treated([model(1000)], ["int8"], {}), {"encoder"})
    check_engine(models, {"tree", "seq2seq"})
    check_engine(treated([model(1000)], ["head@64"], {}), {"encoder", "tree"})
