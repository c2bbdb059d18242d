"""Laws over many models or documents: benchmarks that foretell another task, rare abilities, groups of difficulty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.curves import AXIS_TITLES, Scale
from harness.analysis.laws import (
    PassRateLaw,
    PassUntil,
    fit_observational_law,
    fit_pass_rate_law,
    pass_rate_curvature,
    pass_rates,
    pass_until,
    probability_of_none_correct,
)
from harness.analysis.verdict import ByDifficulty, by_difficulty, two_lines
from harness.errors import HarnessError, TableError, unknown
from harness.lawbook.frames import Choice, Findings, floor_of, scores_by_setting
from harness.lawbook.pictures import SURE, Dots, Picture, line, title_of, values
from harness.wording import counted, score


def observational(rows: pd.DataFrame, choice: Choice, source: str) -> Findings:
    """Principal components of benchmark scores, and a task as a sigmoid of the first of them."""
    if choice.target is None:
        raise TableError("an observational law needs the task to foretell: --target TASK")
    if choice.target not in set(rows["task"]):
        raise TableError(unknown("task", choice.target, set(rows["task"])))
    wanted = (
        rows if choice.metric is None else rows[(rows["metric"] == choice.metric) | (rows["task"] != choice.target)]
    )
    kept = [
        some
        for setting, some in scores_by_setting(wanted, Choice(tasks=choice.tasks))
        if setting["task"] != choice.target
    ]
    target = rows[rows["task"] == choice.target]
    if choice.metric is not None:
        target = target[target["metric"] == choice.metric]
    if not kept:
        raise TableError(f"{source}: no task beside {choice.target}; expected benchmarks that foretell it")
    table = pd.concat(kept).pivot_table(index="model", columns="task", values="value")
    scored = target.groupby("model")["value"].mean()
    compute = rows.groupby("model")["flops"].max()
    known = table.join(scored.rename("_score")).join(compute.rename("_flops")).dropna(subset="_score")
    known = known[known[table.columns].notna().any(axis=1)]
    if choice.cut is not None:
        known = known[known["_flops"].notna()]  # nobody knows on which side of the cut the others are
    within = pd.Series(True, index=known.index) if choice.cut is None else known["_flops"] <= choice.cut
    fitted, tested = known[within], known[~within]
    chance = floor_of(target, choice) or 0.0
    law = fit_observational_law(fitted[table.columns], fitted["_score"], chance=chance, count=choice.components)
    explained = law.components.explained
    row: dict[str, Any] = {
        "target": choice.target,
        "models": len(fitted),
        **{f"explained_{i + 1}": float(share) for i, share in enumerate(explained[:3])},
        **{f"weight_{i + 1}": float(weight) for i, weight in enumerate(law.curve.weights)},
        "bias": law.curve.bias,
        "r2": _r2(fitted["_score"], law.predict(fitted[table.columns])),
        "components": choice.components,
        "tested": len(tested),
        "error": None,
    }
    if len(tested):
        row["error"] = float(np.mean(((tested["_score"] - law.predict(tested[table.columns])) / (1 - chance)) ** 2))
    loadings = ", ".join(
        f"{name} {loading:.2f}" for name, loading in zip(table.columns, law.components.axes[0], strict=True)
    )
    notes = (
        f"First component: {loadings}.",
        "explained: share of the variance of the benchmarks along each component; error: mean squared error of the "
        "chance-corrected score of models above --cut.",
    )
    picture = _foretold_picture(target, known["_score"], law.predict(known[table.columns]), within, row)
    return Findings(rows=[row], notes=notes, pictures=(picture,))


def _foretold_picture(
    target: pd.DataFrame, measured: pd.Series, foretold: np.ndarray, within: pd.Series, row: dict[str, Any]
) -> Picture:
    """What was measured over what the law says of each model; on the line both are the same."""
    kinds = (("fitted", within), ("tested", ~within))
    dots = tuple(
        Dots(name=name, x=values(foretold[of]), y=values(measured[of]), models=tuple(map(str, measured.index[of])))
        for name, of in kinds
        if of.any()
    )
    fitted = within.to_numpy()
    same = line(
        "as foretold", lambda at: at, foretold[fitted], measured[fitted], parameters=row["components"] + 1, log=False,
        to=float(foretold.max()),
    )  # fmt: skip
    tested = f" Models above the cut have a mean squared error of {score(row['error'])}." if row["tested"] else ""
    return Picture(
        title=str(row["target"]),
        x_title="Foretold from the other tasks",
        y_title=f"{target['metric'].iloc[0]}, measured",
        axis="linear",
        dots=dots,
        lines=(same,),
        says=f"{counted(row['components'], 'component')} of the other tasks' scores. Band: 95 % of single models, from "
        f"those that were fitted.{tested}",
    )


def _r2(measured: pd.Series, foretold: np.ndarray) -> float | None:
    total = float(((measured - measured.mean()) ** 2).sum())
    return 1 - float(((measured - foretold) ** 2).sum()) / total if total else None


def pass_rate(rows: pd.DataFrame, choice: Choice, source: str) -> Findings:
    """Pass rates too small for one sample per document, and the law they follow over scale."""
    if (rows["doc_id"] == "").any() or rows["k"].isna().any() or rows["n"].isna().any():
        raise TableError(
            f"{source}: expected one row per document, with columns doc_id, k (right samples) and n (samples)"
        )
    found, notes, pictures = [], [], []
    for setting, some in scores_by_setting(rows, choice):
        axis: Scale = "params" if some["params"].notna().all() else "flops"
        if some[axis].isna().any():
            raise TableError(f"{source}: column params: is empty; expected the size of every model")
        k, n = (_by_document(some, name, axis) for name in ("k", "n"))
        rates = pass_rates(k.to_numpy(), n.to_numpy(), until=choice.until)
        x = np.log10(k.index.get_level_values(axis).to_numpy(dtype=float))
        pooled, none = pass_until(rates), probability_of_none_correct(rates)
        chance = floor_of(some, choice) or 0.0
        law = fit_pass_rate_law(x, pooled.value, chance=chance)
        bent = pass_rate_curvature(x, rates, np.random.default_rng(0), chance=chance)
        common = {
            "slope": law and law.slope,
            "r2": law and law.r2,
            "shape": bent and bent.name,
            "curvature": bent and bent.curvature,
            "curvature_low": bent and bent.low,
            "curvature_high": bent and bent.high,
        }
        names = k.index.get_level_values("model")
        for i, model in enumerate(names):
            size = {"model": model, axis: float(10 ** x[i]), "documents": rates.shape[1]}
            size |= {"pass_rate": float(pooled.value[i]), "stderr": float(pooled.stderr[i]), "unseen": float(none[i])}
            found.append({**setting, **size, **common})
        pictures.append(_rates_picture(setting, axis, list(names), x, pooled, law, chance))
        if law is None:
            notes.append(f"{setting['task']}: no law: fewer than three sizes, or a size that never (or always) passes.")
    notes.append(
        "unseen: probability that one sample per document shows no right answer at all; slope: of log10(-ln pass rate) "
        "per decade of scale."
    )
    return Findings(rows=found, notes=tuple(notes), pictures=tuple(pictures))


def _rates_picture(
    setting: Mapping[str, Any],
    axis: Scale,
    names: Sequence[object],
    x: np.ndarray,
    pooled: PassUntil,
    law: PassRateLaw | None,
    chance: float,
) -> Picture:
    """Pass rates of the sizes with the error of their documents, and the law through them."""
    sizes = 10**x

    def rate(at: np.ndarray) -> np.ndarray:
        assert law is not None
        return np.asarray(chance + (1 - chance) * law.rate(np.log10(at)))

    of_sizes = Dots(
        name="sizes",
        x=values(sizes),
        y=values(pooled.value),
        models=tuple(map(str, names)),
        error=values(SURE * pooled.stderr),
    )
    return Picture(
        title=title_of(setting),
        x_title=AXIS_TITLES[axis],
        y_title="pass rate",
        axis="log",
        dots=(of_sizes,),
        lines=() if law is None else (line("law", rate, sizes, pooled.value, parameters=2, log=True),),
        chance=chance or None,
        says="Bars: 95 % interval over documents." + (" Band: 95 % of single sizes." if law else ""),
    )


def _by_document(some: pd.DataFrame, name: str, axis: str) -> pd.DataFrame:
    """Sizes by documents, smallest size first; a document that not all sizes answered is left out."""
    wide = some.pivot_table(index=[axis, "model"], columns="doc_id", values=name, aggfunc="sum")
    wide = wide.dropna(axis=1)
    if wide.shape[1] < 2:
        raise TableError("models have fewer than 2 documents in common; expected the same documents for all")
    return wide


def difficulty(rows: pd.DataFrame, choice: Choice, source: str) -> Findings:
    """Curves of easy and hard documents apart, and whether each turns (Wu and Lo 2025)."""
    if (rows["doc_id"] == "").any():
        raise TableError(f"{source}: column doc_id is missing or empty; expected one row per document")
    found, notes, pictures = [], [], []
    for setting, some in scores_by_setting(rows, choice):
        axis: Scale = "flops" if some["flops"].notna().all() else "params"
        if some[axis].isna().any():
            raise TableError(f"{source}: column params: is empty; expected the size of every model")
        scores = _by_document(some, "value", axis)
        try:
            groups = by_difficulty(scores.to_numpy(), groups=choice.groups)
        except ValueError as error:
            raise HarnessError(f"{setting['task']}: {error}") from error
        x = np.log10(scores.index.get_level_values(axis).to_numpy(dtype=float))
        names = tuple(map(str, scores.index.get_level_values("model")))
        pictures.append(_groups_picture(setting, axis, names, 10**x, groups))
        for i, y in enumerate(groups.y):
            lines = two_lines(x, y)
            found.append(
                {
                    **setting,
                    "group": f"{i + 1} of {choice.groups}",
                    "documents": int(groups.n[i]),
                    "models": len(x),
                    "smallest": float(y[0]),
                    "lowest": float(y.min()),
                    "largest": float(y[-1]),
                    "turn": _TURNS[lines.turn] if lines and lines.p < 0.05 else None,
                    "break_at": float(10**lines.at) if lines else None,
                    "t_left": lines and lines.t_left,
                    "t_right": lines and lines.t_right,
                    "p": lines and lines.p,
                }
            )
        if len(x) < 6:
            notes.append(f"{setting['task']}: {len(x)} models are too few for two lines of three.")
    notes.append("group: from easy to hard, ranked by the other half of the models; turn: at the 5 % level.")
    return Findings(rows=found, notes=tuple(notes), pictures=tuple(pictures))


def _groups_picture(
    setting: Mapping[str, Any], axis: Scale, names: tuple[str, ...], sizes: np.ndarray, groups: ByDifficulty
) -> Picture:
    """A curve for each group of documents, from easy to hard."""
    curves = tuple(
        Dots(
            name=f"group {i} of {len(groups.y)}",
            x=values(sizes),
            y=values(y),
            models=names,
            error=values(SURE * error),
            joined=True,
        )
        for i, (y, error) in enumerate(zip(groups.y, groups.stderr, strict=True), start=1)
    )
    return Picture(
        title=title_of(setting),
        x_title=AXIS_TITLES[axis],
        y_title=str(setting["metric"]),
        axis="log",
        dots=curves,
        says="Group 1 has the easiest documents, as ranked by the other half of the models. Bars: 95 % interval over "
        "documents.",
    )


_TURNS = {1: "falls, then rises", -1: "rises, then falls", 0: None}
