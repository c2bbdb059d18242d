"""Every axis of a cell keeps results apart wherever results are put together: a new axis is tested as it is added."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.analysis.compare import choose_side, leads, pair_up
from harness.analysis.curves import curves
from harness.analysis.curves.frame import COLUMNS, frame
from harness.analysis.curves.table import table_curves
from harness.leaderboard import AVERAGE, MODEL_COLUMNS, SOURCE, wide_table
from harness.plan import AXES, Axis, Cell, axes, by_size, labels, model_identity
from harness.plan.setting import identity
from harness.runs.progress import tallies
from harness.store import DocumentScores
from tests.builders import cell, model, result

OF_SIZE = {"model", "revision", "run"}


def changed(of: Cell, axis: Axis) -> Cell:
    """The cell with another value on one axis."""
    owner, _, name = axis.field.rpartition(".")
    before: Any = getattr(of.model if owner else of, name)
    after = before + 1 if isinstance(before, int) else f"{before or ''}9"
    after = 7 if axis.name == "limit" else after
    return replace(of, model=replace(of.model, **{name: after})) if owner else replace(of, **{name: after})


every_axis = pytest.mark.parametrize("axis", AXES.values(), ids=lambda axis: axis.name)


def but(*names: str) -> Callable[..., Any]:
    """Every axis without these."""
    return pytest.mark.parametrize("axis", [AXES[n] for n in AXES if n not in names], ids=lambda axis: axis.name)


@every_axis
def test_a_cell_of_another_value_has_another_place(axis: Axis) -> None:
    assert changed(cell(), axis).place != cell().place
    assert (changed(cell(), axis).key == cell().key) == (axis.in_key == "never")


@every_axis
def test_settings_agree_where_they_are_told_to(axis: Axis) -> None:
    one, other = cell(), changed(cell(), axis)
    assert one.setting() != other.setting()
    assert one.setting(free={axis.name}) == other.setting(free={axis.name})
    assert axis.name not in one.setting(free={axis.name}).names


@but(*OF_SIZE, "seed")
def test_a_curve_joins_no_results_of_two_values(axis: Axis) -> None:
    drawn = curves([result(cell(shots=1)), result(changed(cell(shots=1), axis))])
    assert [len(curve.points) for curve in drawn if curve.rank == 0] == [1, 1]
    assert len({curve.setting for curve in drawn}) == 2


@every_axis
def test_the_tidy_table_has_a_column_for_each_axis(axis: Axis) -> None:
    assert axis.name in COLUMNS
    assert frame([result(cell()), result(changed(cell(), axis))])[axis.name].nunique(dropna=False) == 2


@but(*OF_SIZE, "seed")
def test_curves_that_are_read_back_from_the_tidy_table_stay_apart(axis: Axis) -> None:
    results = [result(cell(shots=1)), result(changed(cell(shots=1), axis))]
    read = table_curves(frame(results))
    assert {curve.setting for curve in read} == {curve.setting for curve in curves(results)}


@but("seed")
def test_the_leaderboard_has_a_row_or_a_column_for_each_value(axis: Axis) -> None:
    table = wide_table([result(cell(shots=1)), result(changed(cell(shots=1), axis))])
    columns = [name for name in table if name not in (*MODEL_COLUMNS, SOURCE, AVERAGE)]
    assert (len(table), len(columns)) == ((2, 1) if axis.of == "model" else (1, 2))


@but(*OF_SIZE, "family", "limit")
def test_two_models_are_compared_on_one_value(axis: Axis) -> None:
    small, large = cell(shots=1), cell(model=model(4000), shots=1)
    for other, pairs in ((large, 1), (changed(large, axis), 0)):
        results = [result(small), result(other)]
        pairing = pair_up(*(choose_side(side, (r.cell for r in results)) for side in ("toy-1000", "toy-4000")), results)
        assert len(pairing.pairs) == pairs
        assert bool(pairing.unpaired) == (not pairs)


@but(*(name for name in AXES if AXES[name].of == "model"), "seed")
def test_neighbours_in_a_ranking_are_compared_on_one_value(axis: Axis) -> None:
    small, large = cell(shots=1), cell(model=model(4000), shots=1)
    scores = {metric.name: np.array([1.0, 0.0]) for metric in small.metrics}
    for other, settings in ((large, 1), (changed(large, axis), 0)):
        (lead,) = leads([[result(small)], [result(other)]], lambda _: DocumentScores(("doc0", "doc1"), scores))
        assert lead.settings == settings


@but(*OF_SIZE)
def test_sizes_are_ordered_within_one_value(axis: Axis) -> None:
    settings = by_size([cell(), changed(cell(), axis)])
    assert len(settings) == 2
    assert len(set(labels(settings).values())) == 2


@but(*OF_SIZE, "family", "variant", "task")
def test_a_run_is_behind_where_another_size_was_asked_another_value(axis: Axis) -> None:
    found = tallies([result(cell()), result(changed(cell(model=model(4000)), axis))], [])
    assert [(one.done, one.absent) for one in found] == [(1, 1), (1, 1)]


def test_an_axis_that_was_added_leaves_the_keys_of_earlier_cells_alone() -> None:
    added = Axis(name="suite", field="suite", of="question", default="toy", in_key="unless default")
    assert identity(cell(), [added]) == identity(cell())
    assert identity(cell(suite="other"), [added]) == (*identity(cell()), "suite=other")


def test_axes_that_are_named_come_first_and_free_ones_are_left_out() -> None:
    kept = axes(first=("shots", "task"), free=OF_SIZE)
    assert kept[:2] == ("shots", "task")
    assert set(kept) == AXES.keys() - OF_SIZE


def names_of(model_axes: Iterable[Axis]) -> set[str]:
    return {axis.name for axis in model_axes}


def test_a_model_is_identified_by_its_own_axes() -> None:
    of_model = [axis for axis in AXES.values() if axis.field.startswith("model.")]
    assert all(model_identity(changed(cell(), axis).model) != model_identity(model()) for axis in of_model)
    assert model_identity(model(path="/elsewhere", loss=2.0)) == model_identity(model())
    assert names_of(of_model) | {"engine"} == names_of(axis for axis in AXES.values() if axis.of == "model")
