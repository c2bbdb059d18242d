"""Score, size, time and energy of cells, put together by cell, by point of a curve, by model, or by treatment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from harness.analysis.stats import normalised
from harness.plan import Cell
from harness.records import CellResult

CostGroup = Literal["cell", "point", "model", "treatment"]
"""What makes one row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CostRow:
    """What some cells scored and took. What was not recorded is None, and never 0."""

    family: str
    """Family name."""
    model: str | None
    """Model name; None for all models of a treatment."""
    variant: str | None
    """What was done to the weights; None for models as they are."""
    run: str | None
    """Which training run of its size; None where it is not said, or for several."""
    params: int | None
    """Parameters; None for models of several sizes."""
    task: str | None
    """Task; None for several."""
    shots: int | None
    """Demonstrations; None for several."""
    prompt: str | None
    """Prompt variant; None for several."""
    key: str | None
    """Key of the cell; None for several."""
    cells: int
    """Number of cells."""
    documents: int
    """Documents that they answered, all cells together."""
    settings: int
    """Settings that `score` is the mean over; 0 without one."""
    score: float | None
    """Headline score on the way from chance (0) to perfect (1), the mean over the settings that all rows of the family
    have; None where there is none."""
    score_stderr: float | None
    """Its standard error over documents; None when it is not known."""
    weight_bytes: int | None
    """Bytes of a file with the weights that wastes nothing, an estimate; the mean over models."""
    memory_bytes: int | None
    """Bytes of the weights as they lay in memory; the mean over models."""
    peak_bytes: int | None
    """Most GPU memory that a cell took, the model included; None on a CPU."""
    seconds: float | None
    """Wall time of the cells, loading excluded."""
    energy_wh: float | None
    """Watt hours of the cells whose energy is known."""
    measured_wh: float | None
    """Part of it that counters gave (RAPL, NVML); the rest is estimated. None where it was not recorded."""
    energy_documents: int
    """Documents of the cells whose energy is known."""
    making_seconds: float | None
    """Time to make these models ready, each loading and each training once: loading, rounding, pruning, training."""
    making_wh: float | None
    """Watt hours of that; None where it was not recorded for all of it."""

    @property
    def seconds_per_document(self) -> float | None:
        """Wall time of one answer."""
        return None if self.seconds is None or not self.documents else self.seconds / self.documents

    @property
    def wh_per_1000(self) -> float | None:
        """Watt hours of a thousand answers."""
        known = self.energy_wh is not None and self.energy_documents > 0
        return 1000.0 * (self.energy_wh or 0.0) / self.energy_documents if known else None

    @property
    def score_per_kwh(self) -> float | None:
        """Score for each kilowatt hour that a thousand answers take; None without a score or an energy."""
        if self.score is None or not self.wh_per_1000:
            return None
        return 1000.0 * self.score / self.wh_per_1000


def cost_rows(results: Iterable[CellResult], by: CostGroup, *, watts: float | None = None) -> tuple[CostRow, ...]:
    """One row per cell, point of a curve, model or treatment, in the order of family, treatment, size and task.

    Results that were read from files of other programs are left out: nobody knows what they took.

    Args:
        results: their headers are enough.
        by: what makes a row. The training runs and few-shot seeds of a size share a point, those of a model a row.
        watts: power from which the energy of cells without one is estimated, as their time multiplied; None leaves it
            unknown.
    """
    grouped: dict[tuple[Any, ...], list[CellResult]] = {}
    for result in results:
        if result.provenance.source is None:
            grouped.setdefault(COST_GROUPS[by](result.cell), []).append(result)
    families: dict[str, dict[tuple[Any, ...], Mapping[tuple[Any, ...], _Normal]]] = {}
    for key, members in grouped.items():
        families.setdefault(members[0].cell.model.family, {})[key] = _scores(members, across_models=by == "treatment")
    # rows of single tasks are not compared with each other
    shared = {
        family: None if by in ("cell", "point") else frozenset.intersection(*map(frozenset, rows.values()))
        for family, rows in families.items()
    }
    made = [
        _row(members, families[family][key], shared[family], watts)
        for key, members in grouped.items()
        for family in (members[0].cell.model.family,)
    ]
    return tuple(sorted(made, key=_place))


def _point(cell: Cell) -> tuple[Any, ...]:
    model = cell.model
    return model.family, model.params, model.tokens, model.variant, cell.task, cell.shots, cell.prompt, cell.format


COST_GROUPS: Mapping[CostGroup, Callable[[Cell], tuple[Any, ...]]] = {
    "cell": lambda cell: (cell.key,),
    "point": _point,
    "model": lambda cell: (cell.model.family, cell.model.name, cell.model.revision, cell.model.run, cell.model.variant),
    "treatment": lambda cell: (cell.model.family, cell.model.variant),
}
"""What makes one row -> what its cells share."""

_Normal = tuple[float, float | None]
"""A chance-centred score and its standard error."""


def _scores(members: Sequence[CellResult], *, across_models: bool) -> dict[tuple[Any, ...], _Normal]:
    """The headline scores by what was asked, few-shot seeds averaged; `across_models` keeps sizes apart."""
    found: dict[tuple[Any, ...], list[_Normal]] = {}
    for result in members:
        cell, model = result.cell, result.cell.model
        metric = cell.metrics[0]
        score = next((one for one in result.scores if one.metric == metric.name), None)
        value = None if score is None else normalised(score.value, metric)
        if score is None or value is None or metric.chance is None or metric.best is None:
            continue
        error = None if score.stderr is None else score.stderr / abs(metric.best - metric.chance)
        asked = (cell.task, cell.task_digest, cell.shots, cell.prompt, cell.format, cell.limit, cell.docs)
        size = (model.params, model.run) if across_models else ()
        found.setdefault((*asked, *size), []).append((value, error))
    return {key: (fmean(value for value, _ in some), _rms([error for _, error in some])) for key, some in found.items()}


def _rms(errors: Sequence[float | None]) -> float | None:
    """The error of a mean over seeds that ask the same documents."""
    known = [error for error in errors if error is not None]
    return math.sqrt(fmean(error**2 for error in known)) if len(known) == len(errors) else None


def _row(
    members: Sequence[CellResult],
    scores: Mapping[tuple[Any, ...], _Normal],
    shared: frozenset[tuple[Any, ...]] | None,
    watts: float | None,
) -> CostRow:
    cells, ran = [one.cell for one in members], [one.provenance for one in members]
    used = [score for key, score in scores.items() if shared is None or key in shared]
    errors = [error for _, error in used if error is not None]
    energies = [(_energy(one, watts), one) for one in members]
    known = [(wh, one) for (wh, one) in energies if wh is not None]
    measured = [one.provenance.energy_measured_wh if one.provenance.energy_wh is not None else 0.0 for _, one in known]
    weights = {(c.model.name, c.model.run): p.weights for c, p in zip(cells, ran, strict=True) if p.weights is not None}
    making_seconds, making_wh = _making(members)
    return CostRow(
        family=cells[0].model.family,
        model=_same(c.model.name for c in cells),
        variant=cells[0].model.variant,
        run=_same(c.model.run for c in cells),
        params=_same(c.model.params for c in cells),
        task=_same(c.task for c in cells),
        shots=_same(c.shots for c in cells),
        prompt=_same(c.prompt for c in cells),
        key=_same(c.key for c in cells),
        cells=len(members),
        documents=sum(one.scores[0].n for one in members),
        settings=len(used),
        score=fmean(value for value, _ in used) if used else None,
        score_stderr=math.sqrt(math.fsum(e**2 for e in errors)) / len(used)
        if used and len(errors) == len(used)
        else None,
        weight_bytes=round(fmean(one.packed_bytes for one in weights.values())) if weights else None,
        memory_bytes=round(fmean(one.memory_bytes for one in weights.values())) if weights else None,
        peak_bytes=max((p.peak_bytes for p in ran if p.peak_bytes is not None), default=None),
        seconds=math.fsum(p.seconds for p in ran),
        energy_wh=math.fsum(wh for wh, _ in known) if known else None,
        measured_wh=math.fsum(one for one in measured if one is not None) if known and None not in measured else None,
        energy_documents=sum(one.scores[0].n for _, one in known),
        making_seconds=making_seconds,
        making_wh=making_wh,
    )


def _energy(result: CellResult, watts: float | None) -> float | None:
    ran = result.provenance
    if ran.energy_wh is not None or watts is None:
        return ran.energy_wh
    return watts * ran.seconds / 3600.0


def _making(members: Sequence[CellResult]) -> tuple[float | None, float | None]:
    """Time and energy to make the models ready: all cells of one loading or training tell the same of it."""
    loads = {
        (one.cell.model.name, one.cell.model.variant, one.provenance.host, ran.load_seconds): ran.load_energy_wh
        for one in members
        for ran in (one.provenance,)
        if ran.load_seconds is not None
    }
    trainings = {of.folder: of for one in members if (of := one.provenance.tuning) is not None}
    if not loads and not trainings:
        return None, None
    energies = [*loads.values(), *(of.energy_wh for of in trainings.values())]
    known = [wh for wh in energies if wh is not None]
    seconds = [*(key[-1] for key in loads), *(of.seconds for of in trainings.values())]
    return math.fsum(seconds), math.fsum(known) if len(known) == len(energies) else None


def _same(values: Iterable[Any]) -> Any:
    """The value that all have; None where they differ."""
    found = {*values}
    return found.pop() if len(found) == 1 else None


def _place(row: CostRow) -> tuple[Any, ...]:
    return (
        row.family,
        row.task or "",
        row.shots or 0,
        row.prompt or "",
        row.variant is not None,
        row.variant or "",
        row.params or 0,
        row.model or "",
        str(row.run or ""),
        row.key or "",
    )
