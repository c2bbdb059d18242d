"""What every page needs: results to look at, and no browser to wait for."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.dashboards import charts

from harness.store import Store


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
