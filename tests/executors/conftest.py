"""What the tests of processes share."""

import pytest

from tests.executors.engines import PATHS


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started find the same modules as this one."""
    for name, value in PATHS.items():
        monkeypatch.setenv(name, value)
