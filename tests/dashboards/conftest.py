"""What every page needs: results to look at, and no browser to wait for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness.dashboards import charts

from harness.store import Store
from tests.builders import failed, grown, task
from tests.builders.curves import RISE


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody draws here, and nobody needs time for it."""
    monkeypatch.setattr(charts, "BEFORE_FIGURES_S", 0.0)


@pytest.fixture(autouse=True)
def _no_components_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test driver looks through all installed packages for components each time, for most of a test's time."""
    monkeypatch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", list)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store without results, shown."""
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path / "results"))
    return Store(tmp_path / "results")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that no test changes, so that it is judged once: three tasks, two of them also with examples."""
    made = Store(tmp_path_factory.mktemp("shared") / "results")
    asked = [(name, shots) for name in ("colours", "shapes") for shots in (0, 2)] + [("letters", 0)]
    results = [r for name, shots in asked for r in grown(RISE, of=task(name), shots=shots)]
    for one in results[1:]:
        made.write(replace(one, samples=()))
    made.write(failed(results[0].cell, message="no <b>answer</b>", failed_at=datetime(2026, 1, 2, tzinfo=UTC)))
    return made


@pytest.fixture
def shown(shared: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The shared store, shown."""
    monkeypatch.setenv("EMERGENCE_RESULTS", str(shared.root))
    return shared


@pytest.fixture
def own(shared: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of the shared store to write into, shown."""
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    shutil.copytree(shared.root, tmp_path, dirs_exist_ok=True)
    return Store(tmp_path)
