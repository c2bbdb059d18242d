"""The loss curve of a training in a file that TensorBoard reads, beside what was learnt.

It grows while the training goes on: `tensorboard --logdir results/.variants` shows it. Nothing here ends a training:
without TensorBoard, or on a full disk, the curve is in `variant.json` alone, where it is in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

log = logging.getLogger(__name__)

LOSS_FOLDER = "tensorboard"
"""Folder of the file, below that of the variant."""
_TAGS: Mapping[str, str] = {
    "loss": "loss/training",
    "eval_loss": "loss/development",
    "learning_rate": "learning rate",
    "grad_norm": "gradient norm",
}
"""What the `Trainer` tells -> what the curve is called."""


class LossFile(TrainerCallback):
    """Writes what a `Trainer` tells of its steps."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the variant."""
        self._folder = folder / LOSS_FOLDER
        self._writer: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin the file, or a second one where a training goes on from a checkpoint."""
        with suppress(ImportError):
            from torch.utils.tensorboard import SummaryWriter  # an extra, which takes a while to import

            try:
                # what an interrupted try wrote of the steps that are made again is not drawn
                self._writer = SummaryWriter(str(self._folder), purge_step=state.global_step + 1)
            except OSError as error:
                self._give_up(error)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        """Write what is told of a step."""
        if self._writer is None:
            return
        try:
            for name, tag in _TAGS.items():
                if logs and name in logs:
                    self._writer.add_scalar(tag, float(logs[name]), state.global_step)
            self._writer.flush()
        except OSError as error:
            self._give_up(error)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(OSError):
                writer.close()

    def _give_up(self, error: OSError) -> None:
        self._writer = None
        log.warning("the loss curve is in variant.json alone, as no file for TensorBoard can be written: %s", error)
