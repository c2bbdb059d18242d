"""`emergence dashboard`: Streamlit on a results folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import say
from harness.cli.result_options import Results
from harness.errors import MachineError


def command(
    results: Results = Path("results"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8501,
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Name by which a proxy in front of it is called; others than localhost are refused."),
    ] = None,
) -> None:
    """Open the dashboard on 127.0.0.1; from elsewhere, forward the port (ssh -L 8501:127.0.0.1:8501 host)."""
    _check_free(port)
    command_line = [sys.executable, "-m", "harness.dashboards.serve", "--port", str(port)]
    command_line += [*(["--browser"] if browser else []), *(f"--allow-host={name}" for name in allow_host or ())]
    say(f"dashboard of {results}/ on http://127.0.0.1:{port} (Ctrl-C ends it)")
    environment = {**os.environ, "EMERGENCE_RESULTS": str(results.resolve())}
    if os.name == "posix":
        os.dup2(2, 1)  # Streamlit's banner is no data
        # This process becomes the server: a signal to it, from a scheduler or a terminal, ends the server.
        os.execve(sys.executable, command_line, environment)
    raise typer.Exit(subprocess.run(command_line, env=environment, stdout=sys.stderr, check=False).returncode)


def _check_free(port: int) -> None:
    """Check that the port is free before it is announced."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will: a port just left is free
        try:
            door.bind(("127.0.0.1", port))
        except OSError as error:
            raise MachineError(f"--port {port}: {error.strerror}; expected a free port") from error
