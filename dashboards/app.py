"""Where Streamlit starts: the list of pages, and the sidebar that all of them share.

    streamlit run app.py -- results/

The folder may also be named by the environment variable EMERGENCE_RESULTS, which wins. Each page is a script that
reads the state, calls one analysis function and one drawing function; what they share is in `state` and `charts`.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import streamlit as st
from harness.dashboards import address, cards, charts, state

# Not called `pages`: Streamlit takes a folder of that name for its older kind of multipage app, and would run a page
# by itself, without this file, when its address is the first one opened.
VIEWS = Path(__file__).parent / "views"
PAGES = (
    ("overview", "Overview", ":material/dashboard:"),
    ("curves", "Curves", ":material/show_chart:"),
    ("verdicts", "Verdicts", ":material/gavel:"),
    ("metric", "Metric or ability", ":material/compare:"),
    ("forecast", "Forecast", ":material/trending_up:"),
    ("shots", "Shots × scale", ":material/grid_on:"),
    ("classes", "Classes", ":material/category:"),
    ("leaderboard", "Leaderboard", ":material/leaderboard:"),
    ("costs", "Costs", ":material/savings:"),
    ("compare", "Compare", ":material/compare_arrows:"),
    ("samples", "Samples", ":material/search:"),
    ("runs", "Runs", ":material/monitoring:"),
)


def main() -> None:
    """Show the page that the address names, and in the sidebar what is in the results folder."""
    # An icon of its own: those of the pages would be fetched from fonts.gstatic.com to stand in the browser's tab.
    st.set_page_config(page_title="Emergent abilities", page_icon="📈", layout="wide")
    page = st.navigation(
        [
            st.Page(VIEWS / f"{name}.py", title=title, icon=icon, default=name == "overview")
            for name, title, icon in PAGES
            if (VIEWS / f"{name}.py").is_file()
        ]
    )
    address.turn_to(page.url_path)
    with state.one_look():
        state.announce()
        outcomes = state.outcomes()
        counts = (
            (outcomes.results, "result", "results"),
            (outcomes.failures, "failure", "failures"),
            (outcomes.problems, "unreadable file", "unreadable files"),
        )
        text = ", ".join(f"{len(of)} {one if len(of) == 1 else many}" for of, one, many in counts)
        folder = state.folder()
        named = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder  # as it was asked for
        st.sidebar.text(f"{named}: {text}")
        charts.choose_picture()
        with suppress(state.PageEndedError):
            page.run()
        cards.offer_any(outcomes)


main()
