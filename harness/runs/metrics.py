"""How far a run is, as text for Prometheus: the `textfile` collector of its node exporter reads such a file.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from harness.runs.record import RunRecord


def prometheus(record: RunRecord) -> str:
    """The state of a run; what is not known is left out."""
    return "".join(f"{line}\n" for line in _lines(record))


def write_metrics(path: Path, record: RunRecord) -> None:
    """Write the text in place of an earlier one, so that no reader sees half of it.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(prometheus(record))
    temporary.replace(path)


def _lines(record: RunRecord) -> Iterator[str]:
    progress, places = record.progress, record.workplaces
    answering = [place for place in places if place.cell is not None]
    left = progress.total - progress.finished
    yield from _family("emergence_cells", "Cells of the run, by state.")
    for state, cells in (("done", progress.done), ("failed", progress.failed), ("left", left)):
        yield f'emergence_cells{{state="{state}"}} {cells}'
    yield from _gauge("emergence_cells_per_minute", "Rate of the last minute.", progress.rate)
    yield from _gauge("emergence_eta_seconds", "Estimated time left.", progress.eta_seconds)
    yield from _family("emergence_workers", "Workers, by what they are at.")
    yield f'emergence_workers{{state="answering"}} {len(answering)}'
    yield f'emergence_workers{{state="loading"}} {len(places) - len(answering)}'
    taken = sum(place.gpus for place in places)
    yield from _gauge("emergence_gpus", "GPUs that workers of the run have.", taken)
    busy = sum(place.gpus for place in answering) / taken if taken else None
    yield from _gauge("emergence_gpu_busy_share", "Part of these whose workers answer and do not load.", busy)
    yield from _gauge("emergence_nodes", "Machines with workers.", len({place.node for place in places if place.node}))
    yield from _gauge("emergence_started_timestamp_seconds", "When the run began.", _unix(record.started_at))
    yield from _gauge("emergence_heard_timestamp_seconds", "When this was written.", _unix(record.heard_at))
    yield from _family("emergence_run", "1 for how the run stands.")
    yield f'emergence_run{{state="{record.ending or "going on"}"}} 1'


def _gauge(name: str, what: str, value: float | None) -> Iterator[str]:
    if value is not None:
        yield from _family(name, what)
        yield f"{name} {value:g}" if abs(value) < 1e6 else f"{name} {value:.0f}"


def _family(name: str, what: str) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} gauge"


def _unix(at: datetime) -> float:
    return at.timestamp()
