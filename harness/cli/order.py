"""`emergence order`: do abilities appear in the same order in different families?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.cli.option_groups import Choices, CurveSource, with_groups
from harness.cli.output import print_json, print_line, say, table
from harness.cli.result_options import Json, ScaleAxis
from harness.errors import PlanError
from harness.wording import counted, interval, p_value, signed

if TYPE_CHECKING:
    from harness.analysis.compare import OnsetAt
    from harness.analysis.verdict import Judged

_HEAD = ("family", "family", "abilities", "tau", "95 % interval", "p")
_ABSENT = ("flat", "inconclusive")
_THERE = ("smooth", "flat-above-chance")


@with_groups
def command(
    *,
    source: CurveSource,
    scale: ScaleAxis = "params",
    chosen: Choices,
    as_json: Json = False,
) -> None:
    """Compare the order in which abilities appear between every two families: rank correlation of their thresholds.

    Columns: abilities, those of both families whose place is known: at a threshold, before the smallest size, or not up
    to the largest; tau, Kendall's rank correlation, 1 for the same order and -1 for the opposite one, with an interval
    over tasks and over the errors of the thresholds; p, of no agreement.
    """
    from harness.analysis.compare import onset_orders

    every = source.verdicts(scale)
    shown = {id(curve) for curve in chosen.curves([row.curve for row in every])}
    families: dict[str, dict[str, OnsetAt]] = {}
    for row in every:
        if id(row.curve) in shown and (onset := _onset(row)) is not None:
            families.setdefault(row.curve.family, {})[f"{row.curve.task}, {row.curve.label}"] = onset
    if len(families) < 2:
        there = f": {', '.join(families)}" if families else ""
        raise PlanError(
            f"an order is compared between families: expected two or more with known onsets, found "
            f"{counted(len(families), 'family', 'families')}{there}"
        )
    found = onset_orders(families)
    if as_json:
        print_json([one._asdict() for one in found])
        return
    rows = [
        (one.a, one.b, one.tasks, signed(one.tau), interval(one.low, one.high, signed), p_value(one.p)) for one in found
    ]
    print(table(_HEAD, rows))
    print_line()
    if any(one.tau is None for one in found):
        say("no tau: too few abilities in common, or all of them set in at once")


def _onset(row: Judged) -> OnsetAt | None:
    """Where the ability sets in; None where that is not known, or the ability is lost with size."""
    from harness.analysis.compare import OnsetAt
    from harness.analysis.curves import position

    verdict, curve = row.verdict, row.curve
    if verdict.threshold is not None:
        places = (verdict.threshold, verdict.threshold_low, verdict.threshold_high)
        at, low, high = (None if place is None else position(curve.scale, place) for place in places)
        assert at is not None
        return OnsetAt(at, -math.inf if low is None else low, math.inf if high is None else high)
    if verdict.label in _THERE:
        return OnsetAt(-math.inf, -math.inf, -math.inf)
    if verdict.label in _ABSENT:
        return OnsetAt(math.inf, math.inf, math.inf)
    return None
