"""One self-contained HTML page: curves, verdicts, leaderboard, gaps, provenance. Opens without network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count as count_from
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from harness import figures
from harness.analysis.curves import AXIS_TITLES, Curve
from harness.analysis.verdict import Judged, Study, TableRow, resolutions, table_row, tone_of, with_traces
from harness.leaderboard import MODEL_COLUMNS, centred_table, wide_table
from harness.records import CellFailure
from harness.report.citation import bibtex
from harness.report.commands import commands
from harness.report.drawings import SCRIPT, WIDTH, Drawings, packed
from harness.report.page import PAGE, STYLE
from harness.report.provenance import how_made, missing_documents
from harness.version import __version__
from harness.wording import counted, moment, number, score, visible

_Anchors = dict[tuple[str, str, str], str]
"""Family, suite and task -> where the task stands on the page."""
_FEWEST_SHOTS = 3
"""How many numbers of shots a setting must have for a figure of shots by size."""
_TASKS_AT_A_GLANCE = 12
"""Panels of one figure, which has to fit a sheet of paper."""
_SETTINGS_ON_A_SHEET = 30
"""Rows of one heat map."""
_SCORES_ON_A_SHEET = 6
"""Columns of scores of one part of the leaderboard."""
_LOOK = figures.FigureLook(width=WIDTH)


class _Line(NamedTuple):
    """A verdict as a row of the summary table and as a line under its task."""

    anchor: str
    """Where its task stands on the page."""
    label: str
    """Label and tone, which give the colour."""
    row: TableRow
    """The verdict in words."""
    reasons: tuple[str, ...]
    """The sentences, the deciding one first."""

    @property
    def rest(self) -> str:
        """All but the deciding sentence."""
        return " ".join(self.reasons[1:])


class _Task(NamedTuple):
    """One task of a family: its verdicts and its figures."""

    name: str
    kind: str
    anchor: str
    lines: list[_Line]
    figures: list[Markup]


class _FamilyPart(NamedTuple):
    """One family: all tasks at a glance, then each."""

    name: str
    overviews: list[Markup]
    tasks: list[_Task]


class _TextTable(NamedTuple):
    """The leaderboard as text."""

    columns: list[str]
    names: int
    """How many of the first columns are text."""
    rows: list[list[str]]


def report_page(
    study: Study, *, title: str = "Emergent abilities by model size", made_at: datetime | None = None
) -> str:
    """The page as text; the caller writes the file.

    Everything is inline: style, pictures, data, plotly.js (most of the 2 MB). Model output, error messages and names
    are escaped: nothing a model wrote is ever markup.

    Args:
        study: what is concluded from the results; failures are listed and never drawn.
        title: heading of the page.
        made_at: time shown in the footer (UTC); None takes the present.
    """
    drawings, anchors = Drawings(), _anchors(study)
    families = [_family_part(name, study, drawings, anchors) for name in study.families]
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        PAGE
    )
    return page.render(
        title=title,
        summary=_summary(study),
        notice=_notice(study),
        style=Markup(STYLE),
        script=Markup(SCRIPT),
        plotly=packed(figures.plotly_js()),
        drawings=drawings,
        families=families,
        verdicts=[_line(row, anchors) for row in study.judged],
        boards=_text_tables(wide_table(study.results, study.failures)),
        power=drawings.of(figures.power_figure(resolutions(study.judged))) if _can_tell(study) else None,
        heat_maps=[drawings.of(one) for one in _heat_maps(study)],
        failures=[_failure_row(f) for f in study.failures],
        partial=missing_documents(study.results),
        problems=[str(problem) for problem in study.problems],
        provenance=how_made(study.results),
        commands="\n".join(commands(study.results, study.failures, study.scale)),
        citation=bibtex(),
        version=__version__,
        made_at=moment(made_at or datetime.now(UTC), "minutes"),
    )


def _summary(study: Study) -> str:
    cells = [r.cell for r in study.results]
    counts = (
        (len({c.model.family for c in cells}), "family", "families"),
        (len({(c.model.name, c.model.variant) for c in cells}), "model", "models"),
        (len({c.task for c in cells}), "task", "tasks"),
        (len(cells), "result", "results"),
        (len(study.failures), "failure", "failures"),
    )
    return ", ".join(counted(of, one, many) for of, one, many in counts) + "."


def _notice(study: Study) -> str:
    """Why the page has no curves; empty when it has some."""
    if study.curves:
        return ""
    if study.results:
        return f"No model has a known place on the axis {AXIS_TITLES[study.scale]!r}: choose another scale."
    return "There are no results yet. `emergence run` makes some."


def _can_tell(study: Study) -> bool:
    return any(of.mde is not None for of in resolutions(study.judged).values())


def _family_part(family: str, study: Study, drawings: Drawings, anchors: _Anchors) -> _FamilyPart:
    judged = study.of(family)
    tasks: dict[tuple[str, str], list[Judged]] = {}
    for row in sorted(judged, key=lambda row: (row.curve.suite, row.curve.task)):
        tasks.setdefault((row.curve.suite, row.curve.task), []).append(row)
    groups = list(tasks.values())
    pages = [groups[at : at + _TASKS_AT_A_GLANCE] for at in range(0, len(groups), _TASKS_AT_A_GLANCE)]
    return _FamilyPart(
        name=family,
        overviews=[
            drawings.of(figures.overview([row for rows in page for row in rows], columns=3, look=_LOOK))
            for page in pages
        ],
        tasks=[_task(rows, drawings, anchors) for rows in groups],
    )


def _task(judged: Sequence[Judged], drawings: Drawings, anchors: _Anchors) -> _Task:
    first = judged[0].curve
    drawn = [figures.sharp_and_smooth(with_traces(judged), look=_LOOK), *_shots_by_scale(judged)]
    return _Task(
        name=first.task,
        kind=first.kind,
        anchor=anchors[_place(first)],
        lines=[_line(row, anchors) for row in judged],
        figures=[drawings.of(figure) for figure in drawn],
    )


def _heat_maps(study: Study) -> list[Any]:
    """The chance-centred scores, so many settings to a figure that it fits a sheet of paper."""
    if not study.curves:
        return []
    table = centred_table(study.results, study.failures)
    parts = (table.iloc[:, at : at + _SETTINGS_ON_A_SHEET] for at in range(0, table.shape[1], _SETTINGS_ON_A_SHEET))
    return [figures.heat_map(part) for part in parts]


def _shots_by_scale(judged: Sequence[Judged]) -> list[Any]:
    """What demonstrations add: a figure for each prompt that was asked with enough numbers of shots."""
    alike: dict[tuple[str, str], list[Curve]] = {}
    for row in judged:
        alike.setdefault((row.curve.prompt, row.curve.conditions), []).append(row.curve)
    return [figures.shots_by_scale(curves) for curves in alike.values() if len(curves) >= _FEWEST_SHOTS]


def _line(row: Judged, anchors: _Anchors) -> _Line:
    shown = f"{row.verdict.label} {tone_of(row.verdict)}"
    return _Line(anchors[_place(row.curve)], shown, table_row(row), row.verdict.reasons)


def _place(curve: Curve) -> tuple[str, str, str]:
    return (curve.family, curve.suite, curve.task)


def _anchors(study: Study) -> _Anchors:
    """Where each task of a family stands on the page: letters and digits of its name, and a number if that is taken."""
    anchors: _Anchors = {}
    taken: set[str] = set()
    for family, suite, task in sorted({_place(row.curve) for row in study.judged}):
        begun = re.sub(r"[^\w.]+", "-", visible(f"task-{family}-{task}"))
        names = (begun if number == 1 else f"{begun}-{number}" for number in count_from(1))
        anchors[family, suite, task] = next(name for name in names if name not in taken)
        taken.add(anchors[family, suite, task])
    return anchors


def _text_tables(table: pd.DataFrame) -> list[_TextTable]:
    """The wide table as people read it, in parts that are as wide as a sheet of paper.

    Scores are rounded, and columns that are equal in every row are left out.
    """
    kept = [c for c in MODEL_COLUMNS if c in {"family", "model"} or (c != "params" and table[c].nunique() > 1)]
    scores = [c for c in table.columns if c not in MODEL_COLUMNS]
    names = [
        [*("" if pd.isna(row[c]) else str(row[c]) for c in kept), number(row["params"])] for _, row in table.iterrows()
    ]
    parts = [scores[at : at + _SCORES_ON_A_SHEET] for at in range(0, len(scores), _SCORES_ON_A_SHEET)] or [[]]
    texts = {c: ["" if pd.isna(value) else score(float(value)) for value in table[c]] for c in scores}
    return [
        _TextTable(
            [*kept, "params", *part],
            len(kept),
            [[*who, *(texts[c][row] for c in part)] for row, who in enumerate(names)],
        )
        for part in parts
    ]


def _failure_row(failure: CellFailure) -> dict[str, str]:
    cell = failure.cell
    return {
        "model": cell.model.name,
        "task": cell.task,
        "setting": f"{cell.shots}-shot {cell.prompt} seed {cell.seed}",
        "error": f"{failure.error}: {failure.message}",
    }
