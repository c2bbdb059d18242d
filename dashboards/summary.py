"""The numbers and short tables of the overview, as plain HTML.

They are the first thing that a reader sees, and therefore need neither pandas here nor, in the browser, the grid of
`st.dataframe` or plotly, which take a second to load. Nothing here depends on Streamlit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from harness.dashboards.sparklines import sparkline

from harness.analysis.verdict import PLAIN_WORDS, FamilyFindings, Finding, Judged, label_text
from harness.records import CellFailure, CellResult, Outcome
from harness.runs import finished_at
from harness.wording import count, moment, number, shortened

Cells = Mapping[str, str | int]
"""One row of a table: heading -> cell."""
_LONGEST = 200
"""Longest message that is shown, in characters; the page of runs shows all of it."""
_LINE = "border-bottom:1px solid color-mix(in srgb, currentColor {share}%, transparent)"
_CELL = f"padding:.4rem .75rem .4rem 0;{_LINE.format(share=15)}"
_HEAD = f"padding:.4rem .75rem .4rem 0;white-space:nowrap;font-weight:600;{_LINE.format(share=45)}"
_TABLE = "border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums"


def counts(results: Sequence[CellResult], failures: Sequence[CellFailure]) -> dict[str, int]:
    """How many models, tasks and cells there are, by heading."""
    cells = [*(r.cell for r in results), *(f.cell for f in failures)]
    return {
        "Models": len({(cell.model.family, cell.model.name) for cell in cells}),
        "Tasks": len({cell.task for cell in cells}),
        "Cells done": len(results),
        "Cells failed": len(failures),
    }


def curves_by_verdict(judged: Iterable[Judged]) -> dict[str, int]:
    """How many curves got which verdict, without the verdicts that no curve got."""
    found = Counter(row.verdict.label for row in judged)
    return {words.capitalize(): found[label] for label, words in PLAIN_WORDS.items() if found[label]}


def families(results: Sequence[CellResult], failures: Sequence[CellFailure]) -> list[Cells]:
    """A row per family: models, tasks and cells."""
    rows: list[Cells] = []
    every = [*(r.cell for r in results), *(f.cell for f in failures)]
    for family in sorted({cell.model.family for cell in every}):
        cells = [cell for cell in every if cell.model.family == family]
        params = [cell.model.params for cell in cells]
        done = [r for r in results if r.cell.model.family == family]
        failed = [f for f in failures if f.cell.model.family == family]
        rows.append(
            {
                "Family": family,
                "Parameters": f"{number(min(params))} to {number(max(params))}",
                "Suites": ", ".join(sorted({cell.suite for cell in cells})),
                **counts(done, failed),
            }
        )
    return rows


def answer(of: FamilyFindings) -> str:
    """What one family shows, in a sentence, and what an ability is there."""
    what = f" ({of.counts_what.rstrip('.')})" if of.counts_what else ""
    late = f'<br><span style="font-size:.875rem">{escape(of.provisional)}</span>' if of.provisional else ""
    return (
        f'<p style="font-size:1.125rem;margin:.5rem 0 .25rem"><strong><bdi>{escape(of.family)}</bdi></strong>: '
        f'{escape(of.sentence)}<span style="font-size:.875rem">{escape(what)}</span>{late}</p>'
    )


def finding(of: Finding) -> str:
    """A task that a reader should look at: a small curve, its name and setting, and one sentence."""
    curve = of.judged.curve
    where = f"{curve.task}, {curve.label}"
    others = f", and so in {of.settings} of {of.of_settings} settings" if of.settings > 1 else ""
    return (
        '<div style="display:flex;gap:.75rem;align-items:flex-start">'
        f"{sparkline(curve, f'{where}: {of.sentence}')}"
        f'<div style="min-width:0;overflow-wrap:anywhere"><strong><bdi>{escape(curve.task)}</bdi>, '
        f"{escape(curve.label)}</strong>: "
        f"{escape(label_text(of.judged.verdict))}{escape(others)}<br>{escape(of.sentence)}</div></div>"
    )


def newest(outcomes: Iterable[Outcome], count: int) -> list[Cells]:
    """The cells that ended last."""
    return [
        {
            "When (UTC)": moment(finished_at(o)).removesuffix(" UTC"),
            "Model": o.cell.model.name,
            "Task": o.cell.task,
            "Setting": f"{o.cell.shots}-shot {o.cell.prompt} seed {o.cell.seed}",
            "Outcome": shortened(f"{o.error}: {o.message}", _LONGEST) if isinstance(o, CellFailure) else "done",
        }
        for o in sorted(outcomes, key=finished_at, reverse=True)[:count]
    ]


def html(rows: Sequence[Cells], label: str) -> str:
    """The rows as a table that has the colours of the page and scrolls sideways when it is too wide.

    Everything is escaped: names come from files that anybody can write.

    Args:
        rows: at least one; all have the same headings.
        label: name of the table for screen readers.
    """
    ends = {heading: "right" if isinstance(value, int) else "left" for heading, value in rows[0].items()}
    head = "".join(
        f'<th scope="col" style="text-align:{ends[heading]};{_HEAD}">{escape(heading)}</th>' for heading in rows[0]
    )
    body = "".join(f"<tr>{''.join(_cell(value) for value in row.values())}</tr>" for row in rows)
    return (
        f'<div role="region" aria-label="{escape(label)}" tabindex="0" style="overflow-x:auto">'
        f'<table aria-label="{escape(label)}" style="{_TABLE}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return f'<td style="text-align:right;{_CELL}">{count(value)}</td>'
    return f'<td style="text-align:left;{_CELL}">{escape(value)}</td>'
