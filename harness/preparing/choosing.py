"""Which files of a model are downloaded: those that it is loaded from, and no pickles unless these were agreed to."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from harness.errors import ModelError

_TEXTS = (
    *("config.json", "generation_config.json", "tokenizer*.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "vocab.txt", "merges.txt", "*.model", "*.tiktoken", "chat_template*", "preprocessor_config.json"),
    *("README.md", "LICENSE*", "LICENCE*"),
)
_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json")
_PICKLES = ("pytorch_model.bin", "pytorch_model-*-of-*.bin", "pytorch_model.bin.index.json")
_SINGLE = ("model.safetensors", "pytorch_model.bin")


def files_of_model(name: str, paths: Sequence[str], *, allow_pickle: bool, allow_code: bool) -> list[str]:
    """The files of a model that it is loaded from.

    Args:
        name: its name, for messages.
        paths: all of its files.
        allow_pickle: whether weights may be pickles where there are none in safetensors.
        allow_code: whether Python files that come with the model or its tokenizer are wanted.

    Raises:
        ModelError: it has no config, or no weights of a kind that may be read.

    >>> some = ["config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json", "onnx/model.onnx"]
    >>> files_of_model("a", some, allow_pickle=False, allow_code=False)
    ['config.json', 'model.safetensors', 'tokenizer.json']
    """
    if "config.json" not in paths:
        raise ModelError(f"{name}: has no config.json on the hub; expected a model that transformers loads")
    weights = _whole([path for path in paths if _fits(path, _WEIGHTS)])
    if not any(path.endswith(".safetensors") for path in weights):
        pickles = _whole([path for path in paths if _fits(path, _PICKLES)])
        weights = pickles if allow_pickle else []
        if not weights and pickles:
            raise ModelError(
                f"{name}: its weights are no safetensors but pickles, which can run code when they are read; agree "
                "with --allow-pickle"
            )
        if not weights:
            raise ModelError(f"{name}: has no weights on the hub; expected model.safetensors")
    texts = [path for path in paths if _fits(path, _TEXTS) and path not in weights]
    code = [path for path in paths if path.endswith(".py")] if allow_code else []
    return sorted({*texts, *weights, *code})


def _fits(path: str, patterns: Sequence[str]) -> bool:
    return "/" not in path and any(fnmatchcase(path, pattern) for pattern in patterns)


def _whole(paths: Sequence[str]) -> list[str]:
    """The weights in one file, where there is one, or else their parts and index."""
    single = [path for path in paths if path in _SINGLE]
    return single or list(paths)
