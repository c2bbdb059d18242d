"""One self-contained HTML page of what the results show, and everything behind one figure for a paper."""

from harness.report.report import report_page
from harness.report.supplement import figure_supplement

__all__ = [
    "figure_supplement",
    "report_page",
]
