"""Families, suites and tasks: YAML files and model folders -> specs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazy_names

if TYPE_CHECKING:
    from harness.catalog.catalogue import Catalog, load_catalog
    from harness.catalog.models import check_local_model, model_from_folder, params_doubt, pinned, resolved

__all__ = [
    "Catalog",
    "check_local_model",
    "load_catalog",
    "model_from_folder",
    "params_doubt",
    "pinned",
    "resolved",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Catalog": "catalogue",
        "check_local_model": "models",
        "load_catalog": "catalogue",
        "model_from_folder": "models",
        "params_doubt": "models",
        "pinned": "models",
        "resolved": "models",
    },
)
