from collections.abc import Iterable
from pathlib import Path

import pytest

from harness.plan import Cell, RunPlan
from harness.standing import Standing, settle, standing
from harness.store import Store
from tests.builders import cell, failed, model, result, task


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def keep(store: Store, plan: RunPlan, *, failing: Iterable[int] = ()) -> None:
    """Write a result of each cell, or a failure where the seed is in `failing`."""
    for asked in plan.cells:
        store.write(failed(asked) if asked.seed in failing else result(asked))


def to_do(plan: RunPlan, store: Store) -> tuple[Cell, ...]:
    found = standing_of(plan, store)
    return plan.without(found.done | found.failed).cells


def of_family(name: str, shots: Iterable[int] = (1,), *, engine: str = "tree", **told: object) -> RunPlan:
    """A plan for the model `m` as the family tells of it."""
    asked = model(family=name, name="m", **told)
    return RunPlan(cells=tuple(cell(model=asked, shots=n, engine=engine) for n in shots), tasks={"colours": task()})


def standing_of(plan: RunPlan, store: Store) -> Standing:
    done, failures, _ = store.outcomes()
    return standing(plan, done, failures)


def test_a_cell_that_another_family_has_is_to_do(store: Store) -> None:
    keep(store, of_family("shipped"))
    assert to_do(of_family("shipped"), store) == ()
    assert to_do(of_family("mine"), store) == of_family("mine").cells


def test_what_another_family_was_answered_is_taken_over(store: Store) -> None:
    keep(store, of_family("shipped", shots=(1, 2)))
    mine = of_family("mine", shots=(1, 2, 4), params=2000)
    keep(store, mine.without([mine.cells[0].place, mine.cells[2].place]), failing=[0])
    held = standing_of(mine, store)
    assert (held.done, held.failed) == (frozenset(), frozenset())
    assert held.chores() == ("taken over from family shipped: 2 cells",)
    held = settle(store, held)
    assert held.done == {asked.place for asked in mine.cells[:2]}
    assert to_do(mine, store) == mine.cells[2:]
    assert {r.cell.model.params for r in store.results() if r.cell.model.family == "mine"} == {2000}
    assert len(store.done()) == 4


def test_answers_that_no_model_gave_are_not_taken_over(store: Store) -> None:
    """The simulated engine answers by the size that the family tells of a name."""
    keep(store, of_family("shipped", engine="simulated"))
    held = standing_of(of_family("mine", engine="simulated", params=2000), store)
    assert (held.done, held.elsewhere) == (frozenset(), ())


def test_answers_that_cannot_be_taken_over_are_evaluated(store: Store) -> None:
    keep(store, of_family("shipped"))
    (store.root / "shipped").rename(store.root / "renamed")
    held = settle(store, standing_of(of_family("mine"), store))
    assert (held.done, held.chores()) == (frozenset(), ())
    assert len(to_do(of_family("mine"), store)) == 1


def test_what_the_plan_tells_of_a_model_reaches_all_its_outcomes(store: Store) -> None:
    keep(store, of_family("mine", shots=(1, 2)))
    store.write(failed(of_family("mine", shots=(4,)).cells[0]))
    store.write(result(of_family("other").cells[0]))
    store.write(result(cell(model=model(family="mine", name="m", revision="other"), engine="tree")))
    corrected = of_family("mine", loss=2.5, params=2000)
    held = settle(store, standing_of(corrected, store))
    assert held.done == {corrected.cells[0].place}
    assert held.chores() == ("brought up to date in 3 cells: params, tokens, loss",)
    done, failures, problems = store.outcomes()
    models = [o.cell.model for o in (*done, *failures)]
    assert sorted((m.family, m.revision, m.params, m.loss or 0) for m in models) == [
        ("mine", "main", 2000, 2.5),
        ("mine", "main", 2000, 2.5),
        ("mine", "main", 2000, 2.5),
        ("mine", "other", 1000, 0),
        ("other", "main", 1000, 0),
    ]
    assert problems == ()
    assert standing_of(corrected, store).chores() == ()
