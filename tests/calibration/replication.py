"""Does a second training run of the same models give the same verdict? Pythia, which was trained four times, and
simulated families that were trained twice.

Each size of Pythia was trained on the Pile and on the Pile without duplicates, in two editions (v0 and v1) that differ
in the batch size of some sizes. The runs of one size differ by at least as much as another seed makes them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pandas as pd

from harness.analysis.curves import Curve, Scale
from harness.analysis.curves.table import table_curves
from harness.analysis.verdict import Judged, judge, judge_each
from harness.cli.output import table
from tests.calibration.families import DECADES, Truth
from tests.calibration.pages import write_section
from tests.calibration.runs import EIGHT_TENTHS, HALF_DECADE, curve_of

_PUBLISHED = Path(__file__).parents[1] / "validation" / "data"
DATA = _PUBLISHED / "pythia_runs.csv"
CHECKPOINTS = _PUBLISHED / "pythia_checkpoints.csv"
CONTRADICTS = frozenset({"flat", "flat-above-chance", "inverse", "u-shaped", "inverted-u"})
"""Verdicts that deny what `emergent` claims: absent in smaller sizes, and there in larger ones."""
DENIES = {
    "emergent": CONTRADICTS,
    "smooth": CONTRADICTS,
    "flat": frozenset({"emergent", "smooth", "inverse", "u-shaped", "inverted-u"}),
}
"""Verdicts that deny each label that is held against other runs; `cannot tell` denies none, and a rise and a jump do
not deny each other."""
NOISE = (0.006, 0.02, 0.05)
SIZES = (8, 12)
PAIRS = 10
"""Simulated pairs of runs per truth, number of sizes and noise."""
LABEL_HEAD = ("curves", "said", "verdicts", "held against", "the same there", "not contradicted", "%", "goal of 60 %")
GOAL = 0.6
HEAD = ("judged", "emergent", "verdicts", "held against", "emergent there too", "rises", "cannot tell", "contradicted")


def read_runs(path: Path) -> pd.DataFrame:
    """The scores of every training run, one row per score, from a file with a column for each run."""
    wide = pd.read_csv(path).assign(family="pythia", metric="acc")
    wide["n_shot"] = wide.get("n_shot", 0)
    about = [name for name in wide.columns if not name.startswith("v")]
    return wide.melt(id_vars=about, var_name="run", value_name="value").dropna(subset="value")


def verdicts_of_runs(frame: pd.DataFrame, *, together: bool, scale: Scale = "params") -> dict[str, tuple[Judged, ...]]:
    """Every curve of each training run, judged as a study of its own.

    Args:
        frame: a tidy table with a column `run`, which names the run of all sizes.
        together: correct over all curves of a run.
        scale: the x axis.
    """
    return {
        str(run): judge(table_curves(some.drop(columns="run"), scale=scale), draws=0, together=together)
        for run, some in frame.groupby("run")
    }


def rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """What the other runs say where one says `emergent`; columns as in `HEAD`."""
    return [
        row
        for together in (True, False)
        for row in _rows("all curves of a run together" if together else "each curve alone", frame, together=together)
    ]


def _rows(judged: str, frame: pd.DataFrame, *, together: bool) -> Iterable[tuple[object, ...]]:
    runs = verdicts_of_runs(frame, together=together)
    for confirmed in (True, False):
        kind = "confirmed" if confirmed else "unconfirmed"
        found = {run: [row for row in of if _emergent(row, confirmed)] for run, of in runs.items()}
        others = Counter(_others(found, runs))
        contradicted = sum(count for label, count in others.items() if label in CONTRADICTS)
        yield (
            judged,
            kind,
            sum(map(len, found.values())),
            others.total(),
            others["emergent"],
            others["smooth"],
            others["inconclusive"],
            contradicted,
        )


def _emergent(row: Judged, confirmed: bool) -> bool:
    rests_on_one = "unconfirmed" in (row.verdict.qualifier or "")
    return row.verdict.label == "emergent" and rests_on_one != confirmed


def _others(found: Mapping[str, Sequence[Judged]], runs: Mapping[str, Sequence[Judged]]) -> Iterable[str]:
    """The labels that other runs give to the same curves."""
    labels = {run: {_curve(row): row.verdict.label for row in judged} for run, judged in runs.items()}
    for one, other in permutations(runs, 2):
        for row in found[one]:
            if (label := labels[other].get(_curve(row))) is not None:
                yield label


def _curve(row: Judged) -> tuple[str, int, str]:
    """What is the same for one curve in every run."""
    return (row.curve.task, row.curve.shots, row.curve.conditions)


def label_rows(name: str, runs: Mapping[str, Sequence[Judged]]) -> Iterable[tuple[object, ...]]:
    """What runs say of each other's verdicts, label by label; columns as in `LABEL_HEAD`.

    Args:
        name: of the curves.
        runs: the verdicts of each run.
    """
    for said, label, chosen in (
        ("emergent, confirmed", "emergent", lambda row: _emergent(row, True)),
        ("emergent, unconfirmed", "emergent", lambda row: _emergent(row, False)),
        ("smooth", "smooth", lambda row: row.verdict.label == "smooth"),
        ("flat", "flat", lambda row: row.verdict.label == "flat"),
    ):
        found = {run: [row for row in of if chosen(row)] for run, of in runs.items()}
        others = Counter(_others(found, runs))
        if not others.total():
            continue
        kept = others.total() - sum(count for other, count in others.items() if other in DENIES[label])
        share = kept / others.total()
        verdict = ("yes" if share >= GOAL else "no") if said == "emergent, confirmed" else None
        whole = (sum(map(len, found.values())), others.total(), others[label], kept)
        yield (name, said, *whole, f"{100 * share:.0f}", verdict)


def simulated(truths: Sequence[Truth], noise: float, pairs: int, seed: int = 0) -> dict[str, tuple[Judged, ...]]:
    """Families that were trained twice, each curve judged by itself; the rise of both runs lies at one place.

    Args:
        truths: how the families grow.
        noise: standard deviation between training runs at a score of one half.
        pairs: families per truth and number of sizes.
        seed: seed of everything.
    """
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[Curve]] = {"first": [], "second": []}
    for truth, sizes, number in product(truths, SIZES, range(pairs)):
        gap = DECADES / (sizes - 1)
        placed = _shifted(truth, float(rng.uniform(-gap / 2, gap / 2)))
        for curves in drawn.values():
            one = curve_of(placed, sizes=sizes, runs=1, noise=noise, rng=rng, family="toy").curve
            curves.append(replace(one, task=f"{truth.name}, {sizes} sizes, {number}"))
    return {run: judge_each(curves, draws=0) for run, curves in drawn.items()}


def _shifted(truth: Truth, shift: float) -> Truth:
    return replace(truth, ability=lambda x, sizes: truth.ability(x - shift, sizes), located=False)


def all_label_rows(pairs: int = PAIRS) -> list[tuple[object, ...]]:
    """The rows of every kind of curve; columns as in `LABEL_HEAD`."""
    checkpoints = read_runs(CHECKPOINTS)
    found = [
        *label_rows("Pythia over sizes", verdicts_of_runs(read_runs(DATA), together=True)),
        *label_rows("Pythia over tokens", verdicts_of_runs(checkpoints, together=True, scale="tokens")),
        *label_rows("the same, each alone", verdicts_of_runs(checkpoints, together=False, scale="tokens")),
    ]
    for name, truths in (("half a decade", HALF_DECADE), ("0.8 decades", EIGHT_TENTHS)):
        for noise in NOISE:
            found += label_rows(f"simulated rise within {name}, noise {noise:g}", simulated(truths, noise, pairs))
    return found


_TEXT = (
    "Written by `python -m tests.calibration.replication --markdown docs/calibration.md`.\n\n"
    "Pythia was trained four times (v0, v0-deduped, v1, v1-deduped; eight sizes from 70M to 12B, 65 to 132 tasks, zero "
    "and five\nshots). Each run is judged by itself. Where one says `emergent`, this is what the three others say of "
    "the same task; a verdict\nthat rests on a single size is `unconfirmed`."
)
_LABEL_TEXT = (
    "Every verdict of one run, held against what the other runs say of the same curve. Over tokens: 26 checkpoints of "
    "eight sizes of\nPythia on eight tasks, v1 and v1-deduped. Simulated: families of eight and twelve sizes with one "
    "run each, 1,000 documents,\nover chance 0 and 0.25, trained twice. A rise or a fall contradicts `flat`, and "
    "anything but a rise, a jump or\n`cannot tell` the others. Goal: a confirmed `emergent` is not contradicted in at "
    "least 60 %."
)


def main() -> None:
    """Print what other training runs say of the verdicts `emergent`."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration.replication", description=__doc__)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to this page as well")
    options = parser.parse_args()
    found, labels = rows(read_runs(DATA)), all_label_rows()
    print(f"{table(HEAD, found)}\n\n{table(LABEL_HEAD, labels)}")
    if options.markdown:
        write_section(options.markdown, "Replication", _TEXT, HEAD, found)
        write_section(options.markdown, "Replication of every label", _LABEL_TEXT, LABEL_HEAD, labels)


if __name__ == "__main__":
    main()
