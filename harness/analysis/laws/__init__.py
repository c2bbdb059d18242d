"""Published scaling laws that no verdict needs, for notebooks."""

from harness.analysis.laws.bnsl import Law, power_law_with_floor

__all__ = [
    "Law",
    "power_law_with_floor",
]
