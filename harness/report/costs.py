"""What the models of a report took: a table of sizes, times and energy beside scores, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from harness import figures
from harness.analysis.costs import cost_rows, electricity_of
from harness.records import CellResult
from harness.wording import carbon, counted, energy, file_size, number, percent, score

_MOST_ROWS = 60
"""Models of one table; of more the figures and `emergence costs` have all."""


class CostTable(NamedTuple):
    """The table as text."""

    head: tuple[str, ...]
    """Names of its columns; the first two name the model."""
    rows: list[tuple[str, ...]]
    """A row per model and variant; none where nothing is known."""
    basis: str
    """Energy in all, what of it was measured, and its CO2; empty without energy."""


def cost_table(results: Sequence[CellResult]) -> CostTable:
    """The table of a report; columns of which nothing is known are left out."""
    every = cost_rows(results, "model")
    head = ("model", "variant", "score", "on disk", "in memory", "ms per document", "energy", "per 1,000", "ready in")
    rows = [
        (
            " ".join(filter(None, (row.model, row.run and f"run {row.run}"))),
            row.variant or "plain",
            "" if row.score is None else score(row.score),
            "" if row.weight_bytes is None else file_size(row.weight_bytes),
            "" if row.memory_bytes is None else file_size(row.memory_bytes),
            "" if row.seconds_per_document is None else number(1000 * row.seconds_per_document),
            "" if row.energy_wh is None else energy(row.energy_wh),
            "" if row.wh_per_1000 is None else energy(row.wh_per_1000),
            "" if row.making_seconds is None else f"{number(row.making_seconds)} s",
        )
        for row in every[:_MOST_ROWS]
    ]
    kept = [i for i in range(len(head)) if i < 2 or any(row[i] for row in rows)]
    more = f" The first {_MOST_ROWS} of {len(every)} are shown." if len(every) > _MOST_ROWS else ""
    return CostTable(
        tuple(head[i] for i in kept), [tuple(row[i] for i in kept) for row in rows], _basis(results) + more
    )


def _basis(results: Sequence[CellResult]) -> str:
    known = [one.provenance for one in results if one.provenance.energy_wh is not None]
    total = sum(ran.energy_wh or 0.0 for ran in known)
    if not total:
        return ""
    electricity = electricity_of()
    told = [ran.energy_measured_wh for ran in known if ran.energy_measured_wh is not None]
    share = f"; counters gave {percent(sum(told) / total)}, the rest is an estimate" if len(told) == len(known) else ""
    return (
        f"Energy: {energy(total)} in {len(known)} of {counted(len(results), 'cell')}{share}. That is "
        f"{carbon(electricity.grams(total))} at {electricity.label}."
    )


def cost_drawings(results: Sequence[CellResult]) -> list[Any]:
    """Score against bytes where sizes are known, and score per kilowatt hour where energy is."""
    rows = cost_rows(results, "model")
    drawn = []
    if any(row.weight_bytes and row.score is not None for row in rows):
        drawn.append(figures.cost_figure(rows, "bytes"))
    if any(row.score_per_kwh is not None for row in rows):
        drawn.append(figures.efficiency_figure(rows))
    return drawn
