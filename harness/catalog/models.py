"""Models on disk and in the hub's cache: which revision is meant, how large it is, whether it can be read at all.

Nothing here loads a model or imports torch: sizes are read from the header of the safetensors files.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.catalog.architectures import why_no_text
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
_NOT_RESOLVED = "main"
"""Revision of a model that nobody has looked for yet."""
_EDGE = 1 << 20
"""Bytes hashed at either end of a weight file: enough to tell checkpoints apart without reading gigabytes."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A local model's folder as it was found: its config and its files, from one look."""

    path: Path
    """The folder."""
    config: Mapping[str, Any]
    """What config.json says."""
    files: tuple[Path, ...]
    """Files in it, and those of its own way to generate, which lie one folder deeper; in the order of their paths."""

    @classmethod
    def read(cls, path: Path) -> ModelFolder:
        """Look at the folder.

        Raises:
            ModelError: there is no such folder, or no config of a transformers model in it.
        """
        return cls(path, _config(path), _files(path))

    def named(self, *patterns: str) -> list[Path]:
        """Files directly in the folder whose names fit one of the patterns, in order."""
        return [f for p in patterns for f in self.files if f.parent == self.path and fnmatchcase(f.name, p)]

    def check(self) -> None:
        """See that there are weights and a tokenizer, and that the model continues texts.

        Raises:
            ModelError: one of them is missing, or the model does something else.
        """
        if reason := why_no_text(self.config):
            raise ModelError(f"{self.path}: {reason}")
        if not self.named(*_WEIGHTS):
            raise ModelError(f"{self.path}: no weights; expected one of {', '.join(_WEIGHTS)}")
        if not self.named(*_TOKENIZERS):
            raise ModelError(f"{self.path}: no tokenizer; expected one of {', '.join(_TOKENIZERS)}")

    @property
    def pickles(self) -> list[Path]:
        """Weights that are pickles, where there are none in safetensors."""
        return [] if self.named("*.safetensors") else self.named("pytorch_model*.bin")

    def parameters(self) -> int:
        """Parameters in the safetensors files; a tied output layer is stored, and counted, once.

        Raises:
            ModelError: there are no safetensors files, or one is damaged.
        """
        files = self.named("*.safetensors")
        if not files:
            raise ModelError(
                f"{self.path}: no *.safetensors to count parameters in; describe the model in a family file"
            )
        return sum(_tensor_elements(path) for path in files)

    def doubt(self, spec: ModelSpec) -> str | None:
        """What speaks against the `params` a family file gives; None when nothing does, or nothing can be counted.

        Quantised weights are packed, several to one stored number, and are not judged.
        """
        if not self.named("*.safetensors") or "quantization_config" in self.config:
            return None
        counted = self.parameters()
        if counted <= 2 * spec.params <= 4 * counted:
            return None
        return f"model {spec.name}: params is {count(spec.params)}; the weights in {self.path} have {count(counted)}"

    def fingerprint(self) -> str:
        """12 hex digits that change when the config, the tokenizer or the weights do.

        Small files are hashed whole, weight files by size and both ends. Notes and a trainer's state may come and go;
        any other JSON file counts.

        Raises:
            ModelError: a file cannot be read.
        """
        digest = hashlib.sha256()
        try:
            for path in filter(_is_read, self.files):
                size = path.stat().st_size
                digest.update(f"{path.name}:{size}:".encode())
                with path.open("rb") as file:
                    digest.update(file.read(_EDGE))
                    if size > _EDGE:
                        file.seek(max(_EDGE, size - _EDGE))
                        digest.update(file.read())
        except OSError as error:
            raise ModelError(f"{self.path}: cannot be read: {error.strerror}") from error
        return digest.hexdigest()[:12]


def complete_folder(path: Path) -> ModelFolder:
    """A local model's folder with config, weights and tokenizer.

    Raises:
        ModelError: one of them is missing or cannot be read.
    """
    folder = ModelFolder.read(path)
    folder.check()
    return folder


def check_local_model(spec: ModelSpec) -> None:
    """See that a local model's folder holds a config, weights and a tokenizer; nothing is said of a model of the hub.

    Raises:
        ModelError: one of them is missing or cannot be read.
    """
    if spec.path is not None:
        complete_folder(Path(spec.path))


def model_from_folder(path: Path) -> ModelSpec:
    """The spec of a local model that no family file describes: a family of its own, named by its folder.

    Raises:
        ModelError: the folder is no readable model, or its size cannot be told from the files.
    """
    folder = ModelFolder.read(Path(os.path.expanduser(path)).resolve())
    params = folder.parameters()
    folder.check()
    name = folder.path.name
    return ModelSpec(name=name, family=name, params=params, path=str(folder.path), revision=folder.fingerprint())


def resolved(spec: ModelSpec) -> ModelSpec:
    """The spec with the revision it stands for now: a folder's fingerprint, or the commit in the hub's cache.

    A hub model that was never downloaded keeps the revision it was asked for.

    Raises:
        ModelError: the folder cannot be read.
    """
    if spec.path is not None:
        return replace(spec, revision=ModelFolder.read(Path(spec.path)).fingerprint())
    return replace(spec, revision=cached_commit(spec.name, spec.revision) or spec.revision)


def pinned(spec: ModelSpec) -> ModelSpec:
    """The spec with a revision that cannot move while a run goes on; asks the hub when its cache does not know.

    A local model that was chosen by `select` has its fingerprint for a revision already and comes back as it is.

    Raises:
        ModelError: a local folder is incomplete, or a hub model is neither cached nor to be reached.
    """
    if spec.path is not None:
        return spec if spec.revision != _NOT_RESOLVED else resolved(spec)
    if commit := cached_commit(spec.name, spec.revision):
        _check_cached(spec, commit)
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
    _check_cached(spec, Path(folder).name)
    return replace(spec, revision=Path(folder).name)


def _check_cached(spec: ModelSpec, commit: str) -> None:
    """See that a hub model whose config is in the cache continues texts."""
    snapshot = _hub_cache() / f"models--{spec.name.replace('/', '--')}" / "snapshots" / commit
    if (snapshot / "config.json").is_file() and (reason := why_no_text(_config(snapshot))):
        raise ModelError(f"{spec.name}: {reason}")


def cached_commit(name: str, revision: str) -> str | None:
    """Commit that `revision` of a hub model points to in the local cache; None when it is not there."""
    repository = _hub_cache() / f"models--{name.replace('/', '--')}"
    reference = repository / "refs" / revision
    if reference.is_file():
        return reference.read_text().strip()
    return revision if (repository / "snapshots" / revision).is_dir() else None


def _is_read(path: Path) -> bool:
    return path.name in _READ_TEXTS or (path.name.endswith(_READ) and path.name not in _TRAINERS)


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


def _files(folder: Path) -> tuple[Path, ...]:
    try:
        found = (*folder.iterdir(), *folder.glob("custom_generate/*"))
        return tuple(sorted(path for path in found if path.is_file()))
    except OSError as error:
        raise ModelError(f"{folder}: cannot be read: {error.strerror}") from error


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
