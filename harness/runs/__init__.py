"""Records that runs keep of themselves in the results folder, and how far runs are."""

from harness.runs.progress import costs, fallbacks, fence_of, finished_at, foreign_code, mixed, up_to_date
from harness.runs.record import Progress, RunRecord, Workplace, dumped, loaded, planned
from harness.runs.recorder import Recorder

__all__ = [
    "Progress",
    "Recorder",
    "RunRecord",
    "Workplace",
    "costs",
    "dumped",
    "fallbacks",
    "fence_of",
    "finished_at",
    "foreign_code",
    "loaded",
    "mixed",
    "planned",
    "up_to_date",
]
