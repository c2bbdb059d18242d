"""What the caption of curves says: error bars, documents, rings, thresholds, growth forms and gaps."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.curves import Curve
from harness.analysis.verdict import CurveRow, Judged, same_place_text, threshold_text
from harness.figures.axes import same_place
from harness.figures.levels import with_threshold
from harness.figures.lines import Lines, grey_families
from harness.figures.panel import described, repeated
from harness.wording import one_decimal, score, span

_NAMED_GAPS = 3
"""Up to this many missing points are named; of more the number is given."""
_NAMED_THRESHOLDS = 6
"""Up to this many thresholds of one task are written out."""


def describe(
    rows: Sequence[CurveRow], lines: Lines, *, partners: Sequence[CurveRow] = (), thresholds: bool = True
) -> str:
    """The caption: what error bars, rings, bands and lines mean, how many documents there are, and what is missing.

    Args:
        rows: the curves that are drawn.
        lines: names of the settings.
        partners: continuous metrics that are drawn beside them.
        thresholds: True when thresholds are drawn.
    """
    curves = [row.curve for row in (*rows, *partners)]
    counted = [n for c in curves for e in c.estimates if (n := e.n_known) is not None]
    documents = f"n = {span(counted)} documents per point" if counted else "Number of documents not known"
    seeds = max(e.seeds for c in curves for e in c.estimates)
    interval = "95 % interval (Wilson for proportions, else normal)"
    parts = [f"{intervals_drawn(curves)}: {interval}. {documents}"]
    parts[0] += f", mean of up to {seeds} few-shot seeds." if seeds > 1 else "."
    parts += about_dots(curves)
    parts += _about_levels(curves)
    if any(isinstance(row, Judged) and row.verdict.reliable_from is not None for row in rows):
        checkpoints = all(c.of_checkpoints for c in curves)
        ones = "this checkpoint and all later ones" if checkpoints else "this size and all larger ones"
        parts.append(f"Ring: {ones} are above chance.")
    parts += _about_thresholds(rows) if thresholds else []
    parts += _about_forms(rows, lines)
    parts += _about_families(curves, lines)
    if others := list(dict.fromkeys(c.source for c in curves if c.source is not None)):
        parts.append(f"Open markers: results of others, in no verdict: {', '.join(others)}.")
    missing = list(dict.fromkeys(f"{gap.model} {c.task} {c.shots}-shot" for c in curves for gap in c.gaps))
    if missing:
        more = f" and {len(missing) - _NAMED_GAPS} more" if len(missing) > _NAMED_GAPS else ""
        parts.append(f"No point where there is no score: {', '.join(missing[:_NAMED_GAPS])}{more}.")
    return " ".join(parts)


def intervals_drawn(curves: Sequence[Curve]) -> str:
    """What stands for intervals."""
    drawn = {repeated(curve) for curve in curves}
    return "Bars and bands" if len(drawn) > 1 else "Bands" if True in drawn else "Bars"


def about_dots(curves: Sequence[Curve]) -> list[str]:
    """What the dots are where sizes have several training runs or few-shot seeds, as one sentence; none elsewhere."""
    if any(runs > 1 for curve in curves for runs in curve.runs):
        return ["Dots: single training runs; points are their means, and bands hold the noise between runs."]
    if any(run.of_seeds for curve in curves for point in curve.points for run in point.runs):
        return ["Dots: single few-shot seeds; points are their means."]
    return []


def _about_levels(curves: Sequence[Curve]) -> list[str]:
    """What the grey lines are."""
    chance = ["dashed, chance"] if any(c.metric.chance is not None for c in curves) else []
    best = ["dotted, the ceiling (best possible score)"] if any(c.metric.best is not None for c in curves) else []
    return [f"Grey lines: {'; '.join([*chance, *best])}."] if chance or best else []


def _about_families(curves: Sequence[Curve], lines: Lines) -> list[str]:
    """Sentences on families without a colour of their own, and on those whose models all lie at one place."""
    grey = grey_families(lines)
    parts = [f"Grey, because there are more families than colours: {', '.join(grey)}."] if grey else []
    alike = {c.family: same_place_text(c) for c in curves if same_place(c)}
    return [*parts, *(f"No line for {family}: {said}." for family, said in alike.items())]


def _about_thresholds(rows: Sequence[CurveRow]) -> list[str]:
    found = with_threshold(rows)
    if not found:
        return []
    panels = {(row.curve.suite, row.curve.task) for row in found}
    each = "; ".join(f"{row.curve.label} {threshold_text(row)}" for row in found)
    where = "Shaded" if len(found) == 1 else "Shaded, or strips" if len(panels) > 1 else "Strips"
    named = f": {each}" if len(panels) == 1 and len(found) <= _NAMED_THRESHOLDS else ""
    return [f"{where}: where the curve passes chance by 5 points of 100, with its 95 % interval{named}."]


def _about_forms(rows: Sequence[CurveRow], lines: Lines) -> list[str]:
    """Sentences on which growth form describes each curve best, and on the curves that none describes."""
    fitting: list[str] = []
    without: list[str] = []
    for row in rows:
        if row.traces:
            best, name = row.traces[0], lines[row.curve.family, row.curve.label].name
            if described(row):
                fitting.append(f"{name} {best.form} ({score(best.weight)})")
            else:
                without.append(f"{name} ({one_decimal(best.scatter)})")
    parts = []
    if fitting:
        forms = ", ".join(fitting)
        parts.append(f"Thin lines: the growth form that describes each curve best (Akaike weight): {forms}.")
    if without:
        parts.append(
            "No growth form describes these: sizes scatter more than documents explain, by the factor in brackets: "
            f"{', '.join(without)}."
        )
    return parts
