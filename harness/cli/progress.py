"""Progress of a run on stderr: a bar on a terminal, plain lines in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from harness.cli.output import one_line, say
from harness.records import CellFailure, Outcome
from harness.runs import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class ProgressReporter:
    """Shows how far a run has come; every failure is named at once, every model that fell back to lm-eval once.

    with ProgressReporter(total=40) as reporter:
        for outcome in run(...):
            reporter.update(outcome)
    """

    def __init__(
        self,
        *,
        total: int,
        skipped: int = 0,
        stream: TextIO | None = None,
        every_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`every_seconds` is the least time between two plain lines about success; the last one always comes."""
        self.progress = Progress(total=total, skipped=skipped)
        self._stream = sys.stderr if stream is None else stream
        self._every_seconds = every_seconds
        self._clock = clock
        self._started = self._said_at = clock()
        self._bar: Bar | None = None
        self._warned: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        if not self.progress.total:
            return self
        if self._stream.isatty():
            self._bar = _bar(self._stream)
            self._bar.add_task(self.progress.line(), total=self.progress.total, label="starting")
            self._bar.start()
        else:
            self._say(self.progress.line())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, outcome: Outcome) -> None:
        """Count `outcome` and show it."""
        now = self._clock()
        self.progress = self.progress.after(outcome, elapsed_seconds=now - self._started)
        if isinstance(outcome, CellFailure):
            self._say(f"FAILED {outcome.cell.label}: {outcome.error}: {outcome.message}")
        elif outcome.provenance.fallback is not None:
            self._warn(outcome.cell.model.name, outcome.provenance.fallback)
        label = one_line(outcome.cell.label)
        if self._bar is not None:
            [task] = self._bar.task_ids
            self._bar.update(task, completed=self.progress.finished, description=self.progress.line(), label=label)
        elif now - self._said_at >= self._every_seconds or self.progress.finished == self.progress.total:
            self._said_at = now
            self._say(f"{self.progress.line()}, last {label}")

    def _warn(self, model: str, reason: str) -> None:
        """Say once per model and reason that another engine answers than was asked for."""
        if (model, reason) not in self._warned:
            self._warned.add((model, reason))
            self._say(f"warning: {model} runs on lm-eval's code: {reason}")

    def _say(self, text: str) -> None:
        if self._bar is None:
            say(text, self._stream)
        else:  # above the bar; the text is nobody's markup
            self._bar.console.print(one_line(text), markup=False, highlight=False, soft_wrap=True)


def _bar(stream: TextIO) -> Bar:
    """A bar that is not started yet. rich is imported here because only a terminal needs it."""
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    columns = (
        SpinnerColumn(finished_text=" "),
        BarColumn(bar_width=24),
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        # takes what is left of the line, so that the numbers stay whole
        TextColumn(
            "{task.fields[label]}",
            style="dim",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
    )
    return Bar(*columns, console=Console(file=stream), expand=True)
