"""A model that does not load is told in a sentence that names file, key, what was found and what is expected."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import load_catalog
from harness.engines.loading import load_model
from harness.engines.protocol import EngineSettings
from harness.engines.transformers_lm import TransformersLM
from harness.errors import ModelError
from harness.specs import ModelSpec

Change = Callable[[Path], object]


def config(**keys: Any) -> Change:
    """Set keys of config.json."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | keys))

    return change


def text(name: str, content: str) -> Change:
    """Replace a file."""
    return lambda folder: (folder / name).write_text(content)


def loaded(folder: Path) -> TransformersLM:
    spec = ModelSpec(name="own", family="own", params=12000, path=str(folder))
    return load_model(TransformersLM, spec, EngineSettings(), "cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (shipped,) = (m for m in load_catalog().family("embedded").models if m.name == "ladder-12k")
    return shutil.copytree(str(shipped.path), tmp_path / "own")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (config(hidden_size=64), "the weights have other shapes than config.json says; expected the config that"),
        (config(hidden_size=None), "config.json: hidden_size is null; expected int"),
        (config(num_attention_heads="four"), "config.json: num_attention_heads is 'four'; expected int"),
        (config(hidden_act="nope"), "config.json: hidden_act is 'nope', which transformers"),
        (config(rope_parameters={"rope_type": "odd"}), "config.json: rope_parameters.rope_type is 'odd', which"),
        (config(model_type="brandnew"), "config.json: model_type 'brandnew' is not known to transformers"),
        (config(num_attention_heads=0), "(ZeroDivisionError: integer modulo by zero); expected the config, weights"),
        (config(quantization_config={"quant_method": "gptq", "bits": 4}), "a package that is not installed: "),
        (text("tokenizer.json", "{}"), "tokenizer.json: 'added_tokens' is missing; expected the file that was saved"),
        (config(num_attention_heads=3), "config.json: The hidden size (16) is not a multiple of the number of att"),
        (text("tokenizer.json", "no"), "tokenizer.json is damaged: not JSON; expected the file that was saved"),
        (text("tokenizer_config.json", "[]"), "tokenizer_config.json holds a list; expected keys and values"),
    ],
)
def test_what_is_wrong_with_a_folder_is_a_sentence(folder: Path, change: Change, sentence: str) -> None:
    change(folder)
    with pytest.raises(ModelError) as told:
        loaded(folder)
    assert str(told.value).startswith(f"{folder}: ")
    assert sentence in str(told.value)
    assert "\n" not in str(told.value)


def test_weights_that_the_config_leaves_out_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    config(num_hidden_layers=0)(folder)
    with caplog.at_level(logging.WARNING, logger="harness"):
        loaded(folder)
    (line,) = [r.getMessage() for r in caplog.records if "not used" in r.getMessage()]
    assert line.startswith(f"{folder}: 9 weights of the folder are not used, model.layers.0.input_layernorm.weight")
