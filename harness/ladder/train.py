"""Trains one size on the packed rows; on one thread the result depends only on the seed."""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.ladder.family import Size
from harness.ladder.model import Llama, export
from harness.ladder.packing import ANSWER, PROMPT, Rows, shuffled
from harness.ladder.tokenizer import CONTEXT

logger = logging.getLogger(__name__)

ROWS_PER_STEP = 8
"""Batch size, in rows of 256 tokens; small batches learned faster per token than large ones."""
PROMPT_SHARE = 0.15
"""Share of prompt tokens that the loss includes in addition to all answer tokens."""
_FIRST_WIDTH_IN_BF16 = 96
_REPORT_EVERY = 200


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """The settings and the final loss of a training run, saved beside the weights as training.json."""

    size: str
    """Name of the size."""
    params: int
    """All parameters, the tied embedding counted once."""
    non_embedding_params: int
    """Parameters outside the embedding."""
    tokens: int
    """Training tokens, padding included."""
    steps: int
    """Optimiser steps."""
    seed: int
    """Seed of the initial weights, the order of the rows and the choice of prompt tokens."""
    learning_rate: float
    """Peak learning rate."""
    answer_loss: float
    """Mean cross-entropy of answer tokens over the last 200 steps, in nats."""


def learning_rate(size: Size) -> float:
    """Peak learning rate: 4e-3 at width 64, falling with the square root of the width; lower from width 128 on.

    At twice this rate a model of two layers and width 32 did not learn to look a value up, and just below it did. From
    width 128 on, models trained by the square-root rule failed to learn sums that narrower models had learned.
    """
    return 4e-3 * math.sqrt(64 / size.width) if size.width < 128 else 0.3 / size.width


def train(size: Size, rows: Rows, *, seed: int, max_steps: int | None = None) -> tuple[Llama, TrainingRecord]:
    """Trains a model for one pass over the rows; returns the model and its record.

    The optimisers are Muon on the matrices of the blocks and AdamW on the embedding and norms, both at the same rate,
    with 2 % warm-up, linear decay over the last 85 %, and gradients clipped to norm 1.

    Args:
        size: Shape of the model.
        rows: Training text; each row is seen once.
        seed: See :class:`TrainingRecord`.
        max_steps: Length of the schedule; None for one pass over the rows.
    """
    torch.set_num_threads(1)  # One thread is deterministic, and two processes fill two cores better.
    torch.manual_seed(seed)
    model = Llama(size)
    choice = torch.Generator().manual_seed(seed)
    order = shuffled(len(rows.ids), seed)
    steps = max_steps or len(order) // ROWS_PER_STEP
    peak = learning_rate(size)
    optimizers = _optimizers(model, peak)
    recent: deque[float] = deque(maxlen=_REPORT_EVERY)
    started = time.monotonic()
    for step in range(steps):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * schedule(step, steps)
        taken = order[step * ROWS_PER_STEP : (step + 1) * ROWS_PER_STEP]
        recent.append(_step(model, optimizers, rows, taken, choice))
        if (step + 1) % _REPORT_EVERY == 0:
            tokens = (step + 1) * ROWS_PER_STEP * CONTEXT
            speed = tokens / (time.monotonic() - started)
            left = (steps - step - 1) * ROWS_PER_STEP * CONTEXT / speed / 60
            logger.info(
                "%s seed %d: step %d of %d, answer loss %.4f, %.0f tokens a second, %.0f minutes to go",
                *(size.name, seed, step + 1, steps, np.mean(recent), speed, left),
            )
    record = TrainingRecord(
        size=size.name,
        params=size.params,
        non_embedding_params=size.block_params,
        tokens=steps * ROWS_PER_STEP * CONTEXT,
        steps=steps,
        seed=seed,
        learning_rate=round(peak, 6),
        answer_loss=round(float(np.mean(recent)), 4),
    )
    return model, record


def schedule(step: int, steps: int) -> float:
    """Share of the peak rate at a step: linear warm-up, a short plateau, linear decay to 2 %."""
    warm = (step + 1) / max(20, 0.02 * steps)
    decay = (steps - step) / (0.85 * steps)
    return min(1.0, warm) * max(0.02, min(1.0, decay))


def save(model: Llama, record: TrainingRecord, folder: Path) -> None:
    """Writes the checkpoint in the library's format, with its training record."""
    folder.mkdir(parents=True, exist_ok=True)
    export(model, folder)
    (folder / "training.json").write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")


def _optimizers(model: Llama, rate: float) -> Sequence[torch.optim.Optimizer]:
    matrices = model.matrices()
    ids = {id(matrix) for matrix in matrices}
    others = [parameter for parameter in model.parameters() if id(parameter) not in ids]
    return (
        torch.optim.Muon(matrices, lr=rate, momentum=0.95, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    )


def _step(
    model: Llama,
    optimizers: Sequence[torch.optim.Optimizer],
    rows: Rows,
    taken: Sequence[int],
    choice: torch.Generator,
) -> float:
    """Runs one optimiser step; returns the mean loss of its answer tokens."""
    ids = torch.from_numpy(rows.ids[taken].astype(np.int64))
    kinds = torch.from_numpy(rows.kinds[taken])[:, 1:]
    in_loss = (kinds == ANSWER) | ((kinds == PROMPT) & (torch.rand(kinds.shape, generator=choice) < PROMPT_SHARE))
    # The logits at a position predict the next token, so the last column of every row predicts nothing.
    positions: Tensor = F.pad(in_loss, (0, 1)).reshape(-1).nonzero().squeeze(1)
    # Wide models multiply in bf16, a third faster on processors that know it; narrow ones gain nothing.
    with torch.autocast("cpu", torch.bfloat16, enabled=model.size.width >= _FIRST_WIDTH_IN_BF16):
        logits = model(ids, positions, packed=True)
    losses = F.cross_entropy(logits.float(), ids[:, 1:][in_loss], reduction="none")
    losses.mean().backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(losses.detach()[kinds[in_loss] == ANSWER].mean())
