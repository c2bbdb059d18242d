"""How much a score differs between two training runs of one model, from published models that were trained twice.

A family with one run per size does not show this noise where it is smooth, and a jump of its size means nothing. It
differs between tasks: a hundred documents that all turn on one skill move together, and thousands of mixed ones do not.

Most numbers come from Pythia, of which each size was trained on the Pile and again on the Pile without duplicates
(Biderman et al. 2023, arXiv:2304.01373; github.com/EleutherAI/pythia, `evals/`). The two data sets are not quite the
same, so that these numbers are upper bounds. BoolQ comes from the OLMo ladder, of which five sizes were trained again
on another order of the same data (Bhagia et al. 2024, arXiv:2412.04403).
"""

from __future__ import annotations

import re
from typing import NamedTuple

RUN_SD = 0.006
"""Standard deviation of a score between two training runs of one configuration, where nothing better is known. It is
what reruns of one family with another order of the data showed on common tasks (OLMo ladder, 190M to 3B)."""


class Rerun(NamedTuple):
    """The noise between training runs on tasks of one kind."""

    tasks: str
    """Regular expression of the names, in small letters with every other sign as `_`."""
    run_sd: float
    """Standard deviation of one run, at a score of one half of the best one."""
    source: str
    """Who trained twice."""


_PYTHIA = "Pythia and Pythia-deduped"
PUBLISHED = (
    Rerun(r"piqa", 0.006, _PYTHIA),
    Rerun(r"(ai2_)?arc_?e(asy)?", 0.006, _PYTHIA),
    Rerun(r"(ai2_)?arc_?c(hallenge)?", 0.009, _PYTHIA),
    Rerun(r"lambada(_openai|_standard)?", 0.010, _PYTHIA),
    Rerun(r"winogrande(_xl)?", 0.012, _PYTHIA),
    Rerun(r"logiqa", 0.014, _PYTHIA),
    Rerun(r"sciq", 0.015, _PYTHIA),
    Rerun(r"(mmlu|hendrycks_?test)_(?!stem|humanities|social_sciences$|other|macro|micro|average).+", 0.028, _PYTHIA),
    Rerun(r"boolq", 0.034, "the OLMo ladder"),
    Rerun(r"(super_?glue_)?wsc(273)?", 0.037, _PYTHIA),
    Rerun(r"blimp_.+", 0.062, _PYTHIA),
)
"""Tasks of which models were trained twice. A name may go on with the format of the task: `boolq_val_rc_5shot`."""
_FORMAT = r"(_(val|test|train|rc|mc|cf|mcf|\d+shot|bpb))*"


def rerun_of(task: str) -> Rerun | None:
    """What published reruns say about a task; None where no model of it was trained twice.

    >>> rerun_of("hendrycksTest-astronomy").run_sd, rerun_of("arc:easy").run_sd, rerun_of("spelling")
    (0.028, 0.006, None)
    """
    name = re.sub(r"[^a-z0-9]+", "_", task.lower()).strip("_")
    return next((one for one in PUBLISHED if re.fullmatch(one.tasks + _FORMAT, name)), None)


def assumed_run_sd(task: str) -> float:
    """Noise between training runs to assume of a task whose sizes have one run each; see `RUN_SD` and `PUBLISHED`."""
    found = rerun_of(task)
    return RUN_SD if found is None else found.run_sd
