"""Tables of OpenEuroLLM's evaluations: the CSV of `oellm collect`, and the `jobs.csv` of its plan.

The collected table has a row per score: `model_name, task, n_shot, performance, metric_name`. It does not say which
program evaluated; `jobs.csv` (`model_path, task_path, n_shot, eval_suite`), where it lies beside the table, does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.csv_documents import csv_documents
from harness.bounded.files import is_regular
from harness.bounded.limits import UnreadableError
from harness.errors import HarnessError
from harness.exchange.fields import Fields, is_number, model_name
from harness.exchange.files import foreign_file
from harness.exchange.types import Contents, ForeignFile, Published, PublishedScore, Remark
from harness.wording import quoted

TOOL = "oellm"
_JOBS = "jobs.csv"
_COLLECTED = {"model_name", "task", "n_shot", "performance"}
_PLANNED = {"model_path", "task_path", "n_shot"}
_NO_SHOTS = Remark("row", "left out, whose number of demonstrations is unknown")
_MISSING = Remark("job", f"of {_JOBS} without a score")


class _Job(NamedTuple):
    """One evaluation."""

    model: str
    task: str
    shots: int


def read_oellm(file: ForeignFile) -> Contents | None:
    """The results in a collected table; none in the table of a plan.

    Raises:
        HarnessError: a value is not what the program writes there.
    """
    rows = _rows(file.path)
    if not rows or not rows[0].raw.keys() >= _COLLECTED:
        return Contents(results=()) if rows and rows[0].raw.keys() >= _PLANNED else None
    scores: dict[_Job, dict[str, PublishedScore]] = {}
    without = 0
    for row in rows:
        job = _job(row, "model_name", "task")
        if job is None:
            without += 1
        else:
            score = _score(row)
            scores.setdefault(job, {})[score.metric] = score
    jobs = file.path.with_name(_JOBS)
    beside = (foreign_file(jobs),) if is_regular(jobs) else ()
    suites = _suites(jobs) if beside else {}
    results = tuple(_result(job, tuple(of.values()), suites) for job, of in scores.items())
    missing = sum(job not in scores for job in suites)
    return Contents(results=results, remarks={_NO_SHOTS: without, _MISSING: missing}, beside=beside)


def _rows(path: Path) -> list[Fields]:
    try:
        return [Fields(row.fields, f"{path}: row {i}") for i, row in enumerate(csv_documents(path), start=1)]
    except UnreadableError as error:
        raise HarnessError(f"{path}: {error}") from error


def _job(row: Fields, model: str, task: str) -> _Job | None:
    """The evaluation that a row is about; None where its shots are not known."""
    shots, names = row.get("n_shot"), [str(row.get(key) or "").strip() for key in (model, task)]
    if not all(names):
        raise HarnessError(f"{row.place}: {model} or {task} is empty; expected a name")
    if shots in ("unknown", "", None):
        return None
    number = float(shots) if isinstance(shots, str) and shots.replace(".0", "").isdecimal() else shots
    if not is_number(number) or number != int(number) or number < 0:
        raise HarnessError(f"{row.place}: n_shot is {quoted(shots)}; expected a whole number, or unknown")
    return _Job(model_name(names[0]), names[1], int(number))


def _score(row: Fields) -> PublishedScore:
    value = row.get("performance")
    try:
        number = float(value if isinstance(value, int | float) else str(value))
    except (ValueError, OverflowError):
        number = math.nan
    if not is_number(number):
        raise HarnessError(f"{row.place}: performance is {quoted(value)}; expected a number")
    metric = str(row.get("metric_name") or "score").removesuffix(",none")
    return PublishedScore(metric=metric, value=number, stderr=None)


def _suites(path: Path) -> Mapping[_Job, str]:
    """Job of a plan -> program that was to evaluate it."""
    found = {}
    for row in _rows(path):
        if not row.raw.keys() >= _PLANNED:
            raise HarnessError(
                f"{path}: has the columns {quoted(sorted(row.raw))}; expected {quoted(sorted(_PLANNED))}"
            )
        if (job := _job(row, "model_path", "task_path")) is not None:
            found[job] = str(row.get("eval_suite") or "lm_eval")
    return found


def _result(job: _Job, scores: tuple[PublishedScore, ...], suites: Mapping[_Job, str]) -> Published:
    asked: dict[str, Any] = {"suite": suites[job]} if job in suites else {}
    return Published(
        model=job.model, task=job.task, version=None, asked=asked, shots=job.shots, scores=scores, n=None, tool=TOOL
    )
