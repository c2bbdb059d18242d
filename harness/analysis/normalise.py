"""Scores on a common scale: 0 is chance, 1 is perfect."""

from __future__ import annotations

from harness.specs import MetricSpec


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
