"""The answer in short: how many abilities of a family do what, and which of them a reader should look at first.

An ability is a task in one setting, such as a number of demonstrations: each has a curve and a verdict of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from harness.analysis.verdict.types import ABOVE_CHANCE, FORMAT_ARTEFACT, NOT_ABOVE_CHANCE, Judged, Verdict
from harness.analysis.verdict.words import UNITS, shown_change, threshold_text
from harness.wording import count, counted, score, signed

Does = Literal[
    "emerges",
    "artefact",
    "turns down",
    "turns up",
    "falls",
    "falls above chance",
    "rises",
    "rises below chance",
    "flat above chance",
    "flat",
    "open",
]
"""What an ability does over the sizes of a family, in the order in which readers look for it."""
_VERBS: Mapping[Does, tuple[str, str]] = {
    "emerges": ("appears abruptly", "appear abruptly"),
    "rises": ("rises", "rise"),
    "rises below chance": ("rises without getting above chance", "rise without getting above chance"),
    "turns up": ("falls and then rises", "fall and then rise"),
    "turns down": ("rises and then falls", "rise and then fall"),
    "falls above chance": ("falls but is still above chance", "fall but are still above chance"),
    "falls": ("falls", "fall"),
    "artefact": (
        "only seems to jump or to stay flat, by the way it is measured",
        "only seem to jump or to stay flat, by the way they are measured",
    ),
    "flat above chance": ("stays flat above chance", "stay flat above chance"),
    "flat": ("stays flat", "stay flat"),
    "open": ("cannot be judged", "cannot be judged"),
}
"""What is said of one ability, and of several."""
_SILENT: frozenset[Does] = frozenset({"flat above chance", "flat", "open"})
"""What nobody looks for first."""


class Alike(NamedTuple):
    """The abilities of a family that do the same."""

    does: Does
    """What they do."""
    number: int
    """How many there are, at least one."""
    text: str
    """Both in words: `3 appear abruptly`."""


class Finding(NamedTuple):
    """One task that a reader should look at, by the setting in which it shows most."""

    judged: Judged
    """The curve and its verdict."""
    does: Does
    """What it does."""
    settings: int
    """In how many settings of the task it does so."""
    of_settings: int
    """Number of settings of the task."""
    sentence: str
    """What the curve shows, in one sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FamilyFindings:
    """What the curves of one family show."""

    family: str
    """Family name."""
    abilities: int
    """Number of curves with a verdict: tasks in their settings."""
    tasks: int
    """Number of tasks."""
    groups: tuple[Alike, ...]
    """What the abilities do, those that readers look for first in front."""
    matters: tuple[Finding, ...]
    """The tasks that do more than stay flat, those that matter most in front."""
    to_come: int
    """Number of cells that a run is still to evaluate; verdicts are provisional while there are any."""

    @property
    def sentence(self) -> str:
        """The whole answer, such as `Of 57 abilities 3 appear abruptly, 29 rise and 25 stay flat`."""
        said = [group.text for group in self.groups]
        listed = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
        return f"Of {counted(self.abilities, 'ability', 'abilities')} {listed}."

    @property
    def counts_what(self) -> str:
        """What an ability is here, where tasks have several: `19 tasks, each in every setting that it was asked in`."""
        if self.abilities == self.tasks:
            return ""
        return (
            f"{counted(self.tasks, 'task')}; an ability is a task in one setting, such as a number of demonstrations."
        )

    @property
    def provisional(self) -> str:
        """Says that verdicts can still change; empty when nothing is to come."""
        if not self.to_come:
            return ""
        verb = "is" if self.to_come == 1 else "are"
        return f"Provisional: a run goes on, and {counted(self.to_come, 'cell')} of this family {verb} still to come."


def findings(judged: Iterable[Judged], *, to_come: Mapping[str, int] | None = None) -> tuple[FamilyFindings, ...]:
    """What the curves of each family show, by name of the family.

    Args:
        judged: all judged together.
        to_come: family -> number of cells that a run is still to evaluate; None for none.
    """
    families: dict[str, list[Judged]] = {}
    for row in judged:
        families.setdefault(row.curve.family, []).append(row)
    return tuple(_family(name, rows, (to_come or {}).get(name, 0)) for name, rows in sorted(families.items()))


def does(verdict: Verdict) -> Does:
    """What an ability does, by its label and qualifiers."""
    qualifiers = (verdict.qualifier or "").split()
    if FORMAT_ARTEFACT in qualifiers:
        return "artefact"
    match verdict.label:
        case "emergent":
            return "emerges"
        case "metric-artefact":
            return "artefact"
        case "u-shaped":
            return "turns up"
        case "inverted-u":
            return "turns down"
        case "inverse":
            return "falls above chance" if ABOVE_CHANCE in qualifiers else "falls"
        case "smooth":
            return "rises below chance" if NOT_ABOVE_CHANCE in qualifiers else "rises"
        case "flat-above-chance":
            return "flat above chance"
        case "flat":
            return "flat"
        case "inconclusive":
            return "open"


def _family(name: str, rows: Sequence[Judged], to_come: int) -> FamilyFindings:
    counts = Counter(does(row.verdict) for row in rows)
    return FamilyFindings(
        family=name,
        abilities=len(rows),
        tasks=len({row.curve.task for row in rows}),
        groups=tuple(Alike(what, counts[what], _said(what, rows)) for what in _VERBS if counts[what]),
        matters=_matters(rows),
        to_come=to_come,
    )


def _said(what: Does, rows: Sequence[Judged]) -> str:
    those = [row.verdict for row in rows if does(row.verdict) == what]
    text = f"{count(len(those))} {_VERBS[what][len(those) > 1]}"
    unsure = sum("unconfirmed" in (verdict.qualifier or "").split() for verdict in those)
    if not unsure:
        return text
    which = "by" if unsure == len(those) else f"{count(unsure)} of them by"
    return f"{text} ({which} a single training run)"


def _matters(rows: Sequence[Judged]) -> tuple[Finding, ...]:
    """One finding for each task, by what it does and then by how sure and how large that is."""
    settings = Counter(row.curve.task for row in rows)
    alike = Counter((row.curve.task, does(row.verdict)) for row in rows)
    first: dict[str, Judged] = {}
    for row in sorted(rows, key=_weight):
        if does(row.verdict) not in _SILENT:
            first.setdefault(row.curve.task, row)
    return tuple(
        Finding(row, what, alike[task, what], settings[task], in_short(row))
        for task, row in first.items()
        for what in (does(row.verdict),)
    )


def _weight(row: Judged) -> tuple[object, ...]:
    """Ascending from what matters most."""
    verdict, curve = row.verdict, row.curve
    metric = curve.metric
    extent = abs((metric.best or 0.0) - (metric.chance or 0.0)) or 1.0
    qualifiers = (verdict.qualifier or "").split()
    return (
        get_args(Does).index(does(verdict)),
        "unconfirmed" in qualifiers,
        "format-artefact" in qualifiers,
        "sharp" not in qualifiers,
        -abs(shown_change(curve, verdict.evidence) or 0.0) / extent,
        curve.task,
        curve.shots,
        curve.circumstances,
    )


def in_short(row: Judged) -> str:
    """What one curve shows, in one sentence with its numbers."""
    curve, verdict = row.curve, row.verdict
    ends = f"from {score(curve.y[0])} to {score(curve.y[-1])}"
    where = threshold_text(row)
    at = f"; sets in at {where} {UNITS[curve.scale]}" if where else ""
    chance = "" if curve.metric.chance is None else f" (chance {score(curve.metric.chance)})"
    rises, falls = ("rises", "falls") if curve.metric.higher_is_better else ("improves", "gets worse")
    match does(verdict):
        case "emerges":
            sizes = "checkpoints" if curve.of_checkpoints else "sizes"
            there = f"{score(curve.y[-1])} at {curve.names[-1]}{chance}"
            return f"Absent in the smaller {sizes}, {there}, and not foreseen{at}."
        case "artefact":
            if verdict.label != "metric-artefact":
                other = "the same documents asked in the other format show it earlier"
                return f"{curve.metric.name} goes {ends}{chance}, while {other}."
            partner = verdict.partner_trend
            what = "a continuous metric" if partner is None else partner.metric
            everywhere = partner is not None and partner.sizes_below == partner.sizes
            when = "improves all along" if everywhere else "already improved before"
            return f"{curve.metric.name} goes {ends}, while {what} of the same answers {when}."
        case "turns down":
            return f"{rises.capitalize()} to {score(_extreme(row))} and then {falls} to {score(curve.y[-1])}{chance}."
        case "turns up":
            return f"{falls.capitalize()} to {score(_extreme(row))} and then {rises} to {score(curve.y[-1])}{chance}."
        case "falls":
            return f"{falls.capitalize()} {_way(row, ends)}{chance}."
        case "falls above chance":
            return f"{falls.capitalize()} {_way(row, ends)}, still above chance{chance}."
        case "rises":
            return f"{rises.capitalize()} {_way(row, ends)}{chance}{at}."
        case "rises below chance":
            return f"{rises.capitalize()} {_way(row, ends)}, never above chance{chance}."
        case "flat above chance":
            return f"Stays above chance, {ends}{chance}."
        case "flat":
            return f"No change: {ends}{chance}."
        case "open":
            return verdict.reasons[0]


def _way(row: Judged, ends: str) -> str:
    """The scores of the smallest and the largest size, where these changed as the whole curve does; else its change."""
    curve = row.curve
    change = shown_change(curve, row.verdict.evidence) or 0.0
    gained = (curve.y[-1] - curve.y[0]) * (1 if curve.metric.higher_is_better else -1)
    return ends if gained * change > 0 else f"on the whole, by {signed(change)}"


def _extreme(row: Judged) -> float:
    """The score at which a curve turns."""
    curve = row.curve
    highest = (row.verdict.label == "inverted-u") == curve.metric.higher_is_better
    return max(curve.y) if highest else min(curve.y)
