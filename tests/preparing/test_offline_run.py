"""With a mirror nothing is asked of the hub, wherever models run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.store import Store
from tests.builders.commands import EXECUTORS, Emergence
from tests.builders.hub_server import FakeHub
from tests.builders.mirrors import task_of, write_data_set

SHIPPED = Path(__file__).parents[2] / "harness/ladder/weights"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that every process is told of, and that remembers what it was asked."""
    hub = FakeHub()
    hub.start()
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    yield hub
    hub.stop()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_run_with_a_mirror_asks_nothing_of_the_hub(
    tmp_path: Path, hub: FakeHub, emergence: Emergence, executor: str
) -> None:
    shutil.copytree(SHIPPED / "12k", tmp_path / "mirror/org/small")
    write_data_set(tmp_path / "mirror/datasets/org/sums")
    (tmp_path / "sums.yaml").write_text(yaml.safe_dump(task_of("org/sums")))
    chosen = ("--task", "sums", "--include_path", tmp_path / "sums.yaml", "--model", "org/small", "--shots", "1")
    done = emergence("run", *chosen, "--mirror", "mirror", "--executor", executor)
    assert done.code == 0, done.err
    assert [result.cell.model.name for result in Store(tmp_path / "results").results()] == ["org/small"]
    assert hub.asked == []
