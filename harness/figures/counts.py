"""How many curves got which verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import cycle

import plotly.graph_objects as go

from harness.analysis.verdict import PLAIN_WORDS, Judged
from harness.figures.style import COLOURS, captioned, layout, literal


def verdict_counts(judged: Sequence[Judged]) -> go.Figure:
    """How many curves got which verdict: a bar for each verdict that was given, its families stacked.

    Args:
        judged: at least one curve.
    """
    counts = Counter((row.curve.family, row.verdict.label) for row in judged)
    families = sorted({family for family, _ in counts})
    labels = [label for label in PLAIN_WORDS if any(counts[family, label] for family in families)]
    figure = go.Figure(layout=layout("", height=140 + 30 * len(labels)))
    for family, colour in zip(families, cycle(COLOURS), strict=False):
        figure.add_trace(
            go.Bar(
                y=[PLAIN_WORDS[label] for label in labels],
                x=[counts[family, label] for label in labels],
                name=literal(family),
                orientation="h",
                marker={"color": colour, "line": {"width": 0}},
                text=[counts[family, label] or "" for label in labels],
                customdata=[literal(family)] * len(labels),
                hovertemplate="%{y}: %{x} curves of %{customdata}<extra></extra>",
            )
        )
    figure.update_layout(barmode="stack", bargap=0.25, showlegend=len(families) > 1, margin_t=50)
    figure.update_xaxes(title_text="Curves (task and setting)", rangemode="tozero", tickformat="d")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return captioned(figure, f"{len(judged)} curves, each the headline metric of one task in one setting.")
