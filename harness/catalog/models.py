"""Models on disk and in the hub's cache: which revision is meant, how large it is, whether it can be read at all.

Nothing here loads a model or imports torch: sizes are read from the header of the safetensors files.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.specs import ModelSpec
from harness.wording import count

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "*.gguf")
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
)
_READ = (".json", ".safetensors", ".bin", ".gguf", ".model", ".tiktoken", ".jinja", ".py", ".codes", ".tokenizer")
"""Endings of the files that a model is loaded from."""
_READ_TEXTS = ("vocab.txt", "merges.txt", "dict.txt")
_TRAINERS = ("trainer_state.json", "training_args.bin", "optimizer.bin", "scheduler.bin")
"""What a trainer leaves beside a checkpoint, and nothing is loaded from."""
_EDGE = 1 << 20
"""Bytes hashed at either end of a weight file: enough to tell checkpoints apart without reading gigabytes."""


def check_local_model(spec: ModelSpec) -> None:
    """See that a local model folder holds a config, weights and a tokenizer.

    Raises:
        ModelError: one of them is missing or cannot be read.
    """
    if spec.path is None:
        return
    folder = Path(spec.path)
    _config(folder)
    if not _weights(folder):
        raise ModelError(f"{folder}: no weights; expected one of {', '.join(_WEIGHTS)}")
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ModelError(f"{folder}: no tokenizer; expected one of {', '.join(_TOKENIZERS)}")


def model_from_folder(folder: Path) -> ModelSpec:
    """The spec of a local model that no family file describes: a family of its own, named by its folder.

    Raises:
        ModelError: the folder is no readable model, or its size cannot be told from the files.
    """
    folder = Path(os.path.expanduser(folder)).resolve()
    params = count_parameters(folder)
    spec = ModelSpec(name=folder.name, family=folder.name, params=params, path=str(folder))
    check_local_model(spec)
    return resolved(spec)


def count_parameters(folder: Path) -> int:
    """Parameters in a folder's safetensors files; a tied output layer is stored, and counted, once.

    Raises:
        ModelError: there are no safetensors files, or one is damaged.
    """
    _config(folder)
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"{folder}: no *.safetensors to count parameters in; describe the model in a family file")
    return sum(_tensor_elements(path) for path in files)


def params_doubt(spec: ModelSpec) -> str | None:
    """What speaks against the `params` a family file gives; None when nothing does, or nothing can be counted.

    Quantised weights are packed, several to one stored number, and are not judged.
    """
    folder = None if spec.path is None else Path(spec.path)
    if folder is None or not list(folder.glob("*.safetensors")) or "quantization_config" in _config(folder):
        return None
    counted = count_parameters(folder)
    if counted <= 2 * spec.params <= 4 * counted:
        return None
    return f"model {spec.name}: params is {count(spec.params)}; the weights in {folder} have {count(counted)}"


def resolved(spec: ModelSpec) -> ModelSpec:
    """The spec with the revision it stands for now: a folder's fingerprint, or the commit in the hub's cache.

    A hub model that was never downloaded keeps the revision it was asked for.
    """
    if spec.path is not None:
        return replace(spec, revision=fingerprint(Path(spec.path)))
    return replace(spec, revision=cached_commit(spec.name, spec.revision) or spec.revision)


def check_weights(spec: ModelSpec) -> None:
    """See that a local model has weights in safetensors, and not only as a pickle.

    Raises:
        ModelError: it has not.
    """
    folder = None if spec.path is None else Path(spec.path)
    pickles = [] if folder is None or list(folder.glob("*.safetensors")) else sorted(folder.glob("pytorch_model*.bin"))
    if pickles:
        raise ModelError(
            f"{pickles[0]}: a pickle, which can run code when it is read; save the model as safetensors, "
            "or agree with --allow-pickle"
        )


def pinned(spec: ModelSpec, *, allow_pickle: bool = False) -> ModelSpec:
    """The spec with a revision that cannot move while a run goes on; asks the hub when its cache does not know.

    Raises:
        ModelError: a local folder is incomplete or holds a pickle that is not allowed, or a hub model is neither cached
            nor to be reached.
    """
    check_local_model(spec)
    if not allow_pickle:
        check_weights(spec)
    if spec.path is not None or cached_commit(spec.name, spec.revision):
        return resolved(spec)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        # The config alone: it is enough for the cache to learn which commit the revision stands for.
        folder = snapshot_download(spec.name, revision=spec.revision, allow_patterns=["config.json"])
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError) as error:
        raise ModelError(
            f"{spec.name}@{spec.revision}: not in this machine's hub cache, and the hub gave no answer; "
            f"download it where there is a network (`hf download {spec.name}`) or name a folder with --model"
        ) from error
    return replace(spec, revision=Path(folder).name)


def cached_commit(name: str, revision: str) -> str | None:
    """Commit that `revision` of a hub model points to in the local cache; None when it is not there."""
    repository = _hub_cache() / f"models--{name.replace('/', '--')}"
    reference = repository / "refs" / revision
    if reference.is_file():
        return reference.read_text().strip()
    return revision if (repository / "snapshots" / revision).is_dir() else None


def fingerprint(folder: Path) -> str:
    """12 hex digits that change when a model folder's config, tokenizer or weights do.

    Small files are hashed whole, weight files by size and both ends. Notes and a trainer's state may come and go; any
    other JSON file counts.

    Raises:
        ModelError: the folder cannot be read.
    """
    digest = hashlib.sha256()
    try:
        # a way to generate lies one folder deeper
        places = (*folder.iterdir(), *folder.glob("custom_generate/*"))
        for path in sorted(p for p in places if p.is_file() and _is_read(p.name)):
            size = path.stat().st_size
            digest.update(f"{path.name}:{size}:".encode())
            with path.open("rb") as file:
                digest.update(file.read(_EDGE))
                if size > _EDGE:
                    file.seek(max(_EDGE, size - _EDGE))
                    digest.update(file.read())
    except OSError as error:
        raise ModelError(f"{folder}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()[:12]


def _is_read(name: str) -> bool:
    return name in _READ_TEXTS or (name.endswith(_READ) and name not in _TRAINERS)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; expected config.json, weights and a tokenizer")
    if not path.is_file():
        raise ModelError(f"{folder}: no config; expected config.json")
    try:
        config = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{path}: is not JSON") from error
    if not isinstance(config, dict) or "model_type" not in config:
        raise ModelError(f"{path}: `model_type` is missing; expected the config of a transformers model")
    return config


def _weights(folder: Path) -> list[Path]:
    return [path for pattern in _WEIGHTS for path in folder.glob(pattern)]


def _tensor_elements(path: Path) -> int:
    """Elements of all tensors of one file, from its header (8 bytes length, then JSON)."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (OSError, ValueError, struct.error, KeyError, AttributeError, MemoryError, OverflowError) as error:
        raise ModelError(f"{path}: is no readable safetensors file") from error


def _hub_cache() -> Path:
    """Where huggingface_hub keeps downloads, by its own environment variables."""
    if explicit := os.environ.get("HF_HUB_CACHE"):
        return Path(explicit)
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "huggingface"
    return Path(home) / "hub"
