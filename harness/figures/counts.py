"""How many curves got which verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import cycle

import plotly.graph_objects as go

from harness.analysis.verdict import PLAIN_WORDS, Judged, kind_text
from harness.figures.style import COLOURS, captioned, layout, literal

_FEW = 10
"""With fewer curves an axis would have ticks between whole numbers."""


def verdict_counts(judged: Sequence[Judged]) -> go.Figure:
    """How many curves got which verdict: a bar for each verdict that was given, its families stacked.

    Args:
        judged: at least one curve.
    """
    counts = Counter((row.curve.family, kind_text(row.verdict)) for row in judged)
    families = sorted({family for family, _ in counts})
    order = {words: place for place, words in enumerate(PLAIN_WORDS.values())}
    # what a word is said to more closely, as in "falls, still above chance", stands behind the word alone
    kinds = sorted(
        {kind for _, kind in counts}, key=lambda kind: (order.get(kind, order.get(kind.split(",")[0], 0)), kind)
    )
    figure = go.Figure(layout=layout("", height=140 + 30 * len(kinds)))
    for family, colour in zip(families, cycle(COLOURS), strict=False):
        figure.add_trace(
            go.Bar(
                y=kinds,
                x=[counts[family, kind] for kind in kinds],
                name=literal(family),
                orientation="h",
                marker={"color": colour, "line": {"width": 0}},
                text=[counts[family, kind] or "" for kind in kinds],
                customdata=[literal(family)] * len(kinds),
                hovertemplate="%{y}: %{x} curves of %{customdata}<extra></extra>",
            )
        )
    figure.update_layout(barmode="stack", bargap=0.25, showlegend=len(families) > 1, margin_t=50)
    longest = max(sum(counts[family, kind] for family in families) for kind in kinds)
    whole = {"dtick": 1} if longest < _FEW else {"tickformat": "d"}
    figure.update_xaxes(title_text="Curves (task and setting)", rangemode="tozero", **whole)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return captioned(figure, f"{len(judged)} curves, each the headline metric of one task in one setting.")
