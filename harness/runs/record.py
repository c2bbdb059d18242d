"""The record that a run keeps of itself: what it was to evaluate, how far it is, whether it goes on. Pure.

    results/.runs/<UTC start>-<host>-<pid>.json

has these keys, in this order: `format`; `harness_version`; `started_at` and `heard_at` (UTC; the run writes the file
again every ten seconds, so an old `heard_at` without an `ending` means that the run was killed); `host` and `pid`;
`command`; `done_before`, the number of cells of the plan that needed no work; `progress`, the counts and times that the
terminal shows; `ending` and `error`; last and longest `plan`, per model and task the keys of the cells to evaluate,
about 20 bytes each. A run that has finished needs no plan any more and leaves it out. Several runs into one folder have
a file each. Only the Runs page and `emergence status` read these files. Scores and verdicts depend on cells alone, and
the files can be deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from harness.bounded.json_text import parsed_json
from harness.bounded.limits import UnreadableError
from harness.plan import Cell, Place
from harness.records import CellFailure, Outcome, check_model
from harness.specs import ModelSpec
from harness.version import __version__
from harness.wording import clock, moment, number, visible

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = 1
"""Number of the file's format. A reader refuses higher numbers."""
SILENCE = timedelta(minutes=5)
"""Time without a sign of life after which a run counts as killed; generous, because clocks differ and disks hang."""
_PATIENCE = timedelta(minutes=1)
"""Time without a sign of life that is mentioned to people."""
_WINDOW_SECONDS, _MARK_SECONDS = 60.0, 5.0
"""Time over which a rate is taken, and between two marks in it."""
_MOST_TEXT = 2000
_MOST_WORKERS = 10_000

Ending = Literal["finished", "interrupted", "stopped", "lost"]
"""`finished`: every cell counts back. `interrupted`: ended by Ctrl-C or a batch system. `stopped`: ended by an error.
`lost`: its process is gone and wrote no ending, which a reader of the file on the same machine finds out."""
State = Ending | Literal["going on"]
"""A run without a sign of life for `SILENCE` counts as lost too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run is at one moment."""

    total: int
    """Number of cells to evaluate in this run."""
    skipped: int = 0
    """Number of cells of the plan that are left out because they are done, or failed before."""
    done: int = 0
    """Number of cells that were evaluated."""
    failed: int = 0
    """Number of cells that failed."""
    elapsed_seconds: float = 0.0
    """Time since the run began, including the start of workers and the loading of models."""
    first_seconds: float | None = None
    """Time until the first cell counts back; None before. The rate is counted from there, since starting takes its own
    time."""
    left_seconds: float | None = None
    """Estimated time left, by what the cells cost that are to come; None where the executor does not tell."""
    marks: tuple[tuple[float, int], ...] = field(default=(), compare=False)
    """Seconds since the run began, and cells that had come back then, every few seconds of about the last minute."""

    @property
    def finished(self) -> int:
        """Number of cells that were evaluated or failed."""
        return self.done + self.failed

    @property
    def rate(self) -> float | None:
        """Cells per minute in about the last minute; None before the second cell, and for a second after the first.

        Models of a family differ in speed by orders of magnitude: what was true an hour ago tells nothing.
        """
        if self.first_seconds is None:
            return None
        since, before = self.marks[0] if self.marks else (self.first_seconds, 1)
        if self.finished <= before or self.elapsed_seconds - since < 1.0:
            return None
        return 60.0 * (self.finished - before) / (self.elapsed_seconds - since)

    @property
    def eta_seconds(self) -> float | None:
        """Time left in seconds, by the cost of the cells to come, or else at this rate; None while neither is known.

        Cells of one run differ in cost by orders of magnitude, and the long ones come first, so that their rate alone
        can be wrong by a factor of ten.
        """
        if self.left_seconds is not None and self.first_seconds is not None and self.finished < self.total:
            return self.left_seconds
        return None if self.rate is None else 60.0 * (self.total - self.finished) / self.rate

    def after(self, outcome: Outcome, *, elapsed_seconds: float, left_seconds: float | None = None) -> Progress:
        """The progress with one more outcome, and the time that is left by then if somebody knows."""
        failed = isinstance(outcome, CellFailure)
        return replace(
            self,
            done=self.done + (not failed),
            failed=self.failed + failed,
            elapsed_seconds=elapsed_seconds,
            first_seconds=elapsed_seconds if self.first_seconds is None else self.first_seconds,
            left_seconds=left_seconds,
            marks=_marked(self.marks, elapsed_seconds, self.finished + 1),
        )

    def line(self) -> str:
        """The progress in one line.

        >>> Progress(total=40, done=11, failed=1, first_seconds=8.0, elapsed_seconds=30.0).line()
        '12/40 cells, 1 failed, 30/min, ETA 0:56'
        """
        parts = [f"{self.finished}/{self.total} cells"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.skipped:
            parts.append(f"{self.skipped} left out")
        if self.rate is not None:
            parts.append(f"{number(self.rate)}/min")
        if self.eta_seconds:
            parts.append(f"ETA {clock(self.eta_seconds)}")
        return ", ".join(parts)


def marks_of(times: Sequence[float]) -> tuple[tuple[float, int], ...]:
    """The mark that a rate is taken from, where it is known when each cell came back.

    Args:
        times: seconds since the run began, ascending.
    """
    past = sum(at <= times[-1] - _WINDOW_SECONDS for at in times) if times else 0
    first = max(past - 1, 0)
    return ((times[first], first + 1),) if times else ()


def _marked(marks: tuple[tuple[float, int], ...], now: float, finished: int) -> tuple[tuple[float, int], ...]:
    """The marks with one for now where the last is old enough, and of those over a minute old only the newest."""
    if not marks or now - marks[-1][0] >= _MARK_SECONDS:
        marks = (*marks, (now, finished))
    past = sum(at <= now - _WINDOW_SECONDS for at, _ in marks)
    return marks[max(past - 1, 0) :]


@dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """One worker of a run that goes on, and what it is at."""

    model: str
    """Name of the model that it has, or loads."""
    cell: str | None = None
    """Label of the cell that it answers; None while it loads the model."""
    node: str = ""
    """Name of its machine; empty while it is not known."""
    pid: int | None = None
    """Number of the model's process; None while it is not known."""
    gpus: float = 0.0
    """GPUs that it has, or the part of one."""
    doing: str = ""
    """What it does before it answers, such as `training, step 20 of 200`; empty while it answers or loads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """The cells that one model is to answer."""

    model: ModelSpec
    """The model."""
    tasks: Mapping[str, tuple[str, ...]]
    """Task name -> keys of the cells to evaluate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """One run, as its file describes it."""

    started_at: datetime
    """When the run began (UTC)."""
    heard_at: datetime
    """When the file was written (UTC); the end of the run when there is an `ending`."""
    host: str
    """Name of the machine on which the process that leads the run is."""
    pid: int
    """Number of that process."""
    command: str
    """The command line, which can be given again as it is."""
    done_before: int
    """Number of cells of the plan that were left out because they are done, or failed before."""
    progress: Progress
    """How far the run is with the cells to evaluate."""
    ending: Ending | None = None
    """How the run ended; None while it goes on, and in the file of a run that was killed."""
    error: str = ""
    """The error that stopped the run, in one line; empty unless `ending` is `stopped`."""
    workplaces: tuple[Workplace, ...] = ()
    """Its workers and what they were at when the file was written; empty once the run has ended, and where the executor
    does not tell."""
    plan: tuple[Planned, ...] = ()
    """The cells to evaluate; empty once all have come back."""

    @property
    def name(self) -> str:
        """Name of its file, before characters that a file system refuses are replaced; names sort by start."""
        return f"{self.started_at:%Y%m%dT%H%M%S.%fZ}-{self.host}-{self.pid}.json"

    def state(self, now: datetime) -> State:
        """Whether the run goes on, or how it ended, as far as its file shows."""
        if self.ending is not None:
            return self.ending
        return "going on" if abs(now - self.heard_at) <= SILENCE else "lost"

    @property
    def places(self) -> frozenset[Place]:
        """Places of the cells that the run was to evaluate; empty once all have come back."""
        return frozenset(Place(of.model.family, key) for of in self.plan for keys in of.tasks.values() for key in keys)

    def is_heard(self, now: datetime) -> bool:
        """True while the file is written every few seconds, which shows that the process is alive."""
        return self.ending is None and abs(now - self.heard_at) < _PATIENCE

    def progress_in_words(self, now: datetime) -> str:
        """How far the run is, in words; with the rate and the time left only while it goes on."""
        of = self.progress if self.state(now) == "going on" else replace(self.progress, first_seconds=None)
        return of.line()

    def state_in_words(self, now: datetime) -> str:
        """Whether the run goes on, or how it ended, in words."""
        at = moment(self.heard_at)
        match self.state(now):
            case "going on":
                return "going on" if now - self.heard_at < _PATIENCE else f"going on, last heard of at {at}"
            case "finished":
                return f"finished at {at}"
            case "interrupted":
                return f"interrupted at {at}: the same command goes on"
            case "stopped":
                return f"stopped at {at} by {self.error}"
            case "lost":
                return f"not heard of since {at}, probably killed: the same command goes on"


def planned(cells: Iterable[Cell]) -> tuple[Planned, ...]:
    """The cells by model and task, in their order."""
    models: dict[ModelSpec, dict[str, list[str]]] = {}
    for cell in cells:
        models.setdefault(cell.model, {}).setdefault(cell.task, []).append(cell.key)
    return tuple(
        Planned(model=model, tasks={task: tuple(keys) for task, keys in tasks.items()})
        for model, tasks in models.items()
    )


def dumped(record: RunRecord) -> bytes:
    """The content of the record's file."""
    body = _adapter().dump_python(record, mode="json")
    written = {"format": FORMAT, "harness_version": __version__, **body}
    return (json.dumps(written, allow_nan=False) + "\n").encode()


def loaded(data: bytes) -> RunRecord:
    """The record in a file's content.

    Raises:
        ValueError: what is wrong with it, in one line.
    """
    from pydantic import ValidationError

    try:
        raw = parsed_json(data, finite=True, whole=False)  # a command line can hold bytes that are no UTF-8
    except UnreadableError as error:
        raise ValueError(f"is damaged: {str(error).replace('is not JSON', 'not JSON')}") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("format"), int):
        raise ValueError("is no record of a run: `format` is missing")
    if raw["format"] != FORMAT:
        raise ValueError(_plain(f"has format {raw['format']}; this version reads {FORMAT}"))
    try:
        record: RunRecord = _adapter().validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(_plain(": ".join(filter(None, ("is damaged", where, first["msg"]))))) from None
    _check(record)
    return replace(
        record,
        started_at=record.started_at.astimezone(UTC),
        heard_at=record.heard_at.astimezone(UTC),
        host=_plain(record.host),
        command=_plain(record.command),
        error=_plain(record.error),
        workplaces=tuple(_plain_place(place) for place in record.workplaces[:_MOST_WORKERS]),
    )


def _check(record: RunRecord) -> None:
    """Refuse values that no run writes: a damaged file must not break the page that shows it."""
    if not all(time.tzinfo and 2000 <= time.year < 2200 for time in (record.started_at, record.heard_at)):
        raise ValueError("is damaged: a time is no UTC time of our days")
    counts = record.progress
    if min(counts.done, counts.failed, record.done_before) < 0 or not counts.finished <= counts.total < 10**9:
        raise ValueError(_plain(f"is damaged: {counts.done} cells done and {counts.failed} failed of {counts.total}"))
    if not 0.0 <= (counts.first_seconds or 0.0) <= counts.elapsed_seconds < 1e10 or not isfinite(counts.rate or 0.0):
        raise ValueError(f"is damaged: {counts.elapsed_seconds} s since the start")
    if not 0.0 <= (counts.left_seconds or 0.0) < 1e10:
        raise ValueError(f"is damaged: {counts.left_seconds} s left")
    models = [of.model for of in record.plan]
    for model in models:
        check_model(model)
    names = [text for m in models for text in (m.family, m.name, m.revision, m.variant or "")]
    if any(len(name) > _MOST_TEXT for name in (*names, *(task for of in record.plan for task in of.tasks))):
        raise ValueError("is damaged: a name in its plan is too long")


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(RunRecord)


def _plain_place(place: Workplace) -> Workplace:
    cell = None if place.cell is None else _plain(place.cell)
    doing = _plain(place.doing)
    return replace(place, model=_plain(place.model), cell=cell, node=_plain(place.node), doing=doing)


def _plain(text: str) -> str:
    """The text as one line of bounded length, without characters that a terminal would obey."""
    return visible(text[:_MOST_TEXT])
