"""How sure is a number? Intervals, tests, power, distributions and the common scale of scores.

Names load their module when they are first used: `emergence plan` needs the power of a test and must start fast.
`distributions` has the names of `scipy.stats` and is imported by its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazy_names

if TYPE_CHECKING:
    from harness.analysis.stats.arrays import Array, Index, Mask
    from harness.analysis.stats.chance import assumed_chance, empirical_chance, label_prior_chance, normalised
    from harness.analysis.stats.conventions import (
        ALPHA,
        CONFIDENCE,
        FEWEST_SIZES_FOR_A_TREND,
        LUCKY_MATCHES,
        POWER,
        PRACTICAL_EFFECT,
    )
    from harness.analysis.stats.corrections import benjamini_hochberg, holm
    from harness.analysis.stats.documents import clustered_stderr, paired_difference, repeated_samples
    from harness.analysis.stats.estimates import (
        above_chance_p,
        confidence_interval,
        estimate,
        is_proportion,
        normal_interval,
        wilson,
    )
    from harness.analysis.stats.power import (
        detectable_effect,
        minimum_detectable_effect,
        required_documents,
        required_documents_per_model,
        required_documents_sampled,
        resolution,
    )
    from harness.analysis.stats.scale_trend import trend, trend_of_each, trends
    from harness.analysis.stats.training_runs import RunNoise, interval_over_runs, run_noise, widened
    from harness.analysis.stats.types import Difference, Estimate, Interval, RepeatedScore, Resolution, Trend, Trends

__all__ = [
    "ALPHA",
    "CONFIDENCE",
    "FEWEST_SIZES_FOR_A_TREND",
    "LUCKY_MATCHES",
    "POWER",
    "PRACTICAL_EFFECT",
    "Array",
    "Difference",
    "Estimate",
    "Index",
    "Interval",
    "Mask",
    "RepeatedScore",
    "Resolution",
    "RunNoise",
    "Trend",
    "Trends",
    "above_chance_p",
    "assumed_chance",
    "benjamini_hochberg",
    "clustered_stderr",
    "confidence_interval",
    "detectable_effect",
    "empirical_chance",
    "estimate",
    "holm",
    "interval_over_runs",
    "is_proportion",
    "label_prior_chance",
    "minimum_detectable_effect",
    "normal_interval",
    "normalised",
    "paired_difference",
    "repeated_samples",
    "required_documents",
    "required_documents_per_model",
    "required_documents_sampled",
    "resolution",
    "run_noise",
    "trend",
    "trend_of_each",
    "trends",
    "widened",
    "wilson",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ALPHA": "conventions",
        "Array": "arrays",
        "CONFIDENCE": "conventions",
        "Difference": "types",
        "Estimate": "types",
        "FEWEST_SIZES_FOR_A_TREND": "conventions",
        "Index": "arrays",
        "Interval": "types",
        "LUCKY_MATCHES": "conventions",
        "Mask": "arrays",
        "POWER": "conventions",
        "PRACTICAL_EFFECT": "conventions",
        "RepeatedScore": "types",
        "Resolution": "types",
        "Trend": "types",
        "Trends": "types",
        "above_chance_p": "estimates",
        "benjamini_hochberg": "corrections",
        "clustered_stderr": "documents",
        "detectable_effect": "power",
        "empirical_chance": "chance",
        "estimate": "estimates",
        "holm": "corrections",
        "confidence_interval": "estimates",
        "is_proportion": "estimates",
        "label_prior_chance": "chance",
        "minimum_detectable_effect": "power",
        "normal_interval": "estimates",
        "normalised": "chance",
        "paired_difference": "documents",
        "repeated_samples": "documents",
        "required_documents": "power",
        "required_documents_per_model": "power",
        "required_documents_sampled": "power",
        "resolution": "power",
        "assumed_chance": "chance",
        "trend": "scale_trend",
        "trend_of_each": "scale_trend",
        "trends": "scale_trend",
        "RunNoise": "training_runs",
        "interval_over_runs": "training_runs",
        "run_noise": "training_runs",
        "widened": "training_runs",
        "wilson": "estimates",
    },
)
