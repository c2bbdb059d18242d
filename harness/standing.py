"""Which cells of a plan a results folder has, and corrections of the folder before anything is evaluated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.engines.protocol import WITHOUT_MODEL
from harness.plan import DESCRIPTIVE_FIELDS, Cell, Place, RunPlan, model_identity
from harness.records import CellFailure, CellResult, Outcome
from harness.specs import ModelSpec
from harness.store import Store
from harness.wording import counted


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What a results folder has of a plan."""

    done: frozenset[Place]
    """Cells of the plan that have a result in their own family."""
    failed: frozenset[Place]
    """Cells of the plan whose last attempt failed, and of which no family has a result."""
    elsewhere: tuple[tuple[Cell, CellResult], ...]
    """Cells of the plan without a result, each with the result that another family has of the same key."""
    outdated: tuple[tuple[Outcome, ModelSpec], ...]
    """Stored outcomes of any task whose model the plan describes otherwise, each with the model of the plan."""

    def chores(self) -> tuple[str, ...]:
        """The corrections that come before any evaluation, in lines such as `taken over from family mine: 2 cells`."""
        families = Counter(result.cell.model.family for _, result in self.elsewhere)
        lines = [f"taken over from family {family}: {counted(n, 'cell')}" for family, n in sorted(families.items())]
        described = [
            n for n in DESCRIPTIVE_FIELDS if any(getattr(o.cell.model, n) != getattr(m, n) for o, m in self.outdated)
        ]
        if described:
            lines.append(f"brought up to date in {counted(len(self.outdated), 'cell')}: {', '.join(described)}")
        return tuple(lines)


def standing(plan: RunPlan, results: Iterable[CellResult], failures: Iterable[CellFailure]) -> Standing:
    """What a folder with these results and failures has of the plan."""
    evaluated, broken = tuple(results), tuple(failures)
    wanted = frozenset(cell.place for cell in plan.cells)
    done = wanted & {r.cell.place for r in evaluated}
    # where no model is loaded, equal names need not mean equal models, and evaluating costs nothing
    by_key = {r.cell.key: r for r in reversed(evaluated) if r.cell.engine not in WITHOUT_MODEL}
    elsewhere = tuple((c, by_key[c.key]) for c in plan.without(done).cells if c.key in by_key)
    models = {model_identity(cell.model): cell.model for cell in plan.cells}
    outcomes: list[Outcome] = [*evaluated, *broken]
    known = [(o, models.get(model_identity(o.cell.model))) for o in outcomes]
    return Standing(
        done=done,
        failed=(wanted & {f.cell.place for f in broken}) - done - {cell.place for cell, _ in elsewhere},
        elsewhere=elsewhere,
        outdated=tuple((o, m) for o, m in known if m is not None and _description(m) != _description(o.cell.model)),
    )


def settle(store: Store, found: Standing) -> Standing:
    """Copy the answers that other families have, and bring descriptions of models up to date.

    Returns:
        What was corrected, and the cells that are done now.

    Raises:
        StoreError: the folder cannot be written.
    """
    copied = tuple((cell, result) for cell, result in found.elsewhere if store.take_over(result, cell))
    described = tuple((outcome, model) for outcome, model in found.outdated if store.describe(outcome, model))
    done = found.done | {cell.place for cell, _ in copied}
    return replace(found, done=done, elsewhere=copied, outdated=described)


def _description(model: ModelSpec) -> tuple[float | None, ...]:
    return tuple(getattr(model, name) for name in DESCRIPTIVE_FIELDS)
