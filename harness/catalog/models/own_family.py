"""A family of one's own checkpoints: which folders have models, and which step and training run each name tells.

runs/70m/seed3/checkpoint-1000     size 70m, run 3, after 1000 steps
runs/70m-seed3-step_1000           the same
runs/160m/run-2/global_step500/hf  size 160m, run 2, after 500 steps
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.catalog.models.checkpoints import STEP_NAME, step_of, steps_done, tokens_seen
from harness.catalog.models.folders import complete_folder
from harness.catalog.models.sizes import ParameterCounts
from harness.errors import ModelError
from harness.plausible import MOST_NAME
from harness.wording import cut, letters_of

_DEPTH = 6
"""Folders inside each other that are looked through."""
_STEP = re.compile(rf"(?:.*[-_.])?{STEP_NAME}", re.ASCII | re.IGNORECASE)
_RUN = re.compile(r"(?:^|[-_.])(seed|run|replica|trial)[-_.]?(\d{1,9})(?=$|[-_.])", re.ASCII | re.IGNORECASE)
_TEMPORARY = re.compile(r"[._]?te?mp.*|\..*|.*([._-]te?mp|\.part|\.partial|\.incomplete|\.lock|~)", re.IGNORECASE)
_USUAL = "._-"
"""Signs that names keep beside letters and digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnModel:
    """A checkpoint of one's own, as far as its folder tells."""

    name: str
    """What it is called: the place of its folder, joined by dashes."""
    path: Path
    """Its folder."""
    sizes: ParameterCounts
    """Parameters, counted in the weights."""
    fingerprint: str
    """Fingerprint of its files; a folder with the same is a copy."""
    step: int | None
    """Training steps; None when neither the names nor the trainer's notes tell."""
    run: str | None
    """Which training run it is, by the names; None when they do not tell."""
    tokens: int | None
    """Training tokens; None when they are not known."""


def is_temporary(name: str) -> bool:
    """Whether a file or folder is called like something that is still being written.

    >>> [is_temporary(name) for name in ("tmp-checkpoint-5", "checkpoint-5.tmp", "checkpoint-5", ".cache")]
    [True, True, False, True]
    """
    return bool(_TEMPORARY.fullmatch(name))


def folders_below(place: Path) -> Iterator[Path]:
    """The folders from `place` down that have a model or are called like a checkpoint, in order; no links."""
    if place.is_dir() and not is_temporary(place.name):
        yield from _below(place, _DEPTH)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    try:
        inside = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except OSError:  # a folder of somebody else's
        return
    deeper = [Path(path) for path in inside if not is_temporary(os.path.basename(path))] if depth else []
    found = [one for part in deeper for one in _below(part, depth - 1)]
    is_model = (folder / "config.json").exists()
    if is_model or (step_of(folder) is not None and not found):
        yield folder
    # below a model lie states of its optimizer, which are called like checkpoints too
    yield from (one for one in found if not is_model or (one / "config.json").exists())


def own_model(folder: Path, root: Path, tokens_per_step: int | None = None) -> OwnModel:
    """What a checkpoint's folder tells about it.

    Args:
        folder: with the model.
        root: folder above it, from which on names of folders count.
        tokens_per_step: training tokens of a step; None to take what the trainer counted.

    Raises:
        ModelError: the folder is not a complete model that continues texts.
    """
    found = complete_folder(folder)
    parts = _parts(folder, root)
    step = next((int(named[1]) for part in reversed(parts) if (named := _STEP.fullmatch(part))), steps_done(folder))
    counted = step * tokens_per_step if step is not None and tokens_per_step else tokens_seen(folder)
    return OwnModel(
        name=_name(folder, parts),
        path=folder,
        sizes=found.sizes(),
        fingerprint=found.fingerprint(),
        step=step,
        run=_run(parts),
        tokens=counted or None,
    )


def common_root(folders: Sequence[Path]) -> Path:
    """The folder from which on the names of these folders tell them apart."""
    return Path(os.path.commonpath([folder.parent for folder in folders]))


def called(root: Path) -> str:
    """A name for the family below a folder: that of the folder, or of one above it which is no step and no run."""
    names = [place.name for place in (root, *root.parents) if not _is_of_another(place.name)]
    return letters_of(names[0], _USUAL, "-").strip("-_.") or "mine"


def _parts(folder: Path, root: Path) -> tuple[str, ...]:
    """The names of folders that tell what a checkpoint is; before a step or a run stands what it is one of."""
    parts = folder.relative_to(root).parts or (folder.name,)
    above = [*folder.parents][len(parts) - 1 :]
    while above and _is_of_another(parts[0]):
        parts = (above.pop(0).name, *parts)
    return tuple(part for part in parts if part)


def _is_of_another(name: str) -> bool:
    """Whether a folder is called after a step or a run alone."""
    return bool(re.fullmatch(STEP_NAME, name, re.IGNORECASE) or _RUN.fullmatch(name))


def _name(folder: Path, parts: Sequence[str]) -> str:
    name = letters_of("-".join(parts), _USUAL, "_").strip("-_.")
    if not 0 < len(name) <= MOST_NAME:
        raise ModelError(f"{folder}: would be called {cut(name)}; expected a name of 1 to {MOST_NAME} characters")
    return name


def _run(parts: Sequence[str]) -> str | None:
    """The run that names of folders tell: its number, or all of them where there is a run of a seed."""
    found = {kind.lower(): number for part in parts for kind, number in _RUN.findall(part)}
    if len(found) < 2:
        return next((str(int(number)) for number in found.values()), None)
    return "-".join(f"{kind}{int(number)}" for kind, number in found.items())
