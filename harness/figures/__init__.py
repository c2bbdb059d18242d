"""Curves, verdicts and leaderboards as pictures: draws what was computed elsewhere, and alone imports plotly."""

from harness.figures.curves import curve_figure, overview, sharp_and_smooth
from harness.figures.maps import heat_map
from harness.figures.page import plotly_js, to_div, to_png
from harness.figures.style import COLOURS, SYMBOLS, caption

__all__ = [
    "COLOURS",
    "SYMBOLS",
    "caption",
    "curve_figure",
    "heat_map",
    "overview",
    "plotly_js",
    "sharp_and_smooth",
    "to_div",
    "to_png",
]
