"""Each tracker keeps what it is told, in its own offline mode, and its own reader finds it again."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.store import Store
from harness.tracking import EndOfTracking, Series, StartOfTracking
from harness.tracking.messages import Message, ProgressOfTracking
from harness.tracking.worker import Telling, open_tracker
from tests.builders import cell, model, result

SIZES = (4000, 1000, 16000)
"""In the order in which a run evaluates them."""


@pytest.fixture
def messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """What a run of three sizes says, whose results lie in a folder."""
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "results")
    done = [
        result(cell(model=model(params), shots=5), values=[1.0] * right + [0.0] * (8 - right))
        for params, right in zip(SIZES, (4, 2, 6), strict=True)
    ]
    for one in done:
        store.write(one)
    series = Series([one.cell for one in done])
    config = {"command": "emergence run --suite toy", "family": "toy", "cells": 3, "note": None}
    return [
        StartOfTracking(name="run-1", results=str(store.root), config=config),
        *(place for one in done for place in series.places(one)),
        ProgressOfTracking(done=3, failed=1, total=4, seconds=2.5),
        EndOfTracking(ending="finished"),
    ]


def told(name: str, where: str, messages: list[Message]) -> str:
    telling = Telling(open_tracker(name, where))
    words = telling.take(messages[:2])
    for message in messages[2:]:
        assert telling.take([message]) == ""
    return words


class TestTensorBoard:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("tensorboard")

    def test_has_a_run_per_family_with_parameters_as_steps_in_their_order(
        self, messages: list[Message], tmp_path: Path
    ) -> None:
        from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

        assert told("tensorboard", str(tmp_path / "tb"), messages) == f"run run-1: tensorboard --logdir {tmp_path}/tb"
        runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "tb")).Reload()
        assert sorted(runs.Runs()) == ["run-1", "run-1/toy"]
        scores = runs.Scalars("run-1/toy", "colours/5-shot/acc")
        assert [one.step for one in scores] == [1000, 4000, 16000]
        assert [one.value for one in scores] == [0.25, 0.5, 0.75]
        errors = runs.Scalars("run-1/toy", "colours/5-shot/acc_stderr")
        assert [round(one.value, 4) for one in errors] == [0.1637, 0.189, 0.1637]

    def test_has_progress_the_folder_and_the_leaderboard(self, messages: list[Message], tmp_path: Path) -> None:
        from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

        told("tensorboard", str(tmp_path / "tb"), messages)
        runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "tb")).Reload()
        (failed,) = runs.Scalars("run-1", "progress/failed")
        assert (failed.step, failed.value) == (2, 1.0)
        texts = {
            tag: runs.Tensors("run-1", tag)[0].tensor_proto.string_val[0].decode()
            for tag in ("run", "ending", "leaderboard")
        }
        assert f"| results | {tmp_path / 'results'} |" in texts["run"]
        assert texts["ending"] == "finished"
        assert "| toy-16000 |" in texts["leaderboard"]

    def test_shows_points_of_a_run_that_goes_on(self, messages: list[Message], tmp_path: Path) -> None:
        from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

        Telling(open_tracker("tensorboard", str(tmp_path / "tb"))).take(messages[:3])
        runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "tb")).Reload()
        assert [one.step for one in runs.Scalars("run-1/toy", "colours/5-shot/acc")] == [4000, 1000]


def wandb_records(content: bytes) -> Iterator[Any]:
    """The records of an offline run: protobuf in LevelDB's log format, behind seven bytes of W&B's own."""
    from wandb.proto.wandb_internal_pb2 import Record

    block, at, data = 32768, 7, b""
    while at + 7 <= len(content):
        if block - at % block < 7:  # no room for a head: filled up with zeros
            at += block - at % block
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        data += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(data)
            data = b""


class TestWandb:
    def test_keeps_an_offline_run(
        self, messages: list[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("wandb")
        monkeypatch.setenv("WANDB_MODE", "offline")
        monkeypatch.setenv("WANDB_SILENT", "true")
        assert "run run-1 at " in told("wandb", "lab/mine", messages)
        (file,) = tmp_path.rglob("run-*.wandb")
        kept = [*wandb_records(file.read_bytes())]
        (run,) = [one.run for one in kept if one.HasField("run")]
        assert (run.project, run.entity, run.display_name) == ("mine", "lab", "run-1")
        history = [
            {("/".join(item.nested_key) or item.key): json.loads(item.value_json) for item in one.history.item}
            for one in kept
            if one.HasField("history")
        ]
        found = [(one["params"], one["colours/5-shot/acc"]) for one in history if "colours/5-shot/acc" in one]
        assert found == [(4000, 0.5), (1000, 0.25), (16000, 0.75)]
        assert {"progress/failed": 1, "progress/total": 4}.items() <= history[3].items()
        metrics = {one.metric.glob_name: one.metric.step_metric for one in kept if one.HasField("metric")}
        assert metrics["*"] == "params"


class TestMlflow:
    def test_keeps_metrics_with_parameters_as_steps(
        self, messages: list[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mlflow = pytest.importorskip("mlflow")
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
        words = told("mlflow", "mine", messages)
        assert words.startswith("run run-1 of experiment mine at file:")
        client = mlflow.MlflowClient((tmp_path / "mlruns").as_uri())
        (run,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
        assert (run.info.run_name, run.info.status) == ("run-1", "FINISHED")
        assert run.data.tags["results"] == str(tmp_path / "results")
        assert run.data.params["command"] == "emergence run --suite toy"
        scores = client.get_metric_history(run.info.run_id, "colours/5-shot/acc")
        assert sorted((one.step, one.value) for one in scores) == [(1000, 0.25), (4000, 0.5), (16000, 0.75)]
        assert run.data.metrics["progress/failed"] == 1
        assert [one.path for one in client.list_artifacts(run.info.run_id)] == ["leaderboard.csv"]


class TestTrackio:
    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
        pytest.importorskip("trackio")
        return

    def test_keeps_a_local_run(self, messages: list[Message]) -> None:
        from trackio.sqlite_storage import SQLiteStorage

        assert told("trackio", "mine", messages) == "run run-1: trackio show --project mine"
        logs = SQLiteStorage.get_logs("mine", "run-1")
        found = [(one["step"], one["colours/5-shot/acc"]) for one in logs if "params" in one]
        assert sorted(found) == [(1000, 0.25), (4000, 0.5), (16000, 0.75)]
