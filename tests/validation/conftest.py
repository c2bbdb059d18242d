"""Published results to validate against: those that come with the tests, and those that may lie beside the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders.tables import Published

_HERE = Path(__file__).parent
_SHIPPED = _HERE / "data"
_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == _HERE:
            item.add_marker("calibration")


@pytest.fixture(scope="session")
def data() -> Published:
    """`data("pythia.parquet")`: where a published table lies; `data/README.md` says where each comes from."""

    def found(name: str) -> Path:
        for folder in (_SHIPPED, _BESIDE):
            if (folder / name).is_file():
                return folder / name
        pytest.skip(f"{name} does not come with the tests, for want of a licence, and is not in ../shared/data")

    return found


@pytest.fixture(scope="session")
def reference(data: Published) -> dict[str, Any]:
    """Reference values by name, each with its tolerance."""
    values: dict[str, Any] = json.loads(data("reference_numbers.json").read_text(encoding="utf-8"))
    return values
