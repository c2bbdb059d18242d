"""Verdicts on sizes that were trained several times: more sizes, more runs, more noise between runs.

A truth gives the expected score of each size. Each training run of it is off by a normal shift whose standard deviation
is the noise at a score of one half and shrinks towards 0 and 1 as that of a binomial does; each run answers documents
of its own. Truths with a narrow rise have it at a place that is drawn anew for each study.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.analysis.curves import Curve, Point, TrainingRun
from harness.analysis.curves.replicates import noise_between, point_of
from harness.analysis.stats import Estimate, confidence_interval
from harness.analysis.verdict import Verdict, judge_each
from harness.cli.output import say, table
from harness.wording import duration, percent
from tests.calibration.families import DECADES, FLAT, LINEAR, METRICS, SMALLEST, TRUTHS, WIDE, Truth
from tests.calibration.pages import write_section
from tests.calibration.table import PROCESSES, Rate

SIZES = (8, 12, 24)
RUNS = (1, 3, 5)
NOISE = (0.0, 0.02, 0.05, 0.2)
DOCUMENTS = 1000
SIMULATIONS = 3
"""Studies per truth, number of sizes, number of runs and noise."""
TURNS = frozenset({"u-shaped", "inverted-u"})


def rise(chance: float, width: float) -> Truth:
    """From chance to six tenths above it (or to 0.85), 10 % to 90 % of that within `width` decades."""

    def ability(x: np.ndarray, sizes: int) -> np.ndarray:
        return chance + 0.6 / (1 + np.exp(np.clip(-2 * np.log(9) / width * (x - 1.75), -500, 500)))

    name = f"rise within {width:g} decades, chance {chance:g}"
    return Truth(name=name, ability=ability, chance=chance, right=frozenset({"emergent, sharp"}))


def _levelling(chance: float) -> Truth:
    """Nothing up to a third of the way, then 0.6 more in the end, four fifths of which take 1.3 decades."""

    def ability(x: np.ndarray, sizes: int) -> np.ndarray:
        return chance + 0.6 * (1 - 0.2 ** (np.maximum(x - 1.0, 0.0) / 1.3))

    name = f"sets in suddenly and levels off, chance {chance:g}"
    return Truth(name=name, ability=ability, chance=chance, right=frozenset({"smooth"}))


def _turn(x: np.ndarray, sizes: int) -> np.ndarray:
    """Down by 0.3 and up again."""
    return 0.55 - 0.3 * (1 - (2 * x / DECADES - 1) ** 2)


HALF_DECADE = tuple(rise(chance, 0.5) for chance in (0.0, 0.25))
EIGHT_TENTHS = tuple(rise(chance, 0.8) for chance in (0.0, 0.25))
TURN = Truth(name="valley of 0.3", ability=_turn, right=frozenset({"u-shaped"}), located=False)
HINGE = next(truth for truth in TRUTHS if truth.name == "hinge")
LEVELLING = tuple(_levelling(chance) for chance in (0.0, 0.25))
NO_JUMP = (*FLAT, *LINEAR, *WIDE, HINGE, *LEVELLING)
"""Truths without a narrow rise and without a turn."""
ALL = (*NO_JUMP, *HALF_DECADE, *EIGHT_TENTHS, TURN)
HEAD = ("goal", "runs per size", "noise", "8 sizes", "12 sizes", "24 sizes", "all", "95 % interval", "met")


class Outcome(NamedTuple):
    """What was said about one simulated study."""

    truth: str
    """Name of the truth."""
    sizes: int
    """Sizes of the family."""
    runs: int
    """Training runs per size."""
    noise: float
    """Standard deviation between training runs at a score of one half."""
    label: str
    """Label of the verdict."""
    qualifier: str
    """Qualifier of the verdict; empty for none."""
    run_sd: float
    """Noise between runs that the verdict gives."""
    covered: int
    """Points whose interval holds the expected score of their size."""


def curve_of(truth: Truth, *, sizes: int, runs: int, noise: float, rng: np.random.Generator, family: str) -> _Drawn:
    """A family whose sizes were trained `runs` times each, evaluated on `DOCUMENTS` documents."""
    x = np.linspace(0.0, DECADES, sizes)
    gap = DECADES / (sizes - 1)
    shift = float(rng.uniform(-gap / 2, gap / 2)) if truth.located else 0.0
    mean = truth.mean(x - shift, sizes)
    spread = 2 * noise * np.sqrt(mean * (1 - mean))
    of_runs = np.clip(mean[:, None] + spread[:, None] * rng.standard_normal((sizes, runs)), 0, 1)
    right = rng.binomial(DOCUMENTS, of_runs)
    metric = METRICS["acc" if truth.chance else "exact_match"]
    grouped = [
        [_run(f"{SMALLEST * 10**at:.3g}", str(run), SMALLEST * 10**at, int(k)) for run, k in enumerate(row, start=1)]
        for at, row in zip(x, right, strict=True)
    ]
    between = noise_between(grouped, metric)
    curve = Curve(
        family=family,
        task="simulated",
        suite="",
        kind="qa",
        shots=0,
        prompt="default",
        metric=metric,
        rank=0,
        scale="params",
        points=tuple(point_of(size, between) for size in grouped),
        conditions="",
        noise=between,
    )
    return _Drawn(curve, mean)


class _Drawn(NamedTuple):
    curve: Curve
    mean: np.ndarray


def _run(model: str, run: str, x: float, right: int) -> TrainingRun:
    p = right / DOCUMENTS
    estimate = Estimate(p, float(np.sqrt(p * (1 - p) / (DOCUMENTS - 1))), DOCUMENTS, 1, True)
    low, high = confidence_interval(estimate)
    return TrainingRun(model, run, float(x), estimate, low, high, DOCUMENTS, 0)


def outcomes(truth: Truth, sizes: int, simulations: int) -> list[Outcome]:
    """One truth and number of sizes at every number of runs and noise; always the same for the same truth."""
    rng = np.random.default_rng([*truth.name.encode(), sizes])
    asked = [(runs, noise) for runs in RUNS for noise in NOISE for _ in range(simulations)]
    drawn = [
        curve_of(truth, sizes=sizes, runs=runs, noise=noise, rng=rng, family=str(number))
        for number, (runs, noise) in enumerate(asked)
    ]
    judged = judge_each([one.curve for one in drawn], draws=0)
    return [
        _outcome(truth, sizes, runs, noise, row.verdict, one)
        for (runs, noise), one, row in zip(asked, drawn, judged, strict=True)
    ]


def _outcome(truth: Truth, sizes: int, runs: int, noise: float, verdict: Verdict, drawn: _Drawn) -> Outcome:
    covered = sum(_holds(point, mean) for point, mean in zip(drawn.curve.points, drawn.mean, strict=True))
    sd = verdict.evidence.run_sd
    return Outcome(truth.name, sizes, runs, noise, verdict.label, verdict.qualifier or "", sd, covered)


def _holds(point: Point, mean: float) -> bool:
    assert point.low is not None
    assert point.high is not None
    return point.low - 1e-9 <= mean <= point.high + 1e-9


class Goal(NamedTuple):
    """One thing that verdicts are to keep."""

    name: str
    """As the table says it."""
    truths: tuple[Truth, ...]
    """Truths that it is about."""
    noise: tuple[float, ...]
    """Noise between runs that it is about."""
    most: float | None
    """Largest share that meets it; None for a goal with a least share."""
    least: float | None
    """Smallest share that meets it."""

    def hit(self, one: Outcome) -> bool:
        """Whether a study is one of those that are counted."""
        if self.truths == NO_JUMP:
            return one.label in TURNS if "turn" in self.name else one.label == "emergent"
        return one.label == ("u-shaped" if self.truths == (TURN,) else "emergent")

    def met(self, rate: Rate) -> bool:
        """Whether a rate meets the goal."""
        share = rate.share or 0.0
        return share <= self.most if self.most is not None else share >= (self.least or 0.0)


GOALS = (
    Goal("a rise within half a decade is called emergent: at least 90 %", HALF_DECADE, (0.0,), None, 0.9),
    Goal("a rise within 0.8 decades is called emergent: at least 75 %", EIGHT_TENTHS, (0.0,), None, 0.75),
    Goal("a rise within half a decade is called emergent, with noise", HALF_DECADE, (0.02, 0.05), None, None),
    Goal("emergent called where nothing rises narrowly: at most 0.3 %", NO_JUMP, (0.0, 0.02), 0.003, None),
    Goal("the same, with more noise: at most 1 %", NO_JUMP, (0.05,), 0.01, None),
    Goal("a turn seen where nothing turns: at most 1 %", NO_JUMP, (0.0, 0.02, 0.05), 0.01, None),
    Goal("a turn seen, with more noise: at most 2 %", NO_JUMP, (0.2,), 0.02, None),
    Goal("a valley of 0.3 found: at least 80 %", (TURN,), (0.0,), None, 0.8),
    Goal("a valley of 0.3 found, with noise", (TURN,), (0.02, 0.05, 0.2), None, None),
)


def goal_rows(found: Sequence[Outcome]) -> list[tuple[object, ...]]:
    """Each goal by runs per size and noise, in % of the studies it is about; columns as in `HEAD`."""
    rows: list[tuple[object, ...]] = []
    for goal in GOALS:
        names = {truth.name for truth in goal.truths}
        for runs in RUNS:
            for noise in goal.noise:
                about = [one for one in found if one.truth in names and (one.runs, one.noise) == (runs, noise)]
                each = [[goal.hit(one) for one in about if one.sizes == sizes] for sizes in SIZES]
                rows.append(_row(goal, runs, noise, each))
    return rows


def _row(goal: Goal, runs: int, noise: float, each: Sequence[Sequence[bool]]) -> tuple[object, ...]:
    rates = [Rate(sum(hits), len(hits)) for hits in each]
    whole = Rate(sum(rate.hits for rate in rates), sum(rate.studies for rate in rates))
    judged = whole.studies > 0 and (goal.most is not None or goal.least is not None)
    low, high = whole.interval
    return (
        goal.name,
        runs,
        f"{noise:g}",
        *(f"{100 * (rate.share or 0):.1f}" for rate in rates),
        f"{100 * (whole.share or 0):.1f} of {whole.studies}",
        f"{100 * low:.1f} to {100 * high:.1f}",
        ("yes" if goal.met(whole) else "no") if judged else None,
    )


NOISE_HEAD = (
    "runs per size",
    "noise",
    "noise found, median",
    "half of the studies between",
    "intervals of points hold, %",
)


def noise_rows(found: Sequence[Outcome]) -> list[tuple[object, ...]]:
    """The noise that verdicts give, and how often intervals of points hold the truth; columns as in `NOISE_HEAD`."""
    rows = []
    flat = {FLAT[1].name}
    for runs in RUNS:
        for noise in NOISE[:-1]:  # with more, scores end at 0 and 1 and are no longer the truth on average
            about = [o for o in found if (o.runs, o.noise) == (runs, noise) and o.truth not in flat]
            low, middle, high = np.quantile([o.run_sd for o in about], [0.25, 0.5, 0.75])
            held = sum(o.covered for o in about) / sum(o.sizes for o in about)
            estimated = runs > 1
            rows.append(
                (
                    runs,
                    f"{noise:g}",
                    f"{middle:.3f}" if estimated else "assumed",
                    f"{low:.3f} to {high:.3f}" if estimated else None,
                    f"{100 * held:.1f}",
                )
            )
    return rows


def run(simulations: int) -> Iterator[tuple[float, list[Outcome]]]:
    """Simulates and judges every cell of the table; yields the share done and outcomes."""
    jobs = [(index, sizes, simulations) for sizes in sorted(SIZES, reverse=True) for index in range(len(ALL))]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        for done, some in enumerate(pool.map(_job, jobs), start=1):
            yield done / len(jobs), some


def _job(job: tuple[int, int, int]) -> list[Outcome]:
    index, sizes, simulations = job
    return outcomes(ALL[index], sizes, simulations)


def _all(simulations: int) -> list[Outcome]:
    start = time.monotonic()
    found: list[Outcome] = []
    for share, some in run(simulations):
        found += some
        took = time.monotonic() - start
        say(f"{percent(share)} after {duration(took)}, about {duration(took * (1 - share) / share)} left")
    return found


def main() -> None:
    """Simulate, judge and print; progress on stderr."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration.runs", description=__doc__)
    parser.add_argument("--sims", type=int, default=SIMULATIONS, metavar="N", help="studies per cell")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to this page as well")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    found = _all(options.sims)
    goals, noise = goal_rows(found), noise_rows(found)
    print(f"{table(HEAD, goals)}\n\n{table(NOISE_HEAD, noise)}")
    if options.markdown:
        _write(options.markdown, goals, noise, options.sims)


def _write(page: Path, goals: Iterable[Sequence[object]], noise: Iterable[Sequence[object]], simulations: int) -> None:
    how = f"Written by `python -m tests.calibration.runs --sims {simulations} --markdown docs/calibration.md`."
    text = (
        f"{how}\n\nSizes trained 1, 3 and 5 times, {DOCUMENTS:,} documents, % of studies by number of sizes. The\n"
        "noise is the standard deviation between training runs at a score of one half; with one run per size it is\n"
        "assumed, with several it is estimated."
    )
    write_section(page, "More sizes and more training runs", text, HEAD, goals)
    text = (
        "How well the noise between training runs is found, and how often the 95 % interval of a point holds the truth."
    )
    write_section(page, "Noise between training runs", text, NOISE_HEAD, noise)


if __name__ == "__main__":
    main()
