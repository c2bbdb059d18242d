from __future__ import annotations

import itertools
import math
import statistics
import subprocess
import sys
from typing import Any

import pytest

from harness.engines.protocol import EngineSettings, attempt, open_engine
from harness.engines.simulated import SHAPES, SimulatedEngine
from harness.errors import HarnessError
from harness.records import CellFailure, CellResult
from harness.specs import MetricSpec
from tests.builders import ACC, PROB, cell, model, task

LOSS = MetricSpec(name="brier", higher_is_better=False, chance=0.75, best=0.0, continuous=True)
LIKELIHOOD = MetricSpec(name="loglikelihood_per_byte", chance=None, best=None, continuous=True)


def simulate(params: int, *, shots: int = 0, limit: int | None = None, **planted: Any) -> CellResult:
    spec = task(config={"simulate": planted}, metrics=(ACC, PROB, LOSS, LIKELIHOOD), n_docs=2000)
    asked = cell(of=spec, model=model(params), shots=shots, limit=limit)
    return SimulatedEngine(asked.model, EngineSettings()).evaluate(asked, spec)


def score(result: CellResult, metric: str = "acc") -> float:
    return next(score.value for score in result.scores if score.metric == metric)


def test_a_planted_step_is_found_where_it_was_planted() -> None:
    scores = {n: score(simulate(n, shape="step", threshold=1e7)) for n in (10**6, 9_999_999, 10**7, 10**8)}
    assert scores[10**6] == pytest.approx(0.25, abs=0.04)
    assert scores[9_999_999] == pytest.approx(0.25, abs=0.04)
    assert scores[10**7] == pytest.approx(0.9625, abs=0.02)
    assert scores[10**8] == pytest.approx(0.9625, abs=0.02)


def test_a_flat_task_stays_at_chance_at_every_size() -> None:
    results = [simulate(10**n, shape="flat") for n in range(3, 12)]
    assert statistics.fmean(score(r) for r in results) == pytest.approx(0.25, abs=0.01)
    assert statistics.fmean(score(r, "prob_correct") for r in results) == pytest.approx(0.25, abs=0.002)


@pytest.mark.parametrize("shape", ["linear", "logistic"])
def test_smooth_shapes_rise_all_the_way(shape: str) -> None:
    values = [score(simulate(10**n, shape=shape, threshold=1e6), "prob_correct") for n in range(4, 9)]
    assert values == sorted(values)
    assert values[0] < 0.4
    assert values[-1] > 0.7


def test_an_artefact_jumps_only_in_the_sharp_metric() -> None:
    sizes = [10**n for n in range(3, 10)]
    results = [simulate(n, shape="artefact", threshold=1e6) for n in sizes]
    sharp = [score(r) for r in results]
    smooth = [score(r, "prob_correct") for r in results]
    steps = [b - a for a, b in itertools.pairwise(smooth)]
    assert max(steps) == pytest.approx(min(steps), abs=0.01)
    assert sharp[3] == pytest.approx(0.25, abs=0.04)
    assert sharp[-1] - sharp[-2] > 0.5


def test_a_loss_falls_and_a_likelihood_rises_with_ability() -> None:
    weak, able = simulate(10**3, shape="step", threshold=1e6), simulate(10**9, shape="step", threshold=1e6)
    assert score(weak, "brier") == pytest.approx(0.75, abs=0.01)
    assert score(able, "brier") == pytest.approx(0.0375, abs=0.01)
    assert score(weak, "loglikelihood_per_byte") < score(able, "loglikelihood_per_byte") < 0


def test_a_failure_rate_without_a_chance_level_falls_from_one() -> None:
    rate = MetricSpec(name="parse_failure_rate", higher_is_better=False, chance=None, best=0.0)
    spec = task(config={"simulate": {"shape": "step", "threshold": 1e6}}, metrics=(ACC, PROB, rate))
    engine = SimulatedEngine(model(), EngineSettings())
    weak, able = (engine.evaluate(cell(of=spec, model=model(n)), spec) for n in (10**3, 10**9))
    assert score(weak, "parse_failure_rate") == 1.0
    assert score(able, "parse_failure_rate") < 0.3


def test_shots_move_the_threshold_down() -> None:
    assert score(simulate(600_000, shape="step", threshold=1e6, shots=0)) < 0.5
    assert score(simulate(600_000, shape="step", threshold=1e6, shots=7)) > 0.5


def test_equal_cells_get_equal_answers_and_seeds_get_others() -> None:
    spec = task(config={"simulate": {"shape": "logistic", "threshold": 1e3}})
    engine = SimulatedEngine(model(), EngineSettings())
    first, again = (engine.evaluate(cell(of=spec, shots=2), spec) for _ in range(2))
    other = engine.evaluate(cell(of=spec, shots=2, seed=1), spec)
    assert first.samples == again.samples
    assert first.scores == again.scores
    assert first.samples != other.samples


def test_samples_bear_out_the_scores_and_documents_keep_their_hashes() -> None:
    small, large = simulate(10**4, shape="linear"), simulate(10**9, shape="linear")
    assert small.samples is not None
    assert large.samples is not None
    values = [sample.scores["acc"] for sample in small.samples]
    assert set(values) <= {0.0, 1.0}
    assert small.scores[0].value == pytest.approx(statistics.fmean(values))
    assert small.scores[0].stderr == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)))
    assert [s.doc_hash for s in small.samples] == [s.doc_hash for s in large.samples]
    assert len({s.doc_hash for s in small.samples}) == 2000
    assert small.samples[0].scores.keys() == {"acc", "prob_correct", "brier", "loglikelihood_per_byte"}


@pytest.mark.parametrize(("limit", "n_docs", "expected"), [(None, 20, 20), (5, 20, 5), (50, 20, 20), (None, None, 200)])
def test_the_limit_takes_the_first_documents(limit: int | None, n_docs: int | None, expected: int) -> None:
    spec = task(n_docs=n_docs)
    result = SimulatedEngine(model(), EngineSettings()).evaluate(cell(of=spec, limit=limit), spec)
    assert result.n_expected == expected
    assert result.samples is not None
    assert [s.doc_id for s in result.samples] == list(range(expected))


def test_a_single_document_has_no_standard_error() -> None:
    assert simulate(10**6, limit=1, shape="linear").scores[0].stderr is None


def test_tasks_without_a_planted_curve_differ_by_name() -> None:
    curves = set()
    for name in ("sums", "colours", "names", "plurals", "capitals", "rhymes"):
        spec = task(name, config={}, n_docs=400)
        engine = SimulatedEngine(model(), EngineSettings())
        curves.add(tuple(engine.evaluate(cell(of=spec, model=model(10**n)), spec).scores[1].value for n in (5, 7, 9)))
    assert len(curves) == 6


def test_an_unknown_shape_lists_the_known_ones() -> None:
    with pytest.raises(HarnessError, match=r"task colours: simulate.shape: unknown shape 'wavy'; known: .*u-shaped"):
        simulate(1000, shape="wavy")
    assert {"flat", "step", "logistic", "linear"} <= SHAPES.keys()


def test_attempt_turns_an_exception_into_a_failure_with_its_traceback() -> None:
    spec = task(config={"simulate": {"fail": True}})
    asked = cell(of=spec)
    outcome = attempt(SimulatedEngine(model(), EngineSettings()), asked, spec)
    assert isinstance(outcome, CellFailure)
    assert outcome.cell == asked
    assert outcome.error == "RuntimeError"
    assert outcome.message == "the task asks the simulated engine to fail"
    assert "_hooks" in outcome.traceback


def test_the_engine_opens_without_torch_or_lm_eval() -> None:
    program = (
        "import sys; from harness.engines.protocol import EngineSettings, open_engine; from tests.builders import *; "
        "open_engine('simulated', model(), EngineSettings()).evaluate(cell(), task()); "
        "print([m for m in ('torch', 'lm_eval', 'transformers', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(HarnessError, match=r"unknown engine 'tree-'; known: .*simulated"):
        open_engine("tree-", model(), EngineSettings())
