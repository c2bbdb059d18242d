"""`emergence dashboard`: Streamlit on a results folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Results
from harness.cli.output import say
from harness.errors import MachineError


def command(
    results: Results = Path("results"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8501,
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = False,
) -> None:
    """Open the dashboard on 127.0.0.1; from elsewhere, forward the port (ssh -L 8501:127.0.0.1:8501 host)."""
    _check_free(port)
    app = Path(next(iter(import_module("harness.dashboards").__path__))) / "app.py"
    options = {
        "server.address": "127.0.0.1",
        "server.port": str(port),
        "server.headless": str(not browser).lower(),
        "server.fileWatcherType": "none",  # looks at each file of each module all the time, and nobody edits them
        "runner.postScriptGC": "false",  # walks through all results after each click; Python collects when it must
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "runner.magicEnabled": "false",  # a page shows what it is told to, not every value that stands alone
    }
    command_line = [sys.executable, "-m", "harness.dashboards.serve", "run", str(app)]
    command_line += [f"--{name}={value}" for name, value in options.items()]
    say(f"dashboard of {results}/ on http://127.0.0.1:{port} (Ctrl-C ends it)")
    environment = {**os.environ, "EMERGENCE_RESULTS": str(results.resolve())}
    if os.name == "posix":
        os.dup2(2, 1)  # Streamlit's banner is no data
        # This process becomes the server: a signal to it, from a scheduler or a terminal, ends the server.
        os.execve(sys.executable, command_line, environment)
    raise typer.Exit(subprocess.run(command_line, env=environment, stdout=sys.stderr, check=False).returncode)


def _check_free(port: int) -> None:
    """See that nobody listens at the port, before it is announced."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will: a port just left is free
        try:
            door.bind(("127.0.0.1", port))
        except OSError as error:
            raise MachineError(f"--port {port}: {error.strerror}; expected a free port") from error
