"""Growth forms as lines to draw: every form over the sizes of many curves, the best form first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.curves import Curve, position, scale_value
from harness.analysis.growth.averaging import akaike_weights
from harness.analysis.growth.counts import countable, counts_of
from harness.analysis.growth.fitting import dispersion, fit
from harness.analysis.growth.forms import FORMS
from harness.analysis.growth.types import Trace

MISFIT = 2.0
"""Scatter above which a form does not describe its curve, even if it describes it better than all others."""
POINTS = 61
"""Number of points at which a form is drawn, enough for a step to look like a step."""


def traces(
    curves: Sequence[Curve], *, run_sd: float | None = None, until: float | None = None
) -> tuple[tuple[Trace, ...], ...]:
    """Every form that each curve has enough sizes for, best AICc first.

    A curve that is not `countable`, or has fewer than three sizes, has none. The fits are those of `fitted_forms`, but
    for many curves at once, and without intervals and held-out scores.

    Args:
        curves: curves of any numbers of sizes.
        run_sd: standard deviation between training runs at a score of one half.
        until: scale up to which the lines go, as for a forecast; None ends them at the largest size.
    """
    found: list[tuple[Trace, ...]] = [()] * len(curves)
    batches: dict[int, list[int]] = {}
    for place, curve in enumerate(curves):
        if countable(curve):
            batches.setdefault(len(curve.points), []).append(place)
    for members in batches.values():
        for place, traced in zip(members, _together([curves[place] for place in members], run_sd, until), strict=True):
            found[place] = traced
    return tuple(found)


def _together(curves: Sequence[Curve], run_sd: float | None, until: float | None) -> list[tuple[Trace, ...]]:
    """Curves of equally many sizes."""
    counts = counts_of(curves, run_sd=run_sd)
    fits = [fit(form, counts) for form in FORMS.values() if counts.sizes - form.p - 1 > 0]
    if not fits:
        return [()] * len(curves)
    last = counts.x[:, -1]
    if until is not None:
        last = np.maximum(last, [position(curve.scale, until) for curve in curves])
    at = np.linspace(counts.x[:, 0], last, POINTS, axis=1)
    means, shares = [f.onward(at) for f in fits], akaike_weights(fits, counts.sizes)
    scatter = [np.sqrt(dispersion(counts, f.mean(counts.x), f.form.p)) for f in fits]
    made = []
    for row, curve in enumerate(curves):
        x = tuple(scale_value(curve.scale, place) for place in at[row])
        best = curve.metric.best or 1.0
        made.append(
            tuple(
                Trace(
                    form=fits[i].form.name,
                    weight=float(shares[i, row]),
                    scatter=float(scatter[i][row]),
                    x=x,
                    y=tuple((best * means[i][row]).tolist()),
                )
                for i in np.argsort(-shares[:, row], kind="stable")
            )
        )
    return made
