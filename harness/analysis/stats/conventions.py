"""The levels that every interval and every test of the harness shares."""

from __future__ import annotations

CONFIDENCE = 0.95
"""Coverage of every interval that is shown."""
ALPHA = 0.05
"""Rate of false alarms of a single test, and false-discovery rate of many."""
POWER = 0.8
"""Probability with which a real effect should be found."""
PRACTICAL_EFFECT = 0.05
"""A change that matters, as a share of the best score."""
LUCKY_MATCHES = 0.005
"""Smallest chance level that tests assume: with 0, one lucky match in a thousand would be "significant"."""
FEWEST_SIZES_FOR_A_TREND = 3
"""Sizes below which a trend cannot be told from a difference between two models."""
