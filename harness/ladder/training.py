"""Trains the members of the family one after another; a member whose folder is there is not trained again."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from harness.ladder import packing, tokenizer, train
from harness.ladder.family import FamilyMember
from harness.ladder.model import Llama

logger = logging.getLogger(__name__)

DATA_SEED = 0
"""Seed of the text, which is the same for every member."""
_COST_EXPONENT = 0.7
"""Seconds per token grow about so with parameters, from 12 thousand to a million on one core."""


def train_members(members: Sequence[FamilyMember], out: Path, *, tokens: int, rows_path: Path | None) -> None:
    """Trains the members that are not there yet on the same packed text, and says how long the rest will take.

    Args:
        members: whom to train, in this order.
        out: Folder of the family; each member is written to a folder of its own, which appears once it is finished.
        tokens: Training tokens of each.
        rows_path: Where to keep the packed text, to share it between calls; None for a temporary file.
    """
    missing = [member for member in members if not is_finished(out / member.folder)]
    logger.info("%d of %d are finished", len(members) - len(missing), len(members))
    if not missing:
        return
    words = tokenizer.build_tokenizer()
    rows = _rows(words, tokens // tokenizer.CONTEXT, rows_path)
    started, work_done = time.monotonic(), 0.0
    for i, member in enumerate(missing):
        trained, record = train.train(member.size, rows, seed=member.run)
        _write(trained, record, words, out / member.folder)
        work_done += _cost(member)
        left = sum(map(_cost, missing[i + 1 :])) / work_done * (time.monotonic() - started)
        logger.info(
            "%s finished (answer loss %.4f), %d to go, about %.0f minutes",
            *(member.folder, record.answer_loss, len(missing) - i - 1, left / 60),
        )


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a trained member: the record is the last file of one that is written."""
    return (folder / "training.json").is_file()


def _rows(words: PreTrainedTokenizerFast, n_rows: int, rows_path: Path | None) -> packing.Rows:
    with tempfile.TemporaryDirectory() as scratch:
        path = rows_path or Path(scratch) / "rows.npz"
        if not path.exists():
            packing.write_rows(path, words, n_rows, DATA_SEED)
        rows = packing.read_rows(path)
    if len(rows.ids) != n_rows:
        raise ValueError(f"{path} keeps {len(rows.ids)} rows of text, and {n_rows} are needed: remove that file")
    return rows


def _write(trained: Llama, record: train.TrainingRecord, words: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes a member beside its place first, so that no half of one is ever there."""
    beside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    train.save(trained, record, beside)
    tokenizer.save_tokenizer(words, beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def _cost(member: FamilyMember) -> float:
    return float(member.size.params**_COST_EXPONENT)
