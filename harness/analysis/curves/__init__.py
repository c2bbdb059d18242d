"""What are the points? Results sorted by scale, joined only where they can be compared.

`frame` and `table` load pandas and are imported by their own names.
"""

from harness.analysis.curves.join import curves
from harness.analysis.curves.shape import shape
from harness.analysis.curves.types import AXIS_TITLES, Curve, Point, Scale, position, scale_value

__all__ = [
    "AXIS_TITLES",
    "Curve",
    "Point",
    "Scale",
    "curves",
    "position",
    "scale_value",
    "shape",
]
