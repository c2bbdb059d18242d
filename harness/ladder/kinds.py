"""Two small families of other kinds: encoders that fill gaps, and encoder-decoders. Standard library only.

Both are trained on single items of the same world as the decoders, prompts with their answers, and share the words of
their tokenizer. They are there so that the engines `encoder` and `seq2seq` can be tried without a network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from harness.ladder.family import FAMILY_DIR

OtherKind = Literal["encoder", "seq2seq"]
KINDS: tuple[OtherKind, ...] = get_args(OtherKind)
ITEMS_PER_STEP = 64


@dataclass(frozen=True, kw_only=True)
class KindSize:
    """The shape of one size."""

    name: str
    """The parameter count, rounded."""
    width: int
    """Size of the residual stream."""
    layers: int
    """Layers that read."""
    writing: int
    """Layers that write; 0 for an encoder."""
    hidden: int
    """Inner size of the feed-forward parts."""
    steps: int
    """Optimiser steps, of 64 items each."""

    @property
    def heads(self) -> int:
        """Attention heads, each 16 wide."""
        return max(1, self.width // 16)


KIND_SIZES: dict[OtherKind, dict[str, KindSize]] = {
    "encoder": {
        shape.name: shape
        for shape in (
            KindSize(name="12k", width=16, layers=1, writing=0, hidden=40, steps=2400),
            KindSize(name="45k", width=32, layers=2, writing=0, hidden=96, steps=2400),
            KindSize(name="180k", width=64, layers=3, writing=0, hidden=160, steps=2400),
        )
    },
    "seq2seq": {
        shape.name: shape
        for shape in (
            KindSize(name="12k", width=16, layers=1, writing=1, hidden=24, steps=4800),
            KindSize(name="45k", width=32, layers=2, writing=1, hidden=48, steps=4800),
            KindSize(name="180k", width=64, layers=2, writing=2, hidden=96, steps=3600),
        )
    },
}
"""The sizes of each kind, small to large."""


def folder_of(kind: OtherKind, shape: KindSize) -> str:
    """Name of a size's folder below `weights/`.

    >>> folder_of("encoder", KIND_SIZES["encoder"]["12k"])
    'encoder-12k'
    """
    return f"{kind}-{shape.name}"


def kind_lines(kind: OtherKind, out: Path = FAMILY_DIR) -> Iterator[str]:
    """The lines of the kind's family file for the sizes that are trained, small to large."""
    for shape in KIND_SIZES[kind].values():
        path = out / folder_of(kind, shape) / "training.json"
        if path.is_file():
            record = json.loads(path.read_text(encoding="utf-8"))
            counts = f"params: {record['params']}, params_non_embedding: {record['non_embedding_params']}"
            yield (
                f"  - {{name: {folder_of(kind, shape)}, path: ../ladder/weights/{folder_of(kind, shape)}, {counts}, "
                f"tokens: {record['tokens']}}}"
            )
