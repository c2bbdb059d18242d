"""Numbers as people read them: scales, scores, probabilities. One place, so that every table and sentence agrees."""

from __future__ import annotations

import math

_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_LARGEST_WORD = 1e15
"""Above this no suffix is common, and scientific notation is what papers print (FLOPs)."""


def size(value: float) -> str:
    """A count in three digits at most, with the suffix model names use.

    >>> size(184_320), size(1_100_000), size(2.8e9), size(512), size(2.4e22)
    ('184k', '1.1M', '2.8B', '512', '2.4e22')
    """
    if value >= _LARGEST_WORD:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    for unit, suffix in _SUFFIXES:
        # 999.5k would print as 1000k: it belongs to the next unit.
        if value >= unit * 0.9995:
            return f"{_three_digits(value / unit)}{suffix}"
    return _three_digits(value)


def score(value: float | None) -> str:
    """A score with three decimals; empty when there is none.

    >>> score(0.25), score(-12.3456), score(None)
    ('0.250', '-12.346', '')
    """
    return "" if value is None or math.isnan(value) else f"{value:.3f}"


def probability(p: float | None) -> str:
    """A p or q value with its sign of relation, as it stands in a sentence after its name.

    >>> probability(0.0312), probability(1e-9), probability(0.5), probability(None)
    ('= 0.031', '< 0.001', '= 0.50', 'unknown')
    """
    if p is None:
        return "unknown"
    if p < 0.001:
        return "< 0.001"
    return f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def _three_digits(value: float) -> str:
    decimals = max(0, 2 - math.floor(math.log10(value))) if value >= 1 else 2
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
