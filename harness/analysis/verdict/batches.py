"""Headline curves with the evidence on them, weighed in batches, and again without each of their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.growth import Counts, countable, counts_of, stacked
from harness.analysis.stats import PRACTICAL_EFFECT
from harness.analysis.verdict.evidence import LONE_RUN_SD, Evidence, weigh, weigh_alone, worth_extrapolating
from harness.analysis.verdict.rules import answer
from harness.analysis.verdict.types import Answer, Flip

_FEWEST_TO_LEAVE_ONE = 5
"""Sizes below which leaving one out leaves too few to say anything."""
_FEWEST_TO_SEE_NOISE = 6
"""Sizes below which a curve does not show the noise between its training runs."""


class Case(NamedTuple):
    """One headline curve with the batch of evidence it is a row of."""

    curve: Curve
    """The curve."""
    of: Evidence
    """The evidence."""
    row: int
    """Its row there."""

    @property
    def counts(self) -> Counts | None:
        """The curve alone, as counts; None for scores that are no counts."""
        return None if self.of.counts is None else self.of.counts.rows([self.row])

    def partner_sizes_below(self, found: Answer, partner: Curve) -> int:
        """Sizes of the partner at which the ability is not there yet; either curve may lack a size of the other.

        0 when the partner has none at which the ability is there: what is its whole range then is not known.
        """
        position, points = self.curve.position, len(self.curve.points)
        absent = points - int(self.of.held_out[self.row]) if found.label == "emergent" else int(self.of.first[self.row])
        if absent == points:
            return len(partner.points)
        below = sum(at < position[absent] for at in partner.position)
        return below if below < len(partner.points) else 0


def weighed(curves: Sequence[Curve], run_sd: float) -> list[Case]:
    """Evidence on every curve, curves of equally many sizes weighed together."""
    cases: dict[int, Case] = {}
    batches: dict[tuple[int, bool], list[int]] = {}
    for place, curve in enumerate(curves):
        if countable(curve):
            batches.setdefault((len(curve.points), curve.scale == "loss"), []).append(place)
        else:
            cases[place] = Case(curve, weigh_alone(curve), 0)
    for (sizes, loss), places in batches.items():
        counts = counts_of([curves[place] for place in places], run_sd=run_sd)
        of = weigh(counts, decades=not loss, lone_run_sd=_lone(sizes, run_sd))
        cases.update({place: Case(curves[place], of, row) for row, place in enumerate(places)})
    return [cases[place] for place in range(len(curves))]


def flips(
    cases: Sequence[Case], answers: Sequence[Answer], trend_level: float, top_level: float, run_sd: float
) -> list[tuple[Flip, ...]]:
    """Leave each size out in turn and ask again; before the continuous metric is heard."""
    found: list[tuple[Flip, ...]] = [()] * len(cases)
    batches: dict[tuple[int, bool], list[int]] = {}
    for place, case in enumerate(cases):
        sizes = len(case.curve.points)
        if case.of.counts is not None and sizes >= _FEWEST_TO_LEAVE_ONE:
            batches.setdefault((sizes, case.curve.scale != "loss"), []).append(place)
    for (sizes, decades), places in batches.items():
        counts = stacked([one for place in places if (one := cases[place].counts)])
        # All curves without their first size, then all without their second, and so on: one batch.
        kept = np.array([np.delete(np.arange(sizes), left_out) for left_out in range(sizes)])
        x, k, n = (np.concatenate([values[:, rest] for rest in kept]) for values in (counts.x, counts.k, counts.n))
        fewer = Counts(x=x, k=k, n=n, chance=np.tile(counts.chance, sizes))
        of = weigh(
            fewer,
            foresee=worth_extrapolating(fewer, PRACTICAL_EFFECT),
            jumps=False,
            decades=decades,
            noise=np.tile([cases[place].of.dispersion[cases[place].row] for place in places], sizes),
            lone_run_sd=_lone(sizes, run_sd),
        )
        for at, place in enumerate(places):
            curve = cases[place].curve
            labels = [
                answer(
                    of,
                    row,
                    curve.n[kept[left_out][-1]],
                    trend=below(number(of.p_trend[row]), trend_level, ties=True),
                    top=below(number(of.p_top[row]), top_level, ties=True),
                ).label
                for left_out in range(sizes)
                for row in (left_out * len(places) + at,)
            ]
            found[place] = tuple(
                Flip(model, label)
                for model, label in zip(curve.models, labels, strict=True)
                if label != answers[place].label
            )
    return found


def number(value: float) -> float | None:
    """None for what does not exist."""
    return None if np.isnan(value) else float(value)


def below(p: float | None, level: float, *, ties: bool = False) -> bool:
    """True when there is a p and it is below a level, or at it where ties count."""
    return p is not None and (p < level or (ties and p == level))


def _lone(sizes: int, run_sd: float) -> float | None:
    return LONE_RUN_SD if sizes < _FEWEST_TO_SEE_NOISE and run_sd < LONE_RUN_SD else None
