"""Headline curves tested in batches of equally many sizes, and tested again without each of their sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.growth import Counts, countable, counts_of, stacked
from harness.analysis.stats import PRACTICAL_EFFECT
from harness.analysis.verdict.curve_tests import LONE_RUN_SD, weigh, weigh_alone, worth_extrapolating
from harness.analysis.verdict.rules import decide
from harness.analysis.verdict.types import CurveTests, Decision, Flip, Levels
from harness.wording import counted

_FEWEST_TO_LEAVE_ONE = 5
"""With fewer sizes, leaving one out leaves too few to say anything."""
_FEWEST_TO_SEE_NOISE = 6
"""With fewer sizes, a curve does not show the noise between its training runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One headline curve as a member of a batch of curves that were tested together."""

    curve: Curve
    """The curve."""
    tests: CurveTests
    """The tests on the whole batch."""
    index: int
    """Which element of the arrays in `tests` is this curve's."""

    @property
    def counts(self) -> Counts | None:
        """This curve alone, as counts; None for scores that are no counts."""
        return None if self.tests.counts is None else self.tests.counts.rows([self.index])

    def is_there(self, sizes: int) -> bool:
        """True when each of so many of the smallest sizes, at least one, is reliably above chance."""
        return sizes > 0 and bool(self.tests.above[self.index, :sizes].all())

    def partner_sizes_below(self, found: Decision, partner: Curve) -> int:
        """How many sizes of the partner lie below the size from which on the ability is there.

        Either curve may lack a size of the other. All sizes when the ability is nowhere there; 0 when the partner has
        no size at which it is, because the whole range of the partner is then not known.

        Args:
            found: what the headline metric shows.
            partner: the continuous metric of the same answers.
        """
        position, points = self.curve.position, len(self.curve.points)
        absent = int(self.tests.first[self.index])
        if found.label == "emergent":
            held_out = self.tests.jump_held_out if found.rule == "broken" else self.tests.held_out
            absent = points - int(held_out[self.index])
        if absent == points:
            return len(partner.points)
        below = sum(at < position[absent] for at in partner.position)
        return below if below < len(partner.points) else 0


def tested(curves: Sequence[Curve], run_sd: float | None, tell: Callable[[str], None]) -> list[Member]:
    """The tests on every curve, in the order of the curves.

    Args:
        curves: of any number of sizes; those with equally many are tested together.
        run_sd: standard deviation between training runs at a score of one half.
        tell: is told of every batch.
    """
    members: dict[int, Member] = {}
    batches: dict[tuple[int, bool, bool], list[int]] = {}
    for place, curve in enumerate(curves):
        if countable(curve):
            batches.setdefault(_kind(curve), []).append(place)
        else:
            members[place] = Member(curve=curve, tests=weigh_alone(curve), index=0)
    for (sizes, decades, alone), places in batches.items():
        tell(f"tests on {counted(len(places), 'curve')} of {sizes} points, {len(members)} of {len(curves)} done")
        counts = counts_of([curves[place] for place in places], run_sd=run_sd)
        tests = weigh(counts, decades=decades, lone_run_sd=_lone_run_sd(sizes, run_sd) if alone else None)
        tests = replace(tests, unit=np.array([curves[place].metric.best or 1.0 for place in places]))
        for index, place in enumerate(places):
            members[place] = Member(curve=curves[place], tests=tests, index=index)
    return [members[place] for place in range(len(curves))]


def leave_one_out_flips(
    members: Sequence[Member],
    decisions: Sequence[Decision],
    levels: Levels,
    run_sd: float | None,
    tell: Callable[[str], None],
) -> list[tuple[Flip, ...] | None]:
    """For each curve the sizes without which its label would be another, before its partner is considered.

    None for a curve of too few sizes to leave one out.

    Args:
        members: the curves.
        decisions: what they show with all their sizes.
        levels: the largest p of each test that is significant.
        run_sd: standard deviation between training runs at a score of one half.
        tell: is told of every batch.
    """
    found: list[tuple[Flip, ...] | None] = [None] * len(members)
    batches: dict[tuple[int, bool, bool], list[int]] = {}
    for place, one in enumerate(members):
        if one.tests.counts is not None and len(one.curve.points) >= _FEWEST_TO_LEAVE_ONE:
            batches.setdefault(_kind(one.curve), []).append(place)
    for (sizes, decades, alone), places in batches.items():
        tell(f"the same without each point, {counted(len(places), 'curve')} of {sizes} points")
        lone_run_sd = _lone_run_sd(sizes, run_sd) if alone else None
        decisions_without = _without_each_size(
            [members[place] for place in places], levels, lone_run_sd, decades=decades
        )
        for place, without in zip(places, decisions_without, strict=True):
            models, label = members[place].curve.names, decisions[place].label
            found[place] = tuple(
                Flip(model, other.label) for model, other in zip(models, without, strict=True) if other.label != label
            )
    return found


def _without_each_size(
    members: Sequence[Member], levels: Levels, lone_run_sd: float | None, *, decades: bool
) -> list[list[Decision]]:
    """For each of some curves of equally many sizes, the decisions without the first size, the second, and so on.

    The arguments are those of `leave_one_out_flips` and `weigh`.
    """
    counts = stacked([one for member in members if (one := member.counts)])
    sizes = counts.sizes
    # All curves without their first size, then all without their second, and so on: one batch.
    kept = np.array([np.delete(np.arange(sizes), left_out) for left_out in range(sizes)])
    x, k, n = (np.concatenate([values[:, rest] for rest in kept]) for values in (counts.x, counts.k, counts.n))
    fewer = Counts(x=x, k=k, n=n, chance=np.tile(counts.chance, sizes))
    tests = weigh(
        fewer,
        foresee=worth_extrapolating(fewer, PRACTICAL_EFFECT),
        jumps=False,
        decades=decades,
        noise=np.tile([one.tests.dispersion[one.index] for one in members], sizes),
        lone_run_sd=lone_run_sd,
        needed=levels.jump,
    )

    def without(place: int, left_out: int) -> Decision:
        index = left_out * len(members) + place
        return decide(tests, index, members[place].curve.estimates[kept[left_out][-1]].n_known, levels)

    return [[without(place, left_out) for left_out in range(sizes)] for place in range(len(members))]


def none_if_nan(value: float) -> float | None:
    """The number, or None where it does not exist."""
    return None if np.isnan(value) else float(value)


def _kind(curve: Curve) -> tuple[int, bool, bool]:
    """What curves share that are tested together: number of sizes, an axis of decades, and no several runs of a size.

    With several runs of its sizes a curve shows the noise between them itself.
    """
    return (len(curve.points), curve.scale != "loss", curve.noise is None or not curve.noise.known)


def _lone_run_sd(sizes: int, run_sd: float | None) -> float | None:
    """Noise between runs to assume where curves of so many sizes cannot show theirs; None when they can."""
    return LONE_RUN_SD if sizes < _FEWEST_TO_SEE_NOISE and (run_sd or 0.0) < LONE_RUN_SD else None
