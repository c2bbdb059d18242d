"""`python -m tests.calibration [--sims N] [--quick] [--cells] [--markdown FILE]`: verdicts against simulated truth."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.cli.output import say, table
from harness.wording import duration, percent
from tests.calibration.pages import sections_of
from tests.calibration.table import DOCUMENTS, GOAL_HEAD, HEAD, SIZES, Outcome, goal_rows, markdown, run, verdict_rows

SIMULATIONS = 20
"""Studies per truth, number of sizes, number of documents and noise."""
QUICK = 2


def main() -> None:
    """Simulate, judge and print; progress on stderr."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration", description=__doc__)
    parser.add_argument("--sims", type=int, metavar="N", help=f"studies per cell of the table; {SIMULATIONS} otherwise")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} studies per cell")
    parser.add_argument("--cells", action="store_true", help="also a table for each number of sizes and documents")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to this file as well")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    simulations = options.sims or (QUICK if options.quick else SIMULATIONS)
    tables = list(_tables(_outcomes(simulations), cells=options.cells))
    for title, head, rows in tables:
        print(f"{title}\n\n{table(head, rows)}\n")
    if options.markdown:
        text = "# How often verdicts are right\n\nWritten by `make calibrate`.\n\n"
        text += "\n\n".join(f"{title}\n\n{markdown(head, rows)}" for title, head, rows in tables)
        options.markdown.write_text(text + "\n" + sections_of(options.markdown), encoding="utf-8")


def _outcomes(simulations: int) -> list[Outcome]:
    start = time.monotonic()
    found: list[Outcome] = []
    for share, outcomes in run(simulations):
        found += outcomes
        took = time.monotonic() - start
        say(f"{percent(share)} after {duration(took)}, about {duration(took * (1 - share) / share)} left")
    return found


def _tables(
    outcomes: Sequence[Outcome], *, cells: bool
) -> Iterable[tuple[str, Sequence[str], Sequence[Sequence[object]]]]:
    yield (
        f"Verdicts against truth, % of studies; {min(SIZES)} to {max(SIZES)} sizes together",
        HEAD,
        verdict_rows(outcomes),
    )
    for sizes in SIZES if cells else ():
        for documents in DOCUMENTS:
            chosen = [o for o in outcomes if (o.sizes, o.documents) == (sizes, documents)]
            yield f"{sizes} sizes, {documents} documents", HEAD, verdict_rows(chosen)
    yield "Goals", GOAL_HEAD, goal_rows(outcomes)


if __name__ == "__main__":
    main()
