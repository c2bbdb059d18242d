"""Runs: how far a run has come, what failed and why, and with what and at what cost the results were made.

While it is open, the page reads the folder again every few seconds. What comes from files is shown as plain text or in
tables, never as markdown. Runs leave records of themselves and of what they plan. Older folders have no records: there
the page concludes from the newest cell and from what other models were asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import streamlit as st
from harness.dashboards import address, state, tables

from harness.records import CellFailure, CellResult, Outcome
from harness.runs import RunRecord
from harness.runs import progress as runs
from harness.store import Problem
from harness.store.trainings import KeptTraining, Trainings, trainings
from harness.wording import count, counted, duration, energy, moment, number, shortened

TIMES = {
    heading: st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", timezone="UTC")
    for heading in ("Failed at (UTC)", "From (UTC)", "To (UTC)", "Started (UTC)", "Last heard of (UTC)")
}
EVERY_SECONDS = 3
TRAININGS_SECONDS = 15
GOING_ON_SECONDS = 120  # A run without a record, whose newest cell is older, may have ended.
LONGEST = 300  # Characters of a command or an error that are shown.
MOST_BARS = 8  # Runs that have a bar of their own; a cluster can run hundreds.


@st.fragment(run_every=EVERY_SECONDS)
def live() -> None:
    """Everything on the page."""
    results, failures, problems = state.outcomes()
    records, damaged = state.store().runs()
    trained = kept_trainings(str(state.folder()))
    problems = (*problems, *damaged, *trained.problems)
    if not results and not failures and not problems and not records:
        st.info("Nothing has been run into this folder yet. `emergence run` starts a run; it will show up here.")
        return
    now = datetime.now(UTC)
    records = runs.up_to_date(records, results, failures, now)
    progress(results, failures, problems, records, now)
    if records:
        show_runs(records, now)
    if failures:
        show_failures(failures)
    if learnt := trained.trainings:
        show_trainings(learnt)
    if problems:
        st.subheader("Files that cannot be read")
        st.caption("They are left out of everything, and left where they are.")
        table = pd.DataFrame([(str(p.path), p.message) for p in problems], columns=["File", "What is wrong"])
        st.dataframe(table, hide_index=True, key="problems", alt="Files that cannot be read")
    if results:
        show_costs(results)
        show_provenance(results)


def progress(
    results: Sequence[CellResult],
    failures: Sequence[CellFailure],
    problems: Sequence[Problem],
    records: Sequence[RunRecord],
    now: datetime,
) -> None:
    """Runs that go on or broke off, counts, pace, and the table of models and tasks."""
    current = sorted(runs.current(records, now), key=lambda record: record.state(now) != "going on")
    going = any(record.state(now) == "going on" for record in current)
    tallies = runs.tallies(results, failures, current)
    planned, absent = sum(tally.planned for tally in tallies), sum(tally.absent for tally in tallies)
    # When all that was planned is done, only what other models were asked can be missing.
    has_plan = going or planned > 0
    if has_plan:
        show_current(current, now)
    outcomes: list[Outcome] = [*results, *failures]
    pace = runs.pace(outcomes)
    done, failed, unreadable, missing, speed = st.columns(5)
    done.metric("Cells done", count(len(results)))
    failed.metric("Cells failed", count(len(failures)))
    unreadable.metric("Files unreadable", count(len(problems)))
    if has_plan:
        missing.metric("Cells to come", count(planned), help="What is planned and has not come back.")
    else:
        missing.metric(
            "Cells absent", count(absent), help="What another model of the family was asked and this one was not."
        )
    speed.metric(
        "Cells a minute", "–" if pace is None else number(pace), help="In the ten minutes up to the newest cell."
    )
    if outcomes:
        st.caption(when_newest(outcomes, records, absent, pace, now))
    if tallies:
        show_tallies(tallies, planned=has_plan)


def show_current(records: Sequence[RunRecord], now: datetime) -> None:
    """A bar for each run that goes on, and then for those that broke off and can be taken up."""
    for record in records[:MOST_BARS]:
        st.progress(record.progress.finished / max(record.progress.total, 1), text=run_heading(record, now))
        where = f"Since {moment(record.started_at)} on {shortened(record.host, LONGEST)}"
        if record.state(now) == "going on":
            st.text(f"{where}: {shortened(record.command, LONGEST)}")
        else:
            st.text(where)
            st.code(record.command, language=None, wrap_lines=True)  # to be copied and given again
    if len(records) > MOST_BARS:
        st.caption(f"The table of runs has {len(records) - MOST_BARS} more.")


def run_heading(record: RunRecord, now: datetime) -> str:
    """How a run stands. It becomes markdown, and therefore holds no text that comes from a file."""
    silence = duration(abs(now - record.heard_at).total_seconds())
    again = "the same command goes on from there"
    stands = {
        "going on": "A run is going on",
        "interrupted": f"A run was interrupted {silence} ago; {again}",
        "stopped": f"A run was stopped by an error {silence} ago",
        "lost": f"A run has not been heard of for {silence} and was probably killed; {again}",
    }
    return f"{stands[record.state(now)]}: {record.progress_in_words(now)}"


def show_tallies(tallies: Sequence[runs.Tally], *, planned: bool) -> None:
    """A table of models and tasks with the number of cells done, failed, and to come.

    Args:
        tallies: of all families.
        planned: count as "to come" what runs plan; otherwise count what other models of the family were asked.
    """
    families = list(dict.fromkeys(tally.family for tally in tallies))
    family = families[0]
    if len(families) > 1:
        family = address.choose_one(st.selectbox, "Family of models", families, "runs")
    shown = [tally for tally in tallies if tally.family == family]
    table = pd.DataFrame(
        [(tally.task, tally.model, in_words(tally, planned=planned)) for tally in shown],
        columns=["Task", "Model", "Cells"],
    ).pivot(index="Task", columns="Model", values="Cells")
    st.dataframe(
        table[list(dict.fromkeys(tally.model for tally in shown))], key="tallies", alt="Cells by task and model"
    )
    st.caption(f"✓ done, ✗ failed, … {'to come' if planned else 'absent'}. Models from small to large.")


def when_newest(
    outcomes: Sequence[Outcome], records: Sequence[RunRecord], absent: int, pace: float | None, now: datetime
) -> str:
    """When the newest cell came in and, when no record says so, whether a run seems to be going on."""
    last = max(runs.finished_at(outcome) for outcome in outcomes)
    age = (now - last).total_seconds()
    when = f"The newest cell came in {moment(last)}"
    if any(record.state(now) == "going on" for record in records):
        return f"{when}."
    if records or age > GOING_ON_SECONDS:
        return f"{when}, {duration(age)} ago. No run seems to be going on."
    if pace and absent:
        return f"{when}. A run is going on; what is absent takes about {duration(60 * absent / pace)} at this pace."
    return f"{when}. A run is going on."


def in_words(tally: runs.Tally, *, planned: bool) -> str:
    """`✓ 40  ✗ 2  … 4`: cells done, failed and to come, without those that are zero; `planned` as in `show_tallies`."""
    parts = (("✓", tally.done), ("✗", tally.failed), ("…", tally.planned if planned else tally.absent))
    return "  ".join(f"{sign} {n}" for sign, n in parts if n)


def show_runs(records: Sequence[RunRecord], now: datetime) -> None:
    """The last runs, and what became of them."""
    st.subheader("The last runs")
    table = pd.DataFrame(
        [
            {
                "Started (UTC)": record.started_at,
                "Last heard of (UTC)": record.heard_at,
                "State": "probably killed" if record.state(now) == "lost" else record.state(now),
                "Planned": record.progress.total,
                "Done": record.progress.done,
                "Failed": record.progress.failed,
                "Left out": record.done_before,
                "Host": record.host,
                "Command": shortened(record.command, LONGEST),
                "Stopped by": shortened(record.error, LONGEST),
            }
            for record in records
        ]
    )
    if not any(record.error for record in records):
        table = table.drop(columns="Stopped by")
    config = {**TIMES, "Left out": st.column_config.NumberColumn(help="Cells that were done, or had failed, before.")}
    st.dataframe(table, hide_index=True, column_config=config, key="records", alt="Runs, the newest first")


def show_failures(failures: Sequence[CellFailure]) -> None:
    """The failures, and the traceback of the one that is chosen."""
    st.subheader("Failures")
    st.caption("A failed cell is no zero: it is left out. Try again with `emergence run --retry-failed`.")
    newest = sorted(failures, key=lambda f: f.failed_at, reverse=True)
    rows = [(f.cell.label, f.error, f.message, f.failed_at) for f in newest]
    table = pd.DataFrame(rows, columns=["Cell", "Error", "Message", "Failed at (UTC)"])
    st.dataframe(table, hide_index=True, column_config=TIMES, key="failures", alt="Failed cells, the newest first")
    named = {f"{f.cell.label}: {f.error} ({f.cell.model.family} {f.cell.key})": f for f in reversed(newest)}
    chosen = named[address.choose_one(st.selectbox, "Traceback of", [*reversed(named)], "failure")]
    with st.expander("Traceback", expanded=len(failures) == 1):
        st.code(chosen.traceback or "There is none: the worker died without one.", language=None, wrap_lines=True)


@st.cache_resource(max_entries=2, ttl=TRAININGS_SECONDS, show_spinner=False)
def kept_trainings(folder: str) -> Trainings:
    """The trainings of a results folder, as of some seconds ago."""
    return trainings(Path(folder))


def show_trainings(learnt: Sequence[KeptTraining]) -> None:
    """What models were trained on, and how their loss fell."""
    st.subheader("Trainings")
    st.caption("Loss on training documents, in nats per token or class. `emergence list trainings --figure` draws it.")
    table = pd.DataFrame(
        {
            "Model": one.model,
            "Variant": one.variant,
            "Task": one.task,
            "Seed": one.seed,
            "Documents": one.documents,
            "Steps": one.steps,
            "Loss": [loss for _, loss in one.loss],
            "Last loss": one.loss[-1][1] if one.loss else None,
            "Development loss": min((loss for _, loss in one.development_loss), default=None),
            "Seconds": one.seconds,
            "Energy, Wh": one.energy_wh,
        }
        for one in learnt
    )
    most = max((loss for one in learnt for _, loss in one.loss), default=1.0)
    config = {"Loss": st.column_config.LineChartColumn(y_min=0, y_max=most)}
    shown = tables.written(
        table.dropna(axis="columns", how="all"),
        dict.fromkeys(("Last loss", "Development loss", "Seconds", "Energy, Wh"), number),
    )
    st.dataframe(shown, hide_index=True, column_config=config, key="trainings", alt="Trainings with their loss")


def show_costs(results: Sequence[CellResult]) -> None:
    """Seconds and energy by model."""
    st.subheader("Time and energy")
    costs = runs.costs(results)
    table = pd.DataFrame(
        [
            (
                *cost[:5],
                cost.seconds,
                1000 * cost.seconds / cost.documents if cost.documents else None,
                cost.energy_wh,
                cost.measured,
                cost.truncated,
            )
            for cost in costs
        ],
        columns=[
            "Family",
            "Model",
            "Parameters",
            "Cells",
            "Documents",
            "Seconds",
            "Seconds per 1000 documents",
            "Energy, Wh",
            "Cells with energy",
            "Prompts cut",
        ],
    )
    config = {
        "Seconds": st.column_config.ProgressColumn(
            format="%.0f", min_value=0, max_value=max(cost.seconds for cost in costs) or 1
        ),
    }
    numbers = dict.fromkeys(("Parameters", "Seconds per 1000 documents", "Energy, Wh"), number)
    if not any(cost.measured for cost in costs):
        table = table.drop(columns=["Energy, Wh", "Cells with energy"])
    shown = tables.written(table, numbers)
    st.dataframe(shown, hide_index=True, column_config=config, key="costs", alt="Time and energy by model")
    answering = duration(sum(cost.seconds for cost in costs))
    together = energy(sum(cost.energy_wh or 0.0 for cost in costs))
    measured = sum(cost.measured for cost in costs)
    text = f"{together}, measured in {count(measured)} of {counted(len(results), 'cell')}"
    st.caption(
        f"Together {answering} of answering, loading the models excluded; "
        f"{text if measured else 'energy was not measured'}."
    )


def show_provenance(results: Sequence[CellResult]) -> None:
    """Engine, device, host and versions behind the cells, and a warning when these are not the same for all."""
    st.subheader("How the results were made")
    mixed = runs.mixed(results)
    if mixed:
        st.warning(
            "Not all cells were made alike, so scores may differ for reasons that are not the model. "
            "Cells of different engines are never joined in one curve."
        )
        facts = pd.DataFrame([(fact, ", ".join(values)) for fact, values in mixed.items()], columns=["What", "Values"])
        st.dataframe(facts, hide_index=True, key="mixed", alt="What is not the same for all cells")
    fallbacks = runs.fallbacks(results)
    if fallbacks:
        st.warning("Some cells were asked of the tree engine and answered by lm-eval's code.")
        rows = [(model, reason, n) for (model, reason), n in fallbacks.items()]
        st.dataframe(
            pd.DataFrame(rows, columns=["Model", "Why", "Cells"]),
            hide_index=True,
            key="fallbacks",
            alt="Cells answered by lm-eval's code",
        )
    if foreign := runs.foreign_code(results):
        st.caption("Code that came with models or tasks ran while these cells were evaluated, as the user allowed.")
        ran_for = [(ran.code, ", ".join(ran.models), ", ".join(ran.tasks), ran.cells) for ran in foreign]
        st.dataframe(
            pd.DataFrame(ran_for, columns=["Code", "Models", "Tasks", "Cells"]),
            hide_index=True,
            key="foreign_code",
            alt="Code of others that ran",
        )
    headings = ["Engine", "Device", "Host", "Commit", "Versions", "Deterministic", "Cells", "From (UTC)", "To (UTC)"]
    table = pd.DataFrame(list(runs.setups(results))[::-1], columns=headings)
    order = ["Engine", "Device", "Host", "Commit", "Cells", "From (UTC)", "To (UTC)", "Deterministic", "Versions"]
    st.dataframe(table[order], hide_index=True, column_config=TIMES, key="makings", alt="With what the cells were made")


st.title("Runs")
live()
