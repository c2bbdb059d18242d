"""Two seeds of chaos; `make chaos` has twenty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.adversary import disturb, undisturbed
from tests.chaos.cluster import Cluster

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as started:
        yield started


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return undisturbed(tmp_path_factory.mktemp("truth"))


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_workers_nodes_and_drivers_change_nothing(
    cluster: Cluster, truth: Path, tmp_path: Path, seed: int
) -> None:
    report = disturb(cluster, truth, tmp_path, seed=seed, faults=2, every=0.7)
    assert sum(report.injected.values()) in (1, 2)  # a quick machine may be done before the second fault
    assert report.survived, f"{report.line()}\n{(tmp_path / f'log-{seed}.txt').read_text()}"
