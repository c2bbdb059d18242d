"""Which classes does a model know? Precision, recall, F1 and support of every label, entity type or relation.

Everything is computed from the stored answers of finished cells, whatever kind of model gave them.
"""

from harness.analysis.classes.answers import LABELLED, NO_CLASS, ClassesError
from harness.analysis.classes.over_sizes import ClassCurves, class_curves
from harness.analysis.classes.report import ReadAnswers, class_report, class_reports
from harness.analysis.classes.types import Average, ClassReport, ClassScore, Scheme

__all__ = [
    "LABELLED",
    "NO_CLASS",
    "Average",
    "ClassCurves",
    "ClassReport",
    "ClassScore",
    "ClassesError",
    "ReadAnswers",
    "Scheme",
    "class_curves",
    "class_report",
    "class_reports",
]
