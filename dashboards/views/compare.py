"""Compare: two models or settings on the documents both answered."""

from __future__ import annotations

import streamlit as st
from harness.dashboards import address, charts, state, tables
from harness.dashboards.tooltips import tooltips

from harness import figures
from harness.analysis.compare import Comparison, choose_side, compare_pairs, noise_from, pair_up, summary
from harness.errors import HarnessError
from harness.store import Outcomes

HELP = (
    "A model, or terms such as shots=0 or model=NAME,prompt=plain: type and press Enter. What one side names holds for "
    "both."
)


# Rows of the figure on one page, and sentences on what could not be compared that are not folded up.
ROWS, MISSING = 30, 8


def gain_of_b(one: Comparison) -> float:
    """By how much B is better, in units of the score."""
    return one.scores.difference * (1 if one.metric.higher_is_better else -1)


@st.cache_resource(max_entries=20, show_spinner="Comparing document by document")
def compared(
    version: state.Version, filters: state.Filters, a: str, b: str, _outcomes: Outcomes
) -> tuple[tuple[Comparison, ...], list[str]]:
    """Paired differences of the filtered cells, and what could not be compared.

    `version` is here to be a key of the cache: they are computed again when the folder changes.
    """
    results, failures = filters.cells(_outcomes.results), filters.cells(_outcomes.failures)
    cells = [*(r.cell for r in results), *(f.cell for f in failures)]
    pairing = pair_up(choose_side(a, cells), choose_side(b, cells), results, failures)
    found = compare_pairs(pairing.pairs, state.document_scores(), noise=noise_from(results))
    left = [f"{one.task} {one.setting}: {one.reason}" for one in (*pairing.unpaired, *found.unpaired)]
    return found.comparisons, left


st.title("Compare two models or settings")
outcomes = state.outcomes()
state.require_results(outcomes)
filters = state.filters(outcomes)
largest = sorted({(r.cell.model.params, r.cell.model.name) for r in filters.cells(outcomes.results)}, reverse=True)
models = [name for _, name in largest]
if not models:
    st.info("No result matches. Take away a filter in the sidebar.")
    state.end_page()
left, right = st.columns(2)
a = address.choose_one(left.selectbox, "A", models, "a", first=min(1, len(models) - 1), free=True, help=HELP)
b = address.choose_one(right.selectbox, "B", models, "b", free=True, help=HELP)
if not a or not b:
    st.info("Choose two models, or two settings such as shots=0 and shots=2.")
    state.end_page()
try:
    comparisons, missing = compared(state.version(), filters, a, b, outcomes)
except HarnessError as error:
    st.warning("These two cannot be compared.")
    st.text(str(error))
    state.end_page()
if comparisons:
    counted = summary(comparisons)
    st.text(
        f"B is better on {counted.better}, worse on {counted.worse}, with no clear difference on {counted.unclear}."
    )
    place = st.container()
    page = address.turn_page(-(-len(comparisons) // ROWS), "rows-page")
    part = sorted(comparisons, key=gain_of_b, reverse=True)[(page - 1) * ROWS : page * ROWS]
    with place:
        charts.show(
            lambda: figures.comparison_figure(part, a=a, b=b),
            "comparison",
            lambda: tables.comparisons(comparisons),
            of=(filters, a, b, page),
        )
    rows = tables.comparisons(comparisons)
    st.dataframe(
        tables.written(rows, tables.COMPARISON_NUMBERS),
        hide_index=True,
        column_config=tooltips(map(str, rows)),
        placeholder="",
        key="comparisons",
        alt="Paired differences, a row per task",
    )
else:
    st.info("The two have no document in common.")
if missing:
    st.subheader("Not compared")
    for sentence in missing[:MISSING]:
        st.text(sentence)
    if len(missing) > MISSING:
        with st.expander(f"{len(missing) - MISSING} more"):
            for sentence in missing[MISSING:]:
                st.text(sentence)
