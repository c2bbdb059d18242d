"""What a run leaves in the results folder about itself: what it planned, how far it came, whether it goes on. Pure.

    results/.runs/<UTC start>-<host>-<pid>.json

holds, in this order: `format`; `harness_version`; `started_at` and `heard_at` (UTC; the run writes the file anew every
ten seconds, so that an old `heard_at` without an `ending` tells of a run that was killed); `host` and `pid`; `command`;
`done_before`, cells of the plan that needed no work; `progress`, counts and times as the terminal shows them; `ending`
and `error`; last and longest `plan`, per model and task the keys of the cells to evaluate, about 20 bytes each. A run
that finished needs them no more and leaves them out. Several runs into one folder have a file each. Only the Runs page
and `emergence status` read these files; scores and verdicts rest on cells alone, and a file can be deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from harness.plan import Cell, Place
from harness.records import CellFailure, Outcome
from harness.specs import ModelSpec
from harness.version import __version__
from harness.wording import clock, moment, number, visible

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = 1
"""Number of the file's format. A reader refuses higher numbers."""
SILENCE = timedelta(minutes=5)
"""A run that has written nothing for so long is taken for killed. Generous: clocks differ, and disks hang."""
_PATIENCE = timedelta(minutes=1)
"""Silence that people are told of."""
MOST_BYTES = 16 * 2**20
"""A larger file is not read; a plan of 10,000 cells takes 0.3 MB."""
_MOST_TEXT = 2000

Ending = Literal["finished", "interrupted", "stopped", "lost"]
"""Every cell came back; ended by Ctrl-C or a batch system; ended by an error; its process is gone and never said why.
The last is no run's own word: who reads the file on the same machine finds it out."""
State = Ending | Literal["going on"]
"""Lost is also what has not been heard of for `SILENCE`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run has come, at one moment."""

    total: int
    """Cells to evaluate in this run."""
    skipped: int = 0
    """Cells of the plan that were left out because they are done, or failed before."""
    done: int = 0
    """Cells evaluated."""
    failed: int = 0
    """Cells that failed."""
    elapsed_seconds: float = 0.0
    """Since the run began, starting workers and loading models included."""
    first_seconds: float | None = None
    """When the first cell came back; None before. The rate counts from there, or starting up would spoil it."""

    @property
    def finished(self) -> int:
        """Cells that came back, either way."""
        return self.done + self.failed

    @property
    def rate(self) -> float | None:
        """Cells per minute since the first came back; None before the second, and in the first second after it."""
        if self.first_seconds is None or self.finished < 2 or self.elapsed_seconds - self.first_seconds < 1.0:
            return None
        return 60.0 * (self.finished - 1) / (self.elapsed_seconds - self.first_seconds)

    @property
    def eta_seconds(self) -> float | None:
        """Time left at this rate; None while there is none."""
        return None if self.rate is None else 60.0 * (self.total - self.finished) / self.rate

    def after(self, outcome: Outcome, *, elapsed_seconds: float) -> Progress:
        """The progress once `outcome` has come back."""
        failed = isinstance(outcome, CellFailure)
        return replace(
            self,
            done=self.done + (not failed),
            failed=self.failed + failed,
            elapsed_seconds=elapsed_seconds,
            first_seconds=elapsed_seconds if self.first_seconds is None else self.first_seconds,
        )

    def line(self) -> str:
        """One line for people.

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """What one model is to be asked."""

    model: ModelSpec
    """The model."""
    tasks: Mapping[str, tuple[str, ...]]
    """Task name -> keys of the cells to evaluate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """One run, as its file told last."""

    started_at: datetime
    """When its work began (UTC)."""
    heard_at: datetime
    """When the file was written (UTC); the end of the run when there is an `ending`."""
    host: str
    """Name of the machine that leads the run."""
    pid: int
    """Process there."""
    command: str
    """The command line, ready to be given again."""
    done_before: int
    """Cells of the plan that were left out because they are done, or failed before."""
    progress: Progress
    """Of the cells to evaluate."""
    ending: Ending | None = None
    """How it ended; None while it goes on, and for ever when it was killed, unless a reader knows better."""
    error: str = ""
    """What stopped it, in one line; empty unless `ending` is `stopped`."""
    plan: tuple[Planned, ...] = ()
    """The cells to evaluate; empty once all came back."""

    @property
    def name(self) -> str:
        """Name of its file, less what a file system might not take; sorts by start."""
        return f"{self.started_at:%Y%m%dT%H%M%S.%fZ}-{self.host}-{self.pid}.json"

    def state(self, now: datetime) -> State:
        """How the run stands, as far as its file tells."""
        if self.ending is not None:
            return self.ending
        return "going on" if abs(now - self.heard_at) <= SILENCE else "lost"

    @property
    def places(self) -> frozenset[Place]:
        """Where the answers of the cells belong that it was to evaluate; none once all came back."""
        return frozenset(Place(of.model.family, key) for of in self.plan for keys in of.tasks.values() for key in keys)

    def is_heard(self, now: datetime) -> bool:
        """True while its file is written every few seconds, so that its process is alive."""
        return self.ending is None and abs(now - self.heard_at) < _PATIENCE

    def came(self, now: datetime) -> str:
        """How far it came, in words; the rate and the time left only while it goes on."""
        of = self.progress if self.state(now) == "going on" else replace(self.progress, first_seconds=None)
        return of.line()

    def said(self, now: datetime) -> str:
        """The state in words."""
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
    """The cells by model and task, in the order in which they are planned."""
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
        raw = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("is damaged: not JSON") from None
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
    )


def _check(record: RunRecord) -> None:
    """A file can hold anything, and nothing in it may break the page that shows it."""
    if not all(time.tzinfo and 2000 <= time.year < 2200 for time in (record.started_at, record.heard_at)):
        raise ValueError("is damaged: a time is no UTC time of our days")
    came = record.progress
    if min(came.done, came.failed, record.done_before) < 0 or not came.finished <= came.total < 10**9:
        raise ValueError(_plain(f"is damaged: {came.done} cells done and {came.failed} failed of {came.total}"))
    if not 0.0 <= (came.first_seconds or 0.0) <= came.elapsed_seconds < 1e10 or not isfinite(came.rate or 0.0):
        raise ValueError(f"is damaged: {came.elapsed_seconds} s since the start")
    models = [of.model for of in record.plan]
    names = [text for m in models for text in (m.family, m.name, m.revision, m.variant or "")]
    if any(len(name) > _MOST_TEXT for name in (*names, *(task for of in record.plan for task in of.tasks))):
        raise ValueError("is damaged: a name in its plan is too long")


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(RunRecord)


def _plain(text: str) -> str:
    """One line of bounded length that no terminal obeys."""
    return visible(text[:_MOST_TEXT])
