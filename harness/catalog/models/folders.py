"""Models on disk: their fingerprint, their size, and whether they are complete.

Nothing here loads a model or imports torch: sizes are read from the headers of the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.bounded.files import kind_of, read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import CONFIG_BYTES, MODEL_TEXT_BYTES, UnreadableError
from harness.catalog.models.architectures import check_sizes, why_not_asked
from harness.catalog.models.checkpoints import step_of, tokens_seen
from harness.catalog.models.sizes import ParameterCounts, sizes_in
from harness.catalog.models.weights import check_dtype, check_kind, elements, weight_files, what_else
from harness.errors import ModelError
from harness.plausible import LARGEST_COUNT, MOST_NAME
from harness.specs import ModelSpec
from harness.wording import count, quoted

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
"""Files that a trainer writes beside a checkpoint and that no model is loaded from."""
_TEXTS = (".json", ".txt", ".jinja", ".model", ".tiktoken", ".codes", ".tokenizer", ".py")
"""Endings of the files that are read whole; weights may be larger."""
_EDGE = 1 << 20
"""Bytes hashed at either end of a weight file: enough to tell checkpoints apart without reading gigabytes."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The config and the files of a local model's folder, from one look at it."""

    path: Path
    """The folder."""
    config: Mapping[str, Any]
    """Content of config.json."""
    files: tuple[Path, ...]
    """Files in the folder and in its subfolder `custom_generate`, in the order of their paths."""

    @classmethod
    def read(cls, path: Path) -> ModelFolder:
        """Look at the folder.

        Raises:
            ModelError: there is no such folder, no config of a transformers model in it, or an adapter.
        """
        files = _files(path) if path.is_dir() else ()
        check_kind(path, [file.name for file in files if file.parent == path])
        return cls(path, read_config(path), files)

    def named(self, *patterns: str) -> list[Path]:
        """Files directly in the folder whose names fit one of the patterns, in order."""
        return [f for p in patterns for f in self.files if f.parent == self.path and fnmatchcase(f.name, p)]

    def check(self) -> None:
        """Check that weights and a tokenizer are there and whole, and that some engine can ask the model.

        Raises:
            ModelError: one of them is missing or damaged, or no engine can ask the model.
        """
        if reason := why_not_asked(self.config):
            raise ModelError(f"{self.path}: {reason}")
        weight_files(self.path, self.config)
        if not (tokenizers := [path.name for path in self.named(*_TOKENIZERS)]):
            raise ModelError(f"{self.path}: no tokenizer; expected one of {', '.join(_TOKENIZERS)}")
        if tokenizers == ["vocab.json"] and not self.named("merges.txt"):
            raise ModelError(f"{self.path}: half a tokenizer, vocab.json alone; expected merges.txt or tokenizer.json")

    @property
    def pickles(self) -> list[Path]:
        """Files of weights that are pickles, if there are none in safetensors."""
        return [] if self.named("*.safetensors") else self.named("pytorch_model*.bin")

    @property
    def has_chat_template(self) -> bool:
        """Whether the tokenizer says how turns of a chat are written."""
        if self.named("chat_template.jinja", "chat_template.json"):
            return True
        try:
            content = parsed_json(read_bytes(self.path / "tokenizer_config.json", MODEL_TEXT_BYTES))
        except UnreadableError:
            return False
        return isinstance(content, dict) and bool(content.get("chat_template"))

    def parameters(self) -> int:
        """Parameters in the files of weights; a tied output layer is stored, and counted, once.

        Raises:
            ModelError: a file is missing or damaged, or its numbers are no parameters.
        """
        if "quantization_config" in self.config:
            raise ModelError(
                f"{self.path}: parameters of quantised weights cannot be counted, since several are packed into one "
                "number; say how many there are with `params` in a family file"
            )
        parameters = sum(map(elements, weight_files(self.path, self.config)))
        if not 0 < parameters <= LARGEST_COUNT:
            raise ModelError(f"{self.path}: the weights have {quoted(parameters)} parameters; expected 1 or more")
        return parameters

    def sizes(self) -> ParameterCounts:
        """Parameters in all, outside the embeddings and per token, as far as the weight files tell.

        Raises:
            ModelError: as of `parameters`.
        """
        return sizes_in(weight_files(self.path, self.config), self.config, self.parameters())

    def doubt(self, spec: ModelSpec) -> str | None:
        """A warning when the `params` of a family file are far from the number in the weights; None when they are near.

        There is no warning when parameters cannot be counted, such as those of quantised weights.
        """
        try:
            counted = self.parameters()
        except ModelError:
            return None
        if counted <= 2 * spec.params <= 4 * counted:
            return None
        return f"model {spec.name}: params is {count(spec.params)}; the weights in {self.path} have {count(counted)}"

    def fingerprint(self) -> str:
        """12 hex digits that change when the config, the tokenizer or the weights do.

        Small files are hashed whole, weight files by size and both ends. Text files and the state of a
        trainer are left out; every other JSON file counts.

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
    """Check that a local model's folder has a config, weights and a tokenizer; models of the hub are not checked.

    Raises:
        ModelError: one of them is missing or cannot be read.
    """
    if spec.path is not None:
        complete_folder(Path(spec.path))


def model_of_folder(folder: ModelFolder) -> ModelSpec:
    """The spec of a local model that no family file describes, named by its folder.

    It is a family of its own; checkpoints of one training run are a family, named by the folder they lie in.

    Raises:
        ModelError: the folder is not a complete model, or its parameters cannot be counted.
    """
    sizes = folder.sizes()
    folder.check()
    family = name = folder.path.name
    if step_of(folder.path) is not None:
        family = folder.path.parent.name
        name = f"{family}-{name}"
    # a name that is no UTF-8 is half characters to Python
    if not 0 < len(name) <= MOST_NAME or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise ModelError(
            f"{folder.path}: the folder's name is {quoted(name)}; expected 1 to {MOST_NAME} characters in UTF-8, since "
            "results are named after it"
        )
    return ModelSpec(
        name=name,
        family=family,
        **sizes._asdict(),
        tokens=tokens_seen(folder.path),
        path=str(folder.path),
        revision=folder.fingerprint(),
    )


def _is_read(path: Path) -> bool:
    return path.name in _READ_TEXTS or (path.name.endswith(_READ) and path.name not in _TRAINERS)


def read_config(folder: Path) -> dict[str, Any]:
    """Content of the config.json in a model's folder.

    Raises:
        ModelError: there is none of a transformers model, or it describes more than anybody loads.
    """
    path = folder / "config.json"
    if (kind := _kind(folder)) != "a folder":
        found = f"is {kind}" if kind else "no such folder"
        raise ModelError(f"{folder}: {found}; expected config.json, weights and a tokenizer")
    if _kind(path) is None:
        raise ModelError(f"{folder}: no config; expected config.json{what_else(folder)}")
    try:
        config = parsed_json(read_bytes(path, CONFIG_BYTES))
        if isinstance(config, dict):
            check_sizes(config)
    except UnreadableError as error:
        raise ModelError(f"{path}: {error}") from error
    if not isinstance(config, dict) or "model_type" not in config:
        raise ModelError(f"{path}: `model_type` is missing; expected the config of a transformers model")
    check_dtype(config, path)
    return config


def _files(folder: Path) -> tuple[Path, ...]:
    try:
        found = sorted((*folder.iterdir(), *folder.glob("custom_generate/*")))
    except OSError as error:
        raise ModelError(f"{folder}: cannot be read: {error.strerror}") from error
    return tuple(path for path in found if _is_file(path))


def _is_file(path: Path) -> bool:
    """Whether a path is a file rather than a folder; transformers would wait for a pipe, and read a device for ever."""
    kind = _kind(path)
    if kind not in (None, "a file", "a folder"):
        raise ModelError(f"{path}: is {kind}; expected a regular file")
    if kind == "a file" and path.name.endswith(_TEXTS):
        try:
            MODEL_TEXT_BYTES.check(path.stat().st_size)
        except UnreadableError as error:
            raise ModelError(f"{path}: {error}") from error
    return kind == "a file"


def _kind(path: Path) -> str | None:
    try:
        return kind_of(path)
    except UnreadableError as error:
        raise ModelError(f"{path}: {error}") from error
