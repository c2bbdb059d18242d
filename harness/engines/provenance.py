"""Provenance of a cell: the machine, the software and the settings it was evaluated with."""

from __future__ import annotations

import functools
import socket
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata

from harness.records import Provenance
from harness.version import __version__

ENGINE_PACKAGES = ("torch", "transformers", "lm_eval", "vllm")
"""Packages whose version can change a score."""


class Stopwatch:
    """Measures the time of a cell from its start, and creates its provenance at the end."""

    def __init__(self) -> None:
        self._started_at = datetime.now(UTC)
        self._started = time.perf_counter()

    def provenance(
        self,
        *,
        device: str = "cpu",
        batch_size: int | None = None,
        token_budget: int | None = None,
        deterministic: bool = False,
        fallback: str | None = None,
        foreign_code: Sequence[str] = (),
        fence: str | None = None,
        packages: Sequence[str] = ENGINE_PACKAGES,
    ) -> Provenance:
        """The provenance of a cell that ends now."""
        commit, dirty = git_state()
        return Provenance(
            started_at=self._started_at,
            seconds=time.perf_counter() - self._started,
            versions=dict(versions(tuple(packages))),
            git_commit=commit,
            git_dirty=dirty,
            device=device,
            host=host(),
            batch_size=batch_size,
            token_budget=token_budget,
            deterministic=deterministic,
            fallback=fallback,
            foreign_code=tuple(foreign_code),
            fence=fence,
        )


@functools.cache
def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Package -> version, the harness included; packages that are not installed are left out."""
    found = {"harness": __version__}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def host() -> str:
    """Name of this machine."""
    return socket.gethostname()


@functools.cache
def git_state() -> tuple[str | None, bool | None]:
    """Git commit of the current folder and whether it has changes, read once per process; both None outside git."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None, None
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else bool(changes)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
