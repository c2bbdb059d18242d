"""Explain in one sentence why a model does not load; messages of transformers refer to its own code and its log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import transformers

from harness.engines.foreign import no_pickles
from harness.errors import ModelError
from harness.specs import ModelSpec

_FIELD = re.compile(r"Field '(?P<field>\w+)' expected (?P<expected>.+?), got .+ \(value: (?P<value>.*)\)")
"""How huggingface_hub's strict configs report an invalid value."""
_RULE = re.compile(r"Class validation error for validator '\w+':\s+\w+: (?P<broken>.+)")
"""How they report values that do not fit each other."""
_OF_TOKENIZER = ("added_tokens", "model", "version", "normalizer", "pre_tokenizer", "post_processor", "decoder")
"""Keys of a tokenizer.json."""
_KIND = re.compile(r"model type `(?P<kind>[^`]*)` but Transformers does not recognize")


def unreadable(model: ModelSpec, error: Exception) -> ModelError:
    """The error for a model that is missing, damaged or not accepted by transformers, with the reason."""
    return ModelError(f"{model.source}: {_reason(model, error)}")


def _reason(model: ModelSpec, error: Exception) -> str:
    said = str(error)
    version = f"transformers {transformers.__version__}"
    if "trust_remote_code" in said:
        return "the model comes with Python code of its own; agree with --trust-remote-code"
    if "use_safetensors" in said or "no file named model.safetensors" in said:
        return str(no_pickles(model.source)).removeprefix(f"{model.source}: ")
    if model.path is not None and (damaged := _damaged_json(Path(model.path))):
        return damaged
    if "ignore_mismatched_sizes" in said:
        return "the weights have other shapes than config.json says; expected the config that was saved with them"
    if "instantiate the backend tokenizer" in said or "`tiktoken` is required" in said:
        return (
            "the tokenizer has no tokenizer.json, and to make one of its other files takes sentencepiece or tiktoken; "
            "install them, or save the tokenizer once more where they are"
        )
    if found := _FIELD.search(said):
        value = "null" if found["value"] == "None" else found["value"]
        return f"config.json: {found['field']} is {value}; expected {found['expected']}"
    if found := _RULE.search(said):
        return f"config.json: {found['broken']}"
    if found := _KIND.search(said):
        return f"config.json: model_type {found['kind']!r} is not known to {version}; a newer one may know it"
    if isinstance(error, ImportError):
        return f"loading it takes a package that is not installed: {_first_line(error)}"
    if isinstance(error, KeyError):
        return _missing(model, error, version)
    if isinstance(error, OSError | ValueError) or type(error).__name__ in ("SafetensorError", "UnpicklingError"):
        return f"cannot be loaded: {_first_line(error)}"
    return (
        f"cannot be loaded by {version} ({type(error).__name__}: {_first_line(error)}); expected the config, weights "
        "and tokenizer that were saved together"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _damaged_json(folder: Path) -> str | None:
    """The first JSON file of a model that holds no JSON object; None when all do."""
    for path in sorted((*folder.glob("*config.json"), *folder.glob("tokenizer.json"), *folder.glob("*.index.json"))):
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return f"{path.name} is damaged: not JSON; expected the file that was saved with the model"
        if not isinstance(content, dict):
            return f"{path.name} holds a {type(content).__name__}; expected keys and values"
    return None


def _missing(model: ModelSpec, error: KeyError, version: str) -> str:
    """Explain a key that transformers did not find: a value in the config, or a key missing in another file."""
    word = error.args[0] if error.args else ""
    if model.path is not None:
        config = json.loads((Path(model.path) / "config.json").read_bytes())
        for key, value in _values(config):
            if value == word:
                return f"config.json: {key} is {word!r}, which {version} does not know"
    if word in _OF_TOKENIZER:
        return f"tokenizer.json: {word!r} is missing; expected the file that was saved with the model"
    return f"cannot be loaded: {word!r} is missing in one of its files; expected them as they were saved"


def _values(config: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _values(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
