"""Runs the calibration and puts it into tables: verdicts against truth, and the goals with their measured rates."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from harness.analysis.verdict import Verdict, judge_each
from tests.calibration.families import FLAT, LINEAR, SHARP_METRIC, STEPS, TRUTHS, WIDE, Simulated, Truth, simulate

SIZES = (4, 5, 6, 8, 12)
DOCUMENTS = (50, 200, 1000)
NOISE = (0.0, 0.006, 0.03)
PROCESSES = 2
COLUMNS = {
    "emergent, sharp": "sharp",
    "emergent, apparent": "apparent",
    "emergent": "emergent",
    "metric-artefact": "artefact",
    "smooth": "smooth",
    "flat": "flat",
    "flat-above-chance": "flat+",
    "inverse": "inverse",
    "u-shaped": "U",
    "inverted-u": "inv. U",
    "inconclusive": "unsure",
}
"""Verdict -> heading of its column."""
HEAD = ("truth", "noise", *COLUMNS.values(), "right", "wrong", "studies")


class Outcome(NamedTuple):
    """What was said about one simulated study."""

    truth: str
    """Name of the truth."""
    sizes: int
    """Sizes of the family."""
    documents: int
    """Documents per size."""
    noise: float
    """Standard deviation between training runs."""
    verdict: str
    """Key of `COLUMNS`."""
    covered: bool | None
    """Whether the interval of the threshold holds the true one; None when there is no interval or no true threshold."""


class Rate(NamedTuple):
    """A count of simulated studies with its uncertainty."""

    hits: int
    """Studies that did what is counted."""
    studies: int
    """Studies looked at."""

    @property
    def share(self) -> float | None:
        """Part of the studies; None when there are none."""
        return self.hits / self.studies if self.studies else None

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % interval of the share (Clopper and Pearson 1934); everything when there are no studies.

        >>> [round(end, 4) for end in Rate(0, 100).interval]
        [0.0, 0.0362]
        """
        if not self.studies:
            return (0.0, 1.0)
        found = binomtest(self.hits, self.studies).proportion_ci(0.95, method="exact")
        return (float(found.low), float(found.high))


class Goal(NamedTuple):
    """One thing the verdicts are to keep."""

    name: str
    """As the tables say it."""
    counts: Callable[[Outcome], bool | None]
    """Whether an outcome is a hit; None when the goal is not about it."""
    met: Callable[[Rate], bool]
    """Whether the rate over all outcomes is good enough."""


def _emergent(outcome: Outcome) -> bool:
    return outcome.verdict.startswith("emergent")


def _false_alarm(outcome: Outcome) -> bool | None:
    return _emergent(outcome) if outcome.truth in _names((*FLAT, *LINEAR, *WIDE)) else None


def _artefact(outcome: Outcome) -> bool | None:
    about = outcome.truth in _names(SHARP_METRIC) and outcome.documents == 1000
    return outcome.verdict == "metric-artefact" if about else None


def _seen_through(outcome: Outcome) -> bool | None:
    misled = _emergent(outcome) or outcome.verdict in {"metric-artefact", "flat"}
    return _artefact(outcome) if misled else None


def _step_found(outcome: Outcome) -> bool | None:
    about = outcome.truth in _names(STEPS) and (outcome.sizes, outcome.documents) == (8, 1000)
    return _emergent(outcome) if about else None


def _names(truths: Iterable[Truth]) -> set[str]:
    return {truth.name for truth in truths}


def _nearly_always(rate: Rate) -> bool:
    return (rate.share or 0.0) >= 0.9


GOALS = (
    Goal(
        "emergent called on flat, linear and wide logistic truth: at most 1 %, upper end at most 3 %",
        _false_alarm,
        lambda rate: (rate.share or 0.0) <= 0.01 and rate.interval[1] <= 0.03,
    ),
    Goal(
        "metric artefact said of smooth truth under a sharp metric, 1000 documents: at least 90 %",
        _artefact,
        _nearly_always,
    ),
    Goal(
        "of these, where the sharp metric alone would be called emergent or flat: at least 90 %",
        _seen_through,
        _nearly_always,
    ),
    Goal(
        "95 % interval of the threshold holds the true one: 92 to 98 %",
        lambda outcome: outcome.covered,
        lambda rate: 0.92 <= (rate.share or 0.0) <= 0.98,
    ),
    Goal(
        "a step of 0.25 found, 8 sizes, 1000 documents, noise up to 0.006: at least 90 %",
        lambda outcome: _step_found(outcome) if outcome.noise <= 0.006 else None,
        _nearly_always,
    ),
    Goal(
        "a step of 0.25 found, 8 sizes, 1000 documents, noise 0.03: at least 90 %",
        lambda outcome: _step_found(outcome) if outcome.noise > 0.006 else None,
        _nearly_always,
    ),
)


def run(simulations: int, *, processes: int = PROCESSES) -> Iterator[tuple[float, list[Outcome]]]:
    """Simulates and judges every cell of the table, `simulations` studies each; yields the share done and outcomes."""
    jobs = [(index, sizes, simulations) for sizes in sorted(SIZES, reverse=True) for index in range(len(TRUTHS))]
    # a fresh interpreter per process reads the environment anew: one thread each
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for done, outcomes in enumerate(pool.map(_job, jobs), start=1):
            yield done / len(jobs), outcomes


def _job(job: tuple[int, int, int]) -> list[Outcome]:
    index, sizes, simulations = job
    return outcomes(TRUTHS[index], sizes, simulations)


def outcomes(truth: Truth, sizes: int, simulations: int) -> list[Outcome]:
    """One truth and number of sizes at every number of documents and run noise; always the same for the same truth."""
    rng = np.random.default_rng([*truth.name.encode(), sizes])
    asked = [(documents, noise) for documents in DOCUMENTS for noise in NOISE for _ in range(simulations)]
    studies = [
        simulate(truth, sizes=sizes, documents=documents, noise=noise, rng=rng, family=str(number))
        for number, (documents, noise) in enumerate(asked)
    ]
    return [
        Outcome(truth.name, sizes, documents, noise, kind(verdict), covered(verdict, study))
        for (documents, noise), study, verdict in zip(asked, studies, judged(studies), strict=True)
    ]


def judged(studies: Iterable[Simulated]) -> list[Verdict]:
    """One verdict per study, each judged as if it were alone."""
    return [row.verdict for row in judge_each(curve for study in studies for curve in study.curves)]


def kind(verdict: Verdict) -> str:
    """The verdict as a key of `COLUMNS`."""
    if verdict.label != "emergent":
        return verdict.label
    said = (verdict.qualifier or "").split()
    return next((f"emergent, {word}" for word in ("sharp", "apparent") if word in said), "emergent")


def covered(verdict: Verdict, study: Simulated) -> bool | None:
    """Whether the interval of the threshold holds the true one; an end that is None is open."""
    said = (verdict.threshold, verdict.threshold_low, verdict.threshold_high)
    if study.threshold is None or said == (None, None, None):
        return None
    _, low, high = said
    return (low is None or low <= study.threshold) and (high is None or study.threshold <= high)


def verdict_rows(outcomes: Iterable[Outcome]) -> list[tuple[object, ...]]:
    """Percentages of each verdict by truth and noise, empty where it was never given; columns as in `HEAD`."""
    cells: dict[tuple[str, float], Counter[str]] = {}
    for outcome in outcomes:
        cells.setdefault((outcome.truth, outcome.noise), Counter())[outcome.verdict] += 1
    return [
        (truth.name, f"{noise:g}", *_shares(cells[truth.name, noise], truth))
        for truth in TRUTHS
        for noise in NOISE
        if (truth.name, noise) in cells
    ]


def _shares(said: Counter[str], truth: Truth) -> list[object]:
    studies = said.total()
    right = sum(said[verdict] for verdict in truth.right)
    wrong = studies - sum(said[verdict] for verdict in truth.right | {"inconclusive"})
    return [
        *(_percent(said[verdict], studies) for verdict in COLUMNS),
        _percent(right, studies),
        _percent(wrong, studies),
        studies,
    ]


def _percent(part: int, whole: int) -> str | None:
    return f"{100 * part / whole:.0f}" if part else None


GOAL_HEAD = ("goal", "of", "%", "95 % from", "to", "studies", "met")


def goal_rows(outcomes: Sequence[Outcome]) -> list[tuple[object, ...]]:
    """Each goal over all studies it is about, then by noise and by truth; columns as in `GOAL_HEAD`."""
    rows: list[tuple[object, ...]] = []
    for goal in GOALS:
        about = [(outcome, hit) for outcome in outcomes if (hit := goal.counts(outcome)) is not None]
        parts: dict[str, list[bool]] = {"all": []}
        for outcome, hit in sorted(about, key=lambda pair: pair[0].noise):
            for part in ("all", f"noise {outcome.noise:g}"):
                parts.setdefault(part, []).append(hit)
        for outcome, hit in about:
            parts.setdefault(outcome.truth, []).append(hit)
        for part, hits in parts.items():
            rate = Rate(sum(hits), len(hits))
            met = ("yes" if goal.met(rate) else "no") if part == "all" and hits else None
            ends = [f"{100 * end:.1f}" for end in rate.interval] if hits else [None, None]
            share = None if rate.share is None else f"{100 * rate.share:.1f}"
            rows.append((goal.name if part == "all" else None, part, share, *ends, rate.studies, met))
    return rows


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The same table for documents."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join("" if cell is None else str(cell) for cell in line) + " |" for line in lines)
