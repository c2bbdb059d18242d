"""How far a run of a large study is from the shortest that is possible, by the scheduler's own decisions, simulated.

The study: a family of 12 models of 14M to 12B parameters, 60 tasks of 100 to 14,000 documents, 5 shot counts, 3 seeds.
Times come from the harness's own estimate. With costs that are wrong, each cell takes between half and twice of it.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from harness.estimate import load_seconds, seconds_of
from harness.plan import expand
from harness.schedule import Dispatcher, Lane, Need, Node, Piece, bound, lanes, needs, simulate
from harness.specs import MetricSpec, ModelSpec, Suite, TaskSpec

SIZES = (14e6, 31e6, 70e6, 160e6, 410e6, 1e9, 1.4e9, 2.8e9, 4e9, 6.9e9, 9e9, 12e9)
"""Parameters of the models."""
TASKS = 60
SHOTS = (0, 1, 2, 5, 10)
SEEDS = 3
GPUS = (8, 64, 512)
ROUNDS = 10
"""Studies with tasks and errors drawn anew."""
GPUS_PER_NODE = 8
GPU_BYTES = 80e9
KNOWN, WRONG = 1.05, 1.10
"""Goals: makespan over its bound, with costs known and with costs wrong by a factor of two."""
EARLY, LATE = 0.2, 0.9
"""Part of the makespan from which on, and up to which, the time left is compared with the truth."""
HEAD = ("GPUs", "costs", "worst", "mean", "goal", "hours", "bound h", "loads", "parts", "ETA", "s to simulate")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Studies of ten seeds on so many GPUs."""

    gpus: int
    """Number of GPUs."""
    costs: str
    """`known`, or `wrong` by up to a factor of two."""
    worst: float
    """Largest makespan over its bound."""
    mean: float
    """Mean makespan over its bound."""
    goal: float
    """Largest that is wanted."""
    hours: float
    """Mean makespan."""
    bound_hours: float
    """Mean bound."""
    loads: float
    """Mean number of times that a model was loaded."""
    parts: float
    """Mean number of parts that cells were cut into."""
    eta_lowest: float
    """Lowest estimate of the time left over the time that was left, from `EARLY` to `LATE`."""
    eta_highest: float
    """The highest."""
    seconds: float
    """Mean time to simulate one study."""


def study(seed: int) -> tuple[Lane, ...]:
    """The lanes of the study; tasks differ from seed to seed."""
    drawn = random.Random(seed)
    acc = (MetricSpec(name="acc"), MetricSpec(name="prob_correct", continuous=True))
    tasks = {
        name: TaskSpec(
            name=name,
            kind="qa",
            suite="study",
            metrics=acc,
            config={"output_type": "generate_until" if i % 4 == 3 else "multiple_choice"},
            n_docs=14_000 if i == 0 else round(math.exp(drawn.uniform(math.log(100), math.log(10_000)))),
            shots_available=50,
            mean_doc_chars=drawn.uniform(100, 1500),
        )
        for i, name in enumerate(f"task-{i:02}" for i in range(TASKS))
    }
    models = [ModelSpec(name=f"model-{n:.0f}", family="study", params=round(n)) for n in SIZES]
    suite = Suite(name="study", tasks=tuple(tasks), shots=SHOTS, seeds=SEEDS)
    on_gpu: Callable[..., float] = lambda cell, task: seconds_of(cell, task, gpus=1.0)  # noqa: E731
    return lanes(expand([suite], tasks, models), seconds=on_gpu, load_seconds=load_seconds, cutting=("tree",))


def nodes(gpus: int) -> list[Node]:
    """Nodes of eight GPUs."""
    return [
        Node(name=f"node-{i}", workers=64, gpus=GPUS_PER_NODE, gpu_bytes=GPU_BYTES)
        for i in range(math.ceil(gpus / GPUS_PER_NODE))
    ]


def wrong(made: Sequence[Lane], seed: int) -> Callable[[Piece], float]:
    """True times of pieces: each task is misjudged, and each cell of it on each model, together by two at most."""
    drawn = random.Random(f"wrong {seed}")
    of_task: dict[str, float] = {}
    factors: dict[tuple[int, int], float] = {}
    for number, lane in enumerate(made):
        for place, job in enumerate(lane.jobs):
            common = of_task.setdefault(job.task.name, drawn.uniform(-0.5, 0.5))
            factors[number, place] = 2.0 ** (common + drawn.uniform(-0.5, 0.5))
    return lambda piece: piece.seconds * factors[piece.lane, piece.job]


def rows(rounds: int = ROUNDS, sizes: Sequence[int] = GPUS, costs: Sequence[str] = ("known", "wrong")) -> Iterator[Row]:
    """One row per number of GPUs, with costs known and wrong."""
    studies = [study(seed) for seed in range(rounds)]
    for gpus in sizes:
        for kind in costs:
            yield _row(studies, gpus, kind, KNOWN if kind == "known" else WRONG)


def _row(studies: Sequence[Sequence[Lane]], gpus: int, costs: str, goal: float) -> Row:
    found = []
    etas: list[float] = []
    started = time.perf_counter()
    for seed, made in enumerate(studies):
        at = nodes(gpus)
        wanted: list[Need] = [needs(lane.model, at) for lane in made]
        truth = wrong(made, seed) if costs == "wrong" else None
        least = bound(made, wanted, at, true_seconds=truth)
        guessed = TimesLeft()
        run = simulate(made, wanted, at, true_seconds=truth, watch=guessed.note)
        etas += guessed.ratios(run.seconds)
        found.append((run, least))
    ratios = [run.seconds / least for run, least in found]
    return Row(
        gpus=gpus,
        costs=costs,
        worst=max(ratios),
        mean=statistics.fmean(ratios),
        goal=goal,
        hours=statistics.fmean(run.seconds for run, _ in found) / 3600,
        bound_hours=statistics.fmean(least for _, least in found) / 3600,
        loads=statistics.fmean(run.loads for run, _ in found),
        parts=statistics.fmean(run.parts for run, _ in found),
        eta_lowest=min(etas),
        eta_highest=max(etas),
        seconds=(time.perf_counter() - started) / len(studies),
    )


class TimesLeft:
    """What a run said about the time left, noted every minute."""

    def __init__(self) -> None:
        self._noted: list[tuple[float, float]] = []

    def note(self, now: float, dispatcher: Dispatcher) -> None:
        """Note the estimate, if the last is a minute old."""
        if not self._noted or now - self._noted[-1][0] >= 60.0:
            self._noted.append((now, dispatcher.seconds_left(now)))

    def ratios(self, end: float) -> list[float]:
        """Each estimate over the time that was left, from `EARLY` to `LATE` of a run that ended then."""
        return [said / (end - now) for now, said in self._noted if EARLY * end <= now <= LATE * end]


def as_table(found: Sequence[Row]) -> list[tuple[str, ...]]:
    """The rows as texts."""
    return [
        (
            str(row.gpus),
            row.costs,
            f"{row.worst:.3f}",
            f"{row.mean:.3f}",
            f"{row.goal:.2f}",
            f"{row.hours:.2f}",
            f"{row.bound_hours:.2f}",
            f"{row.loads:.0f}",
            f"{row.parts:.0f}",
            f"{row.eta_lowest:.2f} to {row.eta_highest:.2f}",
            f"{row.seconds:.1f}",
        )
        for row in found
    ]


def as_data(found: Sequence[Row]) -> list[dict[str, object]]:
    """The rows for `--json`."""
    return [asdict(row) for row in found]
