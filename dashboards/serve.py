"""The dashboard's server: a guarded door, and results read and judged while the browser is still opening.

    python -m harness.dashboards.serve --port 8501

It listens on 127.0.0.1 alone, and answers only requests that name this machine in their `Host` header: a page
elsewhere whose name is made to mean 127.0.0.1 (DNS rebinding) could read all results otherwise. The caches are those
of the process, so that the first reader finds them full, or waits for what is under way.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import webbrowser
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit.starlette import App

ADDRESS = "127.0.0.1"
HOSTS = (ADDRESS, "localhost")
"""Names by which a browser on this machine, or at the other end of a forwarded port, calls this server."""
HEAD_START = "head start"
_OFTEN_FIRST = ("flops", "tokens", "loss", "params_non_embedding", "params_active")
"""Every axis but that of the first page, those first that readers ask for most."""
PATIENCE_S = 2.0
"""Seconds that are left to readers between one further axis and the next."""


def settings(port: int, hosts: Sequence[str]) -> dict[str, Any]:
    """Streamlit's options; they win over those in a configuration file of the user.

    Args:
        port: port on this machine.
        hosts: names by which requests may call the server.
    """
    return {
        "server.address": ADDRESS,
        "server.port": port,
        "server.headless": True,
        "server.allowedHosts": list(hosts),
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.fileWatcherType": "none",  # looks at each file of each module all the time, and nobody edits them
        "runner.postScriptGC": False,  # walks through all results after each click; Python collects when it must
        "runner.magicEnabled": False,  # a page shows what it is told to, not every value that stands alone
        "browser.gatherUsageStats": False,
        # Streamlit's own red is a little too faint for small letters
        "theme.light.primaryColor": "#b02a3a",
        "theme.dark.primaryColor": "#f2808a",
        "client.toolbarMode": "minimal",
        "client.showErrorLinks": "false",  # they would send an error's words to search engines
        "client.disableDataExport": True,  # writes formulas as they are; the buttons below tables defuse them
    }


def guarded(hosts: Sequence[str], *, open_at: str | None = None) -> App:
    """The dashboard, which answers only requests to certain hosts.

    Args:
        hosts: names by which requests may call the server.
        open_at: address to open in a browser window at the start; None opens none.
    """

    @asynccontextmanager
    async def started(_: App) -> AsyncGenerator[None, None]:
        if open_at is not None:
            webbrowser.open(open_at)
        yield

    door = Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    return App(Path(__file__).with_name("app.py"), middleware=[door], lifespan=started)


def head_start() -> None:
    """Compute and load what the first page will need, in that order; it will report what is wrong with the results."""
    # There is no page yet for a spinner to turn on, and Streamlit would warn of that.
    warnings = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
    warnings.addFilter(lambda record: record.threadName != HEAD_START)
    state = import_module("harness.dashboards.state")
    state.outcomes()
    import_module("harness.dashboards.summary")
    state.current_study("params")
    for name in ("harness.dashboards.tables", "harness.figures", "harness.leaderboard", "harness.store.samples"):
        import_module(name)
    import_module("pyarrow.parquet")  # what answers are read with


def other_axes(patience: float = PATIENCE_S) -> None:
    """After the first page has been shown, judge on the other axes too, so that a change of axis need not wait."""
    state = import_module("harness.dashboards.state")
    state.looked.wait()
    for axis in _OFTEN_FIRST:
        state.current_study(axis)
        time.sleep(patience)


def _ahead() -> None:
    head_start()
    other_axes()


def main(arguments: Sequence[str]) -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--allow-host", action="append", default=[])
    asked = parser.parse_args(arguments)
    hosts = (*HOSTS, *asked.allow_host)
    Thread(target=_ahead, name=HEAD_START, daemon=True).start()
    guarded(hosts, open_at=f"http://{ADDRESS}:{asked.port}" if asked.browser else None).run(
        config=settings(asked.port, hosts)
    )


if __name__ == "__main__":
    options, sys.argv[1:] = sys.argv[1:], []  # the pages look there for a folder
    main(options)
