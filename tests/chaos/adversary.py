"""Kills what a run stands on, as a seed says, and counts what became of it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from harness.leaderboard import tidy_table
from harness.records import CellResult
from harness.store import Store
from tests.chaos.cluster import Cluster, kill_all

TIMES = ["seconds", "load_seconds", "energy_wh", "energy_measured_wh", "load_energy_wh", "memory_bytes", "date"]
"""Columns of the leaderboard that no two runs share."""
MOST_SECONDS = 180.0
"""Time until a command that answers nothing, or does not end, is taken for hung, on a machine that is idle."""
_COMMAND = (sys.executable, "-m", "tests.chaos.command")
_MODEL, _KEEPER, _DRIVER = "worker:serve", "ray::Keeper", "driver:lead"


@dataclass(kw_only=True)
class Report:
    """What happened under one seed."""

    seed: int
    """The seed."""
    injected: Counter[str] = field(default_factory=Counter)
    """Kind of fault -> how many."""
    commands: int = 0
    """How often the command was started."""
    lost: int = 0
    """Cells without a result at the end."""
    doubled: int = 0
    """Cells that were answered more than once."""
    seconds: float = 0.0
    """Time until all was done."""
    wrong: str = ""
    """What differs from an undisturbed run; empty when nothing does."""

    @property
    def survived(self) -> bool:
        """True when nothing is lost and nothing differs."""
        return not self.lost and not self.wrong

    def line(self) -> str:
        """The report in a line."""
        faults = ", ".join(f"{n} {kind}" for kind, n in sorted(self.injected.items()))
        end = "survived" if self.survived else f"NOT SURVIVED: {self.wrong or f'{self.lost} cells lost'}"
        return (
            f"seed {self.seed}: {sum(self.injected.values())} injected ({faults}), {self.commands} commands, "
            f"{self.lost} lost, {self.doubled} doubled, {self.seconds:.0f} s: {end}"
        )


def undisturbed(folder: Path) -> Path:
    """Results of a run without any fault, in this process's place: the truth."""
    results = folder / "undisturbed"
    subprocess.run([*_COMMAND, str(results), str(folder / "undisturbed.txt")], check=True, stdout=subprocess.DEVNULL)
    return results


def disturb(
    cluster: Cluster,
    truth: Path,
    folder: Path,
    *,
    seed: int,
    faults: int,
    every: float = 1.5,
    patience: float = MOST_SECONDS,
) -> Report:
    """Run the command until it is done, with so many faults on the way.

    Args:
        cluster: where it runs.
        truth: results of an undisturbed run.
        folder: where results and journal go.
        seed: decides which faults come when.
        faults: how many there are, unless the run is done before.
        every: mean time between two, in seconds.
        patience: time until a command that answers nothing, or does not end, is taken for hung.
    """
    rng, report, started = random.Random(seed), Report(seed=seed), time.monotonic()
    results, journal = folder / f"results-{seed}", folder / f"journal-{seed}.txt"
    code: int | None = None
    while code != 0:
        report.commands += 1
        assert report.commands <= 5 + faults, "the command never ends well"
        with (folder / f"log-{seed}.txt").open("a") as log:
            command = psutil.Popen(
                [*_COMMAND, str(results), str(journal), cluster.address],
                env=cluster.environment,
                stdout=log,
                stderr=log,
            )
        _wait_for_first_cell(command, cluster, journal, patience)
        while command.poll() is None and sum(report.injected.values()) < faults:
            time.sleep(rng.uniform(0.5, 1.5) * every)
            cluster.heal()
            if command.poll() is None:
                _inject(rng, cluster, command, report)
        code = _end(command, cluster, patience)
    report.seconds = time.monotonic() - started
    _judge(report, truth, results, journal)
    return report


def _end(command: psutil.Popen, cluster: Cluster, patience: float) -> int:
    """The exit code of the command, which is killed when it does not end."""
    end = time.monotonic() + patience
    while command.poll() is None:
        if time.monotonic() > end:
            kill_all(command)
            raise TimeoutError(f"the command did not end in {patience:.0f} s")
        cluster.heal()
        time.sleep(0.1)
    return int(command.returncode)


def _wait_for_first_cell(command: psutil.Popen, cluster: Cluster, journal: Path, patience: float) -> None:
    before = journal.stat().st_size if journal.exists() else 0
    end = time.monotonic() + patience
    while command.poll() is None and not (journal.exists() and journal.stat().st_size > before):
        if time.monotonic() > end:
            kill_all(command)
            raise TimeoutError(f"no cell was answered in {patience:.0f} s")
        cluster.heal()
        time.sleep(0.1)


def _inject(rng: random.Random, cluster: Cluster, command: psutil.Popen, report: Report) -> None:
    """One fault, of a kind that is possible now."""
    kinds: dict[str, Callable[[], bool]] = {
        "model": lambda: _kill_one(rng, cluster, _MODEL),
        "keeper": lambda: _kill_one(rng, cluster, _KEEPER),
        "node": lambda: _replace_node(rng, cluster),
        "driver": lambda: any(_kill(p) for p in command.children() if _DRIVER in _words(p)),
        "command": lambda: _kill(command),
    }
    for kind in rng.sample(sorted(kinds), len(kinds)):
        if kinds[kind]():
            report.injected[kind] += 1
            return


def _kill_one(rng: random.Random, cluster: Cluster, words: str) -> bool:
    found = sorted((p for p in _on_nodes(cluster) if words in _words(p)), key=lambda process: process.pid)
    return bool(found) and _kill(rng.choice(found))


def _replace_node(rng: random.Random, cluster: Cluster) -> bool:
    if len(cluster.nodes) < 2:
        return False
    cluster.kill_node(rng.choice(cluster.nodes))
    cluster.add_node()
    return True


def _on_nodes(cluster: Cluster) -> Iterator[psutil.Process]:
    for node in cluster.nodes:
        with suppress(psutil.NoSuchProcess):
            yield from node.children(recursive=True)


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _kill(process: psutil.Process) -> bool:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


def _judge(report: Report, truth: Path, results: Path, journal: Path) -> None:
    """Compare results with those of the undisturbed run: keys, scores, answers and the leaderboard."""
    wanted, found = (Store(root).outcomes() for root in (truth, results))
    made, right = _by_place(found.results), _by_place(wanted.results)
    report.lost = len(right.keys() - made.keys())
    times = Counter(journal.read_text().splitlines())
    report.doubled = sum(n > 1 for n in times.values())
    if found.failures or found.problems:
        report.wrong = f"{len(found.failures)} failures and {len(found.problems)} damaged files"
    elif made.keys() - right.keys():
        report.wrong = "cells that nobody asked for"
    elif not report.lost:
        report.wrong = _difference(Store(truth), Store(results), right, made)


def _by_place(results: tuple[CellResult, ...]) -> dict[object, CellResult]:
    return {result.cell.place: result for result in results}


def _difference(truth: Store, store: Store, right: dict[object, CellResult], made: dict[object, CellResult]) -> str:
    for place, wanted in right.items():
        if made[place].scores != wanted.scores:
            return f"the scores of {wanted.cell.label}"
        if store.samples(wanted.cell) != truth.samples(wanted.cell):
            return f"the answers of {wanted.cell.label}"
    tables = [tidy_table(found.values()).drop(columns=TIMES).to_csv(index=False) for found in (right, made)]
    return "" if tables[0] == tables[1] else "the leaderboard"
