"""Families, suites and tasks from YAML files and model folders, and the choice that a user makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazy_names

if TYPE_CHECKING:
    from harness.catalog.catalogue import Catalog, load_catalog
    from harness.catalog.models.folders import check_local_model, complete_folder
    from harness.catalog.models.revisions import pinned
    from harness.catalog.places import own_suites
    from harness.catalog.selection import select

__all__ = ["Catalog", "check_local_model", "complete_folder", "load_catalog", "own_suites", "pinned", "select"]

__getattr__ = lazy_names(
    __name__,
    {
        "Catalog": "catalogue",
        "check_local_model": "models.folders",
        "complete_folder": "models.folders",
        "load_catalog": "catalogue",
        "own_suites": "places",
        "pinned": "models.revisions",
        "select": "selection",
    },
)
