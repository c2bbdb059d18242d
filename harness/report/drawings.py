"""The figures of a report: each a still picture, and what a browser needs to make those in view interactive.

Without JavaScript, and on paper, the pictures are all there is. With it, plotly replaces each that comes into view, so
that a page of hundreds of figures opens at once. plotly.js and the figures are packed, or they would be most of the
page.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from harness import figures

STILL_WIDTH = 800.0
"""Pixels of each picture: letters of 12.5 pixels are 8 points on a sheet of A4."""

SCRIPT = """
(async () => {
  const unpack = async (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const boxes = [...document.querySelectorAll("figure[data-figure]")];
  for (const part of document.querySelectorAll("details.reasons")) part.open = false;
  const unfold = (open) => document.querySelectorAll("details.reasons").forEach((part) => { part.open = open; });
  addEventListener("beforeprint", () => unfold(true));
  addEventListener("afterprint", () => unfold(false));
  if (!boxes.length || !window.DecompressionStream) return;
  const drawn = JSON.parse(await unpack("figures"));
  const script = document.createElement("script");
  script.textContent = await unpack("plotly");
  document.head.append(script);
  const config = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  const seen = new IntersectionObserver((entries) => entries.filter((one) => one.isIntersecting).forEach((one) => {
    seen.unobserve(one.target);
    const { data, layout } = drawn[one.target.dataset.figure];
    one.target.classList.add("live");
    Plotly.newPlot(one.target.querySelector(".plot"), data, layout, config);
  }), { rootMargin: "400px" });
  boxes.forEach((box) => seen.observe(box));
})();
"""
"""Folds the reasons, which are open without JavaScript, and draws figures when they come into view."""


class Drawings:
    """The figures of one page, in the order in which they were asked for.

    Args:
        each: is given every figure with its name, which is unlike those of the others.
    """

    def __init__(self, each: Callable[[str, Any], None] | None = None) -> None:
        self._each = each
        self._figures: list[str] = []

    def of(self, figure: Any, name: str) -> Markup:
        """The figure as a part of the page, with its caption."""
        shown = figures.untitled(figure)
        self._figures.append(str(shown.to_json()))
        if self._each is not None:
            self._each(f"{len(self._figures):03}-{name}", figure)
        return Markup(
            '<figure data-figure="{}"><div class="plot"></div><div class="still">{}</div>'
            "<figcaption>{}</figcaption></figure>"
        ).format(len(self._figures) - 1, Markup(figures.to_svg(shown, width=STILL_WIDTH)), figures.caption(figure))

    @property
    def packed(self) -> str:
        """All figures as plotly wants them."""
        return compressed(f"[{','.join(self._figures)}]")


def compressed(text: str) -> str:
    """A text as it stands in a page: gzip, always with the same bytes, in letters."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
