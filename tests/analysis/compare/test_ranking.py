from collections.abc import Callable, Iterable

import numpy as np
import pytest

from harness.analysis.compare import Lead, leads
from harness.plan import Cell
from harness.records import CellResult
from harness.specs import MetricSpec
from harness.store import DocumentScores
from tests.builders import cell, model, result, task


def answers(params: int, right: int, *, name: str = "colours", shots: int = 0) -> CellResult:
    """A model that answers so many of 100 documents rightly."""
    asked = cell(of=task(name), model=model(params), shots=shots)
    return result(asked, values=[1.0] * right + [0.0] * (100 - right))


def read(results: Iterable[CellResult]) -> Callable[[Cell], DocumentScores]:
    """The documents of these results, as a store gives them."""
    held = {r.cell.key: r.samples or () for r in results}

    def documents(of: Cell) -> DocumentScores:
        scores = {m.name: np.array([s.scores[m.name] for s in held[of.key]]) for m in of.metrics}
        return DocumentScores(tuple(s.doc_hash for s in held[of.key]), scores)

    return documents


def test_a_large_lead_is_clear_and_a_small_one_is_a_tie() -> None:
    ranked = [answers(3000, 90), answers(2000, 89), answers(1000, 30)]
    first, second = leads([[r] for r in ranked], read(ranked))
    assert first.tied
    assert not second.tied
    # (0.89 - 0.30) of the way from chance, 0.25, to best, 1
    assert second.difference == pytest.approx(0.59 / 0.75)
    assert second.settings == 1


def test_equal_answers_are_a_tie() -> None:
    ranked = [answers(2000, 50), answers(1000, 50)]
    (lead,) = leads([[r] for r in ranked], read(ranked))
    assert lead.tied
    assert lead.difference == 0.0


def test_settings_of_one_task_do_not_count_as_independent() -> None:
    def lead(settings: list[tuple[str, int]]) -> Lead:
        better, worse = ([answers(p, k, name=n, shots=s) for n, s in settings] for p, k in ((2000, 58), (1000, 50)))
        return leads([better, worse], read([*better, *worse]))[0]

    same = lead([("colours", 0), ("colours", 2), ("colours", 5)])
    different = lead([("colours", 0), ("shapes", 0), ("numbers", 0)])
    assert same.settings == different.settings == 3
    assert same.difference == pytest.approx(different.difference)
    assert (same.p or 0) > (different.p or 1)


def test_more_neighbours_make_each_lead_less_sure() -> None:
    pair = [answers(2000, 60), answers(1000, 50)]
    (alone,) = leads([[r] for r in pair], read(pair))
    many = [*pair, answers(900, 50), answers(800, 50), answers(700, 50)]
    among = leads([[r] for r in many], read(many))[0]
    assert alone.p == among.p
    assert alone.q is not None
    assert among.q is not None
    assert among.q >= alone.q


def test_less_is_better_of_a_loss() -> None:
    brier = task(metrics=(MetricSpec(name="brier", higher_is_better=False, chance=0.75, best=0.0),))
    better = result(cell(of=brier, model=model(2000)), values=[0.1, 0.2] * 30)
    worse = result(cell(of=brier, model=model(1000)), values=[0.7, 0.6] * 30)
    (lead,) = leads([[better], [worse]], read([better, worse]))
    assert lead.difference == pytest.approx(0.5 / 0.75)
    assert not lead.tied


def test_models_without_a_common_setting_are_not_told_apart() -> None:
    better, worse = answers(2000, 90, shots=0), answers(1000, 10, shots=2)
    (lead,) = leads([[better], [worse]], read([better, worse]))
    assert lead == (None, None, None, 0)
    assert lead.tied


def test_a_ranking_of_one_has_no_neighbours() -> None:
    only = answers(1000, 50)
    assert leads([[only]], read([only])) == ()
