from __future__ import annotations

import math
import statistics
import subprocess
import sys

import pytest

from harness.scoring.metrics import (
    CORPUS_METRICS,
    OWN_METRICS,
    SAMPLE_METRICS,
    corpus_metric,
    is_own,
    mean_stderr,
    programs_needed,
    sample_metric,
)


def test_the_standard_error_of_a_mean_is_that_of_its_sample() -> None:
    values = [0.2, 0.9, 0.4, 0.4, 1.0]
    mean, stderr = mean_stderr(values)
    assert mean == pytest.approx(0.58)
    assert stderr == pytest.approx(statistics.stdev(values) / math.sqrt(5))


def test_one_value_has_no_standard_error_and_equal_values_have_zero() -> None:
    assert mean_stderr([0.3]) == (0.3, None)
    assert mean_stderr([0.3, 0.3]) == (0.3, 0.0)


@pytest.mark.parametrize("wild", [math.nan, math.inf, -math.inf])
def test_a_mean_that_is_not_finite_has_no_standard_error(wild: float) -> None:
    mean, stderr = mean_stderr([0.3, wild, 0.5])
    assert not math.isfinite(mean)
    assert stderr is None


def test_every_name_leads_to_a_function() -> None:
    assert all(callable(sample_metric(name)) for name in SAMPLE_METRICS)
    assert all(callable(corpus_metric(name)) for name in CORPUS_METRICS)


def test_no_metric_has_two_meanings() -> None:
    assert not SAMPLE_METRICS.keys() & CORPUS_METRICS.keys()
    assert not any(programs_needed(name) for name in (*SAMPLE_METRICS, *CORPUS_METRICS))


@pytest.mark.parametrize(("name", "k"), [("pass_at_1", 1), ("pass_at_10", 10), ("pass_at_100", 100)])
def test_pass_at_any_number_is_a_metric_that_runs_programs(name: str, k: int) -> None:
    assert is_own(name)
    assert programs_needed(name) == k
    assert callable(corpus_metric(name))


@pytest.mark.parametrize("name", ["pass_at_K", "pass_at_0", "pass_at_-1", "pass_at_1x", "pass_at_", "pass@1", "acc"])
def test_other_names_are_not_ours(name: str) -> None:
    assert not is_own(name)
    assert programs_needed(name) is None
    assert name not in OWN_METRICS


def test_naming_metrics_loads_none_of_them() -> None:
    program = (
        "import sys, harness.scoring.metrics; "
        "print([m for m in ('rapidfuzz', 'nervaluate', 'harness.scoring.text') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
