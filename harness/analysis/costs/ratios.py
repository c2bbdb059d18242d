"""What one side of a comparison takes of what the other takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from harness.records import CellResult


class CostRatios(NamedTuple):
    """B as a share of A, over the pairs of cells in which both are known; None where no pair is."""

    weight_bytes: float | None
    """Bytes of a file with the weights that wastes nothing."""
    seconds: float | None
    """Wall time of one document."""
    energy: float | None
    """Energy of one document."""


def cost_ratios(pairs: Iterable[tuple[CellResult, CellResult]]) -> CostRatios:
    """The ratios of sums over all pairs, each of a cell of A and one of B."""
    both = tuple(pairs)
    return CostRatios(
        _ratio(both, lambda one: None if (w := one.provenance.weights) is None else float(w.packed_bytes)),
        _ratio(both, lambda one: None if one.provenance.source else one.provenance.seconds / one.scores[0].n),
        _ratio(both, lambda one: None if (wh := one.provenance.energy_wh) is None else wh / one.scores[0].n),
    )


def _ratio(pairs: Iterable[tuple[CellResult, CellResult]], of: Callable[[CellResult], float | None]) -> float | None:
    known = [(x, y) for a, b in pairs if (x := of(a)) is not None and (y := of(b)) is not None]
    whole = math.fsum(x for x, _ in known)
    return math.fsum(y for _, y in known) / whole if whole else None
