"""Headline curves tested in batches of equally many sizes, and tested again without each of their sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.growth import Counts, countable, counts_of, stacked
from harness.analysis.stats import PRACTICAL_EFFECT, Array
from harness.analysis.verdict.curve_tests import LONE_RUN_SD, weigh, weigh_alone, worth_extrapolating
from harness.analysis.verdict.rules import decide
from harness.analysis.verdict.types import CurveTests, Decision, Flip, Levels
from harness.wording import counted

_FEWEST_TO_LEAVE_ONE = 5
"""With fewer sizes, leaving one out leaves too few to say anything."""
_FEWEST_TO_SEE_NOISE = 6
"""With fewer sizes, a curve does not show the noise between its training runs."""
_TOGETHER = 250
"""Most curves of a batch. In a larger one a step of the search touches more memory than a processor keeps at hand, and
batches are what processes share out."""

_T = TypeVar("_T")


class Each(Protocol):
    """Calls a function once with each of some arguments, and gives the answers in their order."""

    def __call__(self, function: Callable[..., _T], arguments: Sequence[tuple[Any, ...]], /) -> Iterable[_T]:
        """The function is one of a module, and it, its arguments and answers can be pickled."""
        ...


def one_by_one(function: Callable[..., _T], arguments: Sequence[tuple[Any, ...]], /) -> Iterable[_T]:
    """One call after the other, see `Each`."""
    return (function(*one) for one in arguments)


class BatchKind(NamedTuple):
    """What curves have in common that are tested together."""

    sizes: int
    """How many sizes they have."""
    decades: bool
    """The axis counts in decades."""
    alone: bool
    """No size has several runs; with some of them a curve shows the noise between them itself."""

    def lone_run_sd(self, run_sd: float | None) -> float | None:
        """Noise between runs to assume where curves cannot show theirs; None when they can."""
        assumed = self.alone and self.sizes < _FEWEST_TO_SEE_NOISE and (run_sd or 0.0) < LONE_RUN_SD
        return LONE_RUN_SD if assumed else None


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


def tested(curves: Sequence[Curve], run_sd: float | None, tell: Callable[[str], None], each: Each) -> list[Member]:
    """The tests on every curve, in the order of the curves.

    Args:
        curves: of any number of sizes; those with equally many are tested together.
        run_sd: standard deviation between training runs at a score of one half.
        tell: is told what is tested.
        each: calls the tests of each batch.
    """
    countables = [place for place, curve in enumerate(curves) if countable(curve)]
    batches = list(in_batches(countables, [_kind(curves[place]) for place in countables]))
    arguments = [
        (counts_of([curves[place] for place in places], run_sd=run_sd), kind.decades, kind.lone_run_sd(run_sd))
        for kind, places in batches
    ]
    members: dict[int, Member] = {}
    for (kind, places), tests in zip(batches, each(_weighed, arguments), strict=True):
        tell(f"tests on {counted(len(places), 'curve')} of {kind.sizes} points, {len(members)} of {len(curves)} done")
        units = np.array([curves[place].metric.best or 1.0 for place in places])
        of_batch = replace(tests, unit=units)
        for index, place in enumerate(places):
            members[place] = Member(curve=curves[place], tests=of_batch, index=index)
    return [
        members.get(place) or Member(curve=curve, tests=weigh_alone(curve), index=0)
        for place, curve in enumerate(curves)
    ]


def _weighed(counts: Counts, decades: bool, lone_run_sd: float | None) -> CurveTests:
    return weigh(counts, decades=decades, lone_run_sd=lone_run_sd)


def leave_one_out_flips(
    members: Sequence[Member],
    decisions: Sequence[Decision],
    levels: Levels,
    run_sd: float | None,
    tell: Callable[[str], None],
    each: Each,
) -> list[tuple[Flip, ...] | None]:
    """For each curve the sizes without which its label would be another, before its partner is considered.

    None for a curve of too few sizes to leave one out.

    Args:
        members: the curves.
        decisions: what they show with all their sizes.
        levels: the largest p of each test that is significant.
        run_sd: standard deviation between training runs at a score of one half.
        tell: is told what is tested.
        each: calls the tests of each batch.
    """
    enough = [
        place
        for place, one in enumerate(members)
        if one.tests.counts is not None and len(one.curve.points) >= _FEWEST_TO_LEAVE_ONE
    ]
    batches = list(in_batches(enough, [_kind(members[place].curve) for place in enough]))
    arguments = []
    for kind, places in batches:
        some = [members[place] for place in places]
        counts = stacked([one for member in some if (one := member.counts)])
        noise = np.array([one.tests.dispersion[one.index] for one in some])
        arguments.append((counts, noise, kind.decades, kind.lone_run_sd(run_sd), levels.jump))
    found: list[tuple[Flip, ...] | None] = [None] * len(members)
    for (kind, places), tests in zip(batches, each(_weighed_without_each, arguments), strict=True):
        tell(f"the same without each point, {counted(len(places), 'curve')} of {kind.sizes} points")
        for index, place in enumerate(places):
            curve, label = members[place].curve, decisions[place].label
            without = _decisions_without(tests, index, curve, levels)
            found[place] = tuple(
                Flip(model, other.label)
                for model, other in zip(curve.names, without, strict=True)
                if other.label != label
            )
    return found


def _weighed_without_each(
    counts: Counts, noise: Array, decades: bool, lone_run_sd: float | None, needed: float
) -> CurveTests:
    """The tests on all curves without their first size, then on all without their second, and so on: one batch.

    The arguments are those of `weigh`; the noise is that of the whole curves.
    """
    sizes = counts.sizes
    x, k, n = (
        np.concatenate([np.delete(values, left_out, axis=1) for left_out in range(sizes)])
        for values in (counts.x, counts.k, counts.n)
    )
    fewer = Counts(x=x, k=k, n=n, chance=np.tile(counts.chance, sizes))
    return weigh(
        fewer,
        foresee=worth_extrapolating(fewer, PRACTICAL_EFFECT),
        jumps=False,
        decades=decades,
        noise=np.tile(noise, sizes),
        lone_run_sd=lone_run_sd,
        needed=needed,
    )


def _decisions_without(tests: CurveTests, index: int, curve: Curve, levels: Levels) -> list[Decision]:
    """What one curve of `_weighed_without_each` shows without its first size, its second, and so on."""
    sizes = len(curve.points)
    curves = len(tests.unit) // sizes
    known = [estimate.n_known for estimate in curve.estimates]
    return [
        decide(tests, left_out * curves + index, known[-2 if left_out == sizes - 1 else -1], levels)
        for left_out in range(sizes)
    ]


def none_if_nan(value: float) -> float | None:
    """The number, or None where it does not exist."""
    return None if np.isnan(value) else float(value)


def in_batches(places: Sequence[int], kinds: Sequence[_T]) -> Iterator[tuple[_T, list[int]]]:
    """Places of one kind together, at most `_TOGETHER` of them, in batches of one size, give or take one.

    Args:
        places: places of curves.
        kinds: the kind of each of them.
    """
    alike: dict[_T, list[int]] = {}
    for place, kind in zip(places, kinds, strict=True):
        alike.setdefault(kind, []).append(place)
    for kind, some in alike.items():
        batches = math.ceil(len(some) / _TOGETHER)
        ends = [len(some) * batch // batches for batch in range(batches + 1)]
        for first, end in pairwise(ends):
            yield kind, some[first:end]


def _kind(curve: Curve) -> BatchKind:
    alone = curve.noise is None or not curve.noise.known
    return BatchKind(sizes=len(curve.points), decades=curve.scale != "loss", alone=alone)
