"""Two models that differ by training noise alone are not different."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from harness.analysis.compare import Comparison, choose_side, compare_pairs, leads, noise_from, pair_up
from harness.plan import Cell
from harness.records import CellResult
from harness.store import DocumentScores
from tests.builders import SIZES, cell, counted, model

DOCUMENTS = 2000
SD = 0.03


def shifted(sd: float, rng: np.random.Generator, level: float = 0.6) -> float:
    return float(np.clip(level + 2 * sd * np.sqrt(level * (1 - level)) * rng.standard_normal(), 0, 1))


class Family:
    """Results of a family whose sizes all score alike, but for the noise of training; documents are hard for all."""

    def __init__(self, runs: int, seed: int, *, sizes: int = 4, sd: float = SD) -> None:
        rng = np.random.default_rng(seed)
        shared = rng.standard_normal(DOCUMENTS)
        self.results: list[CellResult] = []
        self.scores: dict[str, DocumentScores] = {}
        for size in SIZES[:sizes]:
            for run in range(1, runs + 1):
                own = rng.standard_normal(DOCUMENTS)
                difficulty = np.argsort(np.argsort(0.8 * shared + 0.6 * own)) / DOCUMENTS
                right = (difficulty < shifted(sd, rng)).astype(float)
                self.add(cell(model=model(size, run=run, revision=f"r{run}")), right)

    def add(self, of: Cell, right: np.ndarray) -> None:
        self.results.append(counted(of, int(right.sum()), DOCUMENTS))
        hashes = tuple(map(str, range(DOCUMENTS)))
        self.scores[of.key] = DocumentScores(hashes, {"acc": right, "prob_correct": right / 2})

    def read(self, of: Cell) -> DocumentScores:
        return self.scores[of.key]

    def compared(self, a: str, b: str, *, estimated: bool = True, run_sd: float | None = None) -> Comparison:
        pairs = pair_up(*(choose_side(side, (r.cell for r in self.results)) for side in (a, b)), self.results).pairs
        noise = noise_from(self.results) if estimated else None
        (found,) = compare_pairs(pairs, self.read, noise=noise, run_sd=run_sd).comparisons
        return found


def different(make: Callable[[int], Comparison], times: int = 100) -> float:
    """Share of families in which the two sides are found to differ."""
    return float(np.mean([make(seed).better is not None for seed in range(200, 200 + times)]))


def test_models_that_differ_by_training_alone_seem_different_where_its_noise_is_not_counted() -> None:
    assert different(lambda seed: Family(1, seed, sizes=2).compared("toy-1000", "toy-4000")) > 0.4


def test_assumed_noise_makes_them_equal_again() -> None:
    assert different(lambda seed: Family(1, seed, sizes=2).compared("toy-1000", "toy-4000", run_sd=SD)) < 0.12


@pytest.mark.calibration
def test_estimated_noise_makes_them_equal_again_whatever_was_assumed() -> None:
    assert different(lambda seed: Family(3, seed).compared("toy-1000", "toy-4000", run_sd=0.0)) < 0.12
    one_run = lambda seed: Family(3, seed).compared("model=toy-1000,run=1", "model=toy-4000,run=1")  # noqa: E731
    assert different(one_run) < 0.12


def test_the_mean_over_runs_is_compared() -> None:
    found = Family(3, 0).compared("toy-1000", "toy-4000")
    assert (found.runs_a, found.runs_b, len(found.a)) == (3, 3, 3)
    assert found.run_sd == pytest.approx(SD, rel=0.6)
    assert found.run_freedom == pytest.approx(8, abs=0.5)
    means = [
        np.mean([s.value for r in Family(3, 0).results if r.cell.model.params == size for s in r.scores[:1]])
        for size in SIZES[:2]
    ]
    assert (found.scores.mean_a, found.scores.mean_b) == pytest.approx(means)


def test_more_runs_make_the_error_smaller() -> None:
    few, many = (Family(runs, 1, sd=0.06).compared("toy-1000", "toy-4000").scores.stderr for runs in (2, 12))
    assert few is not None
    assert many is not None
    assert many < 0.6 * few


def test_settings_of_one_model_share_its_training() -> None:
    family = Family(1, 0, sizes=1)
    rng = np.random.default_rng(5)
    family.add(cell(model=model(1000, run=1, revision="r1"), shots=2), (rng.random(DOCUMENTS) < 0.6).astype(float))
    plain, wary = (family.compared("shots=0", "shots=2", run_sd=sd) for sd in (None, 0.1))
    assert plain.scores == wary.scores
    assert wary.run_sd is None


def test_two_runs_of_one_size_can_be_compared() -> None:
    found = Family(2, 0).compared("model=toy-1000,run=1", "model=toy-1000,run=2")
    assert (found.runs_a, found.runs_b) == (1, 1)
    assert [c.model.run for c in (*found.a, *found.b)] == [1, 2]


def seeds_of(cells: Sequence[Cell]) -> list[tuple[object, int]]:
    return [(one.model.run, one.seed) for one in cells]


def test_each_run_gives_the_seeds_that_all_runs_have() -> None:
    family = Family(0, 0)
    rng = np.random.default_rng(0)
    for size, run, seeds in ((1000, 1, (0, 1, 2)), (1000, 2, (0, 1)), (4000, None, (0, 1, 2))):
        for seed in seeds:
            asked = cell(model=model(size, run=run, revision=f"r{run}"), shots=2, seed=seed)
            family.add(asked, (rng.random(DOCUMENTS) < 0.5).astype(float))
    pairing = pair_up(
        *(choose_side(s, (r.cell for r in family.results)) for s in ("toy-1000", "toy-4000")), family.results
    )
    (pair,) = pairing.pairs
    assert seeds_of([r.cell for r in pair.a]) == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert seeds_of([r.cell for r in pair.b]) == [(None, 0), (None, 1)]
    assert [one.reason for one in pairing.unpaired] == ["seed 2 not in every training run"]


def test_a_lead_that_training_alone_makes_is_a_tie() -> None:
    def tied(seed: int, *, counted_in: bool) -> bool:
        family = Family(3, seed, sizes=4)
        ranked = [[r] for r in family.results if r.cell.model.run == 1][:2]
        (lead,) = leads(ranked, family.read, noise=noise_from(family.results) if counted_in else None)
        return lead.tied

    assert np.mean([tied(seed, counted_in=True) for seed in range(200, 260)]) > 0.88
    assert np.mean([tied(seed, counted_in=False) for seed in range(200, 260)]) < 0.6
