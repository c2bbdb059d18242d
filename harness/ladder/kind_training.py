"""Trains the small families of other kinds; a training that was interrupted goes on where it was.

The optimisers are those of the decoders: Muon on the matrices of the layers, AdamW on the rest.
"""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from harness.ladder import encoder, seq2seq
from harness.ladder.kinds import ITEMS_PER_STEP, KIND_SIZES, KindSize, OtherKind, folder_of
from harness.ladder.pairs import PromptAnswer, pair
from harness.ladder.tokenizer import build_tokenizer, save_tokenizer

logger = logging.getLogger(__name__)

SEED = 1
"""Seed of the weights and of the text."""
STEPS_TOGETHER = 16
"""Steps whose items are drawn at once and sorted by length, so that a step has little padding."""
KEEP_EVERY, REPORT_EVERY = 64, 64
"""Steps between two copies on disk, and between two lines of the log."""
_LAST = 200
"""Steps at the end over which the loss is averaged."""


class _How(NamedTuple):
    """What is particular to one kind."""

    tokenizer: Callable[[PreTrainedTokenizerFast], PreTrainedTokenizerFast]
    model: Callable[[KindSize, int], Any]
    batch: Callable[[Sequence[PromptAnswer], PreTrainedTokenizerFast, random.Random], dict[str, Tensor]]
    mixture: Mapping[str, float]


_HOW: Mapping[OtherKind, _How] = {
    "encoder": _How(encoder.encoder_tokenizer, encoder.encoder_model, encoder.gapped_batch, encoder.ENCODER_MIXTURE),
    "seq2seq": _How(seq2seq.seq2seq_tokenizer, seq2seq.seq2seq_model, seq2seq.written_batch, seq2seq.SEQ2SEQ_MIXTURE),
}


@dataclass(frozen=True, kw_only=True)
class KindRecord:
    """The settings and the final loss of a training, saved beside the weights as training.json."""

    kind: OtherKind
    size: str
    """Name of the size."""
    params: int
    """All parameters, tied weights counted once."""
    non_embedding_params: int
    """Parameters outside the embedding."""
    tokens: int
    """Tokens that were read, padding left out."""
    steps: int
    """Optimiser steps."""
    seed: int
    learning_rate: float
    """Peak learning rate."""
    loss: float
    """Mean cross-entropy of the tokens that were asked for over the last 200 steps, in nats."""
    core_seconds: float
    """Processor time of the training."""


def train_kind(kind: OtherKind, out: Path, *, only: Sequence[str] | None = None, steps: int | None = None) -> None:
    """Train every size of a kind that is not there yet.

    Args:
        kind: which family.
        out: folder of the families, one below it for each size; a training under way lies there, too.
        only: names of the sizes; None for all.
        steps: optimiser steps; None for those of each size.
    """
    torch.set_num_threads(1)
    missing = [
        shape
        for shape in KIND_SIZES[kind].values()
        if (not only or shape.name in only) and not (out / folder_of(kind, shape) / "training.json").is_file()
    ]
    words = _HOW[kind].tokenizer(build_tokenizer()) if missing else None
    for shape in missing:
        assert words is not None
        _train(kind, shape, words, out, steps or shape.steps)


def _train(kind: OtherKind, shape: KindSize, words: PreTrainedTokenizerFast, out: Path, steps: int) -> None:
    torch.manual_seed(SEED)
    model = _HOW[kind].model(shape, len(words)).train()
    peak = 4e-3 * (64 / shape.width) ** 0.5
    optimizers = _optimizers(model, peak)
    kept = out / f".{folder_of(kind, shape)}.partial.pt"
    done, tokens, seconds, losses = 0, 0, 0.0, []
    if kept.is_file():
        state = torch.load(kept, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        done, tokens, seconds, losses = (state[name] for name in ("done", "tokens", "seconds", "losses"))
        logger.info("%s goes on at step %d", folder_of(kind, shape), done)
    started = time.process_time() - seconds
    for step, batch in _batches(kind, words, done, steps):
        losses = [*losses[1 - _LAST :], _step(model, optimizers, batch, peak * _share(step, steps))]
        tokens += int(batch["attention_mask"].sum())
        if (step + 1) % REPORT_EVERY == 0:
            spent = time.process_time() - started
            logger.info(
                "%s: step %d of %d, loss %.4f, %.0f core seconds",
                *(folder_of(kind, shape), step + 1, steps, sum(losses) / len(losses), spent),
            )
        if (step + 1) % KEEP_EVERY == 0:
            state = {"model": model.state_dict(), "optimizers": [one.state_dict() for one in optimizers]}
            counts = {"done": step + 1, "tokens": tokens, "seconds": time.process_time() - started, "losses": losses}
            out.mkdir(parents=True, exist_ok=True)
            torch.save(state | counts, beside := kept.with_suffix(".new"))
            os.replace(beside, kept)
    params = sum(weight.numel() for weight in model.parameters())
    record = KindRecord(
        kind=kind,
        size=shape.name,
        params=params,
        non_embedding_params=params - int(model.get_input_embeddings().weight.numel()),
        tokens=tokens,
        steps=steps,
        seed=SEED,
        learning_rate=round(peak, 6),
        loss=round(sum(losses) / len(losses), 4),
        core_seconds=round(time.process_time() - started),
    )
    _write(model, words, record, out / folder_of(kind, shape))
    kept.unlink(missing_ok=True)


def _batches(
    kind: OtherKind, words: PreTrainedTokenizerFast, done: int, steps: int
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Each step from `done` on, with its batch, which depends on its number and on nothing else."""
    how = _HOW[kind]
    for first in range(done - done % STEPS_TOGETHER, steps, STEPS_TOGETHER):
        rng = random.Random(f"{SEED}/{kind}/{first}")
        drawn: list[PromptAnswer] = [pair(rng, how.mixture) for _ in range(ITEMS_PER_STEP * STEPS_TOGETHER)]
        drawn.sort(key=lambda one: len(one.prompt))
        parts = [drawn[i : i + ITEMS_PER_STEP] for i in range(0, len(drawn), ITEMS_PER_STEP)]
        rng.shuffle(parts)
        for step, part in enumerate(parts, start=first):
            batch = how.batch(part, words, rng)
            if done <= step < steps:
                yield step, batch


def _step(model: Any, optimizers: Sequence[torch.optim.Optimizer], batch: Mapping[str, Tensor], rate: float) -> float:
    loss: Tensor = model(**batch).loss
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def _share(step: int, steps: int) -> float:
    """Share of the peak rate at a step: warm-up of 2 %, then linear decay to 2 %."""
    return min(1.0, (step + 1) / max(20, 0.02 * steps)) * max(0.02, min(1.0, (steps - step) / (0.85 * steps)))


def _optimizers(model: Any, rate: float) -> Sequence[torch.optim.Optimizer]:
    embedding = model.get_input_embeddings().weight
    named = dict(model.named_parameters())
    matrices = [
        weight
        for name, weight in named.items()
        if weight.ndim == 2 and weight is not embedding and "relative_attention_bias" not in name
    ]
    ids = {id(weight) for weight in matrices}
    others = [weight for weight in named.values() if id(weight) not in ids]
    return (
        torch.optim.Muon(matrices, lr=rate, momentum=0.95, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
    )


def _write(model: Any, words: PreTrainedTokenizerFast, record: KindRecord, folder: Path) -> None:
    """The model in bfloat16, its tokenizer, and last its record, in a folder that appears once it is whole."""
    beside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    model.eval().to(torch.bfloat16).save_pretrained(beside)
    save_tokenizer(words, beside)
    (beside / "training.json").write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    beside.rename(folder)
