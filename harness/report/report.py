"""One self-contained HTML page: curves, verdicts, leaderboard, gaps, provenance. Opens without network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from harness import __version__, figures
from harness.analysis.curves import AXIS_TITLES, Curve
from harness.analysis.growth import traces
from harness.analysis.verdict import Row, Study, Verdict, headline, partner, resolutions, row
from harness.leaderboard import MODEL_COLUMNS, centred, wide_table
from harness.records import CellFailure, CellResult
from harness.report.page import PAGE, STYLE
from harness.runs import fence_of
from harness.wording import count, counted, duration, energy, moment, number, score

_FEWEST_SHOTS = 3
"""Shot counts that make a surface over shots and sizes worth a look."""


class _Judged(NamedTuple):
    """A verdict as a row of the summary table and as a line under its task."""

    anchor: str
    label: str
    row: Row
    reasons: tuple[str, ...]

    @property
    def rest(self) -> str:
        """All but the deciding sentence."""
        return " ".join(self.reasons[1:])


class _Task(NamedTuple):
    name: str
    kind: str
    anchor: str
    lines: list[_Judged]
    figures: list[Any]


class _FamilyPart(NamedTuple):
    name: str
    overview: Any
    tasks: list[_Task]


class _Board(NamedTuple):
    columns: list[str]
    names: int
    """How many of the first columns are text."""
    rows: list[list[str]]


def report_page(
    made: Study, *, title: str = "Emergent abilities by model size", made_at: datetime | None = None
) -> str:
    """The page as text; who calls it writes the file.

    Everything is inline: style, plotly.js (most of the 5 MB), data. Model output, error messages and names are
    escaped: nothing a model wrote is ever markup.

    Args:
        made: what is concluded from the results; failures are listed, never drawn.
        title: heading of the page.
        made_at: time shown in the footer (UTC); None takes the present.
    """
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        PAGE
    )
    return page.render(
        title=title,
        summary=_summary(made),
        notice=_notice(made),
        style=Markup(STYLE),
        plotly_js=Markup(figures.plotly_js()),
        figure=_figure,
        families=[_family_part(name, made) for name in made.families],
        verdicts=[_judged(v) for v in made.verdicts],
        board=_board(wide_table(made.results, made.failures)),
        power=figures.power_figure(resolutions(made.verdicts)) if _can_tell(made) else None,
        heat_map=figures.heat_map(centred(made.results, made.failures)) if made.curves else None,
        failures=[_failure_row(f) for f in made.failures],
        partial=_partial(made.results),
        problems=[str(problem) for problem in made.problems],
        provenance=_provenance(made.results),
        commands="\n".join(_commands(made.results)),
        version=__version__,
        made_at=moment(made_at or datetime.now(UTC), "minutes"),
    )


def _figure(figure: Any) -> Markup:
    return Markup("<figure><div class='plot'>{}</div><figcaption>{}</figcaption></figure>").format(
        Markup(figures.to_div(figure)), figures.caption(figure)
    )


def _summary(made: Study) -> str:
    cells = [r.cell for r in made.results]
    counts = (
        (len({c.model.family for c in cells}), "family", "families"),
        (len({(c.model.name, c.model.variant) for c in cells}), "model", "models"),
        (len({c.task for c in cells}), "task", "tasks"),
        (len(cells), "result", "results"),
        (len(made.failures), "failure", "failures"),
    )
    return ", ".join(counted(of, one, many) for of, one, many in counts) + "."


def _notice(made: Study) -> str:
    """Why the page has no curves; empty when it has some."""
    if made.curves:
        return ""
    if made.results:
        return f"No model has a known place on the axis {AXIS_TITLES[made.scale]!r}: choose another scale."
    return "There are no results yet. `emergence run` makes some."


def _can_tell(made: Study) -> bool:
    return any(of.mde is not None for of in resolutions(made.verdicts).values())


def _family_part(family: str, made: Study) -> _FamilyPart:
    tasks = sorted({(c.suite, c.task) for c in made.of(family)})
    return _FamilyPart(
        name=family,
        overview=figures.overview(made.of(family), made.verdicts),
        tasks=[_task(task, family, made) for _, task in tasks],
    )


def _task(task: str, family: str, made: Study) -> _Task:
    drawn = made.of(family, task)
    sharp = headline(drawn)
    return _Task(
        name=task,
        kind=drawn[0].kind,
        anchor=_anchor(drawn[0]),
        lines=[_judged(v) for v in made.verdicts if v.curve in sharp],
        figures=_figures(sharp, partner(drawn), made.verdicts),
    )


def _figures(sharp: Sequence[Curve], smooth: Sequence[Curve], verdicts: Sequence[Verdict]) -> list[Any]:
    """The pair of metrics with the best growth form of each curve, and shots by size where there are enough."""
    both = (*sharp, *smooth)
    best = {curve: forms[:1] for curve, forms in zip(both, traces(both), strict=True)}
    made = [figures.sharp_and_smooth(sharp, smooth, verdicts, best)]
    alike: dict[tuple[str, str], list[Curve]] = {}
    for curve in sharp:
        alike.setdefault((curve.prompt, curve.conditions), []).append(curve)
    return made + [figures.shots_by_scale(group) for group in alike.values() if len(group) >= _FEWEST_SHOTS]


def _judged(verdict: Verdict) -> _Judged:
    return _Judged(_anchor(verdict.curve), verdict.label, row(verdict), verdict.reasons)


def _anchor(curve: Curve) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", f"task-{curve.family}-{curve.task}")


def _board(table: pd.DataFrame) -> _Board:
    """The wide table for reading: columns that say the same in every row left out, scores rounded."""
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
    return _Board([*kept, "params", *scores], len(kept), rows)


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
    return found


def _provenance(results: Sequence[CellResult]) -> list[tuple[str, str]]:
    """What the numbers rest on; a mixture is shown with how many results each value has."""
    if not results:
        return []
    runs = [r.provenance for r in results]
    started = sorted(p.started_at for p in runs)
    measured = [p.energy_wh for p in runs if p.energy_wh is not None]
    fences = [fence for fence in map(fence_of, results) if fence is not None]
    packages = sorted({package for p in runs for package in p.versions})
    rows = [
        ("Evaluated", f"{moment(started[0], 'minutes')} to {moment(started[-1], 'minutes')}"),
        ("Engine", _mixture(r.cell.engine for r in results)),
        ("Number format", _mixture(r.cell.model.dtype for r in results)),
        ("Device", _mixture(p.device for p in runs)),
        ("Code version", _mixture(_code(p.git_commit, p.git_dirty) for p in runs)),
        *((package, _mixture(p.versions.get(package, "not recorded") for p in runs)) for package in packages),
        *([("Fence around programs", _mixture(fences))] if fences else []),
        ("Evaluation time", f"{duration(sum(p.seconds for p in runs))}, summed over {counted(len(runs), 'result')}"),
    ]
    if measured:
        of = f"{count(len(measured))} of {counted(len(runs), 'result')}"
        rows.append(("Energy", f"{energy(sum(measured))}, measured for {of}"))
    return rows


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

    Shots and prompts that differ between the tasks of a suite give commands that ask for more than was run.
    """
    groups: dict[tuple[str, str, str, int | None], list[CellResult]] = {}
    for result in results:
        cell = result.cell
        groups.setdefault((cell.suite, cell.model.family, cell.engine, cell.limit), []).append(result)
    lines = []
    for (suite, family, engine, limit), members in sorted(groups.items(), key=lambda item: str(item[0])):
        cells = [r.cell for r in members]
        parts = [f"emergence run --suite {suite} --family {family} --engine {engine}"]
        parts.append("--shots " + ",".join(map(str, sorted({c.shots for c in cells}))))
        parts.append(f"--seeds {1 + max(c.seed for c in cells)}")
        prompts = sorted({c.prompt for c in cells})
        parts += [f"--prompts {','.join(prompts)}"] if prompts != ["default"] else []
        parts += [f"--limit {limit}"] if limit is not None else []
        lines.append(" ".join(parts))
    return [*lines, "emergence report -o report.html"] if lines else []
