"""What records and results show about runs: how far they are, how fast, with which versions, and at what cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from harness.plan import ModelId, Place, Setting, model_id, model_names, size_setting
from harness.records import CellFailure, CellResult, Outcome
from harness.runs.record import Planned, Progress, RunRecord, marks_of
from harness.scoring.metrics import runs_programs


def finished_at(outcome: Outcome) -> datetime:
    """When the cell was evaluated, or failed (UTC)."""
    if isinstance(outcome, CellFailure):
        return outcome.failed_at
    return outcome.provenance.started_at + timedelta(seconds=outcome.provenance.seconds)


def pace(outcomes: Iterable[Outcome], *, window: timedelta = timedelta(minutes=10)) -> float | None:
    """Cells per minute in the window that ends with the newest cell; None when it has fewer than two cells."""
    times = sorted(finished_at(outcome) for outcome in outcomes)
    recent = [time for time in times if time >= times[-1] - window]
    if len(recent) < 2 or recent[0] == recent[-1]:
        return None
    return 60.0 * (len(recent) - 1) / (recent[-1] - recent[0]).total_seconds()


def current(records: Sequence[RunRecord], now: datetime) -> tuple[RunRecord, ...]:
    """The runs whose plans are still to be carried out: runs that go on, and runs that ended early and were the last.

    The rest of a run that ended early is not waited for once another run was started: the later run evaluates it too,
    or the user has given it up. So the cells of a mistyped command are not shown as missing for ever.
    """
    starts = [record.started_at for record in records]
    return tuple(
        record
        for record in records
        if record.state(now) == "going on" or (record.ending != "finished" and record.heard_at >= max(starts))
    )


def up_to_date(
    records: Sequence[RunRecord], results: Sequence[CellResult], failures: Sequence[CellFailure], now: datetime
) -> tuple[RunRecord, ...]:
    """The records; those of `current` runs with the progress that the cells show, and with a plan of the missing cells.

    A run writes each cell at once, but its record only every ten seconds, and a run that was killed has not written its
    last counts. A cell that was finished after the next run was started counts for the earlier run only if that one
    still showed signs of life.
    """
    hold = current(records, now)
    if not hold:
        return tuple(records)  # making keys takes time
    done = {result.cell.place: finished_at(result) for result in results}
    failed = {failure.cell.place: failure.failed_at for failure in failures}
    return tuple(
        _followed(record, done, failed, now, _next_start(record, records)) if record in hold else record
        for record in records
    )


def _next_start(record: RunRecord, records: Iterable[RunRecord]) -> datetime | None:
    """When the first run was started after the last sign of life of this one; None when there is none."""
    return min((other.started_at for other in records if other.started_at > record.heard_at), default=None)


def _followed(
    record: RunRecord,
    done: Mapping[Place, datetime],
    failed: Mapping[Place, datetime],
    now: datetime,
    until: datetime | None,
) -> RunRecord:
    """A record with the cells that came back before `until`, and a plan of those that did not come back at all.

    A cell that failed before the run began is still to be evaluated by it.
    """
    wanted = record.places
    if not wanted:
        return record
    ended = {place: done[place] for place in wanted & done.keys()}
    broken = {of: failed[of] for of in (wanted & failed.keys()) - ended.keys() if failed[of] >= record.started_at}
    answered, failures = ([at for at in times.values() if until is None or at < until] for times in (ended, broken))
    # times of other machines may lie before the run or after now
    after = sorted(
        (at - record.started_at).total_seconds() for at in (*answered, *failures) if record.started_at <= at <= now
    )
    progress = Progress(
        total=len(wanted),
        done=len(answered),
        failed=len(failures),
        elapsed_seconds=after[-1] if after else 0.0,
        first_seconds=after[0] if after else None,
        left_seconds=record.progress.left_seconds if record.state(now) == "going on" else None,
        marks=marks_of(after),
    )
    left = wanted - ended.keys() - broken.keys()
    return replace(record, progress=progress, plan=tuple(replace(of, tasks=_only(left, of)) for of in record.plan))


def _only(places: Set[Place], of: Planned) -> dict[str, tuple[str, ...]]:
    return {task: tuple(k for k in keys if (of.model.family, k) in places) for task, keys in of.tasks.items()}


class Tally(NamedTuple):
    """How many cells of one task one model has."""

    family: str
    """Family name."""
    model: str
    """Name of the model, as in `plan.model_names`."""
    task: str
    """Task name."""
    done: int
    """Number of cells with a result."""
    failed: int
    """Number of cells whose last attempt failed."""
    absent: int
    """Number of cells that another model of the family has, done or failed, and this model has not."""
    planned: int
    """Number of cells that runs are still to evaluate; a failed cell that is to be tried again is also in `failed`."""


def tallies(
    results: Sequence[CellResult], failures: Sequence[CellFailure], runs: Sequence[RunRecord] = ()
) -> tuple[Tally, ...]:
    """Every model of every family, smallest first, with every task of that family.

    Args:
        results: every result.
        failures: every failure.
        runs: the `current` runs, `up_to_date`. Without any, the cells of the other sizes are the best sign of what is
            still to be evaluated.
    """
    done = {(model_id(r.cell.model), size_setting(r.cell)) for r in results}
    failed = {(model_id(f.cell.model), size_setting(f.cell)) for f in failures} - done
    seen = done | failed
    outcomes: list[Outcome] = [*results, *failures]
    models = [*(o.cell.model for o in outcomes), *(plan.model for run in runs for plan in run.plan)]
    asked: dict[tuple[str, str | None, str], set[Setting]] = defaultdict(set)
    for model, one in seen:
        asked[model.family, model.variant, one.text("task")].add(one)
    planned: dict[tuple[ModelId, str], set[str]] = defaultdict(set)  # two runs may plan the same cell
    for plan in (plan for run in runs for plan in run.plan):
        for task, keys in plan.tasks.items():
            planned[model_id(plan.model), task].update(keys)
    for model, task in planned:
        asked.setdefault((model.family, model.variant, task), set())
    return tuple(
        Tally(
            family=family,
            model=name,
            task=task,
            done=sum((model, one) in done for one in settings),
            failed=sum((model, one) in failed for one in settings),
            absent=sum((model, one) not in seen for one in settings),
            planned=len(planned.get((model, task), ())),
        )
        for model, name in model_names(models).items()
        for (family, variant, task), settings in sorted(asked.items(), key=lambda item: item[0][2])
        if (family, variant) == (model.family, model.variant)
    )


def cells_to_come(
    results: Sequence[CellResult], failures: Sequence[CellFailure], records: Sequence[RunRecord], now: datetime
) -> Counter[str]:
    """Family -> number of cells that runs which go on are still to evaluate; without families that have none.

    Args:
        results: every result.
        failures: every failure.
        records: every record of a run.
        now: the present.
    """
    going = [record for record in up_to_date(records, results, failures, now) if record.state(now) == "going on"]
    found: Counter[str] = Counter()
    for tally in tallies(results, failures, going) if going else ():
        found[tally.family] += tally.planned
    return +found


class Cost(NamedTuple):
    """Time and energy that the cells of one model took."""

    family: str
    """Family name."""
    model: str
    """Name of the model, as in `plan.model_names`."""
    params: int
    """Total parameters."""
    cells: int
    """Number of cells with a result."""
    documents: int
    """Number of documents in these cells."""
    truncated: int
    """Number of documents whose prompt was cut."""
    seconds: float
    """Wall time of the cells, model loading excluded."""
    energy_wh: float | None
    """Energy in watt hours of the cells whose energy was measured; None when there are none."""
    measured: int
    """Number of cells whose energy was measured."""


def costs(results: Iterable[CellResult]) -> tuple[Cost, ...]:
    """Time and energy of each model, smallest first."""
    by_model: dict[ModelId, list[CellResult]] = defaultdict(list)
    for result in results:
        by_model[model_id(result.cell.model)].append(result)
    called = model_names(r.cell.model for group in by_model.values() for r in group)
    return tuple(_cost(name, by_model[model]) for model, name in called.items())


def _cost(name: str, results: Sequence[CellResult]) -> Cost:
    model = results[0].cell.model
    energies = [r.provenance.energy_wh for r in results if r.provenance.energy_wh is not None]
    return Cost(
        family=model.family,
        model=name,
        params=model.params,
        cells=len(results),
        documents=sum(r.n_expected for r in results),
        truncated=sum(r.n_truncated for r in results),
        seconds=sum(r.provenance.seconds for r in results),
        energy_wh=sum(energies) if energies else None,
        measured=len(energies),
    )


class Setup(NamedTuple):
    """Versions and machine with which some of the cells were evaluated."""

    engine: str
    """Name of the engine."""
    device: str
    """Device that the models ran on."""
    host: str
    """Name of the machine."""
    commit: str
    """Commit of the working folder, `+` behind it when there were uncommitted changes; empty outside a repository."""
    versions: str
    """Packages and their versions."""
    deterministic: bool
    """True when the user asked for numbers that depend on each document alone, bit by bit."""
    cells: int
    """Number of these cells."""
    first_at: datetime
    """When the first of them was begun (UTC)."""
    last_at: datetime
    """When the last of them was finished (UTC)."""


def setups(results: Iterable[CellResult]) -> tuple[Setup, ...]:
    """Every combination of versions and machine with which cells were evaluated, the newest last."""
    groups: dict[tuple[str, str, str, str, str, bool], list[CellResult]] = defaultdict(list)
    for result in results:
        ran = result.provenance
        commit = (ran.git_commit or "")[:10] + ("+" if ran.git_dirty else "")
        versions = ", ".join(f"{name} {version}" for name, version in sorted(ran.versions.items()))
        groups[result.cell.engine, ran.device, ran.host, commit, versions, ran.deterministic].append(result)
    found = [
        Setup(
            *alike,
            cells=len(group),
            first_at=min(r.provenance.started_at for r in group),
            last_at=max(finished_at(r) for r in group),
        )
        for alike, group in groups.items()
    ]
    return tuple(sorted(found, key=lambda m: (m.last_at, m)))


def mixed(results: Iterable[CellResult]) -> dict[str, list[str]]:
    """Provenance that is not the same for all cells: their scores may differ for other reasons than the model."""
    seen: dict[str, set[str]] = {}
    for result in results:
        ran = result.provenance
        facts = {**ran.versions, "device": ran.device, "engine": result.cell.engine}
        facts["deterministic"] = "yes" if ran.deterministic else "no"
        if (fence := fence_of(result)) is not None:
            facts["fence"] = fence
        # code that not all cells need, and that differs where they need it
        named = (code.partition("@") for code in ran.foreign_code)
        facts.update({f"code {name}": version for name, _, version in named if version})
        for name, value in facts.items():
            seen.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in sorted(seen.items()) if len(values) > 1}


def fence_of(result: CellResult) -> str | None:
    """What confined the programs of a cell; None when its task executes none."""
    if not any(runs_programs(metric.name) for metric in result.cell.metrics):
        return None
    return result.provenance.fence or "not recorded"


def fallbacks(results: Sequence[CellResult]) -> dict[tuple[str, str], int]:
    """Number of cells that lm-eval's code answered in place of the engine, by model and reason."""
    found = Counter((r.cell.model.name, r.provenance.fallback) for r in results if r.provenance.fallback is not None)
    return {(model, reason): n for (model, reason), n in sorted(found.items()) if reason is not None}


class ForeignCode(NamedTuple):
    """Code of others that the user allowed to run, and where it ran."""

    code: str
    """A file and 12 digits of its SHA-256, such as `modeling_x.py@1f0c9d3e5a7b`, or `pickle` and the name of a file."""
    models: tuple[str, ...]
    """Names of the models of the cells."""
    tasks: tuple[str, ...]
    """Names of their tasks."""
    cells: int
    """Number of cells with a result for which it ran."""


def foreign_code(results: Iterable[CellResult]) -> tuple[ForeignCode, ...]:
    """All code of others that ran while the results were made, in the order of its names."""
    groups: dict[str, list[CellResult]] = defaultdict(list)
    for result in results:
        for code in result.provenance.foreign_code:
            groups[code].append(result)
    return tuple(
        ForeignCode(
            code=code,
            models=tuple(sorted({r.cell.model.name for r in group})),
            tasks=tuple(sorted({r.cell.task for r in group})),
            cells=len(group),
        )
        for code, group in sorted(groups.items())
    )
