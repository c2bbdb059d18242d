"""Heat maps: settings by models, and demonstrations by size."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from harness.figures.style import captioned, layout


def heat_map(table: pd.DataFrame) -> go.Figure:
    """Settings by models, coloured by chance-centred score; blank where there is no score.

    Args:
        table: `leaderboard.centred(...)`: models are the index, settings the columns; at least one of each.
    """
    models, settings = [str(m) for m in table.index], [str(c) for c in table.columns]
    figure = go.Figure(
        go.Heatmap(
            z=[[None if pd.isna(v) else float(v) for v in table[c]] for c in table.columns],
            x=models,
            y=settings,
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            xgap=2,
            ygap=2,
            hoverongaps=False,
            hovertemplate="%{x}<br>%{y}<br>%{z:.3f} of the way from chance to perfect<extra></extra>",
            colorbar={"title": {"text": "chance-centred<br>score"}, "thickness": 14, "len": 1, "outlinewidth": 0},
        )
    )
    slanted = 60 + 5 * max(map(len, models))
    figure.update_layout(layout("", height=24 + slanted + 22 * len(settings)))
    figure.update_layout(margin={"t": 24, "b": slanted})
    figure.update_xaxes(type="category", tickangle=-40, showgrid=False, automargin=False, title_text="Model, by size")
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, dtick=1)
    note = "Headline scores on the way from chance (0) to perfect (1); a score below chance has the colour of 0."
    return captioned(figure, f"{note} Blank: no score.")
