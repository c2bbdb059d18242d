"""Cells whose answers name classes, from what is right and what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from harness.records import CellResult, Score
from harness.specs import MetricSpec, TaskSpec
from tests.builders.cells import cell, model, result, sample, task

CHOICE = task("mood", kind="classification", metrics=(MetricSpec(name="acc", chance=0.5),))
"""Labels by multiple choice."""
WRITTEN = task("mood_written", kind="classification", metrics=(MetricSpec(name="exact_match", chance=0.0),))
"""Labels that a model writes."""
NAMES = task(
    "names",
    kind="ner",
    metrics=(MetricSpec(name="entity_f1_strict", chance=0.0), MetricSpec(name="entity_f1_partial", chance=0.0)),
)
"""Entities that a model writes."""
TRIPLES = task("triples", kind="relation-extraction", metrics=(MetricSpec(name="triple_f1", chance=0.0),))
"""Relations that a model writes."""


def chosen(right: Sequence[str], answered: Sequence[str], *, params: int = 1000, **changes: Any) -> CellResult:
    """A cell of multiple choice between all labels that occur."""
    labels = tuple(dict.fromkeys([*right, *answered]))
    return _answered(CHOICE, right, answered, params, options=labels, **changes)


def written(right: Sequence[str], answered: Sequence[str], *, params: int = 1000, **changes: Any) -> CellResult:
    """A cell of labels that were written."""
    return _answered(WRITTEN, right, answered, params, **changes)


def found(
    texts: Sequence[str], right: Sequence[str], answered: Sequence[str], *, params: int = 1000, **changes: Any
) -> CellResult:
    """A cell of entities; its scores are those of the metrics."""
    from harness.scoring.metrics import Answer, corpus_metric

    answers = [
        Answer(doc={"tokens": text.split()}, target=target, output=output)
        for text, target, output in zip(texts, right, answered, strict=True)
    ]
    values = [corpus_metric(metric.name)(answers) for metric in NAMES.metrics]
    scores = tuple(
        Score(metric=metric.name, value=of.value, stderr=of.stderr, n=len(texts))
        for metric, of in zip(NAMES.metrics, values, strict=True)
    )
    prompts = [f"text: Tom met Ann .\nentities: Tom PER\ntext: {text}\nentities:" for text in texts]
    made = _answered(NAMES, right, answered, params, prompts=prompts, **changes)
    return replace(made, scores=scores)


def related(right: Sequence[str], answered: Sequence[str], *, params: int = 1000, **changes: Any) -> CellResult:
    """A cell of relations."""
    return _answered(TRIPLES, right, answered, params, **changes)


def _answered(
    of: TaskSpec,
    right: Sequence[str],
    answered: Sequence[str],
    params: int,
    *,
    options: tuple[str, ...] = (),
    prompts: Sequence[str] | None = None,
    **changes: Any,
) -> CellResult:
    metric, prompts = of.metrics[0].name, prompts or [f"question {i}" for i in range(len(right))]
    scores = [float(a == b) for a, b in zip(right, answered, strict=True)]
    samples = tuple(
        sample(i, prompt=prompt, target=target, output=output, options=options, scores={metric: value})
        for i, (prompt, target, output, value) in enumerate(zip(prompts, right, answered, scores, strict=True))
    )
    asked = cell(of=of, **{"model": model(params), **changes})
    base = result(asked, values=scores, samples=samples)
    return replace(base, scores=tuple(_score(metric.name, scores) for metric in of.metrics))


def _score(metric: str, values: Sequence[float]) -> Score:
    p, n = fmean(values), len(values)
    return Score(metric=metric, value=p, stderr=(p * (1 - p) / (n - 1)) ** 0.5 if n > 1 else None, n=n)
