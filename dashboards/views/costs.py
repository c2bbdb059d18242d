"""Costs: scores beside size, time, energy and CO2 of every model and variant."""

from __future__ import annotations

from dataclasses import asdict
from typing import get_args

import pandas as pd
import streamlit as st
from harness.dashboards import address, charts, state, tables

from harness import figures
from harness.analysis.costs import CostGroup, CostRow, cost_rows, electricity_of, regions
from harness.wording import carbon, count, energy, number, percent, score

AGAINST = {
    "bytes": "Bytes on disk",
    "memory": "Bytes in memory",
    "seconds": "Seconds for each document",
    "energy": "Watt hours for 1,000 documents",
}


def table_of_costs(rows: tuple[CostRow, ...], factor: float) -> pd.DataFrame:
    """A row per cell, point, model or treatment; columns without a value are left out."""
    table = pd.DataFrame(
        {
            "Family": row.family,
            "Model": row.model,
            "Variant": row.variant or "plain",
            "Run": row.run,
            "Task": row.task,
            "Shots": row.shots,
            "Score": row.score,
            "On disk, bytes": row.weight_bytes,
            "In memory, bytes": row.memory_bytes,
            "GPU, bytes": row.peak_bytes,
            "Seconds per document": row.seconds_per_document,
            "Energy, Wh": row.energy_wh,
            "Measured, Wh": row.measured_wh,
            "CO₂, g": None if row.energy_wh is None else factor * row.energy_wh / 1000.0,
            "Making, s": row.making_seconds,
            "Making, Wh": row.making_wh,
            "Score per kWh": row.score_per_kwh,
        }
        for row in rows
    )
    return table.dropna(axis="columns", how="all")


st.title("Costs")
st.caption(
    "Score: mean way from chance (0) to perfect (1) over the settings that all rows of a family have. Making: loading, "
    "rounding, pruning, training. Score per kWh: the score divided by the energy of 1,000 answers."
)
outcomes = state.outcomes()
state.require_results(outcomes)
filters = state.filters(outcomes)
results = filters.cells(outcomes.results)
left, middle, right = st.columns(3)
by: CostGroup = address.choose_one(left.selectbox, "A row is a", get_args(CostGroup), "by", first=2)
against: figures.CostAxis = address.choose_one(
    middle.selectbox, "Scores against", [*AGAINST], "against", format_func=AGAINST.__getitem__
)
place = address.choose_one(
    right.selectbox, "Electricity of", [*regions()], "region", format_func=lambda code: regions()[code].country
)
electricity = electricity_of(place)
rows = cost_rows(results, by)
if not rows:
    st.info("Nobody knows what results of other programs took. Take away a filter in the sidebar.")
    state.end_page()
models = rows if by == "model" else cost_rows(results, "model")
charts.show(
    lambda: figures.cost_figure(models, against),
    f"costs-{against}",
    lambda: pd.DataFrame(map(asdict, models)),
    of=(filters, against),
)
total, known = sum(row.energy_wh or 0.0 for row in rows), [r for r in results if r.provenance.energy_wh is not None]
if known:
    measured = sum(r.provenance.energy_measured_wh or 0.0 for r in known)
    share = percent(measured / total) if total else "none"
    st.text(
        f"{energy(total)}, {carbon(electricity.grams(total))}: {electricity.label}. Recorded for {count(len(known))} "
        f"of {count(len(results))} cells; counters gave {share} of it, the rest is an estimate."
    )
    charts.show(
        lambda: figures.efficiency_figure(models),
        "score-per-kwh",
        lambda: pd.DataFrame(map(asdict, models)),
        of=(filters, "kwh"),
    )
else:
    st.text("No cell here has its energy: `emergence run --energy` records it.")
board = table_of_costs(rows, electricity.g_per_kwh)
st.dataframe(
    tables.written(board, {**{str(name): number for name in board.select_dtypes("number")}, "Score": score}),
    hide_index=True,
    placeholder="",
    alt="Score, sizes, time and energy, a row per line of the table",
)
charts.download("This table (CSV)", "costs", lambda: board)
