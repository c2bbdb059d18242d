"""Weights & Biases: one run of a project, whose charts have parameters, or training tokens, on the x axis.

https://docs.wandb.ai/guides/track/log/customize-logging-axes
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import wandb

from harness.tracking.messages import EndOfTracking, ProgressOfTracking, Scored, StartOfTracking

if TYPE_CHECKING:
    import pandas as pd


class ToWandb:
    """One run of W&B. Where it goes, and whether a network is asked, is said by its own `WANDB_*` variables."""

    def __init__(self, where: str) -> None:
        """`where`: `PROJECT` or `ENTITY/PROJECT`."""
        self._entity, _, self._project = where.rpartition("/")

    def start(self, message: StartOfTracking) -> str:
        """Begin a run, with the axis of each group of charts."""
        self._run = wandb.init(
            project=self._project,
            entity=self._entity or None,
            name=message.name,
            notes=f"results: {message.results}",
            config={"results": message.results, **message.config},
            settings=wandb.Settings(console="off", disable_git=True, x_disable_stats=True),
        )
        for axis in ("params", "tokens", "progress/seconds"):
            self._run.define_metric(axis)
        self._run.define_metric("*", step_metric="params")
        self._run.define_metric("tokens/*", step_metric="tokens")
        self._run.define_metric("progress/*", step_metric="progress/seconds")
        return f"run {message.name} at {self._run.url or self._run.dir}"

    def score(self, messages: Sequence[Scored]) -> None:
        """Log each place with its axes beside it."""
        for one in messages:
            above = "tokens/" if one.over == "tokens" else ""
            values = {f"{above}{one.curve}/{name}": value for name, value in one.scores.items()}
            axes = {"params": one.params, **({} if one.tokens is None else {"tokens": one.tokens})}
            self._run.log({"model": one.model, **axes, **values})

    def progress(self, message: ProgressOfTracking) -> None:
        """Log counts over the seconds since the run began."""
        self._run.log(
            {
                "progress/seconds": message.seconds,
                "progress/done": message.done,
                "progress/failed": message.failed,
                "progress/total": message.total,
            }
        )

    def end(self, message: EndOfTracking, leaderboard: pd.DataFrame | None) -> None:
        """Keep the leaderboard as a table, and end the run; it counts as failed unless it finished."""
        if leaderboard is not None:
            plain = leaderboard.astype(object).where(leaderboard.notna(), None)
            self._run.log({"leaderboard": wandb.Table(columns=list(plain.columns), data=plain.to_numpy().tolist())})
        self._run.summary["ending"] = message.ending
        self._run.finish(exit_code=0 if message.ending == "finished" else 1)
        wandb.teardown()  # waits until the process that writes its files has closed them
