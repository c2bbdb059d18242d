"""Results of others beside one's own: what is comparable joins one's curves, the rest is kept apart and counted.

A published result joins a curve only where family, task, shots, prompt and every condition of the curve are equal, and
where its metrics are read alike. All others keep curves of their own, which carry the name of their source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.analysis.curves.join import curves_of, headlined
from harness.analysis.curves.scale import Scale
from harness.analysis.curves.types import Curve, Measurement
from harness.wording import counted, cut

_NAMED_REASONS = 4
"""Reasons that are named, those of most results first."""


class OthersResults(NamedTuple):
    """Results that one's own are compared with."""

    name: str
    """What people call them: file or folder, and the program that wrote it."""
    measured: tuple[Measurement, ...]
    """Their scores."""
    ranked: bool = True
    """Whether they say which metric of a task is the headline; False for a table of another program."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What became of the results of others."""

    name: str
    """What people call them."""
    joined: int
    """Results that joined curves of one's own, and so count in verdicts."""
    known: int
    """Results that one's own folder has too, which count once."""
    apart: Mapping[str, int]
    """Why results are kept apart, as what differs -> number of results."""
    curves: tuple[Curve, ...]
    """The curves of those kept apart."""

    def sentence(self) -> str:
        """What became of them, in one line."""
        kept = sum(self.apart.values())
        parts = [f"{counted(self.joined, 'result')} joined to curves and verdicts"] if self.joined else []
        parts += [f"{counted(self.known, 'result')} already among one's own"] if self.known else []
        if kept:
            most = Counter(self.apart).most_common()
            why = ", ".join(f"{reason} ({number})" for reason, number in most[:_NAMED_REASONS])
            more = f" and {len(most) - _NAMED_REASONS} more reasons" if len(most) > _NAMED_REASONS else ""
            parts.append(f"{counted(kept, 'result')} kept apart, drawn but not judged; what differs: {why}{more}")
        return f"{self.name}: {'; '.join(parts) or 'no score'}"


class WithOthers(NamedTuple):
    """One's own measurements with those of others that join them, and what became of the rest."""

    measured: tuple[Measurement, ...]
    """One's own, and those that join."""
    compared: tuple[Compared, ...]
    """One for each source."""


def with_others(own: Sequence[Measurement], others: Iterable[OthersResults], *, scale: Scale) -> WithOthers:
    """Join what is comparable to one's own measurements, and draw up the curves of the rest.

    Args:
        own: one's own measurements.
        others: results of others, source by source.
        scale: the x axis of the curves of the rest.
    """
    mine = _Mine(own)
    compared = []
    for source in others:
        joined, known, reasons, rest = 0, 0, Counter[str](), []
        for one in source.measured:
            if one.failure is not None:
                continue
            if (reason := mine.differs(one)) is not None:
                reasons[reason] += 1
                rest.append(one)
            elif mine.add(one):
                joined += 1
            else:
                known += 1
        drawn = curves_of(rest, scale=scale)
        drawn = tuple(replace(curve, source=source.name) for curve in (drawn if source.ranked else headlined(drawn)))
        compared.append(Compared(name=source.name, joined=joined, known=known, apart=dict(reasons), curves=drawn))
    return WithOthers(mine.measured, tuple(compared))


def overlaid(own: Iterable[Curve], others: Iterable[Curve]) -> tuple[Curve, ...]:
    """The curves of others that belong into figures of one's own: of the same task, shots and metric.

    They get the suite, the kind and the rank of the metric from one's own curve, by which figures are sorted.
    """
    places = {(curve.task, curve.shots, curve.metric.name): curve for curve in own}
    found = ((curve, places.get((curve.task, curve.shots, curve.metric.name))) for curve in others)
    return tuple(replace(c, suite=at.suite, kind=at.kind, rank=at.rank) for c, at in found if at is not None)


class _Mine:
    """One's own measurements by what must be equal."""

    def __init__(self, own: Sequence[Measurement]) -> None:
        self._own = list(own)
        self._alike: dict[tuple[object, ...], Measurement] = {}
        self._identities = {_identity(one) for one in own if one.failure is None}
        self._asked: dict[tuple[str, int], list[Measurement]] = {}
        for one in own:
            if one.failure is None and _question(one) not in self._alike:
                self._alike[_question(one)] = one
                self._asked.setdefault((one.task, one.shots), []).append(one)
        self._tasks = {one.task for one in own}

    @property
    def measured(self) -> tuple[Measurement, ...]:
        """All that there is by now."""
        return tuple(self._own)

    def differs(self, one: Measurement) -> str | None:
        """What keeps a measurement of others from every curve; None when it may join one."""
        alike = self._alike.get(_question(one))
        if alike is not None:
            ours, theirs = ({m.name: m for m in each.metrics} for each in (alike, one))
            differ = [name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]]
            if alike.metrics[0].name in theirs and not differ:
                return None
            return "metric" if alike.metrics[0].name not in theirs else "chance level or range of the metric"
        if one.task not in self._tasks:
            return "task"
        asked = self._asked.get((one.task, one.shots))
        if asked is None:
            return "shots"
        family = [each for each in asked if each.family == one.family]
        if not family:
            return "family"
        return min((_differing(each, one) for each in family), key=lambda text: text.count(","))

    def add(self, one: Measurement) -> bool:
        """Join a measurement that may; False when it is there already."""
        if _identity(one) in self._identities:
            return False
        self._identities.add(_identity(one))
        alike = self._alike[_question(one)]
        self._own.append(replace(one, conditions=alike.conditions, metrics=alike.metrics))
        return True


def _question(one: Measurement) -> tuple[object, ...]:
    return (*one.setting, frozenset(one.conditions))


def _identity(one: Measurement) -> tuple[object, ...]:
    return (_question(one), one.model, one.stage, one.run, one.seed)


def _differing(own: Measurement, other: Measurement) -> str:
    """The conditions in which two measurements differ, or of which the other says nothing."""
    ours, theirs = dict(own.conditions), dict(other.conditions)
    names = ["prompt"] if own.prompt != other.prompt else []
    names += [name for name in ours if name in theirs and ours[name] != theirs[name]]
    names += [name for name in theirs if name not in ours]
    silent = [name for name in ours if name not in theirs]
    said = [", ".join(names)] if names else []
    return cut("; ".join([*said, *([f"{', '.join(silent)} not said"] if silent else [])]), 120)
