"""Forecast: the score expected at a larger scale, and how well such forecasts did so far."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st
from harness.dashboards import address, charts, state, tables
from harness.dashboards.tooltips import tooltips

from harness import figures
from harness.analysis.curves import AXIS_TITLES, Curve
from harness.analysis.forecast import Forecast, NoForecast, forecasts, on_the_way
from harness.analysis.growth import Trace, traces
from harness.wording import number, quantity


class Foretold(NamedTuple):
    """What the page shows of one curve."""

    forecast: Forecast | NoForecast
    """The forecast, or why there is none."""
    forms: tuple[Trace, ...]
    """Growth forms of the curve, up to the forecast."""
    way: tuple[Forecast, ...]
    """Forecasts on the way to it, whose intervals are a band."""


# Forecasts on one page: each redraws its curve hundreds of times.
CARDS = 4
# How far beyond the largest size at first: a decade, and for a loss a tenth less.
FURTHER, LOWER = 10.0, 0.9


@st.cache_resource(max_entries=32, show_spinner="Forecasting")
def foretold(
    version: state.Version, settings: tuple[object, ...], at: float, _curves: tuple[Curve, ...]
) -> tuple[Foretold, ...]:
    """The forecast of each curve; `version` and `settings` stand for the curves."""
    parts = zip(forecasts(_curves, at), traces(_curves, until=at), on_the_way(_curves, at), strict=True)
    return tuple(Foretold(*of_curve) for of_curve in parts)


def place_asked(text: str, otherwise: float) -> float:
    """The scale that was typed; says so where it is none, and takes another."""
    if not text:
        return otherwise
    read = quantity(text)
    value = 0.0 if read is None else float(read)
    if 0 < value < 1e40:
        return value
    st.warning("The scale of a forecast is a number above 0, such as 7e9, 7B or 1.4T.")
    return otherwise


def forecast_card(of: Foretold, place: int) -> None:
    """One forecast with its doubts, or why there is none."""
    one, curve = of.forecast, of.forecast.curve
    if isinstance(one, NoForecast):
        st.text(f"{curve.task} ({curve.family}, {curve.label}): no forecast. {one.reason}")
        return
    charts.show(
        lambda: figures.forecast_figure(one, of.forms, of.way),
        f"forecast-{place}",
        lambda: tables.forecast_table([one]),
        of=(study.scale, curve.setting, one.at),
    )


st.title("Forecast")
study, filters = state.look()
curves = tuple(row.curve for row in filters.judged(study.judged))
if not curves:
    st.info("No curve matches. Take away a filter in the sidebar.")
    state.end_page()
ends = [curve.x[-1] for curve in curves]
usual = min(ends) * LOWER if study.scale == "loss" else max(ends) * FURTHER
asked = address.type_text(
    st.text_input,
    "Forecast at",
    "at",
    placeholder=number(usual),
    help=f"A place on the axis: {AXIS_TITLES[study.scale]}. Such as 7e9, 7B or 1.4T.",
)
at = place_asked(asked, usual)
st.text(
    f"What a larger model of the family would score at {number(at)}: the diamond, with the interval that one such "
    "model falls into in 95 of 100 cases; the band is that interval on the way there. Grey: each measured size as it "
    "would have been foretold from the smaller ones, which says how far such forecasts can be trusted here. Choose "
    "tasks in the sidebar."
)
place = st.container()
page = address.turn_page(-(-len(curves) // CARDS), "forecast-page")
shown = curves[(page - 1) * CARDS : page * CARDS]
found = foretold(state.version(), (study.scale, *(curve.setting for curve in shown)), at, shown)
with place:
    rows = tables.forecast_table([one.forecast for one in found])
    st.dataframe(
        tables.written(rows, tables.FORECAST_NUMBERS),
        hide_index=True,
        column_config=tooltips(map(str, rows)),
        placeholder="",
        key="forecasts",
        alt="Forecasts, a row per curve",
    )
    with st.grid(2, min_column_width=340, gap="medium") as grid:
        for place_, one in enumerate(found, start=1):
            with grid.cell():
                forecast_card(one, place_)
