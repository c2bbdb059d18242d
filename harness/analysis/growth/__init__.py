"""Which form grows like that? Growth curves fitted to counts, many curves at once."""

from harness.analysis.growth.averaging import CANDIDATES, refitted, weights
from harness.analysis.growth.counts import (
    FEWEST_TO_EXTRAPOLATE,
    RUN_SD,
    Counts,
    countable,
    counts_of,
    effective,
    first_persistent,
    reliable,
    stacked,
)
from harness.analysis.growth.fits import Fits, dispersion, fit, fit_smallest, loglik_terms, saturated
from harness.analysis.growth.forms import FORMS, Form
from harness.analysis.growth.trace import MISFIT, traces
from harness.analysis.growth.types import Trace

__all__ = [
    "CANDIDATES",
    "FEWEST_TO_EXTRAPOLATE",
    "FORMS",
    "MISFIT",
    "RUN_SD",
    "Counts",
    "Fits",
    "Form",
    "Trace",
    "countable",
    "counts_of",
    "dispersion",
    "effective",
    "first_persistent",
    "fit",
    "fit_smallest",
    "loglik_terms",
    "refitted",
    "reliable",
    "saturated",
    "stacked",
    "traces",
    "weights",
]
