"""Tokenizers of other people with parts of an unknown cost: each text is tried in the process with limits before.

A regular expression in a `tokenizer.json` can need years for one line, and a library that runs out of memory ends the
process it is in. Nearly all tokenizers are made of parts that cannot do that (`harness.catalog.models.tokenizer_file`)
and are used as they are. The others are loaded a second time in the process with limits (`harness.scoring.limited`),
which is handed every text first; that takes as long again, and only where it ends well is the text encoded here.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers.utils.hub import cached_file

from harness.bounded.limits import TOKENIZER_MEMORY, TOKENIZER_TIME
from harness.catalog.models.tokenizer_file import FILES, PARTS, TOKENIZER, check_tokenizer, costly_part
from harness.errors import ComputationError, HarnessError, ModelError
from harness.scoring.limited import Allowance, Came, ask
from harness.wording import quoted

_CHARACTERS = 2_000
"""Characters of a text, or tokens, for which as much time is granted as for a short text."""


def check_before_loading(source: str, revision: str | None) -> None:
    """Check that the files of a tokenizer can be loaded within limits; a model of the hub's are downloaded for it.

    Raises:
        ModelError: they are too large, or loading takes too long or too much memory.
    """
    found = [_file(source, name, revision) for name in FILES]
    for folder in dict.fromkeys(path.parent for path in found if path is not None):
        if (part := check_tokenizer(folder)) is not None:
            try:
                _TriedTokenizer((folder / TOKENIZER).read_text(encoding="utf-8")).load()
            except HarnessError as error:
                raise ModelError(f"{source}: {TOKENIZER}: {part}: {error}") from error


def _file(source: str, name: str, revision: str | None) -> Path | None:
    if os.path.isdir(source):
        path = Path(source, name)
        return path if path.is_file() else None
    try:
        found = cached_file(source, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    except OSError:  # no such model, or no network: loading it says so
        return None
    return None if found is None else Path(found)


def tried(tokenizer: Any) -> None:
    """Have a tokenizer of transformers try each text apart, if it has a part of an unknown cost."""
    backend = getattr(tokenizer, "_tokenizer", None)
    if backend is not None and not isinstance(backend, TriedBackend) and costly_part(_description(backend)):
        tokenizer._tokenizer = TriedBackend(backend)


def _description(backend: Any) -> dict[str, Any]:
    """Keys of a loaded tokenizer's tokenizer.json, with a vocabulary only where tokens can be too long."""
    found = {name: _json(getattr(backend, name)) for name in PARTS}
    model = {"type": type(backend.model).__name__}
    if model["type"] == "WordPiece":
        model["max_input_chars_per_word"] = backend.model.max_input_chars_per_word
    if model["type"] == "Unigram":
        model["vocab"] = [[max(backend.get_vocab(with_added_tokens=False), key=len, default="")]]  # type: ignore[assignment]
    return {**found, "model": model}


def _json(part: Any) -> Any:
    return None if part is None else json.loads(part.__getstate__())


class TriedBackend:
    """A tokenizer of the library `tokenizers`, of which every text is tried in the process with limits before."""

    def __init__(self, backend: Any) -> None:
        """`backend`: the tokenizer."""
        self.__dict__["_backend"] = backend
        self.__dict__["_trial"] = _TriedTokenizer(backend.to_str())

    def __getattr__(self, name: str) -> Any:
        """Whatever else the tokenizer has."""
        return getattr(self.__dict__["_backend"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set on the tokenizer itself."""
        setattr(self._backend, name, value)

    def encode(self, sequence: Any, *args: Any, **kwargs: Any) -> Any:
        """As the tokenizer's own.

        Raises:
            ComputationError: a text takes too long or too much memory.
        """
        self._trial.try_texts([sequence])
        return self._backend.encode(sequence, *args, **kwargs)

    def encode_batch(self, input: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        """As `encode` for each text."""
        self._trial.try_texts(input)
        return self._backend.encode_batch(input, *args, **kwargs)

    def encode_batch_fast(self, input: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        """As `encode` for each text."""
        self._trial.try_texts(input)
        return self._backend.encode_batch_fast(input, *args, **kwargs)

    def decode(self, ids: Sequence[int], *args: Any, **kwargs: Any) -> Any:
        """As the tokenizer's own.

        Raises:
            ComputationError: the tokens take too long or too much memory.
        """
        self._trial.try_tokens([ids])
        return self._backend.decode(ids, *args, **kwargs)

    def decode_batch(self, sequences: Sequence[Sequence[int]], *args: Any, **kwargs: Any) -> Any:
        """As `decode` for each."""
        self._trial.try_tokens(sequences)
        return self._backend.decode_batch(sequences, *args, **kwargs)


class _TriedTokenizer:
    """A tokenizer in the process with limits, loaded again where that process had to be ended."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = hashlib.sha256(text.encode()).hexdigest()

    def load(self) -> None:
        allowance = Allowance(TOKENIZER_TIME.allowed / 1000)
        came = ask("tokenizer", self._digest, self._text, TOKENIZER_MEMORY.allowed, n=1, allowance=allowance)
        _check(came, 1, "loading the tokenizer", [])

    def try_texts(self, texts: Sequence[Any]) -> None:
        self._try("encode", [_plain(text) for text in texts], "tokenizer")

    def try_tokens(self, tokens: Sequence[Any]) -> None:
        self._try(
            "decode", [[tokens] if isinstance(tokens, int) else list(map(int, each)) for each in tokens], "decoder"
        )

    def _try(self, method: str, items: Sequence[Any], what: str) -> None:
        n = max(len(items), sum(map(len, items)) // _CHARACTERS)
        arguments = ("tokens", self._digest, method, items, TOKENIZER_MEMORY.allowed)
        came = ask(*arguments, n=n, allowance=Allowance())
        if came.replies and "at" in came.replies[0]:
            self.load()
            came = ask(*arguments, n=n, allowance=Allowance())
        _check(came, len(items), what, items)


def _plain(text: Any) -> Any:
    """A text; of a pair, or of words, as transformers hands them over, the whole."""
    return text if isinstance(text, str) else " ".join(map(str, text))


def _check(came: Came, n: int, what: str, items: Sequence[Any]) -> None:
    """Raise what went wrong with the first item that failed."""
    for i, reply in enumerate(came.replies):
        if "error" in reply:
            error = HarnessError(f"{what} fails: {reply['error']}{_shown(items, i)}")
            error.item = i
            raise error
    if came.stopped is not None and len(came.replies) < n:
        i = len(came.replies)
        raise ComputationError(f"{what} {came.stopped}{_shown(items, i)}", item=i)


def _shown(items: Sequence[Any], i: int) -> str:
    return f": {quoted(str(items[i])[:60])}" if items else ""
