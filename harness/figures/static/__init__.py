"""Figures as SVG, drawn without a browser: the same picture that plotly draws, as far as our figures use it.

A report has to be read on nodes without JavaScript and on paper, and a picture has to be written where no browser is.
What is drawn stands in the figure; this package knows scatter traces, bars, heat maps, shapes and annotations, and
nothing of what they mean.
"""

from harness.figures.static.picture import to_svg

__all__ = ["to_svg"]
