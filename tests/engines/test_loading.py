"""What loading a model asks for and refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.engines.loading import load_model
from harness.engines.protocol import EngineSettings
from harness.errors import ModelError
from harness.specs import ModelSpec


def placed(where: dict[str, Any]) -> Any:
    """A class of models that transformers puts where `where` says: part of the model -> device."""
    model = SimpleNamespace(hf_device_map=where, register_forward_pre_hook=lambda hook: None)
    return lambda **options: SimpleNamespace(model=model, foreign_code=())


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_a_model_that_runs_on_the_cpu_may_have_a_map_that_says_so(device: str) -> None:
    model = ModelSpec(name="big", family="own", params=1000)
    assert load_model(placed({"": "cpu"}), model, EngineSettings(), device).foreign_code == ()


@pytest.mark.parametrize("where", ["cpu", "disk"])
def test_a_model_of_which_a_part_does_not_fit_into_its_gpus_is_refused(where: str) -> None:
    model = ModelSpec(name="big", family="own", params=1000, gpus=2)
    with pytest.raises(ModelError, match=r"^big: does not fit into 2 GPUs; give it more with `gpus` in its family$"):
        load_model(placed({"layers.0": 0, "layers.1": where}), model, EngineSettings(), "cuda:0")
