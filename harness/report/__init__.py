"""One self-contained HTML page of what the results show."""

from harness.report.report import report_page

__all__ = [
    "report_page",
]
