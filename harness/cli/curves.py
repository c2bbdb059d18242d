"""`emergence curves`: one row per point of every curve."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from harness.cli.option_groups import Choices, CurveSource, Drawing, with_groups
from harness.cli.option_values import split
from harness.cli.output import print_json, say, table, telling
from harness.cli.read import compared_curves
from harness.cli.result_options import CompareWith, Json, ScaleAxis
from harness.cli.write import write_bytes
from harness.errors import HarnessError
from harness.store import Store
from harness.wording import counted, file_size, number, score

if TYPE_CHECKING:
    from harness.analysis.curves import Curve
    from harness.analysis.verdict import CurveRow
    from harness.figures import FigureLook

_Row = TypeVar("_Row", bound="CurveRow")
_MOST_PANELS = 60
"""Panels that one picture holds."""
_PANEL_WIDTH = 190
"""Pixels of a panel, its axis included."""


@with_groups
def command(
    *,
    source: CurveSource,
    scale: ScaleAxis = "params",
    chosen: Choices,
    metric: Annotated[str, typer.Option(help="`all`, the `headline` of each task, or the name of a metric.")] = "all",
    drawing: Drawing,
    supplement: Annotated[
        Path | None,
        typer.Option(
            "--supplement",
            help="Write a .zip with everything behind the figure: picture, points, scores, verdicts, command.",
        ),
    ] = None,
    verdicts: Annotated[
        bool, typer.Option("--verdicts", help="Add verdicts, and the intervals of thresholds, to the figures.")
    ] = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Draw each headline metric beside the continuous one of the same answers.")
    ] = False,
    names: Annotated[bool, typer.Option("--names", help="Write names of models into the figures.")] = False,
    own_axes: Annotated[
        bool, typer.Option("--own-axes", help="Give each panel a y axis that ends with its points.")
    ] = False,
    variants: Annotated[
        bool,
        typer.Option("--variants", help="Draw a panel for each task with a line for each treatment of the models."),
    ] = False,
    compare_with: CompareWith = None,
    as_json: Json = False,
) -> None:
    """Show every metric over the sizes of each family, with 95 % intervals."""
    from harness.analysis.curves import overlaid
    from harness.analysis.curves.frame import point_rows

    paper = drawing.paper()
    _check_supplement(supplement)
    to_draw = drawing.figure is not None or supplement is not None
    judging = verdicts or pairs or supplement is not None
    drawn, others = compared_curves(
        source.results,
        source.table,
        compare_with or (),
        scale,
        columns=split(source.columns),
        items=judging and to_draw,
    )
    own = chosen.curves(drawn, metric)
    curves = (*own, *overlaid(own, others))
    if to_draw:
        from harness.figures import FigureLook

        look = FigureLook(
            names=names,
            own_axes=own_axes,
            verdicts=verdicts,
            thresholds=verdicts,
            width=900.0 if paper is None else paper.drawn_width,
        )
        shown = _rows(drawn, curves, judging=judging)
        if variants:
            from harness.figures import treatment_figure

            made = [treatment_figure(curves)] if curves else []
        else:
            made = _figures(shown, look, pairs=pairs, apart=drawing.figure is None or _is_page(drawing.figure))
        drawing.write(made, "Curves over scale")
        if supplement is not None:
            _write_supplement(supplement, shown, made, source)
    rows = point_rows(curves)
    if as_json:
        print_json(rows)
        return
    head = [name for name in (rows[0] if rows else {"family": None}) if name != "scale"]
    told = telling(head, [[_text(name, row[name]) for name in head] for row in rows], ("conditions", "runs", "source"))
    print(table(*told))


def _check_supplement(path: Path | None) -> None:
    if path is not None and path.suffix.lower() != ".zip":
        raise HarnessError(f"{path}: expected a file named .zip for --supplement")


def _write_supplement(path: Path, shown: Sequence[CurveRow], made: Sequence[Any], source: CurveSource) -> None:
    """Write the archive of a figure."""
    from harness.analysis.verdict import Judged
    from harness.report import figure_supplement

    if not made:
        raise HarnessError(f"{path}: there is nothing to draw")
    sources = list(dict.fromkeys(row.curve.source for row in shown if row.curve.source is not None))
    notes = [f"Results of others are drawn beside, in no verdict: {', '.join(sources)}."] if sources else []
    notes += [f"The scores were read from the table {source.table.name}."] if source.table is not None else []
    archive = figure_supplement(
        [row.curve for row in shown],
        made,
        [row for row in shown if isinstance(row, Judged)],
        command=shlex.join(["emergence", *sys.argv[1:]]),
        results=Store(source.results or Path("results")).results() if source.table is None else (),
        notes=notes,
    )
    write_bytes(path, archive)
    say(f"everything behind {counted(len(made), 'figure')} written to {path} ({file_size(len(archive))})")


def _is_page(figure: Path) -> bool:
    return figure.suffix.lower() == ".html"


def _rows(drawn: Sequence[Curve], chosen: Sequence[Curve], *, judging: bool) -> list[CurveRow]:
    """The chosen curves; if `judging`, headline metrics with verdicts, for which all curves are judged together."""
    from harness.analysis.verdict import CurveRow, judge

    judged = {id(row.curve): row for row in judge(drawn)} if judging else {}
    return [judged.get(id(curve)) or CurveRow(curve=curve) for curve in chosen]


def _figures(rows: Sequence[CurveRow], look: FigureLook, *, pairs: bool, apart: bool) -> list[Any]:
    """A figure for each metric of a task, with all its families and settings; or one figure with a panel for each.

    Args:
        rows: the curves.
        look: what is shown.
        pairs: draw headline metrics with verdicts alone, each beside its continuous partner.
        apart: one figure for each.
    """
    from harness import figures
    from harness.analysis.verdict import Judged

    if pairs:
        judged = [row for row in rows if isinstance(row, Judged)]
        if not apart:
            return [figures.pairs(judged, look=look)] if judged else []
        by_task = _grouped(judged, lambda row: (row.curve.suite, row.curve.task))
        return [figures.sharp_and_smooth(group, look=look) for group in by_task]
    groups = _grouped(rows, lambda row: (row.curve.suite, row.curve.task, row.curve.rank, row.curve.metric.name))
    if apart or not groups:
        return [figures.curve_figure(group, look=look) for group in groups]
    if len(groups) > _MOST_PANELS:
        raise HarnessError(
            f"one picture holds {_MOST_PANELS} panels, and there are {len(groups)}: choose with --family, --task, "
            "--shots and --metric, or write to .html"
        )
    return [figures.overview(rows, columns=max(1, int(look.width / _PANEL_WIDTH)), look=look)]


def _grouped(rows: Sequence[_Row], key: Callable[[_Row], Any]) -> list[list[_Row]]:
    groups: dict[Any, list[_Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [groups[name] for name in sorted(groups)]


def _text(name: str, value: object) -> object:
    if name == "x" and isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        return len(value)
    return score(value) if isinstance(value, float) else value
