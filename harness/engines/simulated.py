"""An engine without a model: answers drawn around a known ability curve, for tests, demos and power studies.

A task's config can set the curve under the key `simulate`:

| key | meaning | default |
|---|---|---|
| `shape` | one of `SHAPES` | chosen by the task's name |
| `threshold` | parameters at which the ability sets in | 10^6 to 10^9, chosen by the task's name |
| `shots_gain` | decades of parameters that each doubling of 1 + shots is worth | 0.1 |
| `ceiling` | ability of an endless model, 0 to 1 | 0.95 |

A key that is the name of a format, `mc` or `cloze`, holds the keys in which the twin of that format differs.

Three more keys are hooks for testing the code around an engine: `fail: true` raises, `sleep: seconds` waits first,
`die: true` ends the process at once, as a crash would.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.engines import pulse
from harness.engines.protocol import CellPart, EngineSettings
from harness.engines.provenance import Stopwatch
from harness.errors import CatalogError, unknown
from harness.plan import Cell
from harness.plausible import is_share
from harness.records import CellResult, Sample, Score
from harness.scoring.metrics import mean_stderr
from harness.specs import MetricSpec, ModelSpec, TaskSpec

N_DOCS = 200
"""Number of documents of a task that does not set it."""
NOISE = 0.05
"""Standard deviation of a smooth score between documents, as a share of its range."""
TOKENS_PER_ANSWER = 12
"""In the shape `artefact` an answer is right when this many tokens are all right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ability:
    """Ability of a model, from 0 to 1."""

    sharp: float
    """Value of the all-or-nothing metrics as a fraction of the range from chance to best."""
    smooth: float
    """The same fraction for their continuous partner."""


def _logistic(decades: float) -> float:
    return 1.0 / (1.0 + math.exp(-8.0 * max(-50.0, min(50.0, decades))))


def _ramp(decades: float) -> float:
    """0 three decades below the threshold, 1 three decades above."""
    return min(1.0, max(0.0, (decades + 3.0) / 6.0))


def _artefact(decades: float) -> float:
    return _ramp(decades) ** TOKENS_PER_ANSWER


SHAPES: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "flat": (lambda _: 0.0, lambda _: 0.0),
    "linear": (_ramp, _ramp),
    "logistic": (_logistic, _logistic),
    "step": (lambda x: float(x >= 0), lambda x: float(x >= 0)),
    "artefact": (_artefact, _ramp),
    "inverse": (lambda x: 1.0 - _ramp(x), lambda x: 1.0 - _ramp(x)),
    "u-shaped": (lambda x: min(1.0, abs(x) / 3.0), lambda x: min(1.0, abs(x) / 3.0)),
}
"""Shape -> ability in all-or-nothing metrics and their smooth partner, by decades of parameters above threshold."""


class SimulatedEngine:
    """Answers without a model; equal cells get equal answers."""

    def __init__(self, model: ModelSpec, settings: EngineSettings) -> None:
        self._model = model

    def evaluate(self, cell: Cell, task: TaskSpec) -> CellResult:
        """Samples drawn with the cell's key as seed."""
        watch = Stopwatch()
        _hooks(task.config.get("simulate") or {})
        pulse.answered(len(cell.positions(task.n_docs or N_DOCS)))
        return self._evaluated(cell, task, watch)

    @staticmethod
    def _evaluated(cell: Cell, task: TaskSpec, watch: Stopwatch) -> CellResult:
        able = ability(cell, task)
        rng = random.Random(cell.key)
        positions = cell.positions(task.n_docs or N_DOCS)
        n = len(positions)
        luck = [rng.random() for _ in range(n)]
        noise = [rng.gauss(0.0, NOISE) for _ in range(n)]
        values = {metric.name: _values(metric, able, luck, noise) for metric in cell.metrics}
        scores = []
        for name, drawn in values.items():
            mean, stderr = mean_stderr(drawn)
            scores.append(Score(metric=name, value=mean, stderr=stderr, n=n))
        return CellResult(
            cell=cell,
            scores=tuple(scores),
            samples=_samples(cell, positions, values),
            shots_effective=cell.shots,
            n_expected=n,
            provenance=watch.provenance(packages=()),
        )

    def answer_part(self, cell: Cell, task: TaskSpec, documents: range) -> CellPart:
        """Nothing but the time that the documents take: the answers follow from the cell's key."""
        watch = Stopwatch()
        total = len(cell.positions(task.n_docs or N_DOCS))
        _hooks(task.config.get("simulate") or {}, share=len(range(total)[documents.start : documents.stop]) / total)
        pulse.answered(len(documents))
        took = watch.provenance(packages=())
        return CellPart(documents=documents, responses=(), started_at=took.started_at, seconds=took.seconds)

    def join_parts(self, cell: Cell, task: TaskSpec, parts: Sequence[CellPart]) -> CellResult:
        """The same result as that of the whole cell."""
        return self._evaluated(cell, task, Stopwatch())

    def close(self) -> None:
        """Nothing to free."""


def ability(cell: Cell, task: TaskSpec) -> Ability:
    """The ability that the task's curve gives the cell's model at the cell's number of shots."""
    planted: Mapping[str, Any] = task.config.get("simulate") or {}
    planted = {**planted, **(planted.get(cell.format or "") or {})}
    derived = random.Random(task.name)
    shape = planted.get("shape", derived.choice(sorted(SHAPES)))
    threshold = float(planted.get("threshold", 10.0 ** derived.uniform(6.0, 9.0)))
    if shape not in SHAPES:
        raise CatalogError(f"task {task.name}: simulate.shape: " + unknown("shape", shape, SHAPES))
    if threshold <= 0:
        raise CatalogError(f"task {task.name}: simulate.threshold is {threshold:g}; expected a number of parameters")
    gain = float(planted.get("shots_gain", 0.1)) * math.log2(1 + cell.shots)
    decades = math.log10(cell.model.params / threshold) + gain
    ceiling = float(planted.get("ceiling", 0.95))
    sharp, smooth = SHAPES[shape]
    return Ability(sharp=ceiling * sharp(decades), smooth=ceiling * smooth(decades))


def _hooks(planted: Mapping[str, Any], share: float = 1.0) -> None:
    if planted.get("sleep"):
        time.sleep(float(planted["sleep"]) * share)
    if planted.get("die"):
        os._exit(1)
    if planted.get("fail"):
        raise RuntimeError("the task asks the simulated engine to fail")


def _values(metric: MetricSpec, able: Ability, luck: Sequence[float], noise: Sequence[float]) -> list[float]:
    # the chance level of a share of documents on the hub is known only to those who read them
    is_likelihood = metric.continuous and not (is_share(metric.name) and metric.higher_is_better)
    if is_likelihood and (metric.chance is None or metric.best is None):
        # likelihoods have no chance level: -4 nats without the ability, -0.2 with all of it
        sign = 1.0 if metric.higher_is_better else -1.0
        values = [sign * (-4.0 + 3.8 * (able.smooth + wobble)) for wobble in noise]
        # a perplexity is 1 at least
        return values if metric.higher_is_better or metric.best is None else [max(metric.best, v) for v in values]
    worst, most = (0.0, 1.0) if metric.higher_is_better else (1.0, 0.0)
    chance = worst if metric.chance is None else metric.chance
    best = most if metric.best is None else metric.best
    span = best - chance
    if metric.continuous:
        low, high = min(chance, best, 0.0), max(chance, best, 1.0)
        centre = chance + span * able.smooth
        # noise has the same room on both sides, since clipping one side would shift the mean
        room = min(centre - low, high - centre)
        return [centre + max(-room, min(room, span * wobble)) for wobble in noise]
    # 1 with the probability that gives the required mean; all metrics share a document's random number
    p = chance + span * able.sharp
    return [float(drawn < p) for drawn in luck]


def _samples(cell: Cell, positions: Sequence[int], values: Mapping[str, Sequence[float]]) -> tuple[Sample, ...]:
    most = positions[-1] + 1
    doc_hashes = _hashes(f"{cell.task_digest}/{cell.task}", most)
    prompt_hashes = _hashes(f"{cell.task_digest}/{cell.task}/{cell.prompt}/{cell.shots}/{cell.seed}", most)
    headline = values[cell.metrics[0].name]
    names = list(values)
    rows = zip(*values.values(), strict=True)
    return tuple(
        Sample(
            doc_id=number,
            doc_hash=doc_hashes[number],
            prompt_hash=prompt_hashes[number],
            prompt=f"{cell.task} {number}",
            target="right",
            output="right" if headline[i] > 0 else "wrong",
            scores=dict(zip(names, row, strict=True)),
        )
        for i, (number, row) in enumerate(zip(positions, rows, strict=True))
    )


@functools.lru_cache(maxsize=64)
def _hashes(what: str, n: int) -> tuple[str, ...]:
    return tuple(hashlib.sha256(f"{what}/{i}".encode()).hexdigest()[:16] for i in range(n))
