"""What are the points? Results sorted by scale, and joined to one curve only where they can be compared.

`frame` and `table` load pandas and are imported by their own names.
"""

from harness.analysis.curves.compared import Compared, OthersResults, overlaid, with_others
from harness.analysis.curves.join import curves, curves_of, headlined, measured_results
from harness.analysis.curves.neighbours import MOST_POINTS, neighbours_joined
from harness.analysis.curves.replicates import numbered_runs
from harness.analysis.curves.scale import AXIS_TITLES, Scale, position, scale_value
from harness.analysis.curves.shapes import Shape, shape
from harness.analysis.curves.types import Curve, Gap, Measurement, Point, TrainingRun

__all__ = [
    "AXIS_TITLES",
    "MOST_POINTS",
    "Compared",
    "Curve",
    "Gap",
    "Measurement",
    "OthersResults",
    "Point",
    "Scale",
    "Shape",
    "TrainingRun",
    "curves",
    "curves_of",
    "headlined",
    "measured_results",
    "neighbours_joined",
    "numbered_runs",
    "overlaid",
    "position",
    "scale_value",
    "shape",
    "with_others",
]
