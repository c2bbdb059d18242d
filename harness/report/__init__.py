"""One self-contained HTML page of what the results show."""

from harness.report.report import write_report

__all__ = [
    "write_report",
]
