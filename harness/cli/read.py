"""What verbs present: the results folder, or a table with results of other programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.cli.option_values import meant
from harness.cli.output import say, timely
from harness.errors import PlanError, TableError, unknown
from harness.reading import document_reader, read_others, read_outcomes, read_table
from harness.store import Store
from harness.wording import counted

if TYPE_CHECKING:
    from harness.analysis.curves import Curve, Scale
    from harness.analysis.verdict import Judged
    from harness.plan import Cell
    from harness.records import CellResult
    from harness.store import DocumentScores, Outcomes


def given_curves(
    results: Path | None,
    table: Path | None,
    scale: Scale = "params",
    *,
    columns: Sequence[str] = (),
    items: bool = False,
) -> tuple[Curve, ...]:
    """Every curve of the results folder or of the table; files that were skipped are named on stderr.

    Args:
        results: folder of results; None takes `results/` when there is no table.
        table: file with results of any program; None reads the folder.
        scale: the x axis.
        columns: columns of the table that are called otherwise, such as `value=score`.
        items: read the scores of single documents from the folder into `Curve.items`; those of a table always are.

    Raises:
        HarnessError: both a folder and a table were given, or there is nothing to read, or it cannot be read.
    """
    if table is not None:
        return _of_table(results, table, scale, columns)
    _check_no_columns(columns)
    root = results or Path("results")
    outcomes = read_outcomes(root, say)
    return _of_outcomes(outcomes, scale, items=document_reader(Store(root), say) if items else None)


class ComparedCurves(NamedTuple):
    """One's own curves, and those of others."""

    own: tuple[Curve, ...]
    """One's own, with what is comparable of others."""
    others: tuple[Curve, ...]
    """Those of others, which are kept apart."""


def compared_curves(
    results: Path | None,
    table: Path | None,
    compare_with: Sequence[Path],
    scale: Scale = "params",
    *,
    columns: Sequence[str] = (),
    items: bool = False,
) -> ComparedCurves:
    """As `given_curves`, with results of others; stderr says what became of these.

    Args:
        results: as of `given_curves`, like the arguments that are not named here.
        table: as there.
        compare_with: folders and tables with results of others.
        scale: as there.
        columns: as there.
        items: as there.
    """
    if not compare_with:
        return ComparedCurves(given_curves(results, table, scale, columns=columns, items=items), ())
    from harness.analysis.curves import curves_of, headlined, measured_results, with_others

    ranked = True
    if table is not None:
        _check_no_folder(results, table)
        from harness.analysis.curves.table import measured_table, told_columns

        measured, ranked = measured_table(read_table(table, told_columns(columns), say), scale, str(table))
    else:
        _check_no_columns(columns)
        root = results or Path("results")
        done, failures, _ = read_outcomes(root, say)
        measured = measured_results(done, failures, items=document_reader(Store(root), say) if items else None)
    joined = with_others(measured, [read_others(path, scale, say) for path in compare_with], scale=scale)
    drawn = curves_of(joined.measured, scale=scale)
    for source in joined.compared:
        say(source.sentence())
    others = tuple(curve for source in joined.compared for curve in source.curves)
    return ComparedCurves(_said_of(drawn if ranked else headlined(drawn), scale), others)


def given_verdicts(
    results: Path | None,
    table: Path | None,
    scale: Scale = "params",
    *,
    columns: Sequence[str] = (),
    run_sd: float | None = None,
) -> tuple[Judged, ...]:
    """Every headline curve with its verdict; those of a folder are judged once, and kept beside the results.

    The arguments are those of `given_curves` and of `judge`.
    """
    from harness.analysis.curves import MOST_POINTS
    from harness.analysis.verdict import judge
    from harness.kept_verdicts import judged_once

    outcomes = None
    if table is not None:
        drawn = _of_table(results, table, scale, columns)
    else:
        _check_no_columns(columns)
        outcomes = read_outcomes(results or Path("results"), say)
        drawn = _of_outcomes(outcomes, scale)
    tell = timely(at_once=any(len(curve.points) > MOST_POINTS for curve in drawn))
    if outcomes is None:
        return judge(drawn, run_sd=run_sd, tell=tell)
    store = Store(results or Path("results"))
    return judged_once(store, outcomes, drawn, items=document_reader(store, say), run_sd=run_sd, tell=tell)


def _check_no_columns(columns: Sequence[str]) -> None:
    if columns:
        raise TableError("--columns names columns of a table: expected --table FILE beside it")


def _check_no_folder(results: Path | None, table: Path) -> None:
    if results is not None:
        raise TableError(f"--results {results} and --table {table}: expected one of them")


def _of_table(results: Path | None, table: Path, scale: Scale, columns: Sequence[str]) -> tuple[Curve, ...]:
    _check_no_folder(results, table)
    from harness.analysis.curves.table import missing_information, table_curves, told_columns

    drawn = table_curves(read_table(table, told_columns(columns), say), scale, str(table))
    for sentence in missing_information(drawn):
        say(sentence)
    return _said_of(drawn, scale)


def _of_outcomes(
    outcomes: Outcomes, scale: Scale, *, items: Callable[[Cell], DocumentScores | None] | None = None
) -> tuple[Curve, ...]:
    from harness.analysis.curves import curves

    return _said_of(curves(outcomes.results, outcomes.failures, scale=scale, items=items), scale)


def _said_of(drawn: tuple[Curve, ...], scale: Scale) -> tuple[Curve, ...]:
    """The same curves, after stderr was told what is not on them."""
    from harness.analysis.curves import numbered_runs

    for sentence in numbered_runs(drawn):
        say(sentence)
    if left_out := max((curve.left_out for curve in drawn), default=0):
        say(
            f"up to {counted(left_out, 'earlier checkpoint')} left out on the axis of {scale}: one curve must not mix "
            "size and training; --scale tokens draws a curve for each size, --scale loss joins all"
        )
    if not drawn:
        say(f"nothing to draw: every cell failed, or no model has a known place on the axis of {scale}")
    return drawn


def chosen_results(
    done: Sequence[CellResult],
    families: Sequence[str] = (),
    tasks: Sequence[str] = (),
    shots: Sequence[int] | None = None,
    models: Sequence[str] = (),
) -> list[CellResult]:
    """The results that were asked for, by family, task, shots and size; a choice that was not made leaves none out.

    Args:
        done: all results.
        families: names of families.
        tasks: names of tasks.
        shots: numbers of demonstrations.
        models: names of models, or what stands behind their last slash.

    Raises:
        PlanError: none has such a name.
    """
    kept = sorted(done, key=lambda r: (r.cell.model.family, r.cell.task, r.cell.shots, r.cell.model.params or 0))
    of_cells: dict[str, tuple[Sequence[str], Callable[[Cell], tuple[str, ...]]]] = {
        "family": (families, lambda cell: (cell.model.family,)),
        "task": (tasks, lambda cell: (cell.task,)),
        "shot count": ([str(one) for one in shots or ()], lambda cell: (str(cell.shots),)),
        "model": (models, lambda cell: (cell.model.name, cell.model.name.rpartition("/")[2])),
    }
    for what, (typed, names) in of_cells.items():
        asked = meant(typed, {name for one in done for name in names(one.cell)})
        for name in asked:
            if not any(name in names(one.cell) for one in done):
                raise PlanError(unknown(what, name, {names(one.cell)[0] for one in done}))
        kept = [one for one in kept if not asked or {*asked} & {*names(one.cell)}]
    return kept


def results_of(done: Sequence[CellResult], families: Sequence[str], tasks: Sequence[str]) -> list[CellResult]:
    """The results of these families and tasks in their order, where nothing was named those of all."""
    families = meant(families, {one.cell.model.family for one in done})
    tasks = meant(tasks, {one.cell.task for one in done})
    return [
        one
        for one in done
        if (not families or one.cell.model.family in families) and (not tasks or one.cell.task in tasks)
    ]


def choose(
    drawn: Sequence[Curve],
    *,
    families: Sequence[str] = (),
    tasks: Sequence[str] = (),
    shots: Sequence[int] | None = None,
    metric: str = "all",
) -> tuple[Curve, ...]:
    """The curves that were chosen, in their order; a choice that was not made leaves none out.

    Args:
        drawn: all curves.
        families: names of families.
        tasks: names of tasks.
        shots: numbers of demonstrations.
        metric: `all`, `headline` for that of each task, or a name.

    Raises:
        PlanError: no curve has such a name.
    """
    families, tasks = meant(families, {c.family for c in drawn}), meant(tasks, {c.task for c in drawn})
    for what, asked, known in (
        ("family", families, {c.family for c in drawn}),
        ("task", tasks, {c.task for c in drawn}),
        ("shot count", [str(n) for n in shots or ()], {str(c.shots) for c in drawn}),
        ("metric", [metric], {"headline", "all", *(c.metric.name for c in drawn)}),
    ):
        for name in asked:
            if name not in known:
                raise PlanError(unknown(what, name, known))
    return tuple(
        c
        for c in drawn
        if (not families or c.family in families)
        and (not tasks or c.task in tasks)
        and (not shots or c.shots in shots)
        and (metric in ("all", c.metric.name) or (metric == "headline" and c.rank == 0))
    )
