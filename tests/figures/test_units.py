"""Every axis of scores says in which unit it is: F1 is no share of documents, and a likelihood is in nats."""

from dataclasses import replace

import pytest

from harness import figures
from harness.analysis.verdict import CurveRow
from harness.figures.axes import score_title
from harness.specs import MetricSpec
from tests.builders.curves import RISE, curve


@pytest.mark.parametrize(
    ("metric", "title"),
    [
        (MetricSpec(name="exact_match"), "exact_match (share of documents)"),
        (MetricSpec(name="entity_f1_strict"), "entity_f1_strict (F1)"),
        (MetricSpec(name="pass_at_10"), "pass_at_10 (share of documents)"),
        (MetricSpec(name="loglikelihood_per_token", chance=None, best=0.0), "loglikelihood_per_token (nats per token)"),
        (
            MetricSpec(name="correct_bits_per_byte", chance=None, best=0.0, higher_is_better=False),
            "correct_bits_per_byte (bits per byte, lower is better)",
        ),
    ],
)
def test_an_axis_of_scores_has_its_unit(metric: MetricSpec, title: str) -> None:
    figure = figures.curve_figure([CurveRow(curve=replace(curve(RISE), metric=metric))])
    assert figure.layout.yaxis.title.text.replace("<br>", " ") == title


def test_scores_that_nobody_knows_are_shares_where_they_are_counts_and_means_elsewhere() -> None:
    counted = replace(curve(RISE), metric=MetricSpec(name="my own"))
    assert score_title(counted) == "my own (share of documents)"
    points = tuple(replace(p, estimate=p.estimate._replace(proportion=False)) for p in counted.points)
    assert score_title(replace(counted, points=points)) == "my own (mean)"
