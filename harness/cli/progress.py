"""Progress of a run on stderr: a bar on a terminal, plain lines in a log file."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from harness.cli.output import one_line, say
from harness.records import CellFailure, Outcome
from harness.runs import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class ProgressReporter:
    """Shows how far a run is, every failure at once, and once each model for which lm-eval's code answers.

    with ProgressReporter(total=40) as reporter:
        run.evaluate(reporter.update)
    """

    def __init__(self, *, total: int, stream: TextIO | None = None, every_seconds: float = 5.0) -> None:
        """`every_seconds` is the least time between two lines in a log file; the last cell always has a line."""
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._every_seconds = every_seconds
        self._shown_at = 0.0
        self._bar: Bar | None = None
        self._warned: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        if not self._total:
            return self
        line = Progress(total=self._total).line()
        if self._stream.isatty():
            self._bar = _bar(self._stream)
            self._bar.add_task(line, total=self._total, label="starting")
            self._bar.start()
        else:
            self._say(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, outcome: Outcome, progress: Progress) -> None:
        """Show an outcome, and how far the run is with it."""
        if isinstance(outcome, CellFailure):
            self._say(f"FAILED {outcome.cell.label}: {outcome.error}: {outcome.message}")
        elif outcome.provenance.fallback is not None:
            self._warn(outcome.cell.model.name, outcome.provenance.fallback)
        label, line = one_line(outcome.cell.label), progress.line()
        if self._bar is not None:
            [task] = self._bar.task_ids
            self._bar.update(task, completed=progress.finished, description=line, label=label)
        elif progress.elapsed_seconds - self._shown_at >= self._every_seconds or progress.finished == progress.total:
            self._shown_at = progress.elapsed_seconds
            self._say(f"{line}, last {label}")

    def _warn(self, model: str, reason: str) -> None:
        """Say once per model and reason that lm-eval's code answers in place of the chosen engine."""
        if (model, reason) not in self._warned:
            self._warned.add((model, reason))
            self._say(f"warning: {model} runs on lm-eval's code: {reason}")

    def _say(self, text: str) -> None:
        if self._bar is None:
            say(text, self._stream)
        else:  # above the bar; the text is nobody's markup
            self._bar.console.print(one_line(text), markup=False, highlight=False, soft_wrap=True)


def _bar(stream: TextIO) -> Bar:
    """A progress bar that is not started yet. rich is imported here, because only a terminal needs it."""
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
