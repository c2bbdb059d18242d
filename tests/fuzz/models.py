"""Files in the folder of a model."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from random import Random

import torch

from harness.catalog.models.checkpoints import tokens_seen
from harness.catalog.models.folders import ModelFolder, model_of_folder
from tests.fuzz.changes import as_json, changed_bytes, changed_value
from tests.fuzz.reader import Reader, of_json

_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "vocab_size": 10,
    "torch_dtype": "float32",
    "rope_scaling": {"type": "dynamic", "factor": 2.0},
}
_TENSORS = {
    "__metadata__": {"format": "pt"},
    "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "b.weight": {"dtype": "F32", "shape": [], "data_offsets": [24, 28]},
}
_INDEX = {
    "metadata": {"total_size": 28},
    "weight_map": {"a.weight": "model.safetensors", "b.weight": "model.safetensors"},
}
_TOKENIZER = {
    "chat_template": "{{ messages }}",
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 10**30,
}
_ADAPTER = {"base_model_name_or_path": "org/base", "peft_type": "LORA", "r": 8}


def _safetensors(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(28)


def _weights(random: Random) -> bytes:
    header = as_json(changed_value(_TENSORS, random))
    header = header if random.randrange(4) else changed_bytes(header, random)
    length = random.choice((None, None, None, None, 0, 8, 2**31, 2**32, 2**63, 2**64 - 1))
    return _safetensors(header, length)


def _model(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model/config.json").write_bytes(as_json(_CONFIG))
    (folder / "model/tokenizer.json").write_text("{}")
    (folder / "model/model.safetensors").write_bytes(_safetensors(as_json(_TENSORS)))


def _sharded(folder: Path) -> None:
    _model(folder)
    (folder / "model/config.json").write_bytes(
        as_json({**_CONFIG, "transformers_weights": "model.safetensors.index.json"})
    )


def _saved(random: Random) -> bytes:
    """What torch writes for two tensors, with changes in the pickle or anywhere."""
    out = io.BytesIO()
    torch.save(
        {"a": torch.zeros(2, 3), "b": torch.zeros(4)}, out, _use_new_zipfile_serialization=bool(random.randrange(2))
    )
    whole = out.getvalue()
    if random.randrange(3) or not zipfile.is_zipfile(out):
        return changed_bytes(whole, random)
    packed = io.BytesIO()
    with zipfile.ZipFile(out) as before, zipfile.ZipFile(packed, "w") as after:
        for entry in before.infolist():
            data = before.read(entry)
            after.writestr(entry.filename, changed_bytes(data, random) if entry.filename.endswith("data.pkl") else data)
    return packed.getvalue()


def _pickled(folder: Path) -> None:
    _model(folder)
    (folder / "model/model.safetensors").unlink()


def _read_model(folder: Path) -> None:
    read = ModelFolder.read(folder / "model")
    read.fingerprint()
    assert read.has_chat_template in (True, False)
    read.check()
    spec = model_of_folder(read)
    read.doubt(spec)


_STATE = {"num_input_tokens_seen": 10**9, "global_step": 500, "log_history": [{"loss": 2.5, "step": 1}]}


def _read_state(folder: Path) -> None:
    seen = tokens_seen(folder / "model")
    assert seen is None or seen > 0


READERS = {
    "pickled weights": Reader("model/pytorch_model.bin", _saved, _read_model, _pickled),
    "weights": Reader("model/model.safetensors", _weights, _read_model, _model),
    "weight index": Reader("model/model.safetensors.index.json", of_json(_INDEX), _read_model, _sharded),
    "model config": Reader("model/config.json", of_json(_CONFIG), _read_model, _model),
    "tokenizer config": Reader("model/tokenizer_config.json", of_json(_TOKENIZER), _read_model, _model),
    "trainer state": Reader("model/trainer_state.json", of_json(_STATE), _read_state, _model),
    "adapter config": Reader("model/adapter_config.json", of_json(_ADAPTER), _read_model, _model),
}
"""Name in the table -> reader."""
