"""Token rows for training: documents packed best-fit into rows of 256 tokens, with little padding."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerFast

from harness.ladder.documents import STAGES, training_documents
from harness.ladder.tokenizer import BOS, CONTEXT, EOS
from harness.ladder.world import TrainingDocument

PADDING, ANSWER, PROMPT = 0, 1, 2
_N_OPEN = 32
"""Number of rows that are filled at the same time; more rows would leave less padding and take longer."""
_N_ENCODED = 2_000
"""Number of documents that are tokenised in one call."""


class Rows(NamedTuple):
    """Packed training text."""

    ids: npt.NDArray[np.uint16]
    """Token ids, shape (rows, 256)."""
    kinds: npt.NDArray[np.uint8]
    """PADDING, ANSWER or PROMPT of each token, same shape."""


def pack(tokenizer: PreTrainedTokenizerFast, documents: Iterable[TrainingDocument], n_rows: int) -> Rows:
    """The first ``n_rows`` full rows of the documents, in order of completion."""
    ids = np.zeros((n_rows, CONTEXT), np.uint16)
    kinds = np.full((n_rows, CONTEXT), PADDING, np.uint8)
    if not n_rows:
        return Rows(ids, kinds)
    open_rows: list[list[tuple[int, int]]] = [[] for _ in range(_N_OPEN)]
    filled = 0
    for tokens in _encoded(tokenizer, documents):
        fitting = [i for i, row in enumerate(open_rows) if len(row) + len(tokens) <= CONTEXT]
        if fitting:
            fullest = max(fitting, key=lambda i: len(open_rows[i]))
            open_rows[fullest] += tokens
            continue
        fullest = max(range(_N_OPEN), key=lambda i: len(open_rows[i]))
        row = open_rows[fullest]
        ids[filled, : len(row)] = [token for token, _ in row]
        kinds[filled, : len(row)] = [kind for _, kind in row]
        open_rows[fullest] = tokens
        filled += 1
        if filled == n_rows:
            return Rows(ids, kinds)
    raise ValueError(f"the documents fill {filled} rows; {n_rows} were asked for")


def stages(n_rows: int) -> list[range]:
    """Which rows of a training text belong to which of its stages."""
    ends = [round(n_rows * share) for share in itertools.accumulate(share for share, _ in STAGES)]
    return [range(start, end) for start, end in itertools.pairwise((0, *ends))]


def write_rows(path: Path, tokenizer: PreTrainedTokenizerFast, n_rows: int, seed: int) -> Rows:
    """Packs the documents of all stages and saves them, so that every size trains on the same text."""
    parts = [
        pack(tokenizer, training_documents(seed + i, mixture), len(part))
        for i, (part, (_, mixture)) in enumerate(zip(stages(n_rows), STAGES, strict=True))
    ]
    rows = Rows(np.concatenate([part.ids for part in parts]), np.concatenate([part.kinds for part in parts]))
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.partial.npz")  # whole or not at all, whenever this is interrupted
    np.savez(beside, ids=rows.ids, kinds=rows.kinds)
    beside.rename(path)
    return rows


def read_rows(path: Path) -> Rows:
    """Rows saved by :func:`write_rows`."""
    with np.load(path) as saved:
        return Rows(saved["ids"], saved["kinds"])


def shuffled(n_rows: int, seed: int) -> list[int]:
    """The order in which a training run visits the rows: at random within each stage."""
    rng = random.Random(seed)
    return [row for part in stages(n_rows) for row in rng.sample(part, len(part))]


def _encoded(
    tokenizer: PreTrainedTokenizerFast, documents: Iterable[TrainingDocument]
) -> Iterator[list[tuple[int, int]]]:
    """Each document as (token, kind) pairs from <bos> to <eos>, cut to one row if longer."""
    backend = tokenizer.backend_tokenizer
    source = iter(documents)
    while batch := list(itertools.islice(source, _N_ENCODED)):
        texts = [segment.text for document in batch for segment in document.segments]
        encodings = iter(backend.encode_batch_fast(texts, add_special_tokens=False))
        for document in batch:
            tokens = [(BOS, PROMPT)]
            for segment, encoding in zip(document.segments, encodings, strict=False):
                kind = ANSWER if segment.is_answer else PROMPT
                tokens += [(token, kind) for token in encoding.ids]
            tokens.append((EOS, PROMPT))
            yield tokens[:CONTEXT]
