"""Folders that a trainer writes: `checkpoint-500`, `step_500` and so on, each with a model after that many steps."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from harness.bounded.files import kind_of, read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import MODEL_TEXT_BYTES, UnreadableError
from harness.catalog.models.weights import check_kind
from harness.errors import ModelError
from harness.plausible import LARGEST_COUNT
from harness.wording import cut

STEP_NAME = r"(?:checkpoint|ckpt|global[-_]?step|step|iter(?:ation)?)[-_]?(\d{1,15})"
"""What trainers call the folder of a checkpoint; its number is that of the training steps."""
_CHECKPOINT = re.compile(STEP_NAME, re.ASCII | re.IGNORECASE)
_STATE = "trainer_state.json"
"""What the Trainer of transformers knows of its training."""


def step_of(folder: Path) -> int | None:
    """Number of training steps before a checkpoint, from the name of its folder; None for any other folder.

    >>> step_of(Path("run/checkpoint-500")), step_of(Path("run/global_step20")), step_of(Path("run"))
    (500, 20, None)
    """
    found = _CHECKPOINT.fullmatch(folder.name)
    return None if found is None else int(found[1])


def tokens_seen(folder: Path) -> int | None:
    """Tokens that a checkpoint was trained on, if its trainer counted them (`include_num_input_tokens_seen`)."""
    return _stated(folder, "num_input_tokens_seen")


def steps_done(folder: Path) -> int | None:
    """Training steps before a checkpoint, as its trainer noted them; None where it noted none."""
    return _stated(folder, "global_step")


def _stated(folder: Path, key: str) -> int | None:
    """A number above 0 in what a trainer wrote beside the checkpoint."""
    try:
        state = parsed_json(read_bytes(folder / _STATE, MODEL_TEXT_BYTES))
    except UnreadableError:
        return None
    number = state.get(key) if isinstance(state, dict) else None
    return number if type(number) is int and 0 < number <= LARGEST_COUNT else None


def model_folders(named: str | Path, *, below: Path | None = None) -> tuple[Path, ...]:
    """The model folders that a user names: one, those that a pattern such as `run/checkpoint-*` fits, or a trainer's.

    A trainer's folder that has no model of its own stands for the checkpoints in it. Checkpoints are ordered by step.

    Args:
        named: a folder or a pattern.
        below: folder that it is relative to; None for the working folder.

    Raises:
        ModelError: nothing fits the pattern, or a file is named.
    """
    path = os.path.expanduser(named)  # pathlib's own raises where there is no such user
    root = below or Path()
    try:
        is_pattern = kind_of(root / path) is None and glob.has_magic(path)
        places = [(root / place).resolve() for place in (glob.glob(path, root_dir=root) if is_pattern else [path])]
        folders = [found for place in places for found in _models_of(place)]
    except (OSError, ValueError, RuntimeError) as error:  # links in a ring
        raise ModelError(f"{named}: cannot be read: {cut(str(error))}") from error
    if not folders:
        raise ModelError(f"{named}: no folder fits; expected some with config.json, weights and a tokenizer")
    return tuple(sorted(dict.fromkeys(folders), key=lambda folder: (folder.parent, step_of(folder) or 0, folder.name)))


def _models_of(place: Path) -> list[Path]:
    """The folder itself, or the checkpoints in it when that is all there is."""
    if kind_of(place) == "a file":
        check_kind(place.parent, [place.name])
        raise ModelError(f"{place}: is a file; expected the folder with config.json, weights and a tokenizer")
    if kind_of(place) != "a folder" or (place / "config.json").exists():
        return [place]
    return [found for found in place.iterdir() if step_of(found) is not None and found.is_dir()] or [place]
