"""One self-contained HTML page: curves, verdicts, leaderboard, gaps, provenance. Opens without network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from itertools import count as count_from
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from harness import figures
from harness.analysis.classes import ReadAnswers
from harness.analysis.compare import RankModels, ReadDocuments, ranks
from harness.analysis.curves import AXIS_TITLES, Curve
from harness.analysis.verdict import (
    FamilyFindings,
    Finding,
    Judged,
    Study,
    TableRow,
    findings,
    resolutions,
    table_row,
    tone_of,
    with_traces,
)
from harness.glossary import NOUNS, QUALIFIER_TEXTS, explained
from harness.leaderboard import centred_table
from harness.records import CellFailure
from harness.report.board import board_of
from harness.report.citation import bibtex
from harness.report.classes import class_drawings
from harness.report.commands import commands
from harness.report.costs import cost_drawings, cost_table
from harness.report.drawings import SCRIPT, STILL_WIDTH, Drawings, compressed
from harness.report.drawn import TaskPlace, drawn_tasks, task_place
from harness.report.page import PAGE, STYLE
from harness.report.provenance import how_made, missing_documents
from harness.task_cards import TaskCard, card_rows, task_cards
from harness.version import __version__
from harness.wording import counted, cut, letters_of, moment

_Anchors = dict[TaskPlace, str]
"""Tasks with figures -> where the task stands on the page."""
_FIRST_FINDINGS = 6
"""Tasks of a family that are named at the top."""
_MOST_OF_A_QUESTION = 1_500
"""Characters of an example."""
_FEWEST_SHOTS = 3
"""How many numbers of shots a setting must have for a figure of shots by size."""
_TASKS_AT_A_GLANCE = 12
"""Panels of one figure, which has to fit a sheet of paper."""
_SETTINGS_ON_A_SHEET = 30
"""Rows of one heat map, or its columns where there are more models than stand beside each other."""
_MODELS_ACROSS, _MODELS_DOWN = 24, 45
"""Models beside each other in a heat map, and as rows of one."""
_PANEL_WIDTH = 250
"""Pixels of a panel at a glance, its axis included."""


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
    card: TaskCard
    lines: list[_Line]
    figures: list[Markup]

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What the task asks and how it is scored, as headings and texts."""
        return card_rows(self.card)

    @property
    def question(self) -> str:
        """The question of its example, cut where it is longer than a reader wants to see; empty without one."""
        return "" if self.card.example is None else cut(self.card.example.question, _MOST_OF_A_QUESTION)


class _FamilyPart(NamedTuple):
    """One family: the answer in short, all tasks at a glance, then each."""

    name: str
    found: FamilyFindings
    matters: list[tuple[str, Finding]]
    """What a reader should look at first, each with the place of its task on the page."""
    overviews: list[Markup]
    tasks: list[_Task]


def report_page(
    study: Study,
    *,
    title: str = "Emergent abilities by model size",
    made_at: datetime | None = None,
    cards: Mapping[str, TaskCard] | None = None,
    documents: ReadDocuments | None = None,
    answers: ReadAnswers | None = None,
    rank: RankModels = ranks,
    to_come: Mapping[str, int] | None = None,
    look: figures.FigureLook | None = None,
    each_figure: Callable[[str, Any], None] | None = None,
    places: Sequence[str] = (),
) -> str:
    """The page as text; the caller writes the file.

    Everything is inline: style, pictures, data, plotly.js (most of the 2 MB). Model output, error messages and names
    are escaped: nothing a model wrote is ever markup.

    Args:
        study: what is concluded from the results; failures are listed and never drawn.
        title: heading of the page.
        made_at: time shown in the footer (UTC); None takes the present.
        cards: task -> what it asks; None says what the results alone tell, without examples.
        documents: gives the scores of a cell's documents, on which the leaderboard compares models; None compares
            scores alone.
        answers: gives the stored answers of a cell, from which tasks with classes get their figures; None leaves these
            out.
        rank: finds the places of the leaderboard; `kept_ranks.ranks_once` for the results of a folder.
        to_come: family -> number of cells that a run is still to evaluate; None for none.
        look: what figures show, and the width that they are drawn for; None for that of the page.
        each_figure: is given every figure of the page with a name of its own, to write it elsewhere too.
        places: options for the page's commands that say where tasks and families of one's own lie.
    """
    anchors, look = _anchors(drawn_tasks(study)), look or figures.FigureLook(width=STILL_WIDTH)
    drawings = Drawings(each_figure)
    cards = task_cards([*study.results, *study.failures], first=lambda _: ()) | dict(cards or {})
    found = {one.family: one for one in findings(study.judged, to_come=to_come)}
    classes = {} if answers is None else class_drawings(study.results, answers, study.scale, [*anchors])
    families = [_family_part(found[name], study, drawings, anchors, cards, look, classes) for name in study.families]
    board = board_of(study, documents, rank)
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        PAGE
    )
    return page.render(
        title=title,
        summary=_summary(study),
        notice=_notice(study),
        style=Markup(STYLE),
        script=Markup(SCRIPT),
        plotly=compressed(figures.plotly_js()),
        drawings=drawings,
        families=families,
        undrawn=len({task_place(row.curve) for row in study.judged}) - len(anchors),
        verdicts=[_line(row, anchors) for row in study.judged],
        boards=board.tables,
        paired=board.by_document,
        glossary=_glossary(study),
        power=drawings.of(figures.power_figure(resolutions(study.judged)), "power") if _can_tell(study) else None,
        costs=cost_table(study.results),
        cost_figures=[drawings.of(one, "costs") for one in cost_drawings(study.results)],
        heat_maps=[drawings.of(one, "leaderboard") for one in _heat_maps(study, {task for _, _, task in anchors})],
        failures=[_failure_row(f) for f in study.failures],
        partial=missing_documents(study.results),
        problems=[str(problem) for problem in study.problems],
        compared=[source.sentence() for source in study.compared],
        provenance=how_made(study.results),
        commands="\n".join(commands(study.results, study.failures, study.scale, places=places)),
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


def _family_part(
    found: FamilyFindings,
    study: Study,
    drawings: Drawings,
    anchors: _Anchors,
    cards: Mapping[str, TaskCard],
    look: figures.FigureLook,
    classes: Mapping[TaskPlace, Sequence[Any]],
) -> _FamilyPart:
    judged, others = study.of(found.family), [curve for source in study.compared for curve in source.curves]
    tasks: dict[tuple[str, str], list[Judged]] = {}
    drawn = [row for row in judged if task_place(row.curve) in anchors]
    for row in sorted(drawn, key=lambda row: (row.curve.suite, row.curve.task)):
        tasks.setdefault((row.curve.suite, row.curve.task), []).append(row)
    groups = list(tasks.values())
    columns = max(1, int(look.width / _PANEL_WIDTH))
    pages = [groups[at : at + _TASKS_AT_A_GLANCE] for at in range(0, len(groups), _TASKS_AT_A_GLANCE)]
    return _FamilyPart(
        name=found.family,
        found=found,
        matters=[(anchors.get(task_place(one.judged.curve), "tasks"), one) for one in found.matters[:_FIRST_FINDINGS]],
        overviews=[
            drawings.of(
                figures.overview([row for rows in page for row in rows], columns=columns, look=look, beside=others),
                f"overview-{found.family}",
            )
            for page in pages
        ],
        tasks=[
            _task(
                rows,
                drawings,
                anchors,
                cards[rows[0].curve.task],
                others,
                look,
                classes.get(task_place(rows[0].curve), ()),
            )
            for rows in groups
        ],
    )


def _task(
    judged: Sequence[Judged],
    drawings: Drawings,
    anchors: _Anchors,
    card: TaskCard,
    others: Sequence[Curve],
    look: figures.FigureLook,
    classes: Sequence[Any],
) -> _Task:
    first = judged[0].curve
    drawn = [figures.sharp_and_smooth(with_traces(judged), look=look, beside=others), *_shots_by_scale(judged)]
    drawn += classes
    return _Task(
        name=first.task,
        kind=first.kind,
        anchor=anchors[task_place(first)],
        card=card,
        lines=[_line(row, anchors) for row in judged],
        figures=[drawings.of(figure, anchors[task_place(first)]) for figure in drawn],
    )


def _heat_maps(study: Study, tasks: Set[str]) -> list[Any]:
    """The chance-centred scores of some tasks, so many settings to a figure that it fits a sheet of paper."""
    if not study.curves:
        return []
    table = centred_table(
        [one for one in study.results if one.cell.task in tasks],
        [one for one in study.failures if one.cell.task in tasks],
    )
    many = len(table) > _MODELS_ACROSS
    parts = (
        table.iloc[first : first + _MODELS_DOWN, at : at + _SETTINGS_ON_A_SHEET]
        for first in range(0, len(table), _MODELS_DOWN)
        for at in range(0, table.shape[1], _SETTINGS_ON_A_SHEET)
    )
    return [figures.heat_map(part, models_down=many) for part in parts]


def _shots_by_scale(judged: Sequence[Judged]) -> list[Any]:
    """What demonstrations add: a figure for each prompt that was asked with enough numbers of shots."""
    alike: dict[tuple[str, str], list[Curve]] = {}
    for row in judged:
        alike.setdefault((row.curve.prompt, row.curve.conditions), []).append(row.curve)
    return [figures.shots_by_scale(curves) for curves in alike.values() if len(curves) >= _FEWEST_SHOTS]


def _line(row: Judged, anchors: _Anchors) -> _Line:
    shown = f"{row.verdict.label} {tone_of(row.verdict)}"
    return _Line(anchors.get(task_place(row.curve), "tasks"), shown, table_row(row), row.verdict.reasons)


def _anchors(drawn: Iterable[TaskPlace]) -> _Anchors:
    """Where each task of a family stands on the page: letters and digits of its name, and a number if that is taken."""
    anchors: _Anchors = {}
    taken: set[str] = set()
    for family, suite, task in sorted(drawn):
        begun = letters_of(f"task-{family}-{task}", "._", "-")
        names = (begun if number == 1 else f"{begun}-{number}" for number in count_from(1))
        anchors[family, suite, task] = next(name for name in names if name not in taken)
        taken.add(anchors[family, suite, task])
    return anchors


def _glossary(study: Study) -> list[tuple[str, str]]:
    """The words of the page, and the metrics that are on it."""
    metrics = sorted({metric.name for result in study.results for metric in result.cell.metrics})
    known = [(name, found) for name in metrics if (found := explained(name)) is not None]
    return [*NOUNS.items(), *QUALIFIER_TEXTS.items(), *known]


def _failure_row(failure: CellFailure) -> dict[str, str]:
    cell = failure.cell
    return {
        "model": cell.model.name,
        "task": cell.task,
        "setting": f"{cell.shots}-shot {cell.prompt} seed {cell.seed}",
        "error": f"{failure.error}: {failure.message}",
    }
