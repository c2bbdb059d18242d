"""Scores on a common scale: 0 is chance, 1 is perfect. And what chance is, where it cannot be read off the options.

Imports nothing heavy: `emergence plan` needs the chance level and must start fast.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from statistics import fmean
from typing import TypeVar

from harness.specs import MetricSpec

LUCKY_MATCHES = 0.005
"""Chance level assumed at least in tests: with 0, a single lucky match in a thousand would be "significant"."""

_Gold = TypeVar("_Gold")
_Predicted = TypeVar("_Predicted")


def normalised(value: float, metric: MetricSpec) -> float | None:
    """Chance-centred score (y - c) / (best - c); None when the metric has no chance level or no best.

    The direction needs no flag: for a loss `best` lies below chance and the quotient still rises with ability.
    Never clipped at 0, because cutting off bad luck would raise the mean of every model at chance
    (centring as in BIG-bench, Srivastava et al. 2022, section 3).

    >>> normalised(0.625, MetricSpec(name="acc", chance=0.25))
    0.5
    >>> normalised(0.0, MetricSpec(name="acc", chance=0.5))
    -1.0
    """
    if metric.chance is None or metric.best is None or metric.best == metric.chance:
        return None
    return (value - metric.chance) / (metric.best - metric.chance)


def tested_chance(chance: float) -> float:
    """The chance level used in tests: at least `LUCKY_MATCHES`."""
    return max(chance, LUCKY_MATCHES)


def label_prior_chance(labels: Sequence[Hashable]) -> float:
    """Accuracy of a guesser who knows only how often each label occurs: the share of the most frequent one.

    With k labels this is never less than 1/k, the accuracy of a guesser who knows nothing.

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

    For F1 and its kin no formula gives the chance level: it depends on how often the model answers what. Shuffling
    the gold answers keeps both habits, of the model and of the data, and cuts only the tie between question and
    answer (permutation null distribution, Good 2005, "Permutation, Parametric and Bootstrap Tests of Hypotheses").

    Args:
        gold: correct answer of each document.
        predicted: answer of the model to each document, in the same order.
        score: the metric over all documents, as `score(gold, predicted)`.
        permutations: shuffles to average over.
        seed: of the shuffles; the same seed gives the same level.

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
