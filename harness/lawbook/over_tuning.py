"""The law over amounts of tuning documents: where tuned models leave chance, and where few-shot models will."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.laws import Threshold, TuningLaw, fit_tuning_law
from harness.errors import HarnessError, TableError
from harness.lawbook.frames import Choice, Findings, floor_of, scores_by_setting
from harness.lawbook.pictures import Dots, Picture, title_of, values
from harness.wording import counted, number

_AMOUNT = r"^(?P<method>.+?)@(?P<documents>[1-9][0-9]{0,8})(?:@[0-9a-f]{6})?$"
"""The name of a variant that was trained on so many documents, such as `finetune@64`."""
_EXAMPLES = 1
"""Examples of a prompt for which a threshold is forecast where the table has no scores of untuned models with any."""
_NOTHING: dict[str, Any] = dict.fromkeys(
    ("shift", "shift_low", "shift_high", "threshold", "threshold_low", "threshold_high", "slope", "r2", "refusal")
)


def tuning(rows: pd.DataFrame, choice: Choice, source: str) -> Findings:
    """How the threshold moves with tuning documents, and the one it forecasts for models that see a few examples.

    Raises:
        TableError: no row tells on how many documents its model was tuned, or the sizes are not known.
    """
    tuned = _tuned(rows)
    if tuned.empty:
        raise TableError(
            f"{source}: no row says on how many documents its model was tuned; expected a column documents, or "
            "variants such as finetune@64"
        )
    if tuned["params"].isna().any():
        raise TableError(f"{source}: params are missing for {tuned['model'][tuned['params'].isna()].iloc[0]}")
    found, pictures = [], []
    for setting, some in scores_by_setting(tuned, choice):
        for (family, method), part in some.groupby(["family", "method"], sort=True):
            examples = _examples(rows, part)
            row = {**setting, "family": family or None, "method": method or None, "models": part["model"].nunique()}
            row |= {"amounts": part["documents"].nunique(), "examples": examples, **_NOTHING}
            floor = floor_of(part, choice)
            if floor is None:
                found.append(row | {"refusal": "The chance level is not known: give a column chance, or --chance."})
                continue
            try:
                law = fit_tuning_law(
                    np.log10(part["params"]), part["value"], part["documents"], floor, at=[examples],
                    groups=list(part["model"]),
                )  # fmt: skip
            except HarnessError as error:
                found.append(row | {"refusal": str(error)})
                continue
            found.append(row | _told(law))
            pictures.append(_picture({**setting, "family": family or None}, part, law))
    notes = (
        "shift: decades of parameters by which ten times as many documents move the threshold down.",
        "threshold: parameters at which models leave chance with so many examples in the prompt, and no tuning.",
    )
    return Findings(rows=found, notes=notes, pictures=tuple(pictures))


def _tuned(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of tuned models, with the number of documents and the method."""
    read = rows["variant"].str.extract(_AMOUNT)
    amount = rows["documents"].fillna(pd.to_numeric(read["documents"]))
    method = read["method"].fillna(rows["variant"])
    return rows.assign(documents=amount, method=method)[amount > 0]


def _examples(rows: pd.DataFrame, part: pd.DataFrame) -> int:
    """Most examples that the untuned models of a fit have seen."""
    plain = rows[(rows["variant"] == "") & rows["documents"].isna()]
    same = [plain[name] == part[name].iloc[0] for name in ("family", "task", "metric")]
    shots = plain[np.logical_and.reduce(same)]["shots"]
    return int(shots.max()) if len(shots) and shots.max() > 0 else _EXAMPLES


def _told(law: TuningLaw) -> dict[str, Any]:
    few = law.thresholds[0]
    return {
        "shift": law.shift,
        "shift_low": law.shift_low,
        "shift_high": law.shift_high,
        "threshold": 10**few.at,
        "threshold_low": None if few.low is None else 10**few.low,
        "threshold_high": None if few.high is None else 10**few.high,
        "slope": law.slope,
        "r2": law.r2,
        "refusal": law.refusal,
    }


def _picture(setting: dict[str, Any], part: pd.DataFrame, law: TuningLaw) -> Picture:
    few = law.thresholds[0]
    return Picture(
        title=title_of(setting),
        x_title="Parameters (log scale)",
        y_title=str(setting["metric"]),
        axis="log",
        dots=tuple(_dots(amount, some) for amount, some in part.groupby("documents", sort=True)),
        lines=(),
        chance=law.floor,
        says=f"Models tuned on different numbers of documents. {_sentence(few)}",
    )


def _dots(amount: Any, some: pd.DataFrame) -> Dots:
    there = some.sort_values("params")
    return Dots(
        name=counted(int(amount), "document"),
        x=values(there["params"]),
        y=values(there["value"]),
        models=tuple(there["model"]),
        joined=True,
    )


def _sentence(few: Threshold) -> str:
    between = "" if few.low is None or few.high is None else f" ({number(10**few.low)} to {number(10**few.high)})"
    return (
        f"With {counted(int(few.documents), 'example')} in the prompt, untuned models are forecast to leave chance at "
        f"{number(10**few.at)} parameters{between}."
    )
