"""Published laws fitted to the scores of a table: what `emergence law NAME --table FILE` shows.

`analysis.laws` has the laws themselves, as functions of columns of numbers. Here is what a tidy table needs so that one
of them can be fitted to it, and what the fit says, law by law.
"""

from harness.lawbook.book import BOOK, fitted
from harness.lawbook.frames import Choice, Findings, law_rows
from harness.lawbook.pictures import Dots, LawLine, Picture

__all__ = ["BOOK", "Choice", "Dots", "Findings", "LawLine", "Picture", "fitted", "law_rows"]
