"""How sure is a number? Intervals, tests, power, distributions and the common scale of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazy_names

if TYPE_CHECKING:
    from harness.analysis.stats.normalise import LUCKY_MATCHES, normalised
    from harness.analysis.stats.power import (
        ALPHA,
        POWER,
        PRACTICAL_EFFECT,
        Resolution,
        minimum_detectable_effect,
        resolution,
    )
    from harness.analysis.stats.types import (
        CONFIDENCE,
        FEWEST_SIZES_FOR_A_TREND,
        Array,
        Estimate,
        Index,
        Mask,
        Trend,
        Trends,
    )
    from harness.analysis.stats.uncertainty import (
        above_chance_p,
        benjamini_hochberg,
        estimate,
        interval,
        paired_difference,
        trend,
        trends,
    )

__all__ = [
    "ALPHA",
    "CONFIDENCE",
    "FEWEST_SIZES_FOR_A_TREND",
    "LUCKY_MATCHES",
    "POWER",
    "PRACTICAL_EFFECT",
    "Array",
    "Estimate",
    "Index",
    "Mask",
    "Resolution",
    "Trend",
    "Trends",
    "above_chance_p",
    "benjamini_hochberg",
    "estimate",
    "interval",
    "minimum_detectable_effect",
    "normalised",
    "paired_difference",
    "resolution",
    "trend",
    "trends",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ALPHA": "power",
        "Array": "types",
        "CONFIDENCE": "types",
        "Estimate": "types",
        "FEWEST_SIZES_FOR_A_TREND": "types",
        "Index": "types",
        "LUCKY_MATCHES": "normalise",
        "Mask": "types",
        "POWER": "power",
        "PRACTICAL_EFFECT": "power",
        "Resolution": "power",
        "Trend": "types",
        "Trends": "types",
        "above_chance_p": "uncertainty",
        "benjamini_hochberg": "uncertainty",
        "estimate": "uncertainty",
        "interval": "uncertainty",
        "minimum_detectable_effect": "power",
        "normalised": "normalise",
        "paired_difference": "uncertainty",
        "resolution": "power",
        "trend": "uncertainty",
        "trends": "uncertainty",
    },
)
