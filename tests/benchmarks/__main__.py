"""`python -m tests.benchmarks [NAME ...] [--quick]`: the benchmarks, each imported when it is its turn.

Without a name those of `make bench`, which take 20 minutes on two idle cores; `all` names every one.

`python -m tests.benchmarks schedule --json` prints data, and nothing else on stdout.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from harness.cli.output import say, table


def start_up(quick: bool) -> None:
    """How long a user waits before anything happens."""
    from tests.benchmarks import start_up

    print(table(("what", "median s", "fastest", "slowest", "runs"), start_up.rows()))


def bridge(quick: bool) -> None:
    """One cell as a whole process."""
    from tests.benchmarks import bridge

    rows = bridge.rows(1) if quick else bridge.rows()
    print(table(("cell on the largest embedded model", "lm_eval s", "ours s", "ratio", "runs"), rows))


def engines(quick: bool) -> None:
    """The tree engine beside lm-eval's `HFLM`, on random models of growing size."""
    from tests.benchmarks import engines

    engines.run(quick)


def gpu(quick: bool) -> None:
    """The tree engine beside lm-eval's `HFLM` on a GPU, if there is one."""
    from tests.benchmarks import gpu

    if lacking := gpu.missing():
        print(lacking)
        return
    names = list(gpu.MODELS)[:1] if quick else list(gpu.MODELS)
    print(table(gpu.HEAD, [row for name in names for row in gpu.rows(name)]))


def suite(quick: bool) -> None:
    """Every suite on every embedded model beside `lm_eval`."""
    from tests.benchmarks import suite

    suite.run(quick)


def core(quick: bool) -> None:
    """The suite `core` on a real model of 270 million weights beside lm-eval's engine."""
    from tests.benchmarks import core

    if lacking := core.missing():
        print(lacking)
        return
    done = []
    for one in core.measured(2 if quick else core.LIMIT):
        done.append(one)
        say(f"core: {one.task}: {one.theirs:.1f} s beside {one.ours:.1f} s")
    print(table(core.HEAD, [one.row for one in done]))
    print(core.summary(done))


def verdicts(quick: bool) -> None:
    """A study of many curves."""
    from tests.benchmarks import verdicts

    head = ("curves", "sizes", "wall s", "CPU s", "ms per curve", "goal for 1,000, s", "load")
    print(table(head, verdicts.rows(100 if quick else verdicts.CURVES)))


def import_(quick: bool) -> None:
    """A thousand published result files."""
    from tests.benchmarks import imports

    print(table(imports.HEAD, imports.rows(100 if quick else imports.FILES)))


def dashboard(quick: bool) -> None:
    """Every page of the dashboard, on a store of the embedded run's size and on a large one; also in a browser."""
    import tempfile
    from pathlib import Path

    from tests.benchmarks import dashboard, first_view

    with tempfile.TemporaryDirectory() as folder:
        made = dashboard.stores(Path(folder), quick=quick)
        print(table(dashboard.HEAD, dashboard.rows(made)))
        print(table(dashboard.CALLS, dashboard.calls(made)))
        if lacking := first_view.missing():
            print(lacking)
            return
        views, turns = first_view.rows(made, Path(folder))
        print(table(first_view.HEAD, views))
        print(table(first_view.TURNED, turns))


def large_study(quick: bool) -> None:
    """Numbers, verdicts, another axis and the report of 12,000 cells, judged for the first time and again."""
    import tempfile
    from pathlib import Path

    from tests.benchmarks import large_study

    with tempfile.TemporaryDirectory() as folder:
        root = large_study.study_store(Path(folder) / "results", quick=quick)
        print(table(large_study.HEAD, large_study.rows(root, Path(folder) / "cache")))


def schedule(quick: bool, *, as_json: bool = False) -> None:
    """How far runs of a large study are from the shortest that is possible, and what the leading process can do."""
    from tests.benchmarks import driver, schedule

    found = list(schedule.rows(2 if quick else schedule.ROUNDS))
    driven = driver.rows(quick=quick)
    if as_json:
        print(json.dumps({"makespan": schedule.as_data(found), "driver": driver.as_plain(driven)}, indent=1))
        return
    print(table(schedule.HEAD, schedule.as_table(found)))
    print(table(driver.HEAD, driver.as_texts(driven)))


BENCHMARKS: dict[str, Callable[[bool], None]] = {
    "start-up": start_up,
    "bridge": bridge,
    "engines": engines,
    "gpu": gpu,
    "suite": suite,
    "core": core,
    "schedule": schedule,
    "verdicts": verdicts,
    "import": import_,
    "dashboard": dashboard,
    "large-study": large_study,
}
"""Name on the command line -> what prints its tables; the argument asks for fewer models and rounds."""

USUAL = ("start-up", "suite", "bridge", "verdicts", "import", "large-study")
"""What `make bench` runs."""

WITH_JSON: dict[str, Callable[..., None]] = {"schedule": schedule}
"""Those that print JSON too."""


def main() -> None:
    """Run the benchmarks that are named; tables on stdout, progress on stderr."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"{', '.join(BENCHMARKS)}, or all; {', '.join(USUAL)} when none is named",
    )
    parser.add_argument("--quick", action="store_true", help="fewer models and rounds")
    parser.add_argument("--json", action="store_true", help=f"JSON; of {', '.join(WITH_JSON)} alone")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - {*BENCHMARKS, "all"}):
        parser.error(f"{', '.join(unknown)}: expected any of {', '.join(BENCHMARKS)}, or all")
    if options.json:
        if len(options.names) != 1 or options.names[0] not in WITH_JSON:
            parser.error(f"--json: expected one of {', '.join(WITH_JSON)} before it")
        WITH_JSON[options.names[0]](options.quick, as_json=True)
        return
    for name in BENCHMARKS if "all" in options.names else options.names or USUAL:
        print(f"== {name}", flush=True)
        BENCHMARKS[name](options.quick)
        print(flush=True)


if __name__ == "__main__":
    main()
