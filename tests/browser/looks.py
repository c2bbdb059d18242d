"""What a page looks like to somebody who measures: letters too faint to read, parts on top of each other, heights."""

from __future__ import annotations

CONTRAST = """() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const parse = text => {
    const n = (text.match(/[\\d.]+/g) || []).map(Number);
    return n.length < 3 ? [0, 0, 0, 0] : [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
  };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const behind = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const faint = [];
  const walker = document.createTreeWalker(document.querySelector("[data-testid=stApp]"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent.trim(), element = node.parentElement;
    if (!text || !element || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (["STYLE", "SCRIPT", "TITLE", "DESC"].includes(element.tagName) || element.closest("canvas")) continue;
    // What is drawn inside a plot stands on bars and cells of its own; a letter that is a sign needs 3, as lines do.
    if (element.closest(".cartesianlayer .plot, .heatmaplayer, .bartext, [aria-hidden=true]")) continue;
    const widget = element.closest("[data-testid=stSelectbox]");
    if (widget && widget.querySelector(":disabled, [aria-disabled=true]")) continue;
    if (element.closest("[data-testid=stIconMaterial]") || element.closest("[aria-disabled=true], :disabled")) continue;
    const style = getComputedStyle(element), isDrawn = !!element.closest("svg");
    const box = element.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) continue;
    const under = behind(element), letters = parse(isDrawn ? style.fill : style.color);
    letters[3] *= isDrawn ? Number(style.fillOpacity) : 1;
    const [a, b] = [light(over(letters, under)), light(under)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), bold = parseInt(style.fontWeight) >= 700;
    const needed = size >= 24 || (size >= 18.66 && bold) ? 3 : 4.5, found = (a + 0.05) / (b + 0.05);
    const colour = isDrawn ? style.fill : style.color;
    if (found < needed) faint.push(`${text.slice(0, 40)}: ${found.toFixed(2)} of ${needed} (${colour})`);
  }
  return [...new Set(faint)];
}"""
"""Texts that stand out from what is behind them by less than WCAG 2.2 asks at level AA (success criterion 1.4.3)."""

OVERLAPS = """() => {
  const parts = {
    title: ".g-gtitle text", legend: ".legend .traces", "x title": ".xtitle", "y title": ".ytitle",
    "x tick": ".xtick text", "y tick": ".ytick text", note: ".annotation text", button: ".modebar-btn",
  };
  const found = [];
  document.querySelectorAll(".js-plotly-plot").forEach((plot, number) => {
    const frame = plot.getBoundingClientRect();
    const boxes = Object.entries(parts).flatMap(([name, selector]) => [...plot.querySelectorAll(selector)].map(
      part => ({
        name,
        text: part.textContent.trim().slice(0, 30),
        box: part.getBoundingClientRect(),
        turned: /rotate\\((?!0[,)])/.test(part.getAttribute("transform") || ""),
      })
    )).filter(part => part.box.width > 0);
    boxes.forEach((a, i) => {
      if (a.box.left < frame.left - 2 || a.box.right > frame.right + 2)
        found.push(`figure ${number}: ${a.name} ${a.text} is cut`);
      boxes.slice(i + 1).forEach(b => {
        const wide = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
        const high = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
        const turned = a.name === b.name && a.turned;  // boxes of slanted texts are larger than these
        if (wide > 2 && high > 3 && !turned)
          found.push(`figure ${number}: ${a.name} ${a.text} lies on ${b.name} ${b.text}`);
      });
    });
  });
  return found;
}"""
"""Parts of figures that lie on each other, or are cut off at an edge."""

HEIGHT = "document.querySelector('[data-testid=stMain]').scrollHeight"
"""Pixels of a page from top to bottom."""
SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"
"""Pixels by which a page is wider than its window."""
