"""The laws by name, each with what it needs and what it was published as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from harness.errors import PlanError, TableError, unknown
from harness.lawbook.frames import Choice, Findings, law_rows
from harness.lawbook.over_models import difficulty, observational, pass_rate
from harness.lawbook.over_scale import exposure, loss_collapse, two_step
from harness.lawbook.over_tuning import tuning


class Law(NamedTuple):
    """One published law."""

    says: str
    """What it says, in a line."""
    needs: str
    """Columns of a table, beside model, task, metric and value."""
    source: str
    """Where it was published."""
    fit: Callable[[pd.DataFrame, Choice, str], Findings]
    """Fits it to the rows of a table, which has this name in messages."""


BOOK: Mapping[str, Law] = {
    "exposure": Law(
        "where scores of many models leave chance over compute, and what exposure to the task adds (--marked)",
        "flops (or params and tokens), chance",
        "Dominguez-Olmedo et al. 2024, arXiv:2407.07890",
        exposure,
    ),
    "tuning": Law(
        "how the size at which models leave chance moves with the documents they are tuned on, and where untuned ones "
        "will leave it that see a few examples",
        "params, chance, and documents (or variants such as finetune@64)",
        "Snell et al. 2024, arXiv:2411.16035",
        tuning,
    ),
    "loss-collapse": Law(
        "whether the loss alone says what a model can do, and the loss below which a score leaves chance",
        "loss (or --loss-from), chance, and flops, params or tokens to compare with",
        "Du et al. 2024, arXiv:2403.15796",
        loss_collapse,
    ),
    "two-step": Law(
        "the loss over parameters and tokens, the score over the loss, and both at another size (--at)",
        "params, tokens, loss (or --loss-from)",
        "Bhagia et al. 2024, arXiv:2412.04403; Grattafiori et al. 2024, arXiv:2407.21783",
        two_step,
    ),
    "observational": Law(
        "a task (--target) over the principal components of other tasks' scores",
        "several tasks of many models; flops for --cut",
        "Ruan et al. 2024, arXiv:2405.10938",
        observational,
    ),
    "pass-until": Law(
        "pass rates too small for one sample per document, and how they grow with scale",
        "params (or flops), doc_id, k right samples of n",
        "Hu et al. 2023, arXiv:2310.03262",
        pass_rate,
    ),
    "difficulty": Law(
        "curves of easy and hard documents apart, and which of them turn",
        "flops (or params), doc_id",
        "Wu and Lo 2025, arXiv:2410.01692",
        difficulty,
    ),
}
"""Laws that need no more than a table, by name."""


def fitted(name: str, frame: pd.DataFrame, choice: Choice, source: str = "table") -> Findings:
    """What a law says of a tidy table.

    Args:
        name: a key of `BOOK`.
        frame: the table.
        choice: what else the user says.
        source: name of the table in messages.

    Raises:
        PlanError: there is no such law.
        TableError: the table lacks what the law needs.
    """
    if name not in BOOK:
        raise PlanError(unknown("law", name, BOOK))
    found = BOOK[name].fit(law_rows(frame, source, choice.marked), choice, source)
    if not found.rows:
        raise TableError(f"{source}: no score that {name} could be fitted to; it needs {BOOK[name].needs}")
    return found
