"""Laws of a score over compute or loss: where it leaves chance, what the loss explains, and forecasts in two steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.laws import (
    ChinchillaLaw,
    ComputeLossLaw,
    Hinge,
    TaskAccuracyLaw,
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
from harness.lawbook.pictures import Dots, Picture, hinge_line, hinge_says, line, strip_of, title_of, values
from harness.wording import counted, number, percent, score

_RESAMPLES = 1000
_LAST = 5
"""Evaluations at the end of a run whose mean is its final loss (Bhagia et al. 2024)."""
_MANY = 10
"""Checkpoints of a run from which on the first tenth is dropped and the others are smoothed, as they do."""
_MOST_RUNS = 12
"""Runs that are told apart in a figure."""
_FEWEST_RUNS = 6
"""Runs that the law of parameters and tokens needs."""


def exposure(rows: pd.DataFrame, choice: Choice, source: str) -> Findings:
    """Where scores of many models leave chance over training compute, and what exposure to the task adds."""
    if rows["flops"].isna().all():
        raise TableError(f"{source}: no model has flops; expected a column flops, or params and tokens")
    found, pictures = [], []
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
        pictures.append(_exposure_picture(setting, placed, hinge))
    return Findings(
        rows=found,
        notes=("at, low, high: training FLOPs at which the score leaves chance; slope: per decade.",),
        pictures=tuple(pictures),
    )


def _exposure_picture(setting: Mapping[str, Any], placed: pd.DataFrame, hinge: Hinge) -> Picture:
    """Models over their compute; those that have seen the task apart, and the hinge of the others."""
    marks = placed["marked"] if "marked" in placed else pd.Series(False, index=placed.index)
    kinds = (("exposed to the task", placed[marks]), ("models", placed[~marks]))
    unexposed = placed["value"] - marks * (hinge.theta or 0.0)
    ahead = f" Models exposed to the task score {score(hinge.theta)} more." if hinge.theta is not None else ""
    return Picture(
        title=title_of(setting),
        x_title="Training compute, FLOPs (log scale)",
        y_title=str(setting["metric"]),
        axis="log",
        dots=tuple(_dots(name, some, "flops") for name, some in kinds if len(some)),
        lines=(hinge_line(hinge, placed["flops"], unexposed, loss=False),),
        strip=None if hinge.refusal else strip_of([_flops(hinge.low), _flops(hinge.high)]),
        chance=hinge.floor,
        says=hinge_says(hinge, loss=False) + ahead,
    )


def _dots(name: str, some: pd.DataFrame, axis: str, *, joined: bool = False) -> Dots:
    there = some.sort_values(axis, ascending=axis != "loss")
    names = tuple(there["model"])
    return Dots(name=name, x=values(there[axis]), y=values(there["value"]), models=names, joined=joined)


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
    found, pictures = [], []
    for setting, some in scores_by_setting(with_loss(rows, choice, source), choice):
        hinge, runs = None, list(run_of(some))
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
        pictures.append(_loss_picture(setting, some, hinge, row))
    notes = (
        "r2: share of the variance that a cubic in this measure explains over all checkpoints; gain: that of the loss "
        "less that of the best other one; threshold: loss below which the score leaves chance.",
    )
    return Findings(rows=found, notes=notes, pictures=tuple(pictures))


def _loss_picture(setting: Mapping[str, Any], some: pd.DataFrame, hinge: Hinge | None, row: dict[str, Any]) -> Picture:
    """Checkpoints of each run over their loss, and the hinge where they leave chance."""
    explained = row["r2_loss"]
    shares = "" if explained is None else f"The loss explains {percent(explained)} of the variance. "
    return Picture(
        title=title_of(setting),
        x_title="Loss",
        y_title=str(setting["metric"]),
        axis="loss",
        dots=_by_run(some),
        lines=() if hinge is None else (hinge_line(hinge, some["loss"], some["value"], loss=True),),
        strip=None if hinge is None or hinge.refusal else strip_of([hinge.low, hinge.high]),
        chance=None if hinge is None else hinge.floor,
        says=shares + ("" if hinge is None else hinge_says(hinge, loss=True)),
    )


def _by_run(some: pd.DataFrame) -> tuple[Dots, ...]:
    """Runs with several checkpoints each for themselves, and all together where each has one."""
    runs = run_of(some)
    if runs.nunique() == len(some) or runs.nunique() > _MOST_RUNS:
        return (_dots("models" if runs.nunique() == len(some) else "checkpoints", some, "loss"),)
    return tuple(_dots(str(name), one, "loss", joined=True) for name, one in some.groupby(runs, sort=False))


def two_step(rows: pd.DataFrame, choice: Choice, source: str) -> Findings:
    """The loss over parameters and tokens, and the score over the loss; and how the largest run would be foretold."""
    found, notes, pictures = [], [], []
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
        pictures.append(_two_step_picture(setting, runs, accuracy_law, row, choice))
    return Findings(rows=found, notes=tuple(notes), pictures=tuple(pictures))


def _two_step_picture(
    setting: Mapping[str, Any],
    runs: Sequence[pd.DataFrame],
    law: TaskAccuracyLaw,
    row: Mapping[str, Any],
    choice: Choice,
) -> Picture:
    """The score over the loss, the second step, and what both steps foretell."""
    loss, value = (np.concatenate([_settled(run[name]) for run in runs]) for name in ("loss", "value"))
    foretold, says = [], "Line: score over loss. Band: 95 % of single models."
    if (at := row["loss_at"]) is not None and choice.at is not None:
        name = f"{number(choice.at[0])} on {number(choice.at[1])} tokens"
        foretold.append((name, at, row["score_at"]))
        says += f" Foretold of {name}: {score(row['score_at'])} at a loss of {score(at)}."
    if row["foretold"] is not None:
        foretold.append((row["held_out"], row["held_out_loss"], row["foretold"]))
        says += f" {row['held_out']} foretold from the others: {score(row['foretold'])}, measured "
        says += f"{score(row['measured'])}."
    names, places, scores = zip(*foretold, strict=True) if foretold else ((), (), ())
    predicted = Dots(name="foretold", x=values(places), y=values(scores), models=tuple(names), foretold=True)
    return Picture(
        title=title_of(setting),
        x_title="Loss",
        y_title=str(setting["metric"]),
        axis="loss",
        dots=(*_by_run(pd.concat(runs)), *([predicted] if foretold else [])),
        lines=(line("sigmoid", law.accuracy, loss, value, parameters=4, log=False, to=row["loss_at"] or 0.0),),
        says=says,
    )


_TWO_STEP = (
    "loss_law", "alpha", "beta", "floor", "midpoint", "steepness", "bottom", "top",
    "held_out", "held_out_loss", "measured", "foretold", "loss_at", "score_at", "refusal",
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
    measured = float(largest["value"].iloc[-_LAST:].mean())
    return {"held_out": name, "held_out_loss": float(np.squeeze(loss)), "measured": measured, "foretold": foretold}
