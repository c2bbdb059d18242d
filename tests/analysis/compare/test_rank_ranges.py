"""Which places each model can hold: all pairs at once, on the documents that both answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from harness.analysis.compare import Rank, ranks
from harness.analysis.stats import RunNoise, holm
from harness.plan import Cell
from harness.records import CellResult
from harness.specs import MetricSpec
from harness.store import DocumentScores
from tests.builders import cell, model, result, task

Model = list[CellResult]


def answers(params: int, right: Sequence[float], *, name: str = "colours", shots: int = 0, seed: int = 0) -> CellResult:
    """One model's scores of the documents of one cell."""
    return result(cell(of=task(name), model=model(params), shots=shots, seed=seed), values=list(right))


def first(right: int, n: int = 100) -> list[float]:
    """The first so many documents right."""
    return [1.0] * right + [0.0] * (n - right)


def read(models: Iterable[Model]) -> Callable[[Cell], DocumentScores]:
    """The documents of these results, as a store gives them."""
    held = {r.cell.key: r.samples or () for results in models for r in results}

    def documents(of: Cell) -> DocumentScores:
        scores = {m.name: np.array([s.scores[m.name] for s in held[of.key]]) for m in of.metrics}
        return DocumentScores(tuple(s.doc_hash for s in held[of.key]), scores)

    return documents


def texts(models: Sequence[Model], **options: object) -> list[str]:
    return [one.text for one in ranks(models, read(models), **options)]  # type: ignore[arg-type]


def test_models_that_cannot_be_told_apart_share_their_places() -> None:
    models = [[answers(p, first(k))] for p, k in ((4000, 90), (3000, 89), (2000, 88), (1000, 30))]
    assert texts(models) == ["1–3", "1–3", "1–3", "4"]


def test_equal_scores_are_equal() -> None:
    models = [[answers(p, first(100))] for p in (3000, 2000)] + [[answers(1000, first(60))]]
    one, other, last = ranks(models, read(models))
    assert (one.text, other.text, last.text) == ("1–2", "1–2", "3")
    assert one.mean == other.mean == 1.0
    assert (one.low or 1) < 1.0 == one.high


def test_not_only_neighbours_are_told_apart() -> None:
    """Each is a little better than the next: no neighbours differ clearly, the first and the last do."""
    models = [[answers(p, first(k, 400))] for p, k in ((5000, 212), (4000, 209), (3000, 206), (2000, 203), (1000, 200))]
    assert texts(models)[0] == "1–3"
    assert texts(models)[-1] == "3–5"
    assert all(one.best < one.last for one in ranks(models, read(models)))


def test_documents_that_both_answered_tell_more_than_scores_alone() -> None:
    models = [[answers(2000, first(60))], [answers(1000, first(50))]]
    paired, unpaired = ranks(models, read(models)), ranks(models)
    assert [one.text for one in paired] == ["1", "2"]
    assert [one.text for one in unpaired] == ["1–2", "1–2"]
    assert (paired[0].paired, unpaired[0].paired) == (True, False)
    assert ranks(models, lambda _: None) == unpaired  # files that cannot be read


def test_each_task_counts_once_however_often_it_was_asked() -> None:
    asked = [("colours", 0, 100), ("colours", 2, 100), ("colours", 5, 100), ("shapes", 0, 25)]
    models = [[answers(1000, first(k), name=name, shots=shots) for name, shots, k in asked]]
    (only,) = ranks(models, read(models))
    assert only.mean == pytest.approx(0.5)
    assert only.text == "1"


def test_few_shot_examples_move_all_documents_of_a_model_together() -> None:
    def seeded(*right: int) -> Model:
        return [answers(params, first(k, 400), shots=2, seed=seed) for seed, k in enumerate(right)]

    params = 2000
    steady, moved = seeded(240, 240, 240), seeded(180, 240, 300)
    params = 1000
    other = seeded(200, 200, 200)
    assert texts([steady, other]) == ["1", "2"]
    assert texts([moved, other]) == ["1–2", "1–2"]


def test_noise_between_training_runs_counts_where_it_is_larger_than_that_of_documents() -> None:
    models = [[answers(2000, first(60))], [answers(1000, first(50))]]
    noisy = RunNoise(0.01, 0.0, 50.0, 1.0)
    assert texts(models, noise=lambda *_: noisy) == ["1–2", "1–2"]
    assert texts(models, noise=lambda *_: None) == ["1", "2"]


def test_less_is_better_of_a_loss() -> None:
    brier = task(metrics=(MetricSpec(name="brier", higher_is_better=False, chance=0.75, best=0.0),))
    models = [
        [result(cell(of=brier, model=model(p)), values=list(values))]
        for p, values in ((2000, [0.7, 0.6] * 30), (1000, [0.1, 0.2] * 30))
    ]
    worse, better = ranks(models, read(models))
    assert (worse.text, better.text) == ("2", "1")


def test_a_score_of_all_documents_together_keeps_its_own_error() -> None:
    def corpus(params: int, right: int, value: float, stderr: float) -> Model:
        one = answers(params, first(right))
        (score, *_) = one.scores
        return [replace(one, scores=(replace(score, value=value, stderr=stderr),))]

    sure = [corpus(2000, 60, 0.75, 0.01), corpus(1000, 50, 0.65, 0.01)]
    unsure = [corpus(2000, 60, 0.75, 0.2), corpus(1000, 50, 0.65, 0.2)]
    assert texts(sure) == ["1", "2"]
    assert texts(unsure) == ["1–2", "1–2"]


def test_metrics_without_a_chance_level_rank_nobody() -> None:
    loss = task(metrics=(MetricSpec(name="nll", chance=None, best=None),))
    models = [[result(cell(of=loss, model=model(p)), values=[0.1, 0.2, 0.3])] for p in (1000, 2000)]
    assert ranks(models, read(models)) == ()
    assert ranks([]) == ()


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.01, 0.01]) == pytest.approx((0.03, 0.03, 0.03))
    assert holm([0.001, 0.5, 0.02]) == pytest.approx((0.003, 0.5, 0.04))
    assert holm([]) == ()


# Whether every range of a study holds the true rank is counted over many studies.


def simulated(rng: np.random.Generator, skill: Sequence[float], *, tasks: int = 3, documents: int = 80) -> list[Model]:
    """Models of so much skill on tasks whose documents are as hard for one as for another."""
    models: list[Model] = [[] for _ in skill]
    for number in range(tasks):
        hardness = rng.standard_normal(documents)
        for results, (place, level) in zip(models, enumerate(skill), strict=True):
            right = rng.random(documents) < ndtr(level + hardness)
            results.append(answers(1000 * (place + 1), right.astype(float).tolist(), name=f"task{number}"))
    return models


def holds(found: Sequence[Rank], skill: Sequence[float]) -> bool:
    """Whether every range holds the true rank; equal skills share theirs."""
    return all(
        one.best <= 1 + sum(other > level for other in skill) and one.last >= sum(other >= level for other in skill)
        for one, level in zip(found, skill, strict=True)
    )


@pytest.mark.calibration
@pytest.mark.parametrize(
    "skill",
    [(0.0,) * 6, (0.0, 0.05, 0.1, 0.15, 0.2, 0.25), (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)],
    ids=("equal", "near", "two"),
)
def test_all_ranges_together_hold_the_true_ranks(skill: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    studies = 200
    held = sum(holds(ranks(models, read(models)), skill) for models in (simulated(rng, skill) for _ in range(studies)))
    assert held / studies >= 0.92  # 0.95 less two standard errors
