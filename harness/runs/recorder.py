"""Writes the record of a run again and again while the run goes on."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from harness.errors import StoreError
from harness.plan import RunPlan
from harness.runs.metrics import write_metrics
from harness.runs.record import Progress, RunRecord, Workplace, planned

log = logging.getLogger(__name__)


class RunStore(Protocol):
    """Where run records are kept: the results folder."""

    def write_run(self, record: RunRecord) -> None:
        """Write the record of one run, in place of an earlier one of the same run.

        Raises:
            StoreError: it cannot be written.
        """


class Recorder:
    """Keeps the record of a run in the store, from its beginning to its end, whatever ends it.

    with Recorder(store, plan=todo, command="emergence run ...") as recorder:
        for outcome in outcomes:
            recorder.update(progress)

    A thread writes the record every few seconds, so that a run also shows signs of life while a cell takes an hour.
    When the first record cannot be written, a warning is logged and the run goes on without one.
    """

    def __init__(
        self,
        store: RunStore,
        *,
        plan: RunPlan,
        command: str,
        done_before: int = 0,
        every_seconds: float = 10.0,
        workplaces: Callable[[], tuple[Workplace, ...]] = tuple,
        left: Callable[[], float | None] = lambda: None,
        metrics: Path | None = None,
    ) -> None:
        """Begin a record, which is written when the context is entered; a run without any cell keeps none.

        Args:
            store: where it is kept.
            plan: the cells to evaluate.
            command: the command line that started the run.
            done_before: cells that were left out.
            every_seconds: time between two signs of life.
            workplaces: tells what each worker is at when it is called.
            left: tells the estimated time left, in seconds, when it is called.
            metrics: file that gets the same as text for Prometheus; None for none.
        """
        self._store = store
        self._workplaces, self._left = workplaces, left
        self._metrics = metrics
        self._every_seconds = every_seconds
        now = datetime.now(UTC)
        self._record = RunRecord(
            started_at=now,
            heard_at=now,
            host=socket.gethostname(),
            pid=os.getpid(),
            command=command,
            done_before=done_before,
            progress=Progress(total=len(plan.cells)),
            plan=planned(plan.cells),
        )
        self._over = threading.Event()
        self._beat = threading.Thread(target=self._go_on, name="run record", daemon=True)

    def __enter__(self) -> Self:
        if self._record.plan:
            try:
                self._write()
            except StoreError as error:
                log.warning("the run continues, but cannot be recorded: %s", error)
            else:
                self._beat.start()
        return self

    def update(self, progress: Progress) -> None:
        """Note how far the run is; the thread writes it the next time."""
        self._record = replace(self._record, progress=progress)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beat.ident is None:
            return
        self._over.set()
        self._beat.join()
        if error is None:
            self._record = replace(self._record, ending="finished", plan=())
        elif isinstance(error, KeyboardInterrupt):
            self._record = replace(self._record, ending="interrupted")
        else:
            line = " ".join([f"{type(error).__name__}:", *str(error).split()])
            self._record = replace(self._record, ending="stopped", error=line)
        with suppress(StoreError):
            self._write()

    def _go_on(self) -> None:
        while not self._over.wait(self._every_seconds):
            with suppress(StoreError):  # where no record can be written any more, no cell can, and that ends the run
                self._write()

    def _write(self) -> None:
        places = () if self._record.ending else self._workplaces()
        left = None if self._record.ending else self._left()
        progress = replace(self._record.progress, left_seconds=left)
        now = replace(self._record, heard_at=datetime.now(UTC), workplaces=places, progress=progress)
        if self._metrics is not None:
            with suppress(OSError):  # who watches a run must not end it
                write_metrics(self._metrics, now)
        self._store.write_run(now)
