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
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from tests.builders.hostile import BROWSER

APP = Path(__file__).parents[2] / "dashboards" / "app.py"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = " ".join(BROWSER)
"""What a model may answer and no page may obey."""


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
