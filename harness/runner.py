"""A run on one screen: leave out what is done, put the rest into lanes, execute, write each outcome as it lands."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace

from harness.engines.protocol import EngineSettings
from harness.executors.protocol import Executor
from harness.plan import RunPlan
from harness.records import CellFailure, Outcome
from harness.schedule import lanes
from harness.store import Store


def run(
    plan: RunPlan, store: Store, executor: Executor, settings: EngineSettings, *, retry_failed: bool = False
) -> Generator[Outcome, None, None]:
    """Evaluate every missing cell of the plan; each outcome is in the store before it is yielded.

    Closing the iterator ends the executor's processes; what was yielded is kept, and the next run goes on from there.

    Raises:
        StoreError: an outcome cannot be written; the executor has been ended cleanly.
    """
    todo = pending(plan, store, retry_failed=retry_failed)
    with closing(executor.run(lanes(todo), settings)) as outcomes:
        for outcome in outcomes:
            store.write(outcome)
            yield outcome


def pending(plan: RunPlan, store: Store, *, retry_failed: bool = False) -> RunPlan:
    """The cells still to evaluate: neither done nor, unless they are to be retried, failed before."""
    done, failures, _ = store.outcomes()  # one look at the folder
    todo = plan.without(r.cell.key for r in done)
    return todo if retry_failed else todo.without(f.cell.key for f in failures)


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
        """Cells per minute since the first came back; None before the second."""
        if self.first_seconds is None or self.finished < 2 or self.elapsed_seconds <= self.first_seconds:
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
            parts.append(f"{self.rate:.0f}/min" if self.rate >= 100 else f"{self.rate:.3g}/min")
        if self.eta_seconds:
            parts.append(f"ETA {_clock(self.eta_seconds)}")
        return ", ".join(parts)


def _clock(seconds: float) -> str:
    """Minutes and seconds, with hours when there are any: 0:48, 12:05, 3:00:10."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
