"""`emergence curves`: one row per point of every curve."""

from __future__ import annotations

from harness.cli.options import Json, ResultsOrTable, Scale, Table
from harness.cli.output import count, print_json, table, telling
from harness.cli.read import read_curves


def command(
    results: ResultsOrTable = None, table_file: Table = None, scale: Scale = "params", as_json: Json = False
) -> None:
    """Show every metric over the sizes of each family, with 95 % intervals."""
    from harness.analysis.frame import point_rows

    rows = point_rows(read_curves(results, table_file, scale))
    if as_json:
        print_json(rows)
        return
    head = [name for name in (rows[0] if rows else {"family": None}) if name != "scale"]
    shown = telling(head, [[_text(name, row[name]) for name in head] for row in rows], ("conditions",))
    print(table(*shown))


def _text(name: str, value: object) -> object:
    if name == "x" and isinstance(value, float):
        return count(value)
    return f"{value:.3f}" if isinstance(value, float) else value
