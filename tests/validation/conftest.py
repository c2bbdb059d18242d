"""Published results to validate against: read where they lie beside the project, skipped where they do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_DATA = _ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of published evaluation results; its README says where each file comes from."""
    if not _DATA.is_dir():
        pytest.skip("the published results to validate against are not here: expected in ../shared/data")
    return _DATA


@pytest.fixture(scope="session")
def reference(data: Path) -> dict[str, Any]:
    """Reference values by name, each with its tolerance."""
    values: dict[str, Any] = json.loads((data / "reference_numbers.json").read_text(encoding="utf-8"))
    return values
