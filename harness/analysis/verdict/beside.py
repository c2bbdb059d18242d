"""What stands beside a curve, in sentences: its continuous partner, and the same documents in the other format."""

from __future__ import annotations

from harness.analysis.curves import Curve
from harness.analysis.verdict.rules import significant
from harness.analysis.verdict.types import FORMAT_ARTEFACT, FORMAT_ROBUST, Decision, PartnerTrend
from harness.wording import one_decimal, percent, probability


def partner_sentence(curve: Curve, partner: PartnerTrend, decision: Decision) -> str:
    """What the continuous metric of the same answers does where the ability seems absent."""
    if partner.sizes_below == 0:
        return ""
    everywhere = partner.sizes_below == partner.sizes
    noun, where = curve.noun, _below(curve, partner)
    if partner.rises_below is None:
        return f"{partner.metric}: too few {noun}s below the threshold to say whether it rises earlier."
    z = "" if partner.z_below is None else f"z = {one_decimal(partner.z_below)}"
    of_range = "" if partner.share_below is None else f", {percent(min(partner.share_below, 1))} of its range"
    share = "" if everywhere else of_range
    if partner.rises_below:
        what = "flatness" if decision.rule == "small" else "jump"
        blame = f"The {what} is made by the metric: " if decision.label == "metric-artefact" else ""
        return f"{blame}{partner.metric} of the same answers already improves {where} ({z}{share})."
    if partner.z_below is not None and significant(partner.q_below):
        moves = "gets worse" if partner.z_below < 0 else "improves only little"
        return f"{partner.metric} {moves} {where} ({z}{share if partner.z_below > 0 else ''})."
    return f"{partner.metric} does not clearly improve {where} (q {probability(partner.q_below)})."


def _below(curve: Curve, partner: PartnerTrend) -> str:
    noun, sizes = curve.noun, partner.sizes_below
    return f"over all {noun}s" if sizes == partner.sizes else f"over the {sizes} {noun}s below the threshold"


def twin_sentence(curve: Curve, twin: PartnerTrend, decision: Decision) -> str:
    """What the same documents show when options are asked for the other way."""
    if twin.sizes_below == 0 or decision.label not in {"emergent", "flat", "metric-artefact"}:
        return ""
    noun, where, qualifiers = curve.noun, _below(curve, twin), (decision.qualifier or "").split()
    by_letter = twin.format == "mc" or curve.format == "cloze"
    asked = f"sked {'by letter' if by_letter else 'without listing the options'}, the same documents"
    z = "" if twin.z_below is None else f" (z = {one_decimal(twin.z_below)})"
    if FORMAT_ARTEFACT in qualifiers:
        what = "flatness" if decision.rule == "small" else "jump"
        there = f"already improve in {twin.metric} {where}{z}"
        if not twin.rises_below:
            there = f"are above chance at each of {twin.sizes_below} {noun}s already"
        return f"Format artefact: a{asked} {there}, so that the {what} is made by the format."
    if twin.rises_below is None:
        return f"A{asked} have too few {noun}s below the threshold to say whether {twin.metric} rises earlier."
    if twin.z_below is not None and significant(twin.q_below):
        return f"A{asked} {'get worse' if twin.z_below < 0 else 'improve only little'} {where}{z}."
    also = " and jump as well" if FORMAT_ROBUST in qualifiers else ""
    return f"A{asked} do not clearly improve in {twin.metric} {where} (q {probability(twin.q_below)}){also}."
