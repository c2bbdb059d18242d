"""`emergence list`: the families, suites, tasks and engines that can be chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import AllowCode, DataRoots, IncludePath, Json
from harness.cli.output import print_json, print_line, table
from harness.engines.protocol import ENGINES
from harness.errors import PlanError, unknown
from harness.wording import number

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.specs import Family

_KINDS = ("families", "suites", "tasks", "engines")


def command(
    what: Annotated[
        str | None, typer.Argument(help="families, suites, tasks or engines; all four unless told.")
    ] = None,
    include_path: IncludePath = None,
    data_root: DataRoots = None,
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Show the families, suites, tasks and engines that can be chosen."""
    from harness.catalog import load_catalog

    if what is not None and what not in _KINDS:
        raise PlanError(unknown("list", what, _KINDS))
    catalog = load_catalog(tuple(include_path or ()), data_roots=tuple(data_root or ()), allow_code=allow_code)
    kinds = (what,) if what else _KINDS
    if as_json:
        data = {kind: _rows(catalog, kind) for kind in kinds}
        print_json(data[what] if what else data)
        return
    for kind in kinds:
        rows = _rows(catalog, kind)
        print_line(f"{kind}:")
        print(_table(rows) if rows else "none")
        print_line()


def _table(rows: list[dict[str, Any]]) -> str:
    return table(list(rows[0]), [[_text(v) for v in row.values()] for row in rows], fold=("tasks", "description"))


def _rows(catalog: Catalog, kind: str) -> list[dict[str, Any]]:
    if kind == "families":
        return [
            {
                "name": f.name,
                "models": len(f.models),
                "smallest": f.models[0].params,
                "largest": f.models[-1].params,
                "licence": f.licence,
                "where": _where(f, catalog.files[f"family {f.name}"]),
            }
            for f in catalog.families.values()
        ]
    if kind == "suites":
        return [
            {"name": s.name, "tasks": list(s.tasks), "shots": list(s.shots), "description": s.description}
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
                "documents": t.n_docs,
                "description": t.description,
            }
            for t in catalog.tasks.values()
        ]
    return [{"name": name, "implementation": where} for name, where in ENGINES.items()]


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
