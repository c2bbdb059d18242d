"""Are two things different? Paired comparisons on shared documents, and how sure a ranking is."""

from harness.analysis.compare.compare import compare, summary
from harness.analysis.compare.pairing import choose, pair_up
from harness.analysis.compare.ranking import leads
from harness.analysis.compare.types import Comparison, Unpaired

__all__ = [
    "Comparison",
    "Unpaired",
    "choose",
    "compare",
    "leads",
    "pair_up",
    "summary",
]
