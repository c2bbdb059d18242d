"""The results folder: layout, atomic writes, and everything that is read back from it."""

from harness.store.documents import SCORE, DocumentScores, sample
from harness.store.files import keep_file
from harness.store.headers import Problem
from harness.store.index import WORTHWHILE
from harness.store.layout import FAILURE, HEADER, JUDGED, RUNS, SAMPLES
from harness.store.leases import LeaseOwner, Leases
from harness.store.outcomes import Outcomes
from harness.store.scores_reader import ScoresReader
from harness.store.store import Store
from harness.store.variants import Variants, variants_folder
from harness.store.writer import OutcomeWriter

__all__ = [
    "FAILURE",
    "HEADER",
    "JUDGED",
    "RUNS",
    "SAMPLES",
    "SCORE",
    "WORTHWHILE",
    "DocumentScores",
    "LeaseOwner",
    "Leases",
    "OutcomeWriter",
    "Outcomes",
    "Problem",
    "ScoresReader",
    "Store",
    "Variants",
    "keep_file",
    "sample",
    "variants_folder",
]
