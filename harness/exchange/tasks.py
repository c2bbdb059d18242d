"""What is known of public tasks beyond their scores: kind of ability, score of a guess, number of documents."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

import yaml

from harness.errors import HarnessError
from harness.exchange.types import Published, PublishedScore
from harness.plausible import SMALLER_IS_BETTER, SMOOTH, UNBOUNDED, is_share, words_of
from harness.specs import Kind, MetricSpec
from harness.wording import quoted


class KnownTask(NamedTuple):
    """A public task."""

    kind: Kind
    """Kind of ability."""
    chance: float | None
    """Score of a guess; None where it is not the same for all documents."""
    n: int | None
    """Documents in the split that lm-eval evaluates; None where it is not known."""
    dataset: str | None
    """Its data set on the hub; None where it is not known, or not one."""
    part: str | None
    """Configuration of the data set; None where it has a single one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownTasks:
    """The table of known tasks, with what the user adds to it."""

    chances: Mapping[str, float] = field(default_factory=dict)
    """Task -> score of a guess, as the user says; it goes before the table and before the number of options."""

    def kind(self, result: Published) -> Kind | None:
        """Kind of ability, None where it is not known."""
        if result.cell is not None:
            return result.cell.kind
        known = known_task(result.task)
        return result.kind or (None if known is None else known.kind)

    def chance(self, result: Published) -> float | None:
        """Score of a guess at a task: as the user says, else by the options of its documents, else by the table.

        It is 0 where there are no options to choose from.
        """
        if (told := self.chances.get(result.task)) is not None:
            return told
        metrics = result.metrics if result.cell is None else result.cell.metrics
        if metrics:
            return metrics[0].chance
        if result.options is not None:
            return 1 / result.options
        if result.has_options is False:
            return 0.0
        known = known_task(result.task)
        return None if known is None else known.chance

    def metrics(self, result: Published, beyond: Set[str] = frozenset()) -> tuple[MetricSpec, ...]:
        """How the metrics of a result are to be read; sharp ones come first, in the order of the result.

        Args:
            result: the result.
            beyond: metrics of which some score lies beyond 0 to 1, so that they are no shares.
        """
        if {metric.name for metric in result.metrics} == {score.metric for score in result.scores}:
            return result.metrics
        chance = self.chance(result)
        specs = [_metric(score, chance, beyond) for score in result.scores]
        return tuple(sorted(specs, key=lambda spec: spec.continuous))


def _metric(score: PublishedScore, chance: float | None, beyond: Set[str]) -> MetricSpec:
    name = score.metric.partition(",")[0]
    words = words_of(name)
    continuous = bool(words & SMOOTH)
    higher = score.higher_is_better
    if higher is None:
        higher = not words & SMALLER_IS_BETTER
    bounded = is_share(name) or not (words & UNBOUNDED or score.metric in beyond or continuous)
    best = score.best if score.best is not None else float(higher) if bounded else None
    return MetricSpec(
        name=score.metric,
        higher_is_better=higher,
        chance=chance * best if chance is not None and best and higher and not continuous else None,
        best=best,
        continuous=continuous,
    )


@lru_cache(maxsize=4096)
def known_task(name: str) -> KnownTask | None:
    """What the table says of a task; None where it is not in it. `arc:easy` of lighteval is `arc_easy` there."""
    name = name.replace(":", "_")
    for pattern, known in _table():
        if pattern.fullmatch(name):
            return known
    return None


@cache
def _table() -> tuple[tuple[re.Pattern[str], KnownTask], ...]:
    text = (resources.files("harness.exchange") / "known_tasks.yaml").read_text(encoding="utf-8")
    return tuple(
        (re.compile(names), KnownTask(row["kind"], *map(row.get, ("chance", "n", "dataset", "part"))))
        for names, row in yaml.safe_load(text).items()
    )


def told_chances(texts: tuple[str, ...] | list[str]) -> dict[str, float]:
    """Task -> score of a guess, from texts such as `arc_easy=0.25`.

    Raises:
        HarnessError: a text is none, or the score is not between 0 and 1.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            chance: Any = float(value)
        except ValueError:
            chance = None
        if not name or chance is None or not 0 <= chance <= 1:
            raise HarnessError(f"--chance is {quoted(text)}; expected TASK=SCORE, such as arc_easy=0.25")
        found[name] = chance
    return found
