"""Curves, verdicts and leaderboards as pictures. Figures only draw what was computed elsewhere.

No other package imports plotly.
"""

from harness.figures.artefact import sharp_over_smooth
from harness.figures.classes import class_figure, confusion_map
from harness.figures.comparison import comparison_figure
from harness.figures.composition import composition_figure
from harness.figures.costs import CostAxis, cost_figure, efficiency_figure
from harness.figures.counts import verdict_counts
from harness.figures.curves import curve_figure, overview, pairs, sharp_and_smooth
from harness.figures.forecast import forecast_figure
from harness.figures.grid import FigureLook
from harness.figures.law import law_figure
from harness.figures.lines import Line, lines_of
from harness.figures.maps import heat_map, shots_by_scale
from harness.figures.page import PICTURES, plotly_js, to_div, to_page, to_picture, untitled
from harness.figures.paper import Paper
from harness.figures.power import power_figure
from harness.figures.small import panels_caption, task_panels
from harness.figures.static import to_svg
from harness.figures.style import COLOURS, SYMBOLS, caption, heading
from harness.figures.training import loss_figure
from harness.figures.treatments import treatment_figure
from harness.figures.widths import CELL_LOOK, for_any_width

__all__ = [
    "CELL_LOOK",
    "COLOURS",
    "PICTURES",
    "SYMBOLS",
    "CostAxis",
    "FigureLook",
    "Line",
    "Paper",
    "caption",
    "class_figure",
    "comparison_figure",
    "composition_figure",
    "confusion_map",
    "cost_figure",
    "curve_figure",
    "efficiency_figure",
    "for_any_width",
    "forecast_figure",
    "heading",
    "heat_map",
    "law_figure",
    "lines_of",
    "loss_figure",
    "overview",
    "pairs",
    "panels_caption",
    "plotly_js",
    "power_figure",
    "sharp_and_smooth",
    "sharp_over_smooth",
    "shots_by_scale",
    "task_panels",
    "to_div",
    "to_page",
    "to_picture",
    "to_svg",
    "treatment_figure",
    "untitled",
    "verdict_counts",
]
