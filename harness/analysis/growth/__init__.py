"""Which form of growth does a curve follow? Growth curves fitted to counts, many curves at once.

`fitted_forms` describes one curve, with parameters for a reader; `traces` gives lines to draw. The rest is what
verdicts and forecasts are computed from.
"""

from harness.analysis.growth.averaging import CANDIDATES, akaike_weights, refitted
from harness.analysis.growth.counts import (
    FEWEST_TO_EXTRAPOLATE,
    countable,
    counts_of,
    documents_of,
    effective_documents,
    run_sds,
    stacked,
)
from harness.analysis.growth.fitting import dispersion, fit, fit_smallest, saturated
from harness.analysis.growth.forms import FORMS
from harness.analysis.growth.likelihood import loglik_terms
from harness.analysis.growth.parameters import fitted_forms
from harness.analysis.growth.presence import first_persistent, sizes_above_chance
from harness.analysis.growth.redraw import redrawn_counts, redrawn_scores
from harness.analysis.growth.reruns import RUN_SD, Rerun, assumed_run_sd, rerun_of
from harness.analysis.growth.trace import MISFIT, traces
from harness.analysis.growth.types import Counts, Fits, FittedForm, Form, Parameter, Trace

__all__ = [
    "CANDIDATES",
    "FEWEST_TO_EXTRAPOLATE",
    "FORMS",
    "MISFIT",
    "RUN_SD",
    "Counts",
    "Fits",
    "FittedForm",
    "Form",
    "Parameter",
    "Rerun",
    "Trace",
    "akaike_weights",
    "assumed_run_sd",
    "countable",
    "counts_of",
    "dispersion",
    "documents_of",
    "effective_documents",
    "first_persistent",
    "fit",
    "fit_smallest",
    "fitted_forms",
    "loglik_terms",
    "redrawn_counts",
    "redrawn_scores",
    "refitted",
    "rerun_of",
    "run_sds",
    "saturated",
    "sizes_above_chance",
    "stacked",
    "traces",
]
