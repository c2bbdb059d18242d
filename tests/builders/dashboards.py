"""The dashboard, as Streamlit's test driver shows it and as a real browser asks for it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from harness.store import Store
from tests.builders import cell, model, result
from tests.builders.hostile import BROWSER

APP = Path(__file__).parents[2] / "dashboards" / "app.py"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = " ".join(BROWSER)
"""What a model may answer and no page may obey."""
PAGES = ("overview", "curves", "verdicts", "metric", "forecast", "shots", "classes", "leaderboard", "costs", "compare")
"""The pages that show what the results say: all but Samples and Runs."""


# --- Streamlit's own test driver ------------------------------------------------------------------------------------


def opened(page: str = "overview", **address: str | list[str]) -> AppTest:
    """A page, at an address with these filters."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params.update(address)
    app.switch_page(f"views/{page}.py").run()
    assert not app.exception
    return app


def column(app: AppTest, heading: str) -> list[Any]:
    """The column of that name, in the first table that has one."""
    return next(list(table.value[heading]) for table in app.dataframe if heading in table.value)


def numbers(app: AppTest) -> dict[str, str]:
    """The large numbers of a page, by their labels."""
    return {metric.label: metric.value for metric in app.metric}


def texts(app: AppTest) -> str:
    """Everything a page says outside of tables and figures."""
    kinds = (app.title, app.subheader, app.markdown, app.text, app.code, app.caption, app.info, app.warning)
    return "\n".join(element.value for kind in kinds for element in kind)


def markup(app: AppTest) -> str:
    """What a browser would not show letter by letter: words of others must not be in it."""
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.info, app.warning)
    return "\n".join(element.value for kind in kinds for element in kind)


def walk(**address: str | list[str]) -> Iterator[AppTest]:
    """Each page in turn, by one reader: starting the driver takes longer than showing a page."""
    app = opened("overview", **address)
    for page in PAGES:
        yield app.switch_page(f"views/{page}.py").run()
        assert not app.exception, page


def charts(app: AppTest) -> list[str]:
    """Each figure as plotly got it."""
    return [chart.proto.spec for chart in app.get("plotly_chart")]


class _Cells(HTMLParser):
    """What stands in the cells of a table, row by row; markup inside a cell would be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        self._inside = tag in ("th", "td")
        if self._inside:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def html_tables(app: AppTest) -> list[list[list[str]]]:
    """The light tables of a page, headings first."""
    found = []
    for table in app.get("html"):
        parser = _Cells()
        parser.feed(table.proto.body)
        found += [parser.rows] if parser.rows else []
    return found


def answered(store: Store, params: int, right: list[int], **changes: Any) -> None:
    """Write a cell with samples: one document each that was answered rightly (1) or not (0)."""
    store.write(result(cell(model=model(params), **changes), values=[float(r) for r in right]))


# --- a server for a real browser ------------------------------------------------------------------------------------


def served(root: Path, *options: str) -> AbstractContextManager[str]:
    """`emergence dashboard` on a folder; gives its address."""
    # started beside the folder, so that pictures show its name and not where the tests keep it
    return serving(
        [sys.executable, "-m", "harness", "dashboard", *options, "--results", str(root), "--port"], root.parent
    )


@contextmanager
def serving(command: Sequence[str], folder: Path) -> Iterator[str]:
    """A server started in a folder by a command that lacks only the port; gives its address as soon as it answers."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    process = subprocess.Popen(
        [*command, port],
        cwd=folder,
        start_new_session=True,  # the command may start Streamlit as a child, and both have to end
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1500):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
