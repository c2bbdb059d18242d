"""Streamlit with a head start: results are read and judged while the browser is still opening.

    python -m harness.dashboards.serve run app.py [Streamlit's options]

The caches are those of the process, so that the first reader finds them full, or waits for what is under way.
"""

from __future__ import annotations

import logging
from importlib import import_module
from threading import Thread

from streamlit.web.cli import main

HEAD_START = "head start"


def head_start() -> None:
    """Do what the first page will ask for. What is wrong with the results, the page will say."""
    # There is no page yet for a spinner to turn on, and Streamlit would warn of that.
    warnings = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
    warnings.addFilter(lambda said: said.threadName != HEAD_START)
    for name in ("tables", "charts"):
        import_module(f"harness.dashboards.{name}")
    import_module("harness.dashboards.state").study("params")


if __name__ == "__main__":
    Thread(target=head_start, name=HEAD_START, daemon=True).start()
    main(prog_name="streamlit")
