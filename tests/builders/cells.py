"""Small builders for tests: everything has a default, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from harness.plan import Cell
from harness.records import CellFailure, CellResult, Provenance, Sample, Score
from harness.specs import MetricSpec, ModelSpec, TaskSpec

ACC = MetricSpec(name="acc", chance=0.25)
PROB = MetricSpec(name="prob_correct", chance=0.25, continuous=True)


def model(params: int = 1000, **changes: Any) -> ModelSpec:
    """A model of the family `toy`, named by its size."""
    base = ModelSpec(name=f"toy-{params}", family="toy", params=params, tokens=20 * params)
    return replace(base, **changes)


def task(name: str = "colours", **changes: Any) -> TaskSpec:
    """A multiple-choice task without data."""
    base = TaskSpec(
        name=name,
        kind="qa",
        suite="toy",
        metrics=(ACC, PROB),
        config={"output_type": "multiple_choice"},
        n_docs=20,
        shots_available=8,
        mean_doc_chars=60.0,
        digest="0" * 12,
    )
    return replace(base, **changes)


def cell(*, of: TaskSpec | None = None, **changes: Any) -> Cell:
    """A cell of `task()` on `model()`, engine `simulated`."""
    spec = of or task()
    base = Cell(
        model=model(),
        task=spec.name,
        suite=spec.suite,
        kind=spec.kind,
        task_version=spec.version,
        task_digest=spec.digest,
        metrics=spec.metrics,
        shots=0,
        engine="simulated",
    )
    return replace(base, **changes)


def sample(doc_id: int = 0, **changes: Any) -> Sample:
    """One answered document; `acc` 1."""
    base = Sample(
        doc_id=doc_id,
        doc_hash=f"doc{doc_id}",
        prompt_hash=f"prompt{doc_id}",
        prompt=f"question {doc_id}",
        target="red",
        output="red",
        scores={"acc": 1.0, "prob_correct": 0.5},
    )
    return replace(base, **changes)


def result(of: Cell | None = None, *, values: Sequence[float] = (1.0, 0.0, 1.0, 1.0), **changes: Any) -> CellResult:
    """A result whose documents scored `values` on every metric of the cell."""
    asked = of or cell()
    n = len(values)
    mean = sum(values) / n
    stderr = (sum((v - mean) ** 2 for v in values) / (n - 1) / n) ** 0.5 if n > 1 else None
    base = CellResult(
        cell=asked,
        scores=tuple(Score(metric=m.name, value=mean, stderr=stderr, n=n) for m in asked.metrics),
        samples=tuple(sample(i, scores={m.name: v for m in asked.metrics}) for i, v in enumerate(values)),
        shots_effective=asked.shots,
        n_expected=n,
        provenance=Provenance(started_at=datetime(2026, 1, 1, tzinfo=UTC), seconds=1.0),
    )
    return replace(base, **changes)


def made_with(of: CellResult, **provenance: Any) -> CellResult:
    """The same result, made otherwise: some fields of its provenance are replaced."""
    return replace(of, provenance=replace(of.provenance, **provenance))


def failed(of: Cell | None = None, **changes: Any) -> CellFailure:
    """A failure of `cell()`."""
    base = CellFailure(
        cell=of or cell(),
        error="ValueError",
        message="no answer",
        traceback="Traceback ...",
        failed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return replace(base, **changes)


def counted(of: Cell, k: int, n: int, *, smooth: float = 0.25) -> CellResult:
    """A header without samples: `k` of `n` documents right, the continuous partner at `smooth`."""
    p = k / n
    return CellResult(
        cell=of,
        scores=(
            Score(metric="acc", value=p, stderr=(p * (1 - p) / (n - 1)) ** 0.5, n=n),
            Score(metric="prob_correct", value=smooth, stderr=0.2 / n**0.5, n=n),
        ),
        samples=None,
        shots_effective=of.shots,
        n_expected=n,
        provenance=Provenance(
            started_at=datetime(2026, 1, 1, tzinfo=UTC), seconds=1.0, versions={"harness": "0.1", "torch": "2.9"}
        ),
    )


SIZES = tuple(1000 * 4**step for step in range(8))
"""Parameters of a grown family."""


def grown(
    right: Sequence[int], *, n: int | Sequence[int] = 200, smooth: Sequence[float] | None = None, **changes: Any
) -> tuple[CellResult, ...]:
    """One header per size of the family `toy`: `right[i]` of `n` (or `n[i]`) documents right at size i.

    `smooth` gives the continuous partner of each size (default: chance); `changes` go to each cell.
    """
    values = smooth or [0.25] * len(right)
    documents = [n] * len(right) if isinstance(n, int) else n
    return tuple(
        counted(cell(model=model(params), **changes), k, of, smooth=value)
        for params, k, of, value in zip(SIZES, right, documents, values, strict=False)
    )
