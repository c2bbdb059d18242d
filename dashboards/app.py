"""Entry of the dashboard: finds the results folder, loads it once per change, and shows the pages.

    streamlit run app.py -- results/

The folder may also be named by the environment variable EMERGENCE_RESULTS, which wins. Streamlit runs this file again
at every click, so loading and judging are cached under the folder's stamp (number and newest change of its files).
Pages find what was loaded in `st.session_state["study"]`.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import streamlit as st

from harness.analysis.curves import AXIS_TITLES, Scale
from harness.analysis.study import Study, study
from harness.errors import StoreError
from harness.plan import Cell
from harness.store import DocumentScores, Store

log = logging.getLogger(__name__)
FOLDER_VARIABLE = "EMERGENCE_RESULTS"
# Not called `pages`: Streamlit takes a folder of that name for its older kind of multipage app, and would run a page
# by itself, without this file, when its address is the first one opened.
VIEWS = Path(__file__).parent / "views"


def results_folder() -> Path:
    """The folder asked for: environment, then the argument after `--`, then `results`."""
    return Path(os.environ.get(FOLDER_VARIABLE) or next(iter(sys.argv[1:]), "results"))


# cache_resource, not cache_data: a study is immutable, and copying it at every click would cost more than reading it.
@st.cache_resource(max_entries=6, show_spinner="Reading results")
def load(folder: str, stamp: tuple[int, int], scale: Scale) -> Study:
    """The study in the folder; `stamp` changes when the folder does and so asks for a new reading."""
    store = Store(Path(folder))

    def documents(cell: Cell) -> DocumentScores | None:
        try:
            return store.scores(cell)
        except StoreError as error:
            log.warning("%s", error)
            return None

    return study(*store.outcomes(), scale=scale, items=documents)


def main() -> None:
    """Show the page that is asked for, or say what to do when there are no results."""
    st.set_page_config(page_title="Emergent abilities", layout="wide")
    page = st.navigation(
        [
            st.Page(VIEWS / "curves.py", title="Curves", icon=":material/show_chart:", default=True),
            st.Page(VIEWS / "verdicts.py", title="Verdicts", icon=":material/gavel:"),
            st.Page(VIEWS / "leaderboard.py", title="Leaderboard", icon=":material/leaderboard:"),
        ]
    )
    scale = st.sidebar.selectbox("Scale", list(AXIS_TITLES), format_func=lambda s: AXIS_TITLES[s], key="scale")
    folder = results_folder()
    loaded = load(str(folder), Store(folder).stamp(), scale)
    counts = ((loaded.results, "results"), (loaded.failures, "failures"), (loaded.problems, "unreadable files"))
    st.sidebar.caption(f"`{folder}`: " + ", ".join(f"{len(items)} {name}" for items, name in counts))
    if loaded.curves:
        st.session_state["study"] = loaded
        page.run()
    elif loaded.results:
        st.info(f"None of the models in `{folder}` has a known place on this axis. Choose another one.")
    else:
        st.info(f"There are no results in `{folder}` yet. `emergence run` makes some; then reload this page.")
    with st.sidebar.expander("Failures and unreadable files", expanded=False):
        for failure in loaded.failures:
            st.text(f"{failure.cell.label}: {failure.error}: {failure.message}")
        for problem in loaded.problems:
            st.text(str(problem))


main()
