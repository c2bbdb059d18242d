"""The provider of model folders that would run code: none of it runs without the flag that allows it."""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.catalog.models.folders import ModelFolder, model_of_folder
from harness.catalog.models.revisions import pinned
from harness.engines.protocol import EngineSettings, open_engine
from harness.errors import HarnessError
from harness.specs import ModelSpec
from tests.security import Case

KIND = "models that run code"
_WEIGHTS = Path(__file__).parents[2] / "harness/ladder/weights/12k"
FLAGS = ("trust_remote_code", "allow_tokenizer_code", "allow_pickle", "allow_code")
"""What a user can allow."""


def cases() -> Iterator[Case]:
    """Every folder with no flag, and with all flags but its own."""
    for name, (make, flag) in FOLDERS.items():
        for engine in ("tree", "lm-eval"):
            yield Case(KIND, name, f"{engine}, nothing allowed", partial(_attempt, make, engine, ()))
            others = tuple(other for other in FLAGS if other != flag)
            yield Case(KIND, name, f"{engine}, all else allowed", partial(_attempt, make, engine, others))


def _attempt(make: Callable[[Path, Path], None], engine: str, allowed: tuple[str, ...]) -> str | None:
    with tempfile.TemporaryDirectory() as made:
        folder, canary = Path(made) / "theirs", Path(made) / "canary"
        shutil.copytree(_WEIGHTS, folder)
        make(folder, canary)
        try:
            open_engine(engine, _spec(folder), EngineSettings(**dict.fromkeys(allowed, True)))
        except HarnessError as error:
            if "\n" in str(error):
                return f"more than a line: {error}"
        return "its code ran" if canary.exists() else None


def _spec(folder: Path) -> ModelSpec:
    """As `--model` describes a folder; one without weights in safetensors as a family file does."""
    try:
        return model_of_folder(ModelFolder.read(folder))
    except HarnessError:
        return pinned(ModelSpec(name="theirs", family="theirs", params=12_000, path=str(folder)))


def _change(path: Path, **keys: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def _code(canary: Path, text: str = "") -> str:
    return f"open({str(canary)!r}, 'w').close()\n{text}"


class _Dropper:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self._path, "w"))


def _pickle(name: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, canary: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(pickle.dumps({"w": _Dropper(canary)}))

    return make


def _shards(folder: Path, canary: Path) -> None:
    _pickle("shard.bin")(folder, canary)
    index = {"metadata": {"total_size": 1}, "weight_map": {"w": "shard.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _named(folder: Path, canary: Path) -> None:
    _pickle("weights.dat")(folder, canary)
    _change(folder / "config.json", transformers_weights="weights.dat")


def _disguised(folder: Path, canary: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps({"w": _Dropper(canary)}))


def _adapter(folder: Path, canary: Path) -> None:
    asked = {"peft_type": "LORA", "r": 1, "base_model_name_or_path": str(folder), "auto_mapping": None}
    (folder / "adapter_config.json").write_text(json.dumps(asked))
    (folder / "adapter_model.bin").write_bytes(pickle.dumps({"w": _Dropper(canary)}))


def _own_model(folder: Path, canary: Path) -> None:
    text = "from transformers import LlamaConfig, LlamaForCausalLM\n"
    text += "class C(LlamaConfig):\n    model_type = 'theirs'\nclass M(LlamaForCausalLM):\n    config_class = C\n"
    (folder / "modeling_theirs.py").write_text(_code(canary, text))
    auto_map = {"AutoConfig": "modeling_theirs.C", "AutoModelForCausalLM": "modeling_theirs.M"}
    _change(folder / "config.json", model_type="theirs", auto_map=auto_map, architectures=["M"])


def _own_tokenizer(folder: Path, canary: Path) -> None:
    text = "from transformers import PreTrainedTokenizerFast\nclass T(PreTrainedTokenizerFast):\n    pass\n"
    (folder / "tokenization_theirs.py").write_text(_code(canary, text))
    auto_map = {"AutoTokenizer": [None, "tokenization_theirs.T"]}
    _change(folder / "tokenizer_config.json", tokenizer_class="T", auto_map=auto_map)


def _generation(folder: Path, canary: Path) -> None:
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate/generate.py").write_text(_code(canary, "def generate(model, **kwargs): return None\n"))


def _kernel(folder: Path, canary: Path) -> None:
    _change(folder / "config.json", attn_implementation="kernels-community/flash-attn")


def _quantised(folder: Path, canary: Path) -> None:
    _change(folder / "config.json", quantization_config={"quant_method": "org/theirs", "modules": ["os.system"]})


def _beside(folder: Path, canary: Path) -> None:
    for name in ("sitecustomize.py", "torch.py", "conftest.py", "setup.py", "__init__.py"):
        (folder / name).write_text(_code(canary))


FOLDERS: Mapping[str, tuple[Callable[[Path, Path], None], str]] = {
    "pickled weights": (_pickle("pytorch_model.bin"), "allow_pickle"),
    "pickled shards by an index of safetensors": (_shards, "allow_pickle"),
    "pickled weights by another name": (_named, "allow_pickle"),
    "a pickle called safetensors": (_disguised, "allow_pickle"),
    "an adapter that is a pickle": (_adapter, "allow_pickle"),
    "a model class of its own": (_own_model, "trust_remote_code"),
    "a tokenizer of its own": (_own_tokenizer, "allow_tokenizer_code"),
    "a way to generate": (_generation, "trust_remote_code"),
    "a kernel of the hub": (_kernel, "trust_remote_code"),
    "a quantisation of its own": (_quantised, "trust_remote_code"),
    "Python files beside the weights": (_beside, "trust_remote_code"),
}
"""What is tried -> how the folder is changed, and the flag that would allow it."""
