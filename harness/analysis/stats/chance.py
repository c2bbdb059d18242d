"""The chance level of a metric, and scores on a common scale on which chance is 0 and a perfect score is 1.

Imports nothing heavy, because `emergence plan` needs the chance level and must start fast.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from statistics import fmean
from typing import TypeVar

from harness.analysis.stats.conventions import LUCKY_MATCHES
from harness.specs import MetricSpec

_Gold = TypeVar("_Gold")
_Predicted = TypeVar("_Predicted")


def normalised(value: float, metric: MetricSpec) -> float | None:
    """Chance-centred score (y - c) / (best - c); None when the metric has no chance level or no best.

    As in BIG-bench (Srivastava et al. 2022, section 3). The quotient rises with ability for a loss too, whose best
    value lies below chance. Scores below chance stay negative: cutting them at 0 would raise the mean of every model at
    chance.

    >>> normalised(0.625, MetricSpec(name="acc", chance=0.25))
    0.5
    >>> normalised(0.0, MetricSpec(name="acc", chance=0.5))
    -1.0
    """
    if metric.chance is None or metric.best is None or metric.best == metric.chance:
        return None
    return (value - metric.chance) / (metric.best - metric.chance)


def assumed_chance(chance: float) -> float:
    """The chance level that tests compare with: at least `LUCKY_MATCHES`."""
    return max(chance, LUCKY_MATCHES)


def label_prior_chance(labels: Sequence[Hashable]) -> float:
    """Accuracy of a guesser who knows only how often each label occurs: the share of the most frequent one.

    With k labels it is at least 1/k, the accuracy of a guesser who knows nothing.

    Args:
        labels: the correct label of each document; at least one.

    >>> label_prior_chance(["spam", "ham", "ham", "ham"])
    0.75
    """
    return max(Counter(labels).values()) / len(labels)


def empirical_chance(
    gold: Sequence[_Gold],
    predicted: Sequence[_Predicted],
    score: Callable[[Sequence[_Gold], Sequence[_Predicted]], float],
    *,
    permutations: int = 200,
    seed: int = 0,
) -> float:
    """Mean score of real predictions against the gold answers of other documents.

    No formula gives the chance level of F1 and similar metrics, which depends on how often the model gives each answer.
    Shuffling the gold answers keeps how often each answer is given and how often it is right, and breaks only the link
    between question and answer (permutation null distribution, Good 2005, "Permutation, Parametric and Bootstrap Tests
    of Hypotheses").

    Args:
        gold: correct answer of each document.
        predicted: answer of the model to each document, in the same order.
        score: the metric over all documents, as `score(gold, predicted)`.
        permutations: number of shuffles to average over.
        seed: seed of the shuffles; the same seed gives the same level.

    Raises:
        ValueError: the lengths differ.

    >>> def accuracy(gold, predicted):
    ...     return sum(g == p for g, p in zip(gold, predicted)) / len(gold)
    >>> empirical_chance("abab", "aaaa", accuracy)
    0.5
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold answers for {len(predicted)} predictions")
    draw = random.Random(seed)
    return fmean(score(draw.sample(gold, len(gold)), predicted) for _ in range(permutations))
