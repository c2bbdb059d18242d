"""Stored results: headers of cells, their samples, and records of runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.analysis.curves import curves
from harness.errors import HarnessError
from harness.leaderboard import tidy_table, wide_table
from harness.records import CellFailure, CellResult, Sample
from harness.runs import dumped, up_to_date
from harness.runs.record import FORMAT
from harness.store import Problem, Store
from harness.store.headers import header_bytes, read_header
from harness.store.samples import Query, answer_changes, page
from harness.wording import visible
from tests.builders.cells import cell, failed, grown, result, sample
from tests.builders.runs import START, record
from tests.fuzz.changes import anything, as_json, changed_bytes, changed_value
from tests.fuzz.parquet_files import parquet_file
from tests.fuzz.reader import Reader

_RESULTS = grown((50, 90, 110))
_ANSWERED = result(cell(), provenance=replace(result().provenance, started_at=datetime(2026, 1, 1, tzinfo=UTC)))
_HEADERS = [json.loads(header_bytes(one)) for one in (_ANSWERED, *_RESULTS[:2])]
_FAILURE = json.loads(header_bytes(failed(cell())))
_RECORDS = [json.loads(dumped(record(ending=ending, error="e"))) for ending in (None, "finished", "stopped")]
_ROWS = (sample(0), sample(1, options=("a", "b"), option_loglikelihoods=(-1.0, -2.0)), sample(2))
_COLUMNS: dict[str, list[Any]] = {
    **{field.name: [getattr(row, field.name) for row in _ROWS] for field in fields(Sample) if field.name != "scores"},
    "score:acc": [1.0, 0.0, 1.0],
    "score:prob_correct": [0.5, 0.25, 0.125],
}


def _header(random: Random) -> bytes:
    return _keyed(changed_value(random.choice(_HEADERS), random), CellResult, random)


def _failure_header(random: Random) -> bytes:
    return _keyed(changed_value(_FAILURE, random), CellFailure, random)


def _keyed(raw: Any, kind: type, random: Random) -> bytes:
    """The header with the key that belongs to its cell, where it can have one: else most would end at their key."""
    if isinstance(raw, dict) and random.randrange(8):
        body = {name: value for name, value in raw.items() if name not in ("schema", "key", "harness_version")}
        with suppress(ValidationError, HarnessError, ValueError, TypeError):
            raw["key"] = TypeAdapter(kind).validate_python(body).cell.key
    data = as_json(raw)
    return data if random.randrange(4) else changed_bytes(data, random)


def _read_header(name: str) -> Callable[[Path], list[str]]:
    def read(folder: Path) -> list[str]:
        read = read_header(folder / name)
        if isinstance(read, Problem):
            return [str(read)]
        results, failures = ([*_RESULTS, read], []) if isinstance(read, CellResult) else (_RESULTS, [read])
        tidy_table(results, failures)
        wide_table(results, failures)
        for scale in ("params", "flops"):
            curves(results, failures, scale=scale)
        return []

    return read


def _stored(folder: Path) -> None:
    Store(folder / "results").write(_ANSWERED)


_SAMPLES_FILE = str(Store(Path("results")).path(_ANSWERED.cell) / "samples.parquet")


def _samples(random: Random) -> bytes:
    columns = {name: list(values) for name, values in _COLUMNS.items()}
    for _ in range(random.randint(0, 3)):
        name = random.choice([*columns])
        match random.randrange(4):
            case 0:
                del columns[name]
            case 1:
                columns[random.choice(("file_index", "filename", "score:", "score:acc", "", "x\x1b", "DOC_ID"))] = (
                    columns[name]
                )
            case 2:
                columns[name] = [anything(random) for _ in columns[name]]
            case 3:
                columns[name] = [None if random.randrange(2) else value for value in columns[name]]
        columns = columns or {"doc_id": [1, 2, 3]}
    return parquet_file(columns, random)


def _read_samples(folder: Path) -> list[str]:
    store, asked = Store(folder / "results"), _ANSWERED.cell
    told = []
    for ask in (store.samples, store.scores):
        try:
            ask(asked)
        except HarnessError as error:
            told.append(str(error))
    found = page(store, [asked], Query(text="q", metric="acc", at_least=0.5), limit=2)
    changing = answer_changes(store, [asked, asked], "acc")
    page(store, [asked], limit=2)
    return [*told, *map(str, (*found.problems, *changing.problems))]


def _run(random: Random) -> bytes:
    raw = changed_value(random.choice(_RECORDS), random)
    if isinstance(raw, dict) and random.randrange(8):
        raw["format"] = FORMAT
    data = as_json(raw)
    return data if random.randrange(4) else changed_bytes(data, random)


def _read_run(folder: Path) -> list[str]:
    records, problems = Store(folder / "results").runs()
    now = START
    for one in up_to_date(records, _RESULTS, [], now):
        for line in (one.state_in_words(now), one.progress_in_words(now), one.command, one.name):
            assert visible(line) == line
    return [str(problem) for problem in problems]


def _with_runs(folder: Path) -> None:
    (folder / "results/.runs").mkdir(parents=True)


READERS = {
    "cell header": Reader("cell.json", _header, _read_header("cell.json"), share=0.15),
    "failure header": Reader("failure.json", _failure_header, _read_header("failure.json"), share=0.15),
    "samples": Reader(_SAMPLES_FILE, _samples, _read_samples, _stored, files=15, share=0.03),
    "run record": Reader("results/.runs/20260101T120000.000000Z-node-7-4321.json", _run, _read_run, _with_runs),
}
"""Name in the table -> reader."""
