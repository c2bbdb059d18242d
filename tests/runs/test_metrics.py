"""What Prometheus reads."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from harness.runs import Workplace
from harness.runs.metrics import prometheus, write_metrics
from tests.builders.runs import record


def values(text: str) -> dict[tuple[str, str], float]:
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type == "gauge"
        for sample in family.samples:
            found[sample.name, sample.labels.get("state", "")] = sample.value
    return found


def test_the_state_of_a_run_is_text_that_prometheus_reads(tmp_path: Path) -> None:
    places = (
        Workplace(model="a", cell="a add", node="n1", pid=1, gpus=2.0),
        Workplace(model="b", node="n1", gpus=1.0),
        Workplace(model="c", gpus=1.0),
    )
    path = tmp_path / "run.prom"
    write_metrics(path, record(workplaces=places))
    found = values(path.read_text())
    assert found["emergence_cells", "done"] == found["emergence_cells", "failed"] == 1
    assert found["emergence_cells", "left"] == 2
    assert found["emergence_cells_per_minute", ""] == 3.0
    assert found["emergence_eta_seconds", ""] == 40.0
    assert found["emergence_workers", "answering"] == 1
    assert found["emergence_workers", "loading"] == 2
    assert (found["emergence_gpus", ""], found["emergence_gpu_busy_share", ""]) == (4.0, 0.5)
    assert found["emergence_nodes", ""] == 1
    assert found["emergence_started_timestamp_seconds", ""] == 1767268800
    assert found["emergence_run", "going on"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["run.prom"]


def test_what_is_not_known_is_left_out() -> None:
    names = {name for name, _ in values(prometheus(record(ending="finished", workplaces=())))}
    assert "emergence_gpu_busy_share" not in names
    assert ("emergence_run", "finished") in values(prometheus(record(ending="finished")))
