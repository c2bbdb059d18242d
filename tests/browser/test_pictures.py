"""Pictures that take a browser: `make browser`."""

import re

import pytest

from harness import figures
from harness.analysis.verdict import study
from tests.builders import grown
from tests.builders.dashboards import CHROMIUM

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH: apt-get install chromium, or set CHROMIUM"),
]


def test_a_pdf_for_a_paper_has_its_width_and_brings_its_fonts() -> None:
    paper = figures.Paper(width="3.3in", font=8)
    rows = study(grown((50, 52, 75, 90, 110, 125, 140, 160))).judged
    drawn = figures.overview(rows, columns=1, look=figures.FigureLook(width=paper.drawn_width))
    made = figures.to_picture(drawn, "pdf", paper=paper)
    (width,) = {float(found) for found in re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ", made)}
    assert width == pytest.approx(3.3 * 72, abs=1)
    assert b"/FontFile" in made


def test_a_png_for_a_paper_has_300_dots_to_the_inch() -> None:
    paper = figures.Paper(width="2in")
    drawn = figures.curve_figure(study(grown((50, 52, 75, 90))).judged)
    header = figures.to_picture(drawn, "png", paper=paper)[:24]
    assert int.from_bytes(header[16:20], "big") == pytest.approx(600, abs=2)
