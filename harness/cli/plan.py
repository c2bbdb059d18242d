"""`emergence plan`: the cells that a run would evaluate, and what they would cost. Writes nothing."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping, Set
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

from harness.analysis.stats import ALPHA, POWER, PRACTICAL_EFFECT, resolution
from harness.catalog.tasks.first_documents import doubtful_limits
from harness.cli.as_run import with_options_of_run
from harness.cli.cluster_time import cluster_time
from harness.cli.given import plan_of
from harness.cli.output import print_json, print_line, say, table
from harness.cli.result_options import Json
from harness.cli.run_options import Gpus, GpusPerNode, Price
from harness.engines.devices import why_no_gpu
from harness.engines.protocol import CUTTING, WITHOUT_MODEL
from harness.errors import PlanError
from harness.estimate import (
    START_SECONDS,
    CostEstimate,
    LoadTime,
    cost_of,
    measured_loading,
    measured_pace,
    opening_seconds,
    run_time,
    seconds_of,
)
from harness.plan import Cell, Place, RunPlan, Slice, sliced
from harness.schedule import Node
from harness.standing import standing
from harness.store import Store
from harness.wording import counted, duration, number, percent, score


@with_options_of_run
def command(
    given: Mapping[str, Any],
    gpus: Gpus = None,
    gpus_per_node: GpusPerNode = 8,
    price: Price = None,
    as_json: Json = False,
) -> None:
    """Show which cells are done and to do, an estimate of tokens and time, and detectable effects. Writes nothing."""
    plan, gpu_memory = _chosen(given), given["gpu_memory"]
    done, failures, problems = Store(given["results"]).outcomes()
    for problem in problems:
        say(f"skipped {problem}")
    for doubt in doubtful_limits(plan):
        say(f"warning: {doubt}")
    pace = measured_pace(done, plan.tasks, {cell.engine for cell in plan.cells})
    loading = measured_loading(done)
    state = standing(plan, done, failures)
    for chore in state.chores():
        say(f"to be {chore}")
    finished, failed = state.done | {cell.place for cell, _ in state.elsewhere}, state.failed
    to_do = plan.without(finished | failed)
    costs = {cell.place: cost_of(cell, plan.tasks[cell.task], pace=pace or 1.0) for cell in to_do.cells}
    cluster = None
    if gpus is not None:
        cluster = cluster_time(to_do, gpus, gpu_memory, gpus_per_node, price, pace=pace or 1.0, loading=loading)
    elif price is not None or gpu_memory is not None:
        raise PlanError("--price and --gpu-memory: expected with --gpus, the number of GPUs")
    if as_json:
        cells = _data(plan, finished, failed, costs)
        print_json(cells if cluster is None else {"cells": cells, "cluster": cluster.as_data()})
        return
    print(_overview(plan, finished, failed, costs))
    power, level = percent(POWER), percent(ALPHA)
    print_line()
    print_line(f"detectable: smallest gain over chance seen with {power} power in a one-sided test at {level}")
    print(_resolution(plan))
    total = _total(costs)
    unknown = sum(cost is None for cost in costs.values())
    workers = max(1, os.cpu_count() or 1)
    print_line()
    print_line(
        f"{counted(len(plan.cells), 'cell')}: {len(finished)} done, {len(failed)} failed, {len(to_do.cells)} to do"
    )
    print_line(
        f"{_of(total.requests, 'request')}, about {_of(total.tokens, 'prompt token')}, about "
        f"{duration(total.seconds)} of work"
    )
    wall = duration(_seconds_here(to_do, workers, pace or 1.0, loading))
    opening = opening_seconds(to_do.cells, loading)
    loads = f": {duration(START_SECONDS)} to start, and {duration(opening)} of work to load models" if opening else ""
    print_line(f"about {wall} from start to end with {counted(workers, 'worker')} on an idle machine{loads}")
    if cluster is not None:
        for line in cluster.lines():
            print_line(line)
    if pace is None:
        print_line("the time is a guess until some cells are done: then it follows their measured pace")
    on_gpus = sum(bool(cell.model.gpus) for cell in to_do.cells if cell.engine not in WITHOUT_MODEL)
    if on_gpus and why_no_gpu():
        asking = "1 cell whose model asks" if on_gpus == 1 else f"{on_gpus} cells whose models ask"
        print_line(f"the time takes a GPU for {asking} for one, and none is seen here")
    of_pages = sum(task.n_docs is None and task.published_docs is not None for task in plan.tasks.values())
    if of_pages:
        print_line(f"the number of documents of {counted(of_pages, 'task')} is the one that the data set's page gives")
    if unknown:
        are, their = ("is", "its") if unknown == 1 else ("are", "their")
        print_line(
            f"{counted(unknown, 'cell')} {are} not in the estimate: the size of {their} data is known only to the hub"
        )


def _of(n: float, noun: str) -> str:
    return f"{number(n)} {noun}{'' if n == 1 else 's'}"


def _chosen(given: Mapping[str, Any]) -> RunPlan:
    """The cells that the options choose, all or those of a slice."""
    plan = plan_of(given)
    return plan if given["slice_of"] is None else sliced(plan, Slice.parse(given["slice_of"]), seconds_of)


def _seconds_here(plan: RunPlan, workers: int, pace: float, loading: LoadTime) -> float:
    """Time on this machine. Models whose family asks for GPUs count as if there were one for each worker."""
    declared = plan.with_models(lambda model: replace(model, gpus=model.gpus or 0.0))
    most = max((cell.model.gpus or 0.0 for cell in declared.cells), default=0.0)
    here = Node(name="here", workers=workers, gpus=max(workers, math.ceil(most)))
    return run_time(declared, [here], workers=workers, pace=pace, loading=loading, cutting=CUTTING).seconds


def _overview(plan: RunPlan, finished: Set[Place], failed: Set[Place], costs: dict[Place, CostEstimate | None]) -> str:
    """One row per family and task."""

    def place(cell: Cell) -> tuple[str, str, str]:
        return cell.model.family, cell.suite, cell.task

    rows = []
    for (family, suite, task), group in groupby(sorted(plan.cells, key=place), key=place):
        cells = list(group)
        cost = _total({c.place: costs.get(c.place) for c in cells})
        shots = ",".join(str(n) for n in sorted({c.shots for c in cells}))
        done = sum(c.place in finished for c in cells)
        bad = sum(c.place in failed for c in cells)
        models = len({(c.model.name, c.model.revision, c.model.variant, c.model.run) for c in cells})
        to_do = len(cells) - done - bad
        rows.append((family, suite, task, models, shots, done, bad, to_do, number(cost.requests), number(cost.tokens)))
    head = ("family", "suite", "task", "models", "shots", "done", "failed", "to do", "requests", "tokens")
    return table(head, rows)


def _resolution(plan: RunPlan) -> str:
    """One row per task and number of documents."""
    asked = {(c.suite, c.task, c.limit, c.docs): resolution(plan.tasks[c.task], _most(plan, c)) for c in plan.cells}
    rows = [
        (suite, task, can.documents, score(can.chance), score(can.mde), can.documents_needed)
        for (suite, task, *_), can in sorted(asked.items(), key=lambda item: item[0][:2])
    ]
    return table(("suite", "task", "documents", "chance", "detectable", f"needed for +{PRACTICAL_EFFECT}"), rows)


def _most(plan: RunPlan, cell: Cell) -> int | None:
    """Number of documents that a cell asks, if it does not ask all of them."""
    return cell.limit if cell.docs is None else cell.n_asked(plan.tasks[cell.task].expected_docs)


def _total(costs: dict[Place, CostEstimate | None]) -> CostEstimate:
    return sum((cost for cost in costs.values() if cost), CostEstimate())


def _data(
    plan: RunPlan, finished: Set[Place], failed: Set[Place], costs: dict[Place, CostEstimate | None]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    can = functools.cache(lambda task, limit: resolution(plan.tasks[task], limit)._asdict())
    for cell in plan.cells:
        place = cell.place
        cost = costs.get(place)
        rows.append(
            {
                "key": place.key,
                "family": cell.model.family,
                "model": cell.model.name,
                "variant": cell.model.variant,
                "params": cell.model.params,
                "suite": cell.suite,
                "task": cell.task,
                "shots": cell.shots,
                "prompt": cell.prompt,
                "seed": cell.seed,
                "status": "done" if place in finished else "failed" if place in failed else "to do",
                **can(cell.task, _most(plan, cell)),
                **(asdict(cost) if cost else {"requests": None, "tokens": None, "seconds": None}),
            }
        )
    return rows
