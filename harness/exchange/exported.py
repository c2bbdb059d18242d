"""What files that were exported here say beyond their format: the cell as it is, in a JSON text under a key of ours."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.bounded.json_text import parsed_json
from harness.bounded.limits import UnreadableError
from harness.errors import HarnessError
from harness.exchange.fields import Fields
from harness.plan import Cell
from harness.records import CellResult
from harness.wording import cut

if TYPE_CHECKING:
    from pydantic import TypeAdapter

DETAILS = "emergence_harness"
"""Key of the text."""
HERE = "emergence-harness"
"""Program that evaluated a cell that was not imported."""


def details_of(result: CellResult) -> str:
    """The text: the cell and the number of its documents."""
    cell = _cells().dump_python(result.cell, mode="json")
    return json.dumps({"cell": cell, "n_expected": result.n_expected}, ensure_ascii=False, allow_nan=False)


def tool_of(result: CellResult) -> tuple[str, str | None]:
    """Name and version of the program that evaluated a cell; the engine stands behind the name of this one."""
    source = result.provenance.source
    if source is not None:
        return source.tool, source.tool_version
    return f"{HERE}:{result.cell.engine}", result.provenance.versions.get("emergence-harness")


def cell_in(text: str, place: str, *, model: str, task: str) -> tuple[Cell, int | None]:
    """The cell and the number of its documents.

    Args:
        text: a text of `details_of`.
        place: where it stands.
        model: name of the model, as the rest of the file has it.
        task: name of the task, as the rest of the file has it.

    Raises:
        HarnessError: it is no such text, or says something else than the rest of the file.
    """
    from pydantic import ValidationError

    try:
        fields = Fields(parsed_json(text, finite=True), place)
        cell = _cells().validate_python(fields.get("cell"))
    except UnreadableError as error:
        raise HarnessError(f"{place}: {error}; expected what was exported") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("cell", *first["loc"]))
        raise HarnessError(f"{place}: {cut(where)}: {cut(first['msg'])}; expected what was exported") from error
    if (cell.model.name, cell.task) != (model, task):
        raise HarnessError(
            f"{place}: is about {cut(cell.model.name)} and {cut(cell.task)}; expected {cut(model)} and {cut(task)}, as "
            "the rest of the file says"
        )
    return cell, fields.whole("n_expected")


@cache
def _cells() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(Cell)
