"""The weight files of a model's folder: what a loader reads, and whether it is there and whole. Only headers are read.

A loader would find most of this out as well, but after the run has begun, and in words that name another cause: it
takes what is not safetensors for a pickle, and a folder with an adapter for the model that the adapter was made for.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.bounded.files import is_regular, read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import CONFIG_BYTES, MODEL_TEXT_BYTES, UnreadableError
from harness.bounded.pickle_file import pickled_shapes
from harness.bounded.safetensors_file import safetensors_header
from harness.errors import ModelError
from harness.wording import count, counted, cut, quoted

SHARD_INDEX = "model.safetensors.index.json"
"""Says which of several safetensors files holds each weight."""
_READ = ("model.safetensors", SHARD_INDEX, "pytorch_model.bin", "pytorch_model.bin.index.json")
"""What a loader looks for, in this order."""
_OF_OTHERS = (".pth", ".pt", ".ckpt", ".h5", ".msgpack", ".onnx", ".distcp", ".nemo", ".pkl", ".npz")
"""Endings of weights that other programs wrote."""
_OF_TRAINING = ("optimizer", "scheduler", "scaler", "rng_state", "random_states")
"""How files begin that a trainer goes on from, and which are no weights."""
_DTYPES = frozenset(
    "float64 double float32 float float16 half bfloat16 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz "
    "float8_e8m0fnu float4_e2m1fn_x2 int64 int32 int16 int8 uint8".split()
)
"""Names of number formats in a config."""


def check_kind(folder: Path, found: Sequence[str]) -> None:
    """Check that the folder holds neither an adapter nor weights in GGUF alone.

    Args:
        folder: of a model.
        found: names of its files, in order.

    Raises:
        ModelError: it does. A loader would take an adapter's base from wherever the adapter says.
    """
    if "adapter_config.json" in found:
        raise ModelError(
            f"{folder}: adapter_config.json makes it a PEFT adapter{_base(folder)}, not a model; merge the two "
            "(merge_and_unload, then save_pretrained, with the tokenizer) and name the folder of the merged model"
        )
    if (gguf := [name for name in found if name.endswith(".gguf")]) and not {*_READ} & {*found}:
        raise ModelError(
            f"{folder}: the weights are GGUF ({gguf[0]}), which is not read; name the folder of the model that was "
            "converted, or convert it back: from_pretrained of transformers with gguf_file, then save_pretrained, with "
            "the tokenizer"
        )


def _base(folder: Path) -> str:
    """What an adapter was made for."""
    try:
        base = parsed_json(read_bytes(folder / "adapter_config.json", CONFIG_BYTES))["base_model_name_or_path"]
    except (UnreadableError, KeyError, TypeError):
        return ""
    return "" if base is None else f" of {quoted(base)}"


def check_dtype(config: Mapping[str, Any], path: Path) -> None:
    """Check the number format that a config names, if it names one; weights are read in the one a family file says.

    Raises:
        ModelError: there is no such format.
    """
    for key in ("dtype", "torch_dtype"):
        named = config.get(key)
        names = named.values() if isinstance(named, Mapping) else [named]
        for name in names:
            if name is not None and str(name) not in _DTYPES:
                raise ModelError(f"{path}: {key} is {quoted(name)}; expected float32, bfloat16, float16 or none")


def weight_files(folder: Path, config: Mapping[str, Any]) -> tuple[Path, ...]:
    """Every file that a loader reads weights from; each is there and whole.

    Raises:
        ModelError: one is not; or there is none that is read.
    """
    name = config.get("transformers_weights") or next((name for name in _READ if is_regular(folder / name)), None)
    if name is not None and not isinstance(name, str):
        raise ModelError(f"{folder}: config.json: transformers_weights is {quoted(name)}; expected the name of a file")
    if name is None:
        raise ModelError(f"{folder}: {_why_no_weights(folder)}")
    shards = weight_map(folder / name) if name.endswith(".index.json") else {name: ()}
    for shard, weights in shards.items():
        if not is_regular(folder / shard):
            others = sum(not is_regular(folder / each) for each in shards) - 1
            more = f", and {count(others)} more" if others else ""
            raise ModelError(f"{folder}: {cut(shard)} is missing{more}; {cut(name)} says that weights are in it")
        held = tensors(folder / shard) if shard.endswith(".safetensors") else None
        if held is not None and (lost := sorted(set(weights) - set(held))):
            raise ModelError(f"{folder / shard}: has no weight {quoted(lost[0])}, which {name} says is in it")
    return tuple(folder / shard for shard in shards)


def weight_map(index: Path) -> dict[str, Sequence[str]]:
    """File of a sharded model -> the weights that are in it.

    Raises:
        ModelError: the index is damaged, or names a file elsewhere.
    """
    try:
        said = parsed_json(read_bytes(index, MODEL_TEXT_BYTES))["weight_map"]
        shards: dict[str, list[str]] = {}
        for weight, shard in said.items():
            shards.setdefault(Path(shard).name, []).append(weight)
            if Path(shard).name != shard:
                raise ModelError(f"{index}: {quoted(weight)} is in {quoted(shard)}; expected a file of the same folder")
    except UnreadableError as error:
        raise ModelError(f"{index}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index}: is no index of weights; expected JSON with a `weight_map` of names") from error
    return dict(shards)


def tensors(path: Path) -> Mapping[str, Sequence[int]]:
    """Name of each tensor in a safetensors file -> its shape, from the header: 8 bytes for its length, then JSON.

    Raises:
        ModelError: the file is damaged, or shorter than its header says.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    return _header(path, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _header(path: Path, size: int, modified: int) -> Mapping[str, Sequence[int]]:
    """The shapes in a file of this size and time: a plan and its run look at one header several times."""
    try:
        header = safetensors_header(path)
    except UnreadableError as error:
        raise ModelError(f"{path}: {error}") from error
    due = header.bytes + max((tensor.end for tensor in header.tensors.values()), default=0)
    if size < due:
        raise ModelError(f"{path}: is cut short: it has {count(size)} of {count(due)} bytes; copy it once more")
    return {name: tensor.shape for name, tensor in header.tensors.items()}


def elements(path: Path) -> int:
    """Number of elements of all tensors in a file of weights, safetensors or not; nothing in a pickle is run.

    Raises:
        ModelError: the file is damaged.
    """
    if path.suffix == ".safetensors":
        return total(tensors(path).values())
    try:
        return total(pickled_shapes(path).values())
    except UnreadableError as error:
        raise ModelError(f"{path}: {error}") from error


def total(shapes: Iterable[Sequence[int]]) -> int:
    """Number of elements of tensors with these shapes.

    Causal masks do not count: older transformers stored them beside the weights of GPT-2 and GPT-NeoX, and they are a
    third of what the file of a small model holds.

    >>> total([(50, 8), (8,), (1, 1, 1024, 1024)])
    408
    """
    return sum(math.prod(shape) for shape in shapes if not _is_mask(shape))


def _is_mask(shape: Sequence[int]) -> bool:
    return len(shape) == 4 and shape[0] == shape[1] == 1 and shape[2] == shape[3]


def _why_no_weights(folder: Path) -> str:
    expected = f"expected model.safetensors, or {SHARD_INDEX} that names its parts"
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if others:
        return f"no weights that a loader finds: there is {others[0]}; {expected}"
    return f"no weights; expected one of {', '.join(_READ)}{what_else(folder)}"


def what_else(folder: Path) -> str:
    """What a folder without a model has instead, and what to do about it; empty when it has nothing of the kind."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return ""
    if foreign := [name for name in names if name.endswith(_OF_OTHERS) and not name.startswith(_OF_TRAINING)]:
        return (
            f"; {foreign[0]} is in a format that transformers does not load: convert it with the script of the program "
            "that wrote it, and save it with save_pretrained"
        )
    if inside := [name for name in names if is_regular(folder / name / "config.json")]:
        more = f" and {counted(len(inside) - 1, 'more folder')}" if len(inside) > 1 else ""
        return f"; there is a model in {inside[0]}{more}: name that one, or '{folder.name}/*' for all of them"
    return ""
