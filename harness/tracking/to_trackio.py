"""Trackio: one run of a project, kept on this machine unless its own `TRACKIO_*` variables name another place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import trackio

from harness.tracking.messages import EndOfTracking, ProgressOfTracking, Scored, StartOfTracking

if TYPE_CHECKING:
    import pandas as pd


class ToTrackio:
    """One run of Trackio."""

    def __init__(self, where: str) -> None:
        """`where`: name of the project."""
        self._project = where

    def start(self, message: StartOfTracking) -> str:
        """Begin a run."""
        config = {"results": message.results, **message.config}
        self._run = trackio.init(project=self._project, name=message.name, config=config, embed=False)
        return f"run {message.name}: trackio show --project {self._project}"

    def score(self, messages: Sequence[Scored]) -> None:
        """Log each place with its axes beside it, the one of its curve as the step."""
        for one in messages:
            above = "tokens/" if one.over == "tokens" else ""
            values = {f"{above}{one.curve}/{name}": value for name, value in one.scores.items()}
            axes = {"params": one.params, **({} if one.tokens is None else {"tokens": one.tokens})}
            trackio.log({"model": one.model, **axes, **values}, step=one.at)

    def progress(self, message: ProgressOfTracking) -> None:
        """Log counts over the seconds since the run began."""
        counts = {"done": message.done, "failed": message.failed, "total": message.total}
        trackio.log({f"progress/{name}": count for name, count in counts.items()}, step=int(message.seconds))

    def end(self, message: EndOfTracking, leaderboard: pd.DataFrame | None) -> None:
        """Keep the leaderboard as a table, and end the run when everything is kept."""
        if leaderboard is not None:
            trackio.log(
                {"leaderboard": trackio.Table(dataframe=leaderboard.astype(object).where(leaderboard.notna(), None))}
            )
        trackio.finish()
