"""One self-contained HTML page of what the results show, and everything behind one figure for a paper."""

from harness.report.commands import options_of_places
from harness.report.drawn import drawn_tasks
from harness.report.report import report_page
from harness.report.supplement import figure_supplement

__all__ = [
    "drawn_tasks",
    "figure_supplement",
    "options_of_places",
    "report_page",
]
