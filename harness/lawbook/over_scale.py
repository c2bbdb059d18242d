"""Laws of a score over compute or loss: where it leaves chance, what the loss explains, and forecasts in two steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.laws import (
    ChinchillaLaw,
    ComputeLossLaw,
    Hinge,
    accuracy_doubts,
    collapse,
    fit_chinchilla_law,
    fit_compute_loss_law,
    fit_hinge,
    fit_hinge_in_loss,
    fit_task_accuracy_law,
    settled_checkpoints,
)
from harness.errors import HarnessError, TableError
from harness.lawbook.frames import Choice, Findings, floor_of, known_axes, run_of, scores_by_setting, with_loss
from harness.wording import counted

_RESAMPLES = 1000
_LAST = 5
"""Evaluations at the end of a run whose mean is its final loss (Bhagia et al. 2024)."""
_MANY = 10
"""Checkpoints of a run from which on the first tenth is dropped and the others are smoothed, as they do."""
_FEWEST_RUNS = 6
"""Runs that the law of parameters and tokens needs."""


def exposure(rows: pd.DataFrame, choice: Choice, source: str) -> Findings:
    """Where scores of many models leave chance over training compute, and what exposure to the task adds."""
    if rows["flops"].isna().all():
        raise TableError(f"{source}: no model has flops; expected a column flops, or params and tokens")
    found = []
    for setting, some in scores_by_setting(rows, choice):
        placed, floor = some[some["flops"] > 0], floor_of(some, choice)
        row: dict[str, Any] = {**setting, "models": len(placed), **_NO_HINGE, "theta": None}
        row |= {"theta_low": None, "theta_high": None}
        if floor is None:
            found.append(row | {"refusal": _NO_CHANCE})
            continue
        marks = placed.get("marked")
        try:
            hinge = fit_hinge(np.log10(placed["flops"]), placed["value"], floor, marked=marks, resamples=_RESAMPLES)
        except HarnessError as error:
            found.append(row | {"refusal": str(error)})
            continue
        row |= _hinge_row(hinge) | {name: _flops(_number_of(hinge, name)) for name in ("at", "low", "high")}
        row |= {"theta": hinge.theta, "theta_low": hinge.theta_low, "theta_high": hinge.theta_high}
        found.append(row)
    return Findings(
        rows=found, notes=("at, low, high: training FLOPs at which the score leaves chance; slope: per decade.",)
    )


_NO_CHANCE = "The chance level is not known: give a column chance, or --chance."
_NO_HINGE: dict[str, Any] = dict.fromkeys(("at", "low", "high", "slope", "r2", "r2_linear", "refusal"))


def _number_of(hinge: Hinge, name: str) -> float | None:
    """One number of the hinge by name."""
    value = getattr(hinge, name)
    return None if value is None else float(value)


def _hinge_row(hinge: Hinge) -> dict[str, Any]:
    return {name: getattr(hinge, name) for name in _NO_HINGE}


def _flops(log10: float | None) -> float | None:
    return None if log10 is None else float(10**log10)


def loss_collapse(rows: pd.DataFrame, choice: Choice, source: str) -> Findings:
    """Whether the loss alone says what a model can do, and the loss below which a score leaves chance."""
    found = []
    for setting, some in scores_by_setting(with_loss(rows, choice, source), choice):
        runs = list(run_of(some))
        row: dict[str, Any] = {**setting, "checkpoints": len(some), "runs": len(set(runs))}
        row |= dict.fromkeys(("r2_loss", "r2_flops", "r2_params", "r2_tokens", "gain", "gain_low", "gain_high"))
        row |= dict.fromkeys(("threshold", "threshold_low", "threshold_high", "refusal"))
        axes = known_axes(some, ("flops", "params", "tokens"))
        try:
            if axes:
                one = collapse(some["value"], some["loss"], axes, groups=runs)
                row |= {"r2_loss": one.loss, **{f"r2_{name}": r2 for name, r2 in one.others.items()}}
                row |= {"gain": one.gain, "gain_low": one.gain_low, "gain_high": one.gain_high}
            if (floor := floor_of(some, choice)) is not None:
                hinge = fit_hinge_in_loss(some["loss"], some["value"], floor, groups=runs, resamples=_RESAMPLES)
                row |= {"threshold": hinge.at, "threshold_low": hinge.low, "threshold_high": hinge.high}
                row["refusal"] = hinge.refusal
        except HarnessError as error:
            row["refusal"] = str(error)
        found.append(row)
    notes = (
        "r2: share of the variance that a cubic in this measure explains over all checkpoints; gain: that of the loss "
        "less that of the best other one; threshold: loss below which the score leaves chance.",
    )
    return Findings(rows=found, notes=notes)


def two_step(rows: pd.DataFrame, choice: Choice, source: str) -> Findings:
    """The loss over parameters and tokens, and the score over the loss; and how the largest run would be foretold."""
    found, notes = [], []
    for setting, some in scores_by_setting(with_loss(rows, choice, source), choice):
        done = some[(some["params"] > 0) & (some["tokens"] > 0)]
        runs = _runs(done)
        row: dict[str, Any] = {**setting, "runs": len(runs), **dict.fromkeys(_TWO_STEP)}
        try:
            loss_law, accuracy_law, seen = _two_steps(runs)
        except (HarnessError, ValueError, RuntimeError) as error:
            found.append(row | {"refusal": str(error)})
            continue
        row |= _law_row(loss_law) | {"midpoint": accuracy_law.x0, "steepness": accuracy_law.k}
        row |= {"bottom": accuracy_law.s + accuracy_law.t, "top": accuracy_law.t}
        row |= _held_out(runs)
        if choice.at is not None:
            loss = float(np.squeeze(loss_law.loss(*choice.at)))
            row |= {"loss_at": loss, "score_at": float(accuracy_law.accuracy(loss))}
            notes += [f"{setting['task']}: {doubt}" for doubt in accuracy_doubts(accuracy_law, seen, loss)]
        found.append(row)
    return Findings(rows=found, notes=tuple(notes))


_TWO_STEP = (
    "loss_law", "alpha", "beta", "floor", "midpoint", "steepness", "bottom", "top",
    "held_out", "measured", "foretold", "loss_at", "score_at", "refusal",
)  # fmt: skip


def _runs(some: pd.DataFrame) -> list[pd.DataFrame]:
    """The checkpoints of each run in the order of training, the run of least compute first."""
    runs = [one.sort_values("tokens", kind="stable") for _, one in some.groupby(run_of(some))]
    return sorted(runs, key=lambda one: float(one["params"].iloc[-1] * one["tokens"].iloc[-1]))


def _two_steps(runs: list[pd.DataFrame]) -> tuple[ChinchillaLaw | ComputeLossLaw, Any, np.ndarray]:
    if len(runs) < 3:
        raise HarnessError(f"two steps need at least 3 runs; got {counted(len(runs), 'run')}")
    ends = [(r["params"].iloc[-1], r["tokens"].iloc[-1], r["loss"].iloc[-_LAST:].mean()) for r in runs]
    params, tokens, losses = (np.array(column, dtype=float) for column in zip(*ends, strict=True))
    spread = np.linalg.matrix_rank(np.column_stack([np.ones(len(ends)), np.log(params), np.log(tokens)]), tol=1e-6)
    law = (
        fit_chinchilla_law(params, tokens, losses)
        if len(ends) >= _FEWEST_RUNS and spread == 3
        else fit_compute_loss_law(params, tokens, losses)
    )
    seen, scores = (np.concatenate([_settled(r[name]) for r in runs]) for name in ("loss", "value"))
    return law, fit_task_accuracy_law(seen, scores), seen


def _settled(values: pd.Series) -> np.ndarray:
    return settled_checkpoints(values) if len(values) >= _MANY else np.asarray(values, dtype=float)


def _law_row(law: ChinchillaLaw | ComputeLossLaw) -> dict[str, Any]:
    if isinstance(law, ChinchillaLaw):
        return {"loss_law": "parameters and tokens", "alpha": law.alpha, "beta": law.beta, "floor": law.floor}
    return {"loss_law": "compute", "alpha": -law.slope}


def _held_out(runs: list[pd.DataFrame]) -> dict[str, Any]:
    """The run of most compute, foretold from the others."""
    *smaller, largest = runs
    name = str(run_of(largest).iloc[-1])
    try:
        loss_law, accuracy_law, _ = _two_steps(smaller)
    except (HarnessError, ValueError, RuntimeError):
        return {}
    loss = loss_law.loss(largest["params"].iloc[-1], largest["tokens"].iloc[-1])
    foretold = float(np.squeeze(accuracy_law.accuracy(loss)))
    return {"held_out": name, "measured": float(largest["value"].iloc[-_LAST:].mean()), "foretold": foretold}
