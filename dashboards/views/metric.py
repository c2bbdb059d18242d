"""Emergent, or the metric? The sharp and the smooth metric of the same answers on one axis, and what the test says."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from harness.dashboards import address, charts, state, tables

from harness import figures
from harness.analysis.verdict import Judged, label_text
from harness.wording import counted

# Curves on one page, and labels that are shown first. Comments: Streamlit would print a text that stands alone.
CARDS = 4
FIRST = ("metric-artefact", "emergent", "flat", "inconclusive")


def by_interest(row: Judged) -> tuple[int, str, str]:
    """Verdicts that the metric decides come first."""
    label = row.verdict.label
    return (FIRST.index(label) if label in FIRST else len(FIRST), row.curve.task, row.curve.label)


def metric_card(row: Judged, number: int) -> None:
    """One curve: both metrics, and what the test says of them."""
    curve = row.curve
    st.text(f"{curve.task} ({curve.family}, {curve.label}): {label_text(row.verdict)}")
    charts.show(
        lambda: figures.sharp_over_smooth(row),
        f"metric-{number}",
        lambda: tables.points([curve, row.partner.curve] if row.partner else [curve]),
        of=(study.scale, curve.setting),
    )
    st.text(sentence(row))
    state.links(row, study.scale, leave_out="metric")


def sentence(row: Judged) -> str:
    """What the test of the smooth metric says, in the words of the verdict."""
    trend = row.verdict.partner_trend
    said = [reason for reason in row.verdict.reasons if trend is not None and trend.metric in reason]
    if said:
        return " ".join(said)
    return "The ability is there at every size, so that nothing can be growing before it."


def about(rows: Sequence[Judged]) -> None:
    """What is to be seen here, and how often."""
    made = sum(row.verdict.label == "metric-artefact" for row in rows)
    st.text(
        "A metric that counts only whole right answers can hide growth and show it as a jump. Each figure has the "
        "headline metric and a continuous one of the same answers, each as a share of its own range. Where the "
        "continuous one already improves within the shaded sizes, the jump (or the flatness) is made by the metric. "
        f"Of {counted(len(rows), 'curve')} with both, that is so for {made}."
    )


st.title("Is it emergent, or the metric?")
study, filters = state.look()
state.say_basis(study)
rows = sorted((row for row in filters.judged(study.judged) if row.partner is not None), key=by_interest)
if not rows:
    st.info("No curve here has a continuous metric of the same answers. Take away a filter in the sidebar.")
    state.end_page()
about(rows)
pages = -(-len(rows) // CARDS)
place = st.container()
page = address.turn_page(pages, "metric-page")
with place.grid(2, min_column_width=340, gap="medium") as grid:
    for number, row in enumerate(rows[(page - 1) * CARDS : page * CARDS], start=1):
        with grid.cell():
            metric_card(row, number)
