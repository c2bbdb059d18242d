"""The members of the family: its sizes, and how often each is trained. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FAMILY_DIR = Path(__file__).parent / "weights"
TOKENS = 8_000_000
"""Training tokens of every run of every size."""
VOCAB_SIZE = 512


@dataclass(frozen=True, kw_only=True)
class Size:
    """The shape of one size of the family."""

    name: str
    """The parameter count, rounded."""
    width: int
    """Size of the residual stream."""
    layers: int
    """Number of blocks."""
    hidden: int
    """Inner size of the feed-forward part."""
    runs: int
    """How many times it is trained, each time with another seed of weights and order."""

    @property
    def heads(self) -> int:
        """Attention heads: one for every whole 16 of width, and for every 32 from a width of 64 on."""
        return max(1, self.width // (16 if self.width < 64 else 32))

    @property
    def block_params(self) -> int:
        """Parameters other than the (tied) embedding matrix."""
        per_block = 4 * self.width**2 + 3 * self.width * self.hidden + 2 * self.width
        return self.layers * per_block + self.width

    @property
    def params(self) -> int:
        """All parameters, the tied embedding counted once."""
        return self.block_params + VOCAB_SIZE * self.width


SIZES = {
    size.name: size
    for size in (
        Size(name="2k", width=4, layers=1, hidden=12, runs=5),
        Size(name="5k", width=8, layers=1, hidden=24, runs=5),
        Size(name="8k", width=12, layers=1, hidden=36, runs=5),
        Size(name="12k", width=16, layers=1, hidden=48, runs=5),
        Size(name="26k", width=32, layers=1, hidden=60, runs=5),
        Size(name="43k", width=40, layers=1, hidden=136, runs=5),
        Size(name="60k", width=48, layers=1, hidden=180, runs=5),
        Size(name="108k", width=48, layers=3, hidden=128, runs=5),
        Size(name="184k", width=64, layers=3, hidden=176, runs=3),
        Size(name="382k", width=96, layers=3, hidden=256, runs=3),
        Size(name="870k", width=128, layers=4, hidden=352, runs=3),
    )
}
"""The family, small to large. Small sizes are trained more often: they cost little, and thresholds lie among them.

Models up to 60k have one layer. One layer cannot do what takes two steps, such as to look up where a name stood and
then what stood behind it; three layers learn it in every training. Two layers learn it in some and not in others.
"""


class FamilyMember(NamedTuple):
    """One training run of one size."""

    size: Size
    run: int
    """Its number, from 1 on; also the seed of its initial weights and of the order of its text."""

    @property
    def folder(self) -> str:
        """Folder name below ``weights/``: that of the size for the first run."""
        return self.size.name if self.run == 1 else f"{self.size.name}-run{self.run}"


def members(sizes: Collection[str] | None = None, runs: Collection[int] | None = None) -> list[FamilyMember]:
    """The members of the given sizes and runs, all for None: first run 1 of every size, small to large, then run 2.

    >>> [member.folder for member in members(["2k", "870k"], [1, 3, 4])]
    ['2k', '870k', '2k-run3', '870k-run3', '2k-run4']
    """
    found = [FamilyMember(size, run) for size in SIZES.values() for run in range(1, size.runs + 1)]
    wanted = [m for m in found if (not sizes or m.size.name in sizes) and (not runs or m.run in runs)]
    return sorted(wanted, key=lambda member: (member.run, member.size.params))


def family_lines(out: Path = FAMILY_DIR) -> Iterator[str]:
    """The lines of ``harness/families/embedded.yaml`` for the members that are trained, small to large."""
    for size in SIZES.values():
        for member in members([size.name]):
            record = out / member.folder / "training.json"
            if record.is_file():
                loss = json.loads(record.read_text(encoding="utf-8"))["answer_loss"]
                known = f"params: {size.params}, params_non_embedding: {size.block_params}, loss: {loss}"
                path = f"../ladder/weights/{member.folder}"
                yield f"  - {{name: ladder-{member.folder}, path: {path}, run: {member.run}, {known}}}"
