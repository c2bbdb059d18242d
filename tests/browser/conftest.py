"""A real store, the real dashboard on it, and a real Chromium that looks at it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.store import Store
from tests.benchmarks.big_store import MANY_SHOTS, write_big_store
from tests.builders import cell, failed, grown, model, result, sample, task
from tests.builders.dashboards import CHROMIUM, HOSTILE, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The embedded family on three suites, as `emergence run` leaves it, but for one cell that failed."""
    folder = tmp_path_factory.mktemp("browser") / "results"
    options = ["--suite", "arithmetic,classification,prompting", "--family", "embedded", "--executor", "inline"]
    subprocess.run([sys.executable, "-m", "harness", "run", *options, "--results", str(folder)], cwd=ROOT, check=True)
    made = Store(folder)
    lost = next(r.cell for r in made.results() if r.cell.task == "topic" and r.cell.model.params < 50_000)
    shutil.rmtree(made.path(lost))
    made.write(failed(lost, error="OutOfMemoryError", message="tried to allocate 2 GiB", traceback="Traceback\n  ..."))
    return made


@pytest.fixture(scope="session")
def families_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Six families overlaid, 53 models in all, on three tasks, of which one has a long name."""
    made = Store(tmp_path_factory.mktemp("families") / "results")
    for number in range(6):
        sizes = [1000 * 4**step + number for step in range(9 if number < 5 else 8)]
        for name in ("colours", "shapes", "a task whose name is longer than a narrow screen is wide"):
            for step, params in enumerate(sizes):
                of = model(params, family=f"family-{number}", name=f"model-{number}-{params}")
                right = 20 + 4 * step
                made.write(result(cell(model=of, of=task(name)), values=[1.0] * right + [0.0] * (80 - right)))
    return made


@pytest.fixture(scope="session")
def large_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Sixty tasks with five numbers of shots, 3,600 cells."""
    root = tmp_path_factory.mktemp("large") / "results"
    return write_big_store(root, tasks=60, documents=20, sizes=12, asked=MANY_SHOTS, families=("large-a",))


@pytest.fixture(scope="session")
def hostile_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Models, tasks and answers that try to be more than text."""
    made = Store(tmp_path_factory.mktemp("hostile") / "results")
    for header in grown((50, 60, 90, 120), n=200):
        size = header.cell.model.params
        asked = cell(model=model(size, name=f"toy-{size} {HOSTILE}"), task=f"colours {HOSTILE}", prompt=HOSTILE)
        answers = tuple(
            sample(i, output=HOSTILE, prompt=HOSTILE, options=(HOSTILE, "red"), option_loglikelihoods=(-1.0, -2.0))
            for i in range(3)
        )
        made.write(result(asked, values=(1.0, 1.0, 1.0), samples=answers))
    lost = cell(model=model(10**6, name=HOSTILE), task=HOSTILE)
    made.write(failed(lost, error=HOSTILE, message=HOSTILE, traceback=HOSTILE))
    return made


@pytest.fixture(scope="session")
def address(store: Store) -> Iterator[str]:
    """Where the dashboard on the real store answers."""
    with served(store.root) as there:
        yield there


@pytest.fixture(scope="session")
def hostile_address(hostile_store: Store) -> Iterator[str]:
    """Where the dashboard on the hostile store answers."""
    with served(hostile_store.root) as there:
        yield there


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # no sandbox: Chromium refuses to start as root with one, which is what containers are
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()
