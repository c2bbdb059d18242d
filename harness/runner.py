"""A run on one screen: leave out what is done, put the rest into lanes, execute, write each outcome as it lands.

A cell is done where its own family has the answers: `settle` takes over those of the same model in another family.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace

from harness.engines.protocol import WITHOUT_MODEL, EngineSettings
from harness.executors.protocol import Executor
from harness.plan import DESCRIPTIVE_FIELDS, Cell, Place, RunPlan, model_identity
from harness.records import CellFailure, CellResult, Outcome
from harness.schedule import lanes
from harness.specs import ModelSpec
from harness.store import Store
from harness.wording import counted


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What a folder of results holds of a plan."""

    done: frozenset[Place]
    """Cells of the plan that have a result."""
    failed: frozenset[Place]
    """Cells of the plan whose last attempt failed, and that no family has a result of."""
    elsewhere: tuple[tuple[Cell, CellResult], ...]
    """Cells of the plan without a result, each with the result that another family has of the same key."""
    outdated: tuple[tuple[Outcome, ModelSpec], ...]
    """Outcomes of the plan's models, whatever the task, each with its model where the plan describes that otherwise."""

    def chores(self) -> tuple[str, ...]:
        """What comes before any evaluation, in lines such as `taken over from family mine: 2 cells`."""
        families = Counter(result.cell.model.family for _, result in self.elsewhere)
        lines = [f"taken over from family {family}: {counted(n, 'cell')}" for family, n in sorted(families.items())]
        described = [
            n for n in DESCRIPTIVE_FIELDS if any(getattr(o.cell.model, n) != getattr(m, n) for o, m in self.outdated)
        ]
        if described:
            lines.append(f"brought up to date in {counted(len(self.outdated), 'cell')}: {', '.join(described)}")
        return tuple(lines)


def standing(plan: RunPlan, results: Iterable[CellResult], failures: Iterable[CellFailure]) -> Standing:
    """How far the folder with these results and failures is with the plan."""
    held, lost = tuple(results), tuple(failures)
    wanted = frozenset(cell.place for cell in plan.cells)
    done = wanted & {r.cell.place for r in held}
    # where no model is loaded, equal names need not mean equal models, and evaluating costs nothing
    by_key = {r.cell.key: r for r in reversed(held) if r.cell.engine not in WITHOUT_MODEL}
    elsewhere = tuple((c, by_key[c.key]) for c in plan.without(done).cells if c.key in by_key)
    models = {model_identity(cell.model): cell.model for cell in plan.cells}
    outcomes: list[Outcome] = [*held, *lost]
    known = [(o, models.get(model_identity(o.cell.model))) for o in outcomes]
    return Standing(
        done=done,
        failed=(wanted & {f.cell.place for f in lost}) - done - {cell.place for cell, _ in elsewhere},
        elsewhere=elsewhere,
        outdated=tuple((o, m) for o, m in known if m is not None and _description(m) != _description(o.cell.model)),
    )


def settle(store: Store, held: Standing) -> Standing:
    """Take over answers and bring descriptions up to date; gives what was set right, and what is done now.

    Raises:
        StoreError: the folder cannot be written.
    """
    taken = tuple((cell, result) for cell, result in held.elsewhere if store.take_over(result, cell))
    told = tuple((outcome, model) for outcome, model in held.outdated if store.describe(outcome, model))
    return replace(held, done=held.done | {cell.place for cell, _ in taken}, elsewhere=taken, outdated=told)


def _description(model: ModelSpec) -> tuple[float | None, ...]:
    return tuple(getattr(model, name) for name in DESCRIPTIVE_FIELDS)


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
    todo = plan.without(r.cell.place for r in done)
    return todo if retry_failed else todo.without(f.cell.place for f in failures)
