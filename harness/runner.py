"""A run on one screen: check, read the results folder, leave out what is done, evaluate the rest, keep each outcome.

`evaluate` does it all; `prepare` stops before the first cell, for callers that want to say what is about to happen.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.catalog import pinned
from harness.engines.devices import check_device
from harness.engines.energy import check_installed
from harness.engines.protocol import CUTTING, ENGINES, WITHOUT_MODEL, EngineSettings
from harness.errors import ModelError, PlanError, StoreError, unknown
from harness.estimate import measured_loading, measured_pace, seconds_of
from harness.executors.protocol import FORWARDED, Executor, ExecutorSettings, check_address, open_executor
from harness.plan import RunPlan
from harness.records import CellFailure, CellResult, Outcome
from harness.runs import Progress, Recorder, Workplace
from harness.schedule import Lane, lanes
from harness.standing import Standing, settle, standing
from harness.store import LeaseOwner, Leases, OutcomeWriter, Problem, Store, variants_folder
from harness.treatments import check_engine

Watch = Callable[[Outcome, Progress], None]
"""Called with each outcome once it is stored, and with how far the run is then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run that can begin: every check has passed, and the results folder has been read."""

    plan: RunPlan
    """Everything that was asked for, each model with a revision that does not change any more."""
    todo: RunPlan
    """The cells that are to be evaluated."""
    standing: Standing
    """What the results folder has of the plan."""
    stored: tuple[CellResult, ...]
    """The results of the cells that are done, without samples."""
    problems: tuple[Problem, ...]
    """Files of the results folder that cannot be read; they are ignored."""
    sandbox: str | None
    """What confines the programs that models write, in words; None when no program is to be executed."""
    store: Store
    """Where outcomes go."""
    executor: Executor
    """Where the models run."""
    settings: EngineSettings
    """How they run."""
    circumstances: Mapping[str, str | int | float | bool | None]
    """Option -> value of what may decide whether a cell fails."""
    again: Mapping[str, int]
    """Option that has changed -> cells that failed before and are tried again for it."""
    owner: LeaseOwner | None
    """The run, as other runs into the folder know it; None for an executor that does not ask who has a cell."""
    shared: int
    """Number of these cells that other runs are at too: each run takes what is free."""
    command: str
    """Command that started the run, for its record."""
    metrics: Path | None = None
    """File that says how far the run is, for Prometheus; None for none."""
    repeat: Callable[[CellFailure], str] | None = None
    """Gives the command that repeats a failed cell alone; None for a run that no command started."""

    def evaluate(self, watch: Watch | None = None) -> Progress:
        """Evaluate the cells that are to be evaluated; each outcome is stored before it is counted.

        Whatever ends the run early, the processes it started are ended and what was stored is kept.

        Args:
            watch: called after each outcome.

        Raises:
            StoreError: an outcome cannot be written.
        """
        progress = Progress(total=len(self.todo.cells))
        started = time.monotonic()
        before = len(self.plan.cells) - len(self.todo.cells)
        recorder = Recorder(
            self.store,
            plan=self.todo,
            command=self.command,
            done_before=before,
            workplaces=self.workplaces,
            left=self.seconds_left,
            metrics=self.metrics,
        )
        running = self.executor.run(self._lanes(), self.settings)
        leases = None if self.owner is None else self.store.leases(self.owner)
        with (
            recorder,
            leases or nullcontext(),
            closing(running) as outcomes,
            OutcomeWriter(self._keep(leases)) as writer,
        ):
            for outcome in self._stored(outcomes, writer):
                elapsed = time.monotonic() - started
                progress = progress.after(outcome, elapsed_seconds=elapsed, left_seconds=self.seconds_left())
                recorder.update(progress)
                if watch is not None:
                    watch(outcome, progress)
            elsewhere = progress.total - progress.finished
            progress = replace(progress, total=progress.finished, skipped=progress.skipped + elsewhere)
            recorder.update(progress)
        return progress

    def _stored(self, outcomes: Iterable[Outcome], writer: OutcomeWriter) -> Iterator[Outcome]:
        """The outcomes of a run, each once it is stored; what another run has taken over or finished is left to it."""
        for came in outcomes:
            yield from writer.write(self._told(came), more=getattr(self.executor, "has_more", False))
        yield from writer.rest()

    def _keep(self, leases: Leases | None) -> Callable[[Outcome], bool]:
        """What stores an outcome and gives its cell back; False for a cell that another run has by now."""

        def keep(outcome: Outcome) -> bool:
            if leases is not None and self.store.take(outcome.cell, leases) != "mine":
                return False
            self.store.write(outcome)
            if leases is not None:
                leases.release(outcome.cell.place)
            return True

        return keep

    def _lanes(self) -> tuple[Lane, ...]:
        """The cells to evaluate by model, with what they are expected to take."""
        device = self.settings.device
        gpus = 0.0 if device == "cpu" else None
        pace = {engine: measured_pace(self.stored, self.plan.tasks, {engine}) or 1.0 for engine in ENGINES}
        return lanes(
            self.todo,
            seconds=lambda cell, task: seconds_of(cell, task, pace=pace.get(cell.engine, 1.0), gpus=gpus),
            load_seconds=measured_loading(self.stored),
            cutting=CUTTING,
        )

    def loading(self) -> tuple[str, ...]:
        """What is being loaded now: models, or Ray; nothing where the executor does not tell."""
        return tuple(getattr(self.executor, "loading", ()))

    def doing(self) -> tuple[str, ...]:
        """What is done now before cells are answered, such as a training; nothing where the executor does not tell."""
        return tuple(getattr(self.executor, "doing", ()))

    def seconds_left(self) -> float | None:
        """Estimated time until all cells are answered; None where the executor does not tell."""
        return getattr(self.executor, "seconds_left", None)

    def workplaces(self) -> tuple[Workplace, ...]:
        """What each worker is at; nothing where the executor does not tell."""
        return tuple(getattr(self.executor, "workplaces", ()))

    def _told(self, outcome: Outcome) -> Outcome:
        """A failure with the options of the run, so that a later one sees what has changed, and how to repeat it."""
        if not isinstance(outcome, CellFailure):
            return outcome
        repeat = "" if self.repeat is None else self.repeat(outcome)
        return replace(outcome, circumstances=self.circumstances, repeat=repeat)


def evaluate(
    plan: RunPlan,
    *,
    results: str | Path = "results",
    settings: EngineSettings | None = None,
    executor: str | Executor = "ray",
    workers: int | None = None,
    address: str | None = None,
    forward: Sequence[str] = (),
    retry_failed: bool = False,
    watch: Watch | None = None,
) -> Progress:
    """Evaluate every cell of a plan that has no result in the results folder yet, as `emergence run` does.

    Args:
        plan: what to evaluate; `harness.catalog.select` makes one.
        results: the results folder, made when it is not there.
        settings: how models run; None takes the defaults.
        executor: `ray`, or `inline` for this process; or an executor of one's own.
        workers: models loaded at once; None asks the machine.
        address: Ray cluster to join, `HOST:PORT` or `auto`; None starts a private one.
        forward: environment variables that workers on other machines get too.
        retry_failed: try cells again that failed before.
        watch: called after each outcome, to show how far the run is.

    Returns:
        How many cells were evaluated and how many failed, and the time it took. The results are in the folder.

    Raises:
        HarnessError: the plan asks for something that was not agreed to, a model or the folder cannot be used.

    >>> from tempfile import TemporaryDirectory
    >>> from harness.catalog import load_catalog, select
    >>> plan = select(load_catalog(), tasks=["add_3"], models=["ladder-12k"], limit=30, engine="simulated")
    >>> with TemporaryDirectory() as folder:
    ...     progress = evaluate(plan, results=folder, executor="inline")
    >>> progress.done, progress.failed
    (1, 0)
    """
    ready = prepare(
        plan,
        results=results,
        settings=settings,
        executor=executor,
        workers=workers,
        address=address,
        forward=forward,
        retry_failed=retry_failed,
    )
    return ready.evaluate(watch)


def prepare(
    plan: RunPlan,
    *,
    results: str | Path = "results",
    settings: EngineSettings | None = None,
    executor: str | Executor = "ray",
    workers: int | None = None,
    address: str | None = None,
    forward: Sequence[str] = (),
    retry_failed: bool = False,
    command: str = "harness.evaluate",
    cell_seconds: float | None = None,
    gpu_bytes: float | None = None,
    metrics: Path | None = None,
    repeat: Callable[[CellFailure], str] | None = None,
) -> Run:
    """Everything that comes before the first cell; arguments and errors as of `evaluate`.

    `cell_seconds` is the most time that a cell may take on Ray, by itself ten times its estimate and ten minutes at
    least, and `gpu_bytes` the memory of one GPU, which nodes tell by themselves.
    `command` is kept in the record of the run, the file `metrics` says how far it is, for Prometheus, and `repeat`
    gives the command that repeats a failed cell alone.

    Answers that another family of the folder has of the same models are copied, and descriptions of models that were
    corrected since are brought up to date in the folder.
    """
    settings = settings or EngineSettings()
    _check(plan, settings, workers, address)
    store = Store(Path(results))
    settings = replace(settings, variants=str(variants_folder(Path(results))))
    owner = None
    check_device(settings.device, here=address is None and _needs_models(plan))
    if isinstance(executor, str):
        owner = store.new_owner()
        places = ExecutorSettings(
            workers=workers,
            address=address,
            forwarded=(*FORWARDED, *forward),
            cell_seconds=cell_seconds,
            lease=owner,
            gpu_bytes=gpu_bytes,
        )
        executor = open_executor(executor, places)
    if _needs_models(plan):
        plan = plan.with_models(pinned)
    # On a cluster programs run elsewhere: there each worker looks at its own machine, and its cells fail.
    sandbox = _sandbox(plan, allow_unfenced=settings.allow_unfenced or address is not None)
    store.check_writable()
    if metrics is not None and not (metrics.absolute().parent.is_dir() and not metrics.is_dir()):
        raise StoreError(f"--metrics {metrics}: expected a file in a folder that is there")
    found = store.outcomes()
    state = settle(store, standing(plan, found.results, found.failures))
    around = {**_circumstances(settings, workers, executor), "cell_timeout": cell_seconds}
    changed = {f.cell.place: _changed(f, around) for f in found.failures if f.cell.place in state.failed}
    hopeless = {place for place, options in changed.items() if not options}
    todo = plan.without(state.done if retry_failed else state.done | hopeless)
    done = (*(r for r in found.results if r.cell.place in state.done), *(r for _, r in state.elsewhere))
    return Run(
        plan=plan,
        todo=todo,
        standing=state,
        stored=done,
        problems=found.problems,
        sandbox=sandbox if any(plan.tasks[cell.task].unsafe_code for cell in todo.cells) else None,
        store=store,
        executor=executor,
        settings=settings,
        circumstances=around,
        again=Counter(option for options in changed.values() for option in options),
        owner=owner,
        shared=_shared_with_others(store, todo),
        command=command,
        metrics=metrics,
        repeat=repeat,
    )


_NO_MATTER = frozenset({"energy", "threads", "variants"})
"""Settings that decide about no cell whether it fails."""


def _circumstances(
    settings: EngineSettings, workers: int | None, executor: Executor
) -> dict[str, str | int | float | bool | None]:
    """What may decide whether a cell fails, beside the cell itself."""
    options = {name: value for name, value in asdict(settings).items() if name not in _NO_MATTER}
    return {**options, "workers": workers, "executor": type(executor).__name__}


def _changed(failure: CellFailure, around: Mapping[str, str | int | float | bool | None]) -> tuple[str, ...]:
    """Options that are other than when the cell failed, as they are typed; none for failures that do not tell."""
    told = failure.circumstances
    return tuple(f"--{name.replace('_', '-')}" for name in around if name in told and told[name] != around[name])


def _shared_with_others(store: Store, todo: RunPlan) -> int:
    """Number of cells that other runs, which go on, are to evaluate into the same folder."""
    now = datetime.now(UTC)
    others = frozenset(place for run in store.runs()[0] if run.is_heard(now) for place in run.places)
    return len(others & {cell.place for cell in todo.cells}) if others else 0


def _needs_models(plan: RunPlan) -> bool:
    return any(cell.engine not in WITHOUT_MODEL for cell in plan.cells)


def _sandbox(plan: RunPlan, *, allow_unfenced: bool) -> str | None:
    """What confines programs that models write, in words; None when no task of the plan executes any."""
    if not any(task.unsafe_code for task in plan.tasks.values()):
        return None
    from harness.scoring.sandbox import fenced_sandbox

    return fenced_sandbox(allow_unfenced=allow_unfenced).describe()


def _check(plan: RunPlan, settings: EngineSettings, workers: int | None, address: str | None) -> None:
    """Check that the plan can run here, and needs nothing that the user did not agree to."""
    if settings.energy:
        check_installed()
    for engine in {cell.engine for cell in plan.cells} - ENGINES.keys():
        raise PlanError(unknown("engine", engine, ENGINES))
    check_engine((cell.model for cell in plan.cells), {cell.engine for cell in plan.cells if cell.model.treatment})
    unsafe = sorted(name for name, task in plan.tasks.items() if task.unsafe_code)
    if unsafe and not settings.confirm_run_unsafe_code:
        raise PlanError(
            f"{', '.join(unsafe)}: scoring executes programs that the model wrote, in a sandbox with limits; "
            "agree with --confirm_run_unsafe_code or leave these tasks out"
        )
    if workers is not None and workers < 1:
        raise PlanError(f"--workers {workers}: expected 1 or more")
    if address is not None:
        check_address(address)
    if plan.pickles and not settings.allow_pickle and _needs_models(plan):
        raise ModelError(
            f"{plan.pickles[0]}: a pickle, which can run code when it is read; save the model as safetensors, "
            "or agree with --allow-pickle"
        )
