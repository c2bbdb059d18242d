"""MLflow: one run of an experiment, whose metrics have parameters, or training tokens, as their step."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import mlflow
from mlflow.entities import Metric, Param

from harness.tracking.messages import EndOfTracking, ProgressOfTracking, Scored, StartOfTracking

if TYPE_CHECKING:
    import pandas as pd

_OTHER_SIGN = re.compile(r"[^\w./ -]+", re.ASCII)
"""Signs that MLflow allows in no name."""
_MOST_METRICS = 1000
"""Metrics that its servers take at once."""
_MOST_NAME, _MOST_VALUE = 250, 500
"""Characters of a metric's name, and of a parameter's value as older servers take it."""
_STATUS = {"finished": "FINISHED", "interrupted": "KILLED"}


class ToMlflow:
    """One run of MLflow, on the server, in the database or in the folder that `MLFLOW_TRACKING_URI` names."""

    def __init__(self, where: str) -> None:
        """`where`: name of the experiment."""
        self._experiment = where

    def start(self, message: StartOfTracking) -> str:
        """Begin a run, in an experiment that is made when it is not there."""
        self._client = mlflow.MlflowClient()
        found = self._client.get_experiment_by_name(self._experiment)
        experiment = self._client.create_experiment(self._experiment) if found is None else found.experiment_id
        tags = {"results": message.results, "mlflow.note.content": f"results: {message.results}"}
        self._run = self._client.create_run(experiment, run_name=message.name, tags=tags).info.run_id
        said = {name: value for name, value in message.config.items() if value is not None}
        params = [Param(name, str(value)[:_MOST_VALUE]) for name, value in said.items()]
        self._client.log_batch(self._run, params=params)
        return f"run {message.name} of experiment {self._experiment} at {mlflow.get_tracking_uri()}"

    def score(self, messages: Sequence[Scored]) -> None:
        """Log the places as metrics."""
        now = _milliseconds()
        metrics = [
            Metric(_name(f"{'tokens/' if one.over == 'tokens' else ''}{one.curve}/{name}"), value, now, one.at)
            for one in messages
            for name, value in one.scores.items()
        ]
        for first in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(self._run, metrics=metrics[first : first + _MOST_METRICS])

    def progress(self, message: ProgressOfTracking) -> None:
        """Log counts over the seconds since the run began."""
        counts = {"done": message.done, "failed": message.failed, "total": message.total}
        now, step = _milliseconds(), int(message.seconds)
        self._client.log_batch(
            self._run, metrics=[Metric(f"progress/{name}", float(count), now, step) for name, count in counts.items()]
        )

    def end(self, message: EndOfTracking, leaderboard: pd.DataFrame | None) -> None:
        """Keep the leaderboard as a CSV file and end the run."""
        from harness.leaderboard import to_csv

        self._client.set_tag(self._run, "ending", message.ending)
        if leaderboard is not None:
            self._client.log_text(self._run, to_csv(leaderboard), "leaderboard.csv")
        self._client.set_terminated(self._run, status=_STATUS.get(message.ending, "FAILED"))


def _name(text: str) -> str:
    return _OTHER_SIGN.sub("_", text)[:_MOST_NAME]


def _milliseconds() -> int:
    return int(time.time() * 1000)
