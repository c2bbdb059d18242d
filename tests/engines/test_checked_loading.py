"""A model that is not as it must be is one clear line before anything is asked of it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.protocol import EngineSettings, open_engine
from harness.errors import ModelError
from harness.plan import Cell
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell


def asked(task: TaskSpec, tiny: ModelSpec, **changes: Any) -> Cell:
    return cell(of=task, model=tiny, engine="lm-eval", **changes)


def test_weights_stored_as_bfloat16_are_read_in_the_models_dtype(engine: LmEvalEngine, tiny: ModelSpec) -> None:
    assert engine._lm.model.dtype == torch.float32
    narrow = LmEvalEngine(replace(tiny, dtype="bfloat16"), EngineSettings())
    assert narrow._lm.model.dtype == torch.bfloat16
    narrow.close()


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ("config.json", "no config; expected config.json"),
        ("model.safetensors", "no weights; expected "),
        ("tokenizer.json", "no tokenizer; expected one of tokenizer.json"),
    ],
)
def test_an_incomplete_model_folder_is_one_clear_line(
    tmp_path: Path, model_folder: Path, tiny: ModelSpec, removed: str, message: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(model_folder, folder)
    os.remove(folder / removed)
    with pytest.raises(ModelError) as caught:
        LmEvalEngine(replace(tiny, path=str(folder)), EngineSettings())
    assert str(caught.value).startswith(f"{folder}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_folder_and_a_damaged_config_are_one_clear_line(
    tmp_path: Path, model_folder: Path, tiny: ModelSpec
) -> None:
    with pytest.raises(ModelError, match=r"absent: no such folder; expected config\.json, weights and a tokenizer"):
        LmEvalEngine(replace(tiny, path=str(tmp_path / "absent")), EngineSettings())
    folder = tmp_path / "copy"
    shutil.copytree(model_folder, folder)
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"copy/config\.json: is not JSON") as caught:
        LmEvalEngine(replace(tiny, path=str(folder)), EngineSettings())
    assert "\n" not in str(caught.value)


def test_weights_that_were_not_downloaded_are_one_clear_line(
    tmp_path: Path, model_folder: Path, tiny: ModelSpec
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(model_folder, folder)
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"model\.safetensors: is a pointer of Git LFS and not the weights") as caught:
        LmEvalEngine(replace(tiny, path=str(folder)), EngineSettings())
    assert "\n" not in str(caught.value)


def test_weights_that_lack_a_layer_are_refused_and_not_drawn_at_random(
    tmp_path: Path, model_folder: Path, tiny: ModelSpec
) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "copy"
    shutil.copytree(model_folder, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 weights are missing, model\.layers\.1\.mlp\.up_proj\.weight first"):
        LmEvalEngine(replace(tiny, path=str(folder)), EngineSettings())


@pytest.mark.parametrize("name", ["lm-eval", "tree"])
def test_a_tokenizer_of_another_model_is_one_clear_line(
    name: str, tmp_path: Path, model_folder: Path, tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    shutil.copytree(model_folder, tmp_path, dirs_exist_ok=True)
    model = LlamaForCausalLM.from_pretrained(model_folder)
    model.resize_token_embeddings(300)  # type: ignore[no-untyped-call]
    model.save_pretrained(tmp_path)
    engine = open_engine(name, replace(tiny, path=str(tmp_path)), EngineSettings())
    with pytest.raises(ModelError, match="the tokenizer has 346 tokens and the model knows 300"):
        engine.evaluate(asked(choice_task, tiny, limit=2), choice_task)


def test_a_variant_without_a_folder_of_its_own_is_refused() -> None:
    spec = ModelSpec(name="org/model", family="toy", params=1, variant="int8")
    with pytest.raises(ModelError, match="variant 'int8' needs a folder with the treated weights"):
        LmEvalEngine(spec, EngineSettings())


def test_a_name_that_is_neither_cached_nor_reachable_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    spec = ModelSpec(name="nobody/no-such-model", family="toy", params=1)
    with pytest.raises(ModelError, match=r"nobody/no-such-model: cannot be loaded: ") as caught:
        LmEvalEngine(spec, EngineSettings())
    assert "\n" not in str(caught.value)
