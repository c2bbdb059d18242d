"""Benchmark families of language models of increasing size and judge which abilities emerge, where, and how surely.

The names below are the public Python interface; whatever else the package holds may change. Each is loaded when it is
first used.

| | |
|---|---|
| `load_catalog`, `select`, `evaluate` | from the catalogue to a plan, and from the plan to results in a folder |
| `read_curves` | a results folder, or a table of published results, as curves |
| `judge`, `forecasts`, `compare` | verdicts on curves, scores at a larger scale, and paired differences |
| `curve_figure`, `sharp_and_smooth` | curves and their verdicts as pictures |
| `leaderboard_table`, `report_html` | the same as a table and as one page |
| `laws` | published scaling laws |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazy_names
from harness.version import __version__

if TYPE_CHECKING:
    from harness.analysis import laws
    from harness.analysis.forecast import forecasts
    from harness.analysis.verdict import judge
    from harness.catalog import load_catalog, select
    from harness.figures import curve_figure, sharp_and_smooth
    from harness.notebook import compare, leaderboard_table, read_curves, report_html
    from harness.runner import evaluate

__all__ = [
    "__version__",
    "compare",
    "curve_figure",
    "evaluate",
    "forecasts",
    "judge",
    "laws",
    "leaderboard_table",
    "load_catalog",
    "read_curves",
    "report_html",
    "select",
    "sharp_and_smooth",
]

__getattr__ = lazy_names(
    __name__,
    {
        "compare": "notebook",
        "curve_figure": "figures",
        "evaluate": "runner",
        "forecasts": "analysis.forecast",
        "judge": "analysis.verdict",
        "laws": "notebook",
        "leaderboard_table": "notebook",
        "load_catalog": "catalog",
        "read_curves": "notebook",
        "report_html": "notebook",
        "select": "catalog",
        "sharp_and_smooth": "figures",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
