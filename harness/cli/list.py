"""`emergence list`: families, models, suites, tasks, engines and treatments to choose from, and trainings of before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import print_json, print_line, print_paragraph, table
from harness.cli.plan_options import AllowCode, DataRoots, IncludePath
from harness.cli.result_options import FigureFile, Json
from harness.cli.trainings import list_trainings
from harness.engines.protocol import ENGINES
from harness.errors import PlanError, unknown
from harness.treatments import BUILT_IN, Treatment, engines_for
from harness.wording import count, number, quoted

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.catalog.lm_eval_tasks.groups import NamedTask
    from harness.specs import Family, ModelSpec

_KINDS = ("families", "suites", "tasks", "engines")
"""What is listed unless told."""
_TREATMENTS, _MODELS, _TRAININGS = "treatments", "models", "trainings"


def command(
    what: Annotated[
        str | None,
        typer.Argument(
            help="families, suites, tasks or engines, all four unless told; or treatments, models of these families, "
            "or trainings of a results folder."
        ),
    ] = None,
    families: Annotated[
        list[str] | None, typer.Argument(metavar="[FAMILY]...", help="Families to list the models of.")
    ] = None,
    match: Annotated[
        str | None,
        typer.Option("--match", help="With tasks: those with this word in their name, those of lm-eval too."),
    ] = None,
    include_path: IncludePath = None,
    data_root: DataRoots = None,
    allow_code: AllowCode = False,
    results: Annotated[
        Path | None, typer.Option("--results", help="With trainings: folder of the results; `results` unless told.")
    ] = None,
    figure: FigureFile = None,
    as_json: Json = False,
) -> None:
    """Show the families, suites, tasks and engines that can be chosen, or the treatments, or the models of families.

    `emergence list trainings` shows what models of a results folder were trained on; --figure draws their loss.

    Tasks of lm-eval can be chosen by name too; --match shows those that have a word in their name.
    `emergence tasks NAME` shows what a task asks, with an example.
    """
    from harness.catalog import load_catalog

    known = (*_KINDS, _TREATMENTS, _MODELS, _TRAININGS)
    if what is not None and what not in known:
        raise PlanError(unknown("list", what, known))
    if families and what != _MODELS:
        raise PlanError(f"{families[0]}: expected after `list models` alone")
    if match is not None and what != "tasks":
        raise PlanError(f"--match {quoted(match)}: expected after `list tasks` alone")
    for option, asked in (("--results", results), ("--figure", figure)):
        if asked is not None and what != _TRAININGS:
            raise PlanError(f"{option} {asked}: expected after `list trainings` alone")
    if what == _TRAININGS:
        list_trainings(results or Path("results"), figure, as_json=as_json)
        return
    catalog = load_catalog(tuple(include_path or ()), data_roots=tuple(data_root or ()), allow_code=allow_code)
    if what == _MODELS:
        _list_models([catalog.family(name) for name in families or sorted(catalog.families)], as_json)
        return
    if match is not None:
        _list_matching(catalog, match, as_json)
        return
    kinds = (what,) if what else _KINDS
    if as_json:
        data = {kind: _rows(catalog, kind) for kind in kinds}
        print_json(data[what] if what else data)
        return
    for kind in kinds:
        rows = _rows(catalog, kind)
        print_line(f"{kind}:")
        print(_table(rows) if rows else "none")
        if kind == "tasks" and (more := catalog.others.number()):
            print_line(f"and {count(more)} tasks of lm-eval: emergence list tasks --match WORD")
        if kind == _TREATMENTS:
            print_line(
                "and none, the model as it is; sparse1 to sparse99, by percent of zeros; lora1, lora2, ... by rank; "
                "prompt1, ... by vectors; prefix1, ... by tokens; distill:MODEL by a larger model of the family; those "
                "that train with a number of documents, such as finetune@64"
            )
        print_line()


def _list_matching(catalog: Catalog, match: str, as_json: bool) -> None:
    """The tasks that have a word in their name, those of lm-eval in a table of their own."""
    from harness.catalog.lm_eval_tasks.groups import named_like

    ours = [row for row in _rows(catalog, "tasks") if named_like(row["name"], match)]
    theirs = [_row_of(found) for found in catalog.others.matching(match)]
    if as_json:
        print_json([*ours, *theirs])
        return
    if ours:
        print(_table(ours))
        print_line()
    if theirs:
        print_line("tasks, groups and tags of lm-eval:")
        print(_table(theirs))
    if not ours and not theirs:
        raise PlanError(catalog.others.unknown(match, tuple(catalog.tasks)))


def _row_of(found: NamedTask) -> dict[str, Any]:
    return {"name": found.name, "is": found.kind, "asks": found.output_type or None, "tasks": found.tasks}


_ONLY_JSON = frozenset({"variant", "settings"})
"""What a treatment is called in results, and its settings, which its description says in words."""


def _table(rows: list[dict[str, Any]]) -> str:
    shown = [name for name in rows[0] if name not in _ONLY_JSON]
    fold = ("tasks", "description", "needs", "source")
    return table(shown, [[_text(row[name]) for name in shown] for row in rows], fold=fold)


def _rows(catalog: Catalog, kind: str) -> list[dict[str, Any]]:
    if kind == "families":
        return [
            {
                "name": f.name,
                "kind": f.kind,
                "models": len(f.models),
                "checkpoints": len(f.revisions) * len(f.models) or None,
                "smallest": f.models[0].params,
                "largest": f.models[-1].params,
                "licence": f.licence,
                "where": _where(f, catalog.files[f"family {f.name}"]),
            }
            for f in sorted(catalog.families.values(), key=lambda family: family.name)
        ]
    if kind == "suites":
        return [
            {"name": s.name, "tasks": list(s.tasks), "shots": list(s.shots) or [0], "description": s.description}
            for s in catalog.suites.values()
        ]
    if kind == "tasks":
        return [
            {
                "name": t.name,
                "suite": t.suite,
                "kind": t.kind,
                "metric": t.headline.name,
                "chance": t.headline.chance,
                "documents": t.expected_docs,
                "description": t.description,
            }
            for t in catalog.tasks.values()
        ]
    if kind == _TREATMENTS:
        return [_treatment(one) for one in (*BUILT_IN.values(), *catalog.treatments.values())]
    return [{"name": name, "implementation": where} for name, where in ENGINES.items()]


def _treatment(one: Treatment) -> dict[str, Any]:
    engines = f"engine {' or '.join(sorted(engines_for(one.method), reverse=True))}"
    return {
        "name": one.name,
        "description": one.description or one.method.does(),
        "needs": "; ".join(filter(None, (engines, one.method.needs()))),
        "source": one.source,
        "variant": one.variant,
        "settings": one.settings,
    }


def _list_models(families: Sequence[Family], as_json: bool) -> None:
    """The models of families with what is known of their size, and where that was published."""
    if as_json:
        print_json([_about(family) | {"models": [_model(m) for m in family.models]} for family in families])
        return
    for family in families:
        print_line(f"{family.name}, {family.kind}:")
        print(_table([_model(m) for m in family.models]))
        names = [*family.revisions]
        if names:
            print_line(f"{len(names)} checkpoints of each on the hub, {names[0]} to {names[-1]}")
        for text in (family.note, *(f"{key}: {source}" for key, source in family.sources.items()), family.url):
            if text:
                print_paragraph(text)
        print_line()


def _about(family: Family) -> dict[str, Any]:
    return {
        "family": family.name,
        "kind": family.kind,
        "licence": family.licence,
        "url": family.url,
        "sources": dict(family.sources),
        "revisions": dict(family.revisions),
        "note": family.note,
    }


def _model(model: ModelSpec) -> dict[str, Any]:
    return {
        "name": model.name,
        "params": model.params,
        "non_embedding": model.params_non_embedding,
        "active": model.params_active,
        "tokens": model.tokens,
        "run": model.run,
        "dtype": model.dtype,
    }


def _where(family: Family, file: Path) -> str:
    if not any(model.path for model in family.models):
        return "hub"
    return "in this package" if file.is_relative_to(Path(__file__).parents[1]) else "local folders"


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    if isinstance(value, int) and value >= 10_000:
        return number(value)
    return None if value is None else str(value)
