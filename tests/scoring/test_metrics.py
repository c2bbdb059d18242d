from __future__ import annotations

import math
import statistics
import subprocess
import sys

import pytest

from harness.scoring.metrics import (
    CORPUS_METRICS,
    RUNS_CODE,
    SAMPLE_METRICS,
    corpus_metric,
    mean_stderr,
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


def test_every_name_leads_to_a_function() -> None:
    assert all(callable(sample_metric(name)) for name in SAMPLE_METRICS)
    assert all(callable(corpus_metric(name)) for name in CORPUS_METRICS)


def test_no_metric_has_two_meanings() -> None:
    assert not SAMPLE_METRICS.keys() & CORPUS_METRICS.keys()
    assert SAMPLE_METRICS.keys() | CORPUS_METRICS.keys() >= RUNS_CODE


def test_naming_metrics_loads_none_of_them() -> None:
    program = (
        "import sys, harness.scoring.metrics; "
        "print([m for m in ('rapidfuzz', 'nervaluate', 'harness.scoring.text') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
