import pytest

from harness.analysis.normalise import normalised
from harness.specs import MetricSpec


@pytest.mark.parametrize(
    ("value", "metric", "expected"),
    [
        (0.25, MetricSpec(name="acc", chance=0.25), 0.0),
        (1.0, MetricSpec(name="acc", chance=0.25), 1.0),
        (0.10, MetricSpec(name="acc", chance=0.25), -0.2),
        (0.375, MetricSpec(name="brier", higher_is_better=False, chance=0.75, best=0.0), 0.5),
        (30.0, MetricSpec(name="bleu", chance=0.0, best=100.0), 0.3),
    ],
)
def test_zero_is_chance_and_one_is_perfect_without_clipping(value: float, metric: MetricSpec, expected: float) -> None:
    assert normalised(value, metric) == pytest.approx(expected)


@pytest.mark.parametrize(("chance", "best"), [(None, 1.0), (0.0, None), (1.0, 1.0)])
def test_a_metric_without_both_ends_has_no_centred_score(chance: float | None, best: float | None) -> None:
    assert normalised(0.5, MetricSpec(name="m", chance=chance, best=best)) is None
