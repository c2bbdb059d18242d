import numpy as np
import pytest

from harness.analysis.classes import ClassCurves, class_curves, class_reports
from harness.records import CellResult
from tests.builders import model
from tests.builders.classes import chosen, found, written

LABELS = ("glad", "sad", "cross")
SIZES = (1_000, 10_000, 100_000, 1_000_000)


def of_sizes(*, known: dict[str, int], n: int = 150, runs: int = 1) -> list[CellResult]:
    """Cells in which a label is answered rightly from the size on that `known` names; else all answer the first."""
    rng = np.random.default_rng(1)
    right = [LABELS[i % 3] for i in range(n)]
    made = []
    for params in SIZES:
        for run in range(runs):
            answered = [one if params >= known.get(one, 10**9) and rng.random() < 0.9 else "glad" for one in right]
            made.append(chosen(right, answered, params=params, model=model(params, run=str(run) if runs > 1 else None)))
    return made


def drawn(results: list[CellResult]) -> tuple[ClassCurves, ...]:
    by_key = {one.cell.key: one.samples for one in results}
    return class_curves(results, class_reports(results, lambda cell: by_key[cell.key]))


def test_a_class_is_there_from_the_size_on_that_tells_it_from_others() -> None:
    (one,) = drawn(of_sizes(known={"sad": 10_000, "cross": 1_000_000}))
    there = {name: None if point is None else point.x for name, point in one.appears.items()}
    assert there == {"glad": 10_000, "sad": 10_000, "cross": 1_000_000}
    assert one.support == dict.fromkeys(LABELS, 50)


def test_a_model_that_always_answers_the_same_knows_no_class_although_its_f1_is_not_zero() -> None:
    (one,) = drawn(of_sizes(known={}))
    assert {*one.appears.values()} == {None}
    assert one.f1["glad"].y == pytest.approx([0.5] * 4)


def test_training_runs_of_a_size_share_its_point() -> None:
    (one,) = drawn(of_sizes(known={"sad": 10_000, "cross": 10_000}, runs=3))
    curve = one.f1["sad"]
    assert curve.runs == (3, 3, 3, 3)
    assert curve.noise is not None
    for point in curve.points:
        assert point.low is not None
        assert point.high is not None
        assert point.low <= point.estimate.value <= point.high
    assert [*one.f1] == [*LABELS, "macro avg"]


def test_answers_without_a_class_are_a_share_at_each_size() -> None:
    right = ["glad", "sad"] * 10
    results = [written(right, ["nothing"] * 5 + right[5:], params=params) for params in SIZES]
    (one,) = drawn(results)
    assert one.unnamed.y == pytest.approx([0.25] * 4)


def test_entities_have_a_curve_by_scheme() -> None:
    texts, right = ["Tom met Bo ."] * 30, ["Tom PER ; Bo LOC"] * 30
    results = [found(texts, right, ["Tom PER" if params > 1_000 else ""] * 30, params=params) for params in SIZES]
    curves = {one.scheme: one for one in drawn(results)}
    assert {*curves} == {"strict", "partial"}
    there = {name: None if point is None else point.x for name, point in curves["strict"].appears.items()}
    assert there == {"LOC": None, "PER": 10_000}


def test_variants_have_curves_of_their_own() -> None:
    plain = of_sizes(known={"sad": 10_000})
    rounded = []
    for one in plain:
        right, answered = zip(*((sample.target, sample.output) for sample in one.samples or ()), strict=True)
        rounded.append(chosen(right, answered, model=model(one.cell.model.params or 0, variant="int8")))
    assert {one.first.split for one in drawn([*plain, *rounded])} == {"variant plain", "variant int8"}
