"""What does an ability cost? Score beside size on disk, memory, time, energy and CO2 of every model and variant."""

from harness.analysis.costs.electricity import Electricity, electricity_of, regions
from harness.analysis.costs.ratios import CostRatios, cost_ratios
from harness.analysis.costs.rows import COST_GROUPS, CostGroup, CostRow, cost_rows

__all__ = [
    "COST_GROUPS",
    "CostGroup",
    "CostRatios",
    "CostRow",
    "Electricity",
    "cost_ratios",
    "cost_rows",
    "electricity_of",
    "regions",
]
