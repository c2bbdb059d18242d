"""Runs: how far a run has come, what failed and why, and with what and at what cost the results were made.

Looks at the folder again every few seconds while the page is open; what comes from a result file is shown as plain
text or in tables, never as markdown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd
import streamlit as st
from harness.dashboards import state

from harness.analysis import runs
from harness.cli.output import duration
from harness.records import CellFailure, CellResult, Outcome
from harness.store import Problem

TIMES = {
    heading: st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", timezone="UTC")
    for heading in ("Failed at (UTC)", "From (UTC)", "To (UTC)")
}
EVERY_SECONDS = 3
GOING_ON_SECONDS = 120  # A run whose newest cell is older may have ended; nothing in the folder says so.


@st.fragment(run_every=EVERY_SECONDS)
def live() -> None:
    """Everything on the page."""
    results, failures, problems = state.outcomes()
    if not results and not failures and not problems:
        st.info("Nothing has been run into this folder yet. `emergence run` starts a run; it will show up here.")
        return
    progress(results, failures, problems)
    if failures:
        show_failures(failures)
    if problems:
        st.subheader("Files that cannot be read")
        st.caption("They are left out of everything, and left where they are.")
        table = pd.DataFrame([(str(p.path), p.message) for p in problems], columns=["File", "What is wrong"])
        st.dataframe(table, hide_index=True, key="problems", alt="Files that cannot be read")
    if results:
        show_costs(results)
        show_provenance(results)


def progress(results: Sequence[CellResult], failures: Sequence[CellFailure], problems: Sequence[Problem]) -> None:
    """Counts, pace, and the table of models and tasks."""
    tallies = runs.tallies(results, failures)
    absent = sum(tally.absent for tally in tallies)
    outcomes: list[Outcome] = [*results, *failures]
    pace = runs.pace(outcomes)
    done, failed, unreadable, missing, speed = st.columns(5)
    done.metric("Cells done", f"{len(results):,}")
    failed.metric("Cells failed", f"{len(failures):,}")
    unreadable.metric("Files unreadable", f"{len(problems):,}")
    missing.metric(
        "Cells absent", f"{absent:,}", help="What another model of the family was asked and this one was not."
    )
    speed.metric(
        "Cells a minute", "–" if pace is None else f"{pace:.3g}", help="In the ten minutes up to the newest cell."
    )
    if not tallies:
        return
    newest = max(runs.finished_at(outcome) for outcome in outcomes)
    age = (datetime.now(UTC) - newest).total_seconds()
    when = f"The newest cell came in {newest:%Y-%m-%d %H:%M:%S} UTC"
    if age > GOING_ON_SECONDS:
        st.caption(f"{when}, {duration(age)} ago. No run seems to be going on.")
    elif pace and absent:
        st.caption(
            f"{when}. A run is going on; what is absent takes about {duration(60 * absent / pace)} at this pace."
        )
    else:
        st.caption(f"{when}. A run is going on.")
    families = list(dict.fromkeys(tally.family for tally in tallies))
    family = state.one(st.selectbox, "Family of models", families, "runs") if len(families) > 1 else families[0]
    shown = [tally for tally in tallies if tally.family == family]
    table = pd.DataFrame(
        [(tally.task, tally.model, in_words(tally)) for tally in shown], columns=["Task", "Model", "Cells"]
    ).pivot(index="Task", columns="Model", values="Cells")
    st.dataframe(
        table[list(dict.fromkeys(tally.model for tally in shown))], key="tallies", alt="Cells by task and model"
    )
    st.caption("✓ done, ✗ failed, … absent. Models from small to large.")


def in_words(tally: runs.Tally) -> str:
    """`✓ 40  ✗ 2  … 4`, without what is zero."""
    parts = (("✓", tally.done), ("✗", tally.failed), ("…", tally.absent))
    return "  ".join(f"{sign} {n}" for sign, n in parts if n)


def show_failures(failures: Sequence[CellFailure]) -> None:
    """The failures, and the traceback of the one that is chosen."""
    st.subheader("Failures")
    st.caption("A failed cell is no zero: it is left out. Try again with `emergence run --retry-failed`.")
    newest = sorted(failures, key=lambda f: f.failed_at, reverse=True)
    rows = [(f.cell.label, f.error, f.message, f.failed_at) for f in newest]
    table = pd.DataFrame(rows, columns=["Cell", "Error", "Message", "Failed at (UTC)"])
    st.dataframe(table, hide_index=True, column_config=TIMES, key="failures", alt="Failed cells, the newest first")
    chosen = st.selectbox("Traceback of", newest, format_func=lambda f: f"{f.cell.label}: {f.error}", key="failure")
    with st.expander("Traceback", expanded=len(failures) == 1):
        st.code(chosen.traceback or "There is none: the worker died without one.", language=None, wrap_lines=True)


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
        "Parameters": st.column_config.NumberColumn(format="compact"),
        "Seconds": st.column_config.ProgressColumn(
            format="%.0f", min_value=0, max_value=max(cost.seconds for cost in costs) or 1
        ),
        "Seconds per 1000 documents": st.column_config.NumberColumn(format="%.3g"),
        "Energy, Wh": st.column_config.NumberColumn(format="%.3g"),
    }
    if not any(cost.measured for cost in costs):
        table = table.drop(columns=["Energy, Wh", "Cells with energy"])
    st.dataframe(table, hide_index=True, column_config=config, key="costs", alt="Time and energy by model")
    answering = duration(sum(cost.seconds for cost in costs))
    energy = sum(cost.energy_wh or 0.0 for cost in costs)
    measured = sum(cost.measured for cost in costs)
    known = f"{energy:.3g} Wh, measured in {measured:,} of {len(results):,} cells"
    st.caption(
        f"Together {answering} of answering, loading the models excluded; "
        f"{known if measured else 'energy was not measured'}."
    )


def show_provenance(results: Sequence[CellResult]) -> None:
    """With what the cells were made, and a warning when not all were made alike."""
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
    headings = ["Engine", "Device", "Host", "Commit", "Versions", "Deterministic", "Cells", "From (UTC)", "To (UTC)"]
    table = pd.DataFrame(list(runs.makings(results))[::-1], columns=headings)
    order = ["Engine", "Device", "Host", "Commit", "Cells", "From (UTC)", "To (UTC)", "Deterministic", "Versions"]
    st.dataframe(table[order], hide_index=True, column_config=TIMES, key="makings", alt="With what the cells were made")


st.title("Runs")
live()
