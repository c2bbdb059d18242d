"""One self-contained HTML page: curves, verdicts, leaderboard, gaps, provenance. Opens without network."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from harness import figures
from harness.analysis.curves import AXIS_TITLES, Curve
from harness.analysis.verdict import Judged, Study, TableRow, resolutions, table_row, tone_of, with_traces
from harness.leaderboard import MODEL_COLUMNS, centred_table, wide_table
from harness.records import CellFailure, CellResult, Source
from harness.report.page import PAGE, STYLE
from harness.runs import fence_of, foreign_code
from harness.version import __version__
from harness.wording import count, counted, duration, energy, moment, number, score

_FEWEST_SHOTS = 3
"""How many numbers of shots a setting must have for a figure of shots by size."""


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
    figures: list[Any]


class _FamilyPart(NamedTuple):
    """One family: all tasks at a glance, then each."""

    name: str
    overview: Any
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

    Everything is inline: style, plotly.js (most of the 5 MB), data. Model output, error messages and names are
    escaped: nothing a model wrote is ever markup.

    Args:
        study: what is concluded from the results; failures are listed and never drawn.
        title: heading of the page.
        made_at: time shown in the footer (UTC); None takes the present.
    """
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        PAGE
    )
    return page.render(
        title=title,
        summary=_summary(study),
        notice=_notice(study),
        style=Markup(STYLE),
        plotly_js=Markup(figures.plotly_js()),
        figure=_figure,
        families=[_family_part(name, study) for name in study.families],
        verdicts=[_line(row) for row in study.judged],
        board=_text_table(wide_table(study.results, study.failures)),
        power=figures.power_figure(resolutions(study.judged)) if _can_tell(study) else None,
        heat_map=figures.heat_map(centred_table(study.results, study.failures)) if study.curves else None,
        failures=[_failure_row(f) for f in study.failures],
        partial=_partial(study.results),
        problems=[str(problem) for problem in study.problems],
        provenance=_provenance(study.results),
        commands="\n".join(_commands(study.results)),
        version=__version__,
        made_at=moment(made_at or datetime.now(UTC), "minutes"),
    )


def _figure(figure: Any) -> Markup:
    return Markup("<figure><div class='plot'>{}</div><figcaption>{}</figcaption></figure>").format(
        Markup(figures.to_div(figure)), figures.caption(figure)
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


def _family_part(family: str, study: Study) -> _FamilyPart:
    judged = study.of(family)
    tasks = sorted({(row.curve.suite, row.curve.task) for row in judged})
    return _FamilyPart(
        name=family,
        overview=figures.overview(judged),
        tasks=[_task(task, study.of(family, task)) for _, task in tasks],
    )


def _task(name: str, judged: Sequence[Judged]) -> _Task:
    first = judged[0].curve
    return _Task(
        name=name,
        kind=first.kind,
        anchor=_anchor(first),
        lines=[_line(row) for row in judged],
        figures=[figures.sharp_and_smooth(with_traces(judged)), *_shots_by_scale(judged)],
    )


def _shots_by_scale(judged: Sequence[Judged]) -> list[Any]:
    """What demonstrations add: a figure for each prompt that was asked with enough numbers of shots."""
    alike: dict[tuple[str, str], list[Curve]] = {}
    for row in judged:
        alike.setdefault((row.curve.prompt, row.curve.conditions), []).append(row.curve)
    return [figures.shots_by_scale(curves) for curves in alike.values() if len(curves) >= _FEWEST_SHOTS]


def _line(row: Judged) -> _Line:
    shown = f"{row.verdict.label} {tone_of(row.verdict)}"
    return _Line(_anchor(row.curve), shown, table_row(row), row.verdict.reasons)


def _anchor(curve: Curve) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", f"task-{curve.family}-{curve.task}")


def _text_table(table: pd.DataFrame) -> _TextTable:
    """The wide table as people read it: scores are rounded, and columns that are equal in every row are left out."""
    kept = [c for c in MODEL_COLUMNS if c in {"family", "model"} or (c != "params" and table[c].nunique() > 1)]
    scores = [c for c in table.columns if c not in MODEL_COLUMNS]
    rows = [
        [
            *("" if pd.isna(row[c]) else str(row[c]) for c in kept),
            number(row["params"]),
            *("" if pd.isna(row[c]) else score(float(row[c])) for c in scores),
        ]
        for _, row in table.iterrows()
    ]
    return _TextTable([*kept, "params", *scores], len(kept), rows)


def _failure_row(failure: CellFailure) -> dict[str, str]:
    cell = failure.cell
    return {
        "model": cell.model.name,
        "task": cell.task,
        "setting": f"{cell.shots}-shot {cell.prompt} seed {cell.seed}",
        "error": f"{failure.error}: {failure.message}",
    }


def _partial(results: Sequence[CellResult]) -> list[str]:
    found = []
    for result in results:
        fewest = min((s.n for s in result.scores), default=0)
        if fewest < result.n_expected:
            found.append(f"{result.cell.label}: {fewest} of {result.n_expected} documents")
        if result.n_truncated:
            found.append(f"{result.cell.label}: {result.n_truncated} prompts did not fit and lost their beginning")
        if result.n_copies:
            copies = f"{result.n_copies} of {result.n_expected} documents had a copy among the demonstrations"
            found.append(f"{result.cell.label}: {copies}, which was left out for them")
        if result.n_ambiguous:
            labels = f"{result.n_ambiguous} of {result.n_expected} labels are the number of one option"
            found.append(f"{result.cell.label}: {labels}, and read so, and the text of another")
    return found


def _provenance(results: Sequence[CellResult]) -> list[tuple[str, str]]:
    """How the results were made; where they were not made alike, with the number of results for each value."""
    if not results:
        return []
    runs = [r.provenance for r in results]
    started = sorted(p.started_at for p in runs)
    measured = [p.energy_wh for p in runs if p.energy_wh is not None]
    foreign = [f"{ran.code} ({counted(ran.cells, 'result')})" for ran in foreign_code(results)]
    fences = [fence for fence in map(fence_of, results) if fence is not None]
    sources = [_source(p.source) for p in runs if p.source is not None]
    packages = sorted({package for p in runs for package in p.versions})
    rows = [
        ("Evaluated", f"{moment(started[0], 'minutes')} to {moment(started[-1], 'minutes')}"),
        ("Engine", _mixture(r.cell.engine for r in results)),
        ("Number format", _mixture(r.cell.model.dtype for r in results)),
        ("Device", _mixture(p.device for p in runs)),
        ("Code version", _mixture(_code(p.git_commit, p.git_dirty) for p in runs)),
        *((package, _mixture(p.versions.get(package, "not recorded") for p in runs)) for package in packages),
        *([("Read from files of", _mixture(sources))] if sources else []),
        *([("Fence around programs", _mixture(fences))] if fences else []),
        *([("Code of others that ran", ", ".join(foreign))] if foreign else []),
        ("Evaluation time", f"{duration(sum(p.seconds for p in runs))}, summed over {counted(len(runs), 'result')}"),
    ]
    if measured:
        of = f"{count(len(measured))} of {counted(len(runs), 'result')}"
        rows.append(("Energy", f"{energy(sum(measured))}, measured for {of}"))
    return rows


def _source(source: Source) -> str:
    licence = f", {source.licence}" if source.licence else ""
    return f"{source.tool} {source.tool_version or '(version not said)'}{licence}"


def _code(commit: str | None, dirty: bool | None) -> str:
    if commit is None:
        return "outside a repository"
    return commit[:12] + (" with uncommitted changes" if dirty else "")


def _mixture(values: Iterable[str]) -> str:
    counts = Counter(values)
    if len(counts) == 1:
        return next(iter(counts))
    return "mixed: " + ", ".join(f"{value} ({count})" for value, count in counts.most_common())


def _commands(results: Sequence[CellResult]) -> list[str]:
    """One `emergence run` per suite, family, engine, limit and sweep that made results, and the report itself.

    Where tasks of a suite were asked with different shots or prompts, the command asks for all of them on every task.
    """
    groups: dict[tuple[str, str, str, int | None, str | None], list[CellResult]] = {}
    for result in results:
        cell = result.cell
        groups.setdefault((cell.suite, cell.model.family, cell.engine, cell.limit, cell.docs), []).append(result)
    lines = []
    for (suite, family, engine, limit, docs), members in sorted(groups.items(), key=lambda item: str(item[0])):
        cells = [r.cell for r in members]
        words = ["emergence", "run", "--suite", suite, "--family", family, "--engine", engine]
        words += ["--shots", ",".join(map(str, sorted({c.shots for c in cells})))]
        words += ["--seeds", str(1 + max(c.seed for c in cells))]
        prompts = sorted({c.prompt for c in cells})
        words += ["--prompts", ",".join(prompts)] if prompts != ["default"] else []
        words += ["--limit", str(limit)] if limit is not None else []
        words += ["--docs", docs] if docs is not None else []
        lines.append(shlex.join(words))  # a name must not be a command of its own when somebody copies the line
    return [*lines, "emergence report -o report.html"] if lines else []
