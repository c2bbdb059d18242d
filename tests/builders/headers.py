"""The folder of a model as far as a plan looks at it: config, tokenizer, and the header of its weights."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_headers(folder: Path, shapes: Mapping[str, Sequence[int]] | None = None) -> Path:
    """A folder with a Llama of 17 parameters, or of the tensors with these shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "tokenizer.json").write_text("{}")
    write_header(folder / "model.safetensors", shapes or {"a": [3, 4], "b": [5]})
    return folder


def write_header(path: Path, shapes: Mapping[str, Sequence[int]]) -> None:
    """The header of a safetensors file; the numbers themselves are left out."""
    tensors = {name: {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 0]} for name, shape in shapes.items()}
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
