"""Seconds of one page of the dashboard in this process: `python -m tests.benchmarks.page_view PAGE`, printed as JSON.

On its own, and with nothing imported that the page imports, because the first view waits for these too.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[2] / "dashboards" / "app.py"
PAGES = tuple(sorted(path.stem for path in (APP.parent / "views").glob("*.py") if path.stem != "__init__"))


def _task(app: AppTest) -> Any:
    widget = app.multiselect(key="task")
    return widget.select(widget.options[0])


def _axis(app: AppTest) -> Any:
    return app.selectbox(key="scale").select("flops")


def _search(app: AppTest) -> Any:
    return app.text_input(key="text").input("which word")


CHANGES: dict[str, Callable[[AppTest], Any]] = {"task": _task, "axis": _axis, "search": _search}
"""What a reader changes, one after the other -> how; a KeyError when the page has no such widget."""


def page_seconds(name: str) -> dict[str, float]:
    """Seconds of the first view (also those of the CPU), of the same again, and of each change that the page knows.

    The store is the one that the dashboard's environment variable names.
    """
    app = AppTest.from_file(str(APP), default_timeout=600).switch_page(f"views/{name}.py")
    app.session_state["figures loaded"] = True  # no browser is left time for loading them
    cpu = time.process_time()
    took = {"first": _seconds(app)}
    took["first CPU"] = round(time.process_time() - cpu, 2)
    took["again"] = _seconds(app)
    for what, change in CHANGES.items():
        try:
            change(app)
        except KeyError:
            continue
        took[what] = _seconds(app)
    return took


def _seconds(app: AppTest) -> float:
    start = time.perf_counter()
    app.run()
    seconds = time.perf_counter() - start
    assert not app.exception, app.exception
    return round(seconds, 2)


if __name__ == "__main__":
    # Streamlit's test driver warns at every step that there is no browser.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").disabled = True
    print(json.dumps(page_seconds(sys.argv[1])))
