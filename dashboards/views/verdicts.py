"""Verdicts: one line per task and setting; choosing one shows its curve, its reasons and its evidence beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
from harness.dashboards import address, cards, charts, state, tables
from harness.dashboards.tooltips import tooltips

from harness import figures
from harness.analysis.verdict import Judged, label_text, to_json
from harness.glossary import explained
from harness.wording import count, visible_json

# Lines on a page. Comments: Streamlit would print a text that stands alone.
LINES = 100
# Pixels of a letter in a table, and of what stands around a text.
LETTER, AROUND = 7.4, 24
# Letters of a name that are shown; a label is never longer.
LONGEST = 60
# The evidence stands beside the table where there is room, and else above it, not below where nobody looks.
BESIDE = """<style>
.st-key-verdicts-pane { flex-direction: column-reverse; }
@media (min-width: 1200px) {
  .st-key-verdicts-pane { flex-direction: row; }
  .st-key-verdicts-table { flex: 2 1 0; min-width: 0; }
  .st-key-verdicts-evidence { flex: 3 1 0; min-width: 0; }
}
</style>"""
ORDERS: dict[str, Callable[[Judged], Any]] = {
    "Family and task": lambda row: 0,
    "Threshold": lambda row: (row.verdict.threshold is None, row.verdict.threshold),
    "Largest change": lambda row: -abs(row.verdict.evidence.range or 0.0),
    "Smallest q": lambda row: (row.verdict.evidence.q_trend is None, row.verdict.evidence.q_trend),
}


def show_verdict(row: Judged) -> None:
    """The curve, its reasons and its evidence."""
    curve, verdict = row.curve, row.verdict
    st.subheader("The curve and its evidence")
    st.text(f"{curve.task} ({curve.family}, {curve.label}): {label_text(verdict)}")
    with st.grid(2, min_column_width=320, gap="small") as grid:
        for number, drawn in enumerate(filter(None, (row, row.partner))):
            with grid.cell():
                charts.show(
                    lambda drawn=drawn: figures.curve_figure([drawn], look=figures.CELL_LOOK),
                    f"verdict-{number}",
                    lambda drawn=drawn: tables.points([drawn.curve]),
                    of=(study.scale, curve.setting),
                )
    cards.offer(curve.task)
    for reason in verdict.reasons:
        st.text(f"• {reason}")
    state.links(row, study.scale, leave_out="verdicts")
    st.dataframe(
        tables.evidence(verdict.evidence),
        hide_index=True,
        key="evidence",
        alt="Numbers behind the verdict",
    )


VERDICT_COLUMNS = ("Verdict", "Threshold", "Above chance from", "Change", "q", "Deciding sizes")


def table_of(rows: Sequence[Judged]) -> Callable[..., Any]:
    """What draws the table of some verdicts."""
    words = {
        "Task": [row.curve.task for row in rows],
        "Setting": [row.curve.label for row in rows],
        "Verdict": [label_text(row.verdict) for row in rows],
    }
    # The first lines may be shorter than the others, and no label is cut.
    widths = {heading: round(AROUND + LETTER * min(max(map(len, texts)), LONGEST)) for heading, texts in words.items()}
    families = len({row.curve.family for row in rows}) > 1
    table = tables.verdicts(rows)
    columns = [name for name in table if families or name != "Family"]

    def draw(**choice: Any) -> Any:
        return st.dataframe(
            tables.written(table, tables.VERDICT_NUMBERS),
            hide_index=True,
            column_config=tooltips(map(str, table), **widths),
            column_order=columns,
            placeholder="",
            on_select="rerun",
            selection_mode="single-row",
            alt="One verdict per task and setting",
            **choice,
        )

    return draw


st.title("Verdicts")
st.html(BESIDE)
study, filters = state.look()
with st.expander("What the columns mean"):
    st.text("\n".join(f"{heading}: {text}" for heading in VERDICT_COLUMNS if (text := explained(heading))))
state.say_basis(study)
judged = filters.judged(study.judged)
words = sorted({label_text(row.verdict) for row in judged})
only = address.several(st.multiselect, "Verdict", words, "verdict")
shown = [row for row in judged if not only or label_text(row.verdict) in only]
if not shown:
    st.info("No verdict matches. Take away a filter.")
    state.end_page()
if len(shown) > LINES:
    order = address.choose_one(st.selectbox, "Sort all of them by", [*ORDERS], "sort")
    shown.sort(key=ORDERS[order])
st.text("Choose a line at its left edge to see the curve and the evidence. Click a heading to sort.")
asked = address.asks_for("row")
names = [state.row_name(row) for row in shown]
pane, below = st.container(key="verdicts-pane"), st.container()
with below:
    where = names.index(asked) // LINES + 1 if asked in names else None
    page = address.turn_page(-(-len(shown) // LINES), "verdicts-page", open_at=where)
part = slice((page - 1) * LINES, page * LINES)
with pane:
    table, evidence = st.container(key="verdicts-table"), st.container(key="verdicts-evidence")
with table:
    chosen = address.pick_row(table_of(shown[part]), names[part], "row", "verdicts")
with below:
    if len(shown) > LINES:
        st.caption(f"{count(LINES)} of {count(len(shown))} verdicts on a page; a click on a heading sorts this page.")
    with st.container(horizontal=True):
        charts.download("These verdicts (CSV)", "verdicts", lambda: tables.verdicts(shown))
        st.download_button(
            "All verdicts (JSON)",
            lambda: visible_json([to_json(row) for row in study.judged], indent=1),
            file_name="verdicts.json",
            mime="application/json",
            key="json",
            on_click="ignore",
            icon=":material/download:",
        )
if chosen is not None:
    with evidence:
        show_verdict(shown[part][chosen])
