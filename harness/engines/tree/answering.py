"""Answers all requests of a cell together, so that likelihoods and texts compute their common prompt tokens once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engines.tree.generation import PromptRow, Text, write
from harness.engines.tree.model import Keeping, TreeModel, likeliest
from harness.engines.tree.passes import Prefix
from harness.engines.tree.trees import Group, TreeRow, batches, distinct, plant

CACHE_BUDGETS = 8
"""Capacity of the KV cache for generation, as a multiple of the token budget of a forward pass. It can be larger than
one budget because the keys and values of a token take less memory than its activations during a pass."""
MOST_SLOTS = {"cpu": 256, "cuda": 512}
"""The most texts that are generated at the same time, by device type. On a CPU, a larger batch would not make a pass of
a small model faster per text; on a GPU, a pass takes about as long for 512 texts as for one."""


IntArray = NDArray[np.int64]


SOFTMAX_AT_ONCE = {"cpu": 1 << 20}
"""The number of logits per softmax call, by device type. On a CPU the number is small enough to stay in its cache."""


class Likelihood(NamedTuple):
    """A request for the log-likelihood of a continuation after a context."""

    tokens: Sequence[int]
    """Input tokens of the model: the context and the continuation, without the last token of the continuation."""
    continuation: Sequence[int]
    """Target tokens, which the model predicts at the last positions of `tokens`."""


class LikelihoodAnswer(NamedTuple):
    """The answer to a `Likelihood`."""

    loglikelihood: float
    """Sum of the natural log-probabilities of the continuation's tokens."""
    is_greedy: bool
    """True when every token of the continuation is the likeliest one."""


@dataclass(kw_only=True, slots=True)
class _Sums:
    """Log-likelihoods of all requests, summed up over the forward passes."""

    values: NDArray[np.float64]
    greedy: NDArray[np.bool_]

    def add(self, logits: Tensor, places: IntArray, requests: IntArray, targets: IntArray) -> None:
        """Add the target tokens' log-probabilities.

        Args:
            logits: [positions, vocabulary].
            places: [n] for each target, the row of `logits` that predicts it.
            requests: [n] for each target, the index of its request.
            targets: [n] token ids of the targets.
        """
        order = np.argsort(places, kind="stable")
        places, requests, targets = places[order], requests[order], targets[order]
        step = max(1, SOFTMAX_AT_ONCE.get(logits.device.type, 1 << 28) // logits.shape[-1])
        for low in range(0, len(logits), step):
            some = slice(*np.searchsorted(places, (low, low + step)))
            found, greedy = _log_probabilities(logits[low : low + step], places[some] - low, targets[some])
            np.add.at(self.values, requests[some], found)
            self.greedy[requests[some][~greedy]] = False


def _log_probabilities(logits: Tensor, places: IntArray, targets: IntArray) -> tuple[NDArray[np.float64], Any]:
    """Log-probability of each target, and whether it is the greedy choice."""
    where = torch.from_numpy(places).to(logits.device)
    tokens = torch.from_numpy(targets).to(logits.device)
    logs = logits.log_softmax(-1)
    picked, greedy = logs[where, tokens], likeliest(logs)[where] == tokens
    return picked.double().cpu().numpy(), greedy.cpu().numpy()


class _Marks:
    """The positions of one forward pass whose logits are needed, with the requests that they are scored for."""

    def __init__(self) -> None:
        self._places: list[int] = []
        self._requests: list[int] = []
        self._targets: list[int] = []

    def mark(self, places: Sequence[int], request: int, targets: Sequence[int]) -> None:
        """Note that `request` needs the log-probabilities of `targets`, which are predicted at `places`."""
        self._places += places
        self._requests += [request] * len(targets)
        self._targets += targets

    def positions(self, also: Sequence[int] = ()) -> IntArray:
        """The sorted positions that need logits, including those in `also`."""
        return np.unique(np.array([*self._places, *also], dtype=np.int64))

    def settle(self, sums: _Sums, logits: Tensor, positions: IntArray) -> None:
        """Add the log-probabilities that the pass computed to the sums of the requests."""
        if self._places:
            places = np.searchsorted(positions, np.array(self._places))
            sums.add(logits, places, np.array(self._requests), np.array(self._targets))


def answer_requests(
    model: TreeModel, likelihoods: Sequence[Likelihood], texts: Sequence[Text], *, budget: int, alone: bool = False
) -> list[LikelihoodAnswer]:
    """Answer the likelihoods, and write the texts in place.

    Args:
        model: the model that answers.
        likelihoods: requests for log-likelihoods; any number, of any lengths.
        texts: texts to write; their `tokens` are filled in.
        budget: the most tokens in one forward pass; only a single row that is longer may exceed it.
        alone: True runs one request at a time without sharing, so that no result depends on the other requests.
    """
    sums = _Sums(values=np.zeros(len(likelihoods)), greedy=np.ones(len(likelihoods), dtype=bool))
    sequences, which = distinct([*(each.tokens for each in likelihoods), *(text.context for text in texts)])
    if sequences:
        asked = _Questions(
            model, sums, budget=1 if alone else budget, slots=1 if alone else MOST_SLOTS.get(model.device.type, 256)
        )
        for request, (likelihood, sequence) in enumerate(zip(likelihoods, which, strict=False)):
            asked.scored.setdefault(sequence, []).append((request, likelihood))
        for text, sequence in zip(texts, which[len(likelihoods) :], strict=True):
            asked.texts.setdefault(sequence, []).append(text)
        for group in plant(sequences, width=model.width, share=not alone):
            asked.answer_group(group)
    return [
        LikelihoodAnswer(float(value), bool(greedy)) for value, greedy in zip(sums.values, sums.greedy, strict=True)
    ]


class _Questions:
    """The likelihoods and texts that are requested for each distinct token sequence."""

    def __init__(self, model: TreeModel, sums: _Sums, *, budget: int, slots: int) -> None:
        self.scored: dict[int, list[tuple[int, Likelihood]]] = {}
        self.texts: dict[int, list[Text]] = {}
        self._model = model
        self._sums = sums
        self._budget = budget
        self._slots = slots

    def answer_group(self, group: Group) -> None:
        """Compute all likelihoods and texts that are requested for the sequences of a group."""
        prefix = self._read_prefix(group) if group.prefix else None
        length = len(group.prefix)
        writing = [row for row in group.rows if any(sequence in self.texts for sequence in row.sequences)]
        reading = [row for row in group.rows if not any(sequence in self.texts for sequence in row.sequences)]
        sizes = [self._scored_positions(row) for row in reading]
        for batch in batches(reading, self._budget, sizes, self._model.most_scored):
            self._read([reading[i] for i in batch], prefix, length)
        if writing:
            self._write(writing, prefix, length)

    def _read_prefix(self, group: Group) -> Prefix:
        """Run the group's prefix, and add up the targets that lie inside it."""
        length, marks = len(group.prefix), _Marks()
        for row in group.rows:
            for sequence in row.sequences:
                for request, likelihood in self.scored.get(sequence, ()):
                    start = len(likelihood.tokens) - len(likelihood.continuation)
                    inside = likelihood.continuation[: max(0, length - start)]
                    marks.mark(range(start, start + len(inside)), request, inside)
        positions = marks.positions()
        prefix, logits = self._model.read_prefix(group.prefix, positions)
        marks.settle(self._sums, logits, positions)
        return prefix

    def _read(
        self, rows: Sequence[TreeRow], prefix: Prefix | None, length: int, keeping: Keeping | None = None
    ) -> Tensor | None:
        """Run rows and add up the targets in them; return the logits after each sequence in `keeping`, if any."""
        marks, longest = _Marks(), max(len(row.tokens) for row in rows)
        for number, row in enumerate(rows):
            for sequence, path in zip(row.sequences, row.paths, strict=True):
                for request, likelihood in self.scored.get(sequence, ()):
                    start = len(likelihood.tokens) - len(likelihood.continuation) - length
                    nodes = path[max(0, start) :]
                    marks.mark(
                        [number * longest + node for node in nodes], request, likelihood.continuation[-len(nodes) :]
                    )
        ends = []
        if keeping is not None:
            ends = [row * longest + path[-1] for row, path in zip(keeping.rows, keeping.paths, strict=True)]
        positions = marks.positions(ends)
        logits = self._model.read_rows(rows, prefix, positions, keeping)
        marks.settle(self._sums, logits, positions)
        return logits[torch.from_numpy(np.searchsorted(positions, ends)).to(logits.device)] if ends else None

    def _write(self, rows: Sequence[TreeRow], prefix: Prefix | None, length: int) -> None:
        room = max(
            len(path) + max(text.stop.limit for text in self.texts[sequence])
            for row in rows
            for sequence, path in zip(row.sequences, row.paths, strict=True)
            if sequence in self.texts
        )
        total = sum(len(self.texts.get(sequence, ())) for row in rows for sequence in row.sequences)
        slots = max(1, min(self._slots, CACHE_BUDGETS * self._budget // room, total))

        def read(jobs: Sequence[PromptRow], keeping: Keeping) -> Tensor:
            # a row with more texts than slots is run several times; its likelihoods are counted only the first time
            logits = self._read([job.row for job in jobs], prefix, length, keeping)
            for job in jobs:
                for sequence in job.row.sequences:
                    self.scored.pop(sequence, None)
            assert logits is not None
            return logits

        jobs = [job for row in rows for job in self._jobs(row, slots)]
        write(self._model, prefix, jobs, read, slots=slots, budget=self._budget)

    def _jobs(self, row: TreeRow, slots: int) -> list[PromptRow]:
        """The texts of a row, split into jobs that have no more texts than there are slots."""
        pairs = [
            (path, text)
            for sequence, path in zip(row.sequences, row.paths, strict=True)
            for text in self.texts.get(sequence, ())
        ]
        parts = [pairs[i : i + slots] for i in range(0, len(pairs), slots)]
        return [PromptRow(row=row, paths=[p for p, _ in part], texts=[t for _, t in part]) for part in parts]

    def _scored_positions(self, row: TreeRow) -> int:
        return sum(len(each.continuation) for s in row.sequences for _, each in self.scored.get(s, ()))
