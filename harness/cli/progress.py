"""Progress of a run on stderr: a bar on a terminal, plain lines in a log file."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from harness.cli.output import say
from harness.records import CellFailure, Outcome
from harness.runs import Progress
from harness.wording import duration, one_line

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class ProgressReporter:
    """Shows how far a run is, every failure at once, and once each model for which lm-eval's code answers.

    with ProgressReporter(total=40) as reporter:
        run.evaluate(reporter.update)
    """

    def __init__(
        self,
        *,
        total: int,
        loading: Callable[[], Sequence[str]] = tuple,
        doing: Callable[[], Sequence[str]] = tuple,
        stream: TextIO | None = None,
        every_seconds: float = 5.0,
        silence_seconds: float = 9.0,
    ) -> None:
        """Show nothing yet.

        Args:
            total: cells to evaluate.
            loading: tells what is being loaded at the moment it is called.
            doing: tells what is done then before cells are answered, such as a training and how far it is.
            stream: where to write; None for stderr.
            every_seconds: least time between two lines in a log file; the last cell always has a line.
            silence_seconds: most time between two lines, so that nobody takes a large model for a dead run.
        """
        self._loading, self._doing = loading, doing
        self._silence_seconds = silence_seconds
        self._progress = Progress(total=total)
        self._over = threading.Event()
        self._pulse = threading.Thread(target=self._tell, name="progress", daemon=True)
        self._came_at = self._said_at = time.monotonic()
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._every_seconds = every_seconds
        self._shown_at = 0.0
        self._bar: Bar | None = None
        self._warned: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        if not self._total:
            return self
        line = self._progress.line()
        if self._stream.isatty():
            self._bar = _bar(self._stream)
            self._bar.add_task(line, total=self._total, label="starting")
            self._bar.start()
        else:
            self._say(line)
        self._pulse.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._pulse.ident is not None:
            self._pulse.join()
        if self._bar is not None:
            self._bar.stop()

    def _tell(self) -> None:
        """Say what a run is at that says nothing itself."""
        while not self._over.wait(min(1.0, self._silence_seconds / 2)):
            since = time.monotonic() - self._came_at
            before = self._doing()
            doing = _before_text(before) if before else f"{_loading_text(self._loading())}, {duration(since)}"
            if self._bar is not None:
                if before or since > self._silence_seconds or not self._progress.finished:
                    [task] = self._bar.task_ids
                    self._bar.update(task, label=one_line(doing))
            elif time.monotonic() - self._said_at >= self._silence_seconds:
                self._say(f"{self._progress.line()}, {doing}")

    def update(self, outcome: Outcome, progress: Progress) -> None:
        """Show an outcome, and how far the run is with it."""
        if isinstance(outcome, CellFailure):
            self._say(f"FAILED {outcome.cell.label}: {outcome.error}: {outcome.message}")
        elif outcome.provenance.fallback is not None:
            self._warn(outcome.cell.model.name, outcome.provenance.fallback)
        self._progress, self._came_at = progress, time.monotonic()
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
        self._said_at = time.monotonic()
        if self._bar is None:
            say(text, self._stream)
        else:  # above the bar; the text is nobody's markup
            self._bar.console.print(one_line(text), markup=False, highlight=False, soft_wrap=True)


def _before_text(cells: Sequence[str]) -> str:
    """What is done before cells are answered, in words.

    >>> _before_text(["a topic: training, step 3 of 9", "b topic: training, step 1 of 9"])
    'a topic: training, step 3 of 9 and 1 more'
    """
    return cells[0] + (f" and {len(cells) - 1} more" if len(cells) > 1 else "")


def _loading_text(names: Sequence[str]) -> str:
    """What is being loaded, in words.

    >>> _loading_text(["a", "b", "c", "d", "e"]), _loading_text([])
    ('loading a, b, c and 2 more', 'answering')
    """
    if not names:
        return "answering"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"loading {', '.join(names[:3])}{more}"


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
