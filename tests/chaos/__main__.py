"""`make chaos`: many seeds, one line for each, and a sum at the end."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.chaos.adversary import MOST_SECONDS, disturb, undisturbed
from tests.chaos.cluster import Cluster


def main() -> None:
    """Go through the seeds; the exit code is 1 when one was not survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="number of seeds, from 0 on")
    parser.add_argument("--faults", type=int, default=6, help="faults under each seed")
    parser.add_argument(
        "--patience", type=float, default=MOST_SECONDS, help="seconds until a command is taken for hung"
    )
    options = parser.parse_args()
    reports = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = undisturbed(folder)
        for seed in range(options.seeds):
            with Cluster() as cluster:
                reports.append(
                    disturb(cluster, truth, folder, seed=seed, faults=options.faults, patience=options.patience)
                )
            print(reports[-1].line(), flush=True)
    injected = sum((report.injected for report in reports), Counter[str]())
    survived = sum(report.survived for report in reports)
    print(
        f"{sum(injected.values())} faults injected ({dict(injected)}), {survived} of {len(reports)} seeds survived, "
        f"{sum(report.lost for report in reports)} cells lost, {sum(report.doubled for report in reports)} doubled"
    )
    sys.exit(survived < len(reports))


if __name__ == "__main__":
    main()
