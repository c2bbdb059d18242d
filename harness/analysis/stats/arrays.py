"""What the arrays of the analysis hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Numbers, of any shape."""
Mask = NDArray[np.bool_]
"""True and False, of any shape."""
Index = NDArray[np.intp]
"""Whole numbers that count or point at places, of any shape."""
