"""Does a second training run of the same models give the same verdict? Pythia, which was trained four times.

Each size of Pythia was trained on the Pile and on the Pile without duplicates, in two editions (v0 and v1) that differ
in the batch size of some sizes. The runs of one size differ by at least as much as another seed makes them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from pathlib import Path

import pandas as pd

from harness.analysis.curves.table import table_curves
from harness.analysis.verdict import Judged, judge
from harness.cli.output import table
from tests.calibration.pages import write_section

DATA = Path(__file__).parents[1] / "validation" / "data" / "pythia_runs.csv"
CONTRADICTS = frozenset({"flat", "flat-above-chance", "inverse", "u-shaped", "inverted-u"})
"""Verdicts that deny what `emergent` claims: absent in smaller sizes, and there in larger ones."""
HEAD = ("judged", "emergent", "verdicts", "held against", "emergent there too", "rises", "cannot tell", "contradicted")


def read_runs(path: Path) -> pd.DataFrame:
    """The scores of every training run, one row per score, from a file with a column for each run."""
    wide = pd.read_csv(path).assign(family="pythia", metric="acc")
    about = [name for name in wide.columns if not name.startswith("v")]
    return wide.melt(id_vars=about, var_name="run", value_name="value").dropna(subset="value")


def verdicts_of_runs(frame: pd.DataFrame, *, together: bool) -> dict[str, tuple[Judged, ...]]:
    """Every curve over sizes of each training run, judged as a study of its own.

    Args:
        frame: a tidy table with a column `run`, which names the run of all sizes.
        together: correct over all curves of a run.
    """
    return {
        str(run): judge(table_curves(some.drop(columns="run")), draws=0, together=together)
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
    labels = {
        run: {(row.curve.task, row.curve.shots): row.verdict.label for row in judged} for run, judged in runs.items()
    }
    for one, other in permutations(runs, 2):
        for row in found[one]:
            if (label := labels[other].get((row.curve.task, row.curve.shots))) is not None:
                yield label


_TEXT = (
    "Written by `python -m tests.calibration.replication --markdown docs/calibration.md`.\n\n"
    "Pythia was trained four times (v0, v0-deduped, v1, v1-deduped; eight sizes from 70M to 12B, 65 to 132 tasks, zero "
    "and five\nshots). Each run is judged by itself. Where one says `emergent`, this is what the three others say of "
    "the same task; a verdict\nthat rests on a single size is `unconfirmed`."
)


def main() -> None:
    """Print what other training runs say of the verdicts `emergent`."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration.replication", description=__doc__)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to this page as well")
    options = parser.parse_args()
    found = rows(read_runs(DATA))
    print(table(HEAD, found))
    if options.markdown:
        write_section(options.markdown, "Replication", _TEXT, HEAD, found)


if __name__ == "__main__":
    main()
