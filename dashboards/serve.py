"""Streamlit with a head start: results are read and judged while the browser is still opening.

    python -m harness.dashboards.serve run app.py [Streamlit's options]

The caches are those of the process, so that the first reader finds them full, or waits for what is under way.
"""

from __future__ import annotations

import logging
import time
from importlib import import_module
from threading import Thread
from typing import get_args

from streamlit.web.cli import main

HEAD_START = "head start"
PATIENCE_S = 5.0
"""Seconds left to the readers before each further axis."""


def head_start() -> None:
    """Do what the first page will ask for, in that order. What is wrong with the results, the page will say."""
    # There is no page yet for a spinner to turn on, and Streamlit would warn of that.
    warnings = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
    warnings.addFilter(lambda said: said.threadName != HEAD_START)
    state = import_module("harness.dashboards.state")
    state.outcomes()
    import_module("harness.dashboards.summary")
    state.study("params")
    for name in ("harness.dashboards.tables", "harness.figures", "harness.leaderboard", "harness.store.samples"):
        import_module(name)
    import_module("pyarrow.parquet")  # what answers are read with


def other_axes(patience: float = PATIENCE_S) -> None:
    """Once a first page has been seen, judge on the other axes too, so that a change of axis has been made already."""
    state = import_module("harness.dashboards.state")
    state.looked.wait()
    _, *others = get_args(state.Scale)
    for axis in others:
        time.sleep(patience)
        state.study(axis)


def _ahead() -> None:
    head_start()
    other_axes()


if __name__ == "__main__":
    Thread(target=_ahead, name=HEAD_START, daemon=True).start()
    main(prog_name="streamlit")
