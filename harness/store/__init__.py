"""The results folder: layout, atomic writes, and everything that is read back from it."""

from harness.store.store import SAMPLES, SCORE, DocumentScores, Outcomes, Problem, Store, sample

__all__ = [
    "SAMPLES",
    "SCORE",
    "DocumentScores",
    "Outcomes",
    "Problem",
    "Store",
    "sample",
]
