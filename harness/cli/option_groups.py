"""Options that many verbs take together. A verb has a group as one parameter, and users see each option of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from harness.cli.option_values import split, whole_numbers
from harness.cli.read import choose, chosen_results, given_curves, given_verdicts
from harness.cli.result_options import (
    FamilyChoice,
    FigureFile,
    Json,
    PictureFont,
    PictureWidth,
    ResultsOrTable,
    ShotChoice,
    Table,
    TableColumns,
    TaskChoice,
)
from harness.cli.signatures import parameters_of, with_signature
from harness.cli.write import paper_of, write_figures

if TYPE_CHECKING:
    from harness.analysis.curves import Curve, Scale
    from harness.analysis.verdict import Judged
    from harness.figures import Paper
    from harness.records import CellResult


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveSource:
    """Where curves come from."""

    results: ResultsOrTable = None
    """Folder of the results; None for `results`, unless there is a table."""
    table: Table = None
    """File with results of any program; None for those of a folder."""
    columns: TableColumns = None
    """Columns of the table that are called otherwise."""

    def curves(self, scale: Scale = "params", *, items: bool = False) -> tuple[Curve, ...]:
        """Every curve over this scale; arguments and errors are those of `given_curves`."""
        return given_curves(self.results, self.table, scale, columns=split(self.columns), items=items)

    def verdicts(self, scale: Scale = "params", *, run_sd: float | None = None) -> tuple[Judged, ...]:
        """Every headline curve with its verdict; arguments and errors are those of `given_verdicts`."""
        return given_verdicts(self.results, self.table, scale, columns=split(self.columns), run_sd=run_sd)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """Which curves or results are shown; what was not chosen by leaves none out."""

    family: FamilyChoice = None
    """Families, or None for all."""
    task: TaskChoice = None
    """Tasks, or None for all."""
    shots: ShotChoice = None
    """Shot counts, or None for all."""

    def curves(self, drawn: Sequence[Curve], metric: str = "all") -> tuple[Curve, ...]:
        """The chosen ones of these curves; errors are those of `choose`."""
        return choose(drawn, families=split(self.family), tasks=split(self.task), shots=self._counts(), metric=metric)

    def results(self, done: Sequence[CellResult], model: Sequence[str] | None = None) -> list[CellResult]:
        """The chosen ones of these results, of the named models; errors are those of `chosen_results`."""
        return chosen_results(done, split(self.family), split(self.task), self._counts(), split(model))

    def _counts(self) -> tuple[int, ...] | None:
        return whole_numbers(self.shots, "--shots")


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """The file that figures are drawn into, and the place in a paper that it has to fit."""

    figure: FigureFile = None
    """The file; None when nothing is drawn."""
    width: PictureWidth = None
    """Width of the picture; None for a screen."""
    font: PictureFont = None
    """Size of its letters in points; None for the usual one."""

    def paper(self) -> Paper | None:
        """The place in a paper; errors are those of `paper_of`."""
        return paper_of(self.figure, self.width, self.font)

    def check(self) -> None:
        """Refuse, before any work is done, a size without a picture; errors are those of `paper_of`."""
        self.paper()

    def write(self, drawn: Sequence[Any], title: str) -> None:
        """Write the figures, if a file was named for them; errors are those of `write_figures`."""
        if self.figure is not None:
            write_figures(self.figure, drawn, title, self.paper())


@dataclass(frozen=True, kw_only=True, slots=True)
class Printing:
    """How findings are printed on stdout."""

    output_format: Annotated[
        Literal["table", "json", "csv"],
        typer.Option("--format", help="How it is printed on stdout; csv has every column."),
    ] = "table"
    """The form; `as_json` comes before it."""
    as_json: Json = False
    """True for JSON."""

    @property
    def form(self) -> Literal["table", "json", "csv"]:
        """A table for people, JSON, or CSV."""
        return "json" if self.as_json else self.output_format


def with_groups(verb: Callable[..., None]) -> Callable[..., None]:
    """A command that takes each option of the groups among the parameters of `verb`, which are dataclasses."""
    groups: dict[str, Any] = {}
    parameters: list[inspect.Parameter] = []
    for name, each in parameters_of(verb).items():
        if is_dataclass(each.annotation):
            groups[name] = each.annotation
            parameters += _options_of(groups[name])
        else:
            parameters.append(each)

    def command(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{option.name: values.pop(option.name) for option in _options_of(group)})
        verb(**values)

    return with_signature(command, verb, parameters)


@cache
def _options_of(group: Any) -> tuple[inspect.Parameter, ...]:
    types = get_type_hints(group, include_extras=True)
    return tuple(
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=types[field.name]
        )
        for field in fields(group)
    )
