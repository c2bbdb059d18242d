"""Methods refuse settings that make no sense, and a treatment is known by its name or by its settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from harness.errors import ModelError, PlanError
from harness.treatments import (
    BUILT_IN,
    ClassifierHead,
    Finetune,
    Lora,
    PrefixTuning,
    PromptTuning,
    Prune,
    Quantise,
    Treatment,
    method_from,
    method_of,
)


@pytest.mark.parametrize(
    ("method", "settings", "said"),
    [
        ("quantise", {"bits": 16}, "bits is 16; expected 2 to 8"),
        ("quantise", {"bits": True}, "bits is True; expected 2 to 8"),
        ("quantise", {"bits": 4, "group": 5}, "group is 5; expected an even number"),
        ("quantise", {"bits": 4, "share": 0.5}, "share is no setting of method quantise; expected bits, group, activ"),
        ("quantise", {}, "bits is missing, which method quantise needs"),
        ("prune", {"share": 1.0}, "share is 1.0; expected above 0 and below 1"),
        ("prune", {"share": 0.5, "group": 5}, "share of a group is 2.5 of 5 weights; expected a whole number"),
        ("prune", {"share": 0.5, "group": 1}, "group is 1; expected 2 to 1024"),
    ],
)
def test_settings_that_make_no_sense_are_refused(method: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said.replace("(", r"\(")):
        method_of(method, settings)


@pytest.mark.parametrize("method", [Quantise(bits=4, group=32), Quantise(bits=8, activations=True), Prune(share=0.25)])
def test_settings_are_read_as_they_were_written(method: Quantise | Prune) -> None:
    assert method_from(Treatment(name="any", method=method).settings) == method


def test_a_treatment_of_a_later_version_is_refused_in_one_sentence() -> None:
    with pytest.raises(ModelError, match="is none that this version can make"):
        method_from('{"method":"distil"}')


def test_the_settings_of_built_in_treatments_never_change() -> None:
    """Results are kept under their names alone: another meaning needs another name."""
    assert {one.name: one.settings for one in BUILT_IN.values()} == {
        "int8": '{"bits":8,"method":"quantise"}',
        "int8-dynamic": '{"activations":true,"bits":8,"method":"quantise"}',
        "int4": '{"bits":4,"group":32,"method":"quantise"}',
        "sparse50": '{"method":"prune","share":0.5}',
        "sparse2:4": '{"group":4,"method":"prune","share":0.5}',
        "finetune": '{"method":"finetune"}',
        "lora8": '{"method":"lora","rank":8}',
        "prompt16": '{"method":"prompt","tokens":16}',
        "prefix16": '{"method":"prefix","tokens":16}',
        "head": '{"method":"head"}',
    }


def test_what_goes_without_saying_in_the_settings_of_trainings_never_changes() -> None:
    """Nor may it change in the code: results under `finetune` say nothing more."""
    assert asdict(Lora(rank=8)) == {
        "documents": None,
        "steps": None,
        "epochs": None,
        "batch": 16,
        "accumulate": 1,
        "learning_rate": None,
        "warmup": 0.1,
        "weight_decay": 0.0,
        "dropout": None,
        "patience": None,
        "development": 0.1,
        "bf16": False,
        "seed": 0,
        "rank": 8,
        "alpha": None,
    }
    assert (Finetune().steps_for(1), Lora(rank=8).scale) == (200, 16.0)
    assert [round(of.rate_for(4_000_000), 6) for of in (Finetune(), Lora(rank=8))] == [0.0005, 0.005]
    assert PromptTuning(tokens=16).rate_for(4_000_000) == 0.03
    assert PrefixTuning(tokens=16).rate_for(4_000_000) == 0.03
    assert ClassifierHead().rate_for(4_000_000) == 0.5


def test_two_treatments_of_one_name_make_two_variants() -> None:
    variants = {Treatment(name="mine", method=Quantise(bits=bits), own=True).variant for bits in (5, 6)}
    assert len(variants) == 2
    assert {variant.partition("@")[0] for variant in variants} == {"mine"}
