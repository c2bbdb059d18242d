"""`emergence samples`: what models were asked and answered, document by document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.option_values import meant, split, whole_numbers
from harness.cli.output import print_json, print_line, print_paragraph, say, table
from harness.cli.result_options import FamilyChoice, Json, ModelChoice, Results, ShotChoice, TaskChoice
from harness.cli.write import write_text
from harness.errors import PlanError, unknown
from harness.plan import Cell, by_size
from harness.reading import read_outcomes
from harness.store import Store
from harness.wording import count, score, visible_json

if TYPE_CHECKING:
    from harness.store.samples import Query, StoredSample

_SHOWN = 20
"""Documents that are shown to people unless they say how many."""
_ENDINGS = (".jsonl", ".ndjson", ".json")
"""Names of files that hold JSON; the last one holds a list."""


def command(
    family: FamilyChoice = None,
    task: TaskChoice = None,
    shots: ShotChoice = None,
    model: ModelChoice = None,
    seed: Annotated[list[str] | None, typer.Option("--seed", help="Only these few-shot seeds.")] = None,
    wrong: Annotated[bool, typer.Option("--wrong", help="Only wrong answers, by the headline metric.")] = False,
    right: Annotated[bool, typer.Option("--right", help="Only right answers.")] = False,
    text: Annotated[str, typer.Option("--text", help="Only where the prompt, the target or the answer has this.")] = "",
    doc: Annotated[list[str] | None, typer.Option("--doc", help="Only documents with these hashes.")] = None,
    flips: Annotated[
        bool, typer.Option("--flips", help="Documents whose answers turn right or wrong from one size to the next.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Documents at most; 20 on a terminal and all in files and JSON."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File: .jsonl for JSON lines, .json for a list.")
    ] = None,
    lines: Annotated[bool, typer.Option("--jsonl", help="JSON lines on stdout, nothing else.")] = False,
    as_json: Json = False,
    results: Results = Path("results"),
) -> None:
    """Show documents with prompt, target, answer and scores; wrong ones, or those that flip as models grow."""
    if wrong and right:
        raise PlanError("--wrong and --right: expected one of them")
    if flips and (wrong or right or text):
        raise PlanError("--flips asks about all answers; expected it without --wrong, --right and --text")
    cells = _chosen(
        [result.cell for result in read_outcomes(results, say).results],
        {"family": split(family), "task": split(task), "model": split(model)},
        {"shots": whole_numbers(shots, "--shots") or (), "seed": whole_numbers(seed, "--seed") or ()},
    )
    if output is not None:
        _check_ending(output)
    store = Store(results)
    data = as_json or lines or output is not None
    most = limit or (None if data else _SHOWN)
    if flips:
        rows = _flip_rows(store, cells, split(doc), most)
    else:
        rows = [_row(one) for one in _found(store, cells, wrong, right, text, split(doc), most)]
    if output is not None:
        write_text(output, _file(output, rows))
        say(f"{count(len(rows))} documents written to {output}")
    elif as_json:
        print_json(rows)
    elif lines:
        for row in rows:
            print(json.dumps(row, allow_nan=False))
    else:
        (_show_flips if flips else _show)(rows)
        if len(rows) == most:
            say(f"the first {most} are shown; --limit N shows more, -o FILE.jsonl writes all")


def _check_ending(output: Path) -> None:
    """Check that the name of a file says that JSON is in it.

    Raises:
        PlanError: it says something else.
    """
    if output.name and output.suffix.lower() not in _ENDINGS:
        raise PlanError(f"{output}: documents are written as JSON; expected a file named {', '.join(_ENDINGS)}")


def _file(output: Path, rows: Sequence[dict[str, Any]]) -> str:
    if output.suffix.lower() == ".json":
        return visible_json(rows, indent=2) + "\n"
    return "".join(f"{visible_json(row)}\n" for row in rows)


def _chosen(
    cells: Sequence[Cell], names: dict[str, tuple[str, ...]], numbers: dict[str, tuple[int, ...]]
) -> list[Cell]:
    """The cells that were asked for; a model may be called by the part behind its last slash.

    Raises:
        PlanError: none has such a name.
    """
    kept = list(cells)
    written = {
        what: meant(typed, {str(name) for cell in cells for name in _names(cell, what)})
        for what, typed in names.items()
    }
    for what, asked in {**written, **numbers}.items():
        for name in asked:
            if not any(name in _names(cell, what) for cell in cells):
                known = {str(full) for cell in cells for full in _names(cell, what)[:1]}
                raise PlanError(unknown(what, str(name), known))
        kept = [cell for cell in kept if not asked or set(asked) & set(_names(cell, what))]
    ordered = [cell for group in by_size(kept).values() for cell in group]
    if not ordered:
        raise PlanError("no cell is all of that; emergence status lists what there is")
    return ordered


def _names(cell: Cell, what: str) -> tuple[str | int, ...]:
    if what == "model":
        return cell.model.name, cell.model.name.rpartition("/")[2]
    return (cell.model.family if what == "family" else getattr(cell, what),)


def _found(
    store: Store, cells: Sequence[Cell], wrong: bool, right: bool, text: str, docs: tuple[str, ...], most: int | None
) -> list[StoredSample]:
    from harness.store.samples import RIGHT, Query, page

    found: list[StoredSample] = []
    for metric, some in _by_headline(cells if wrong or right else (), cells):
        query: Query = Query(
            text=text,
            metric=metric,
            at_least=RIGHT if right else None,
            below=RIGHT if wrong else None,
            documents=docs,
        )
        left = 10**9 if most is None else most - len(found)
        some_found = page(store, some, query, limit=left, patience=None)
        for problem in some_found.problems:
            say(f"skipped {problem}")
        found += some_found.rows
    return found


def _by_headline(judged: Sequence[Cell], cells: Sequence[Cell]) -> Iterator[tuple[str | None, list[Cell]]]:
    """Cells by the metric that tells right from wrong; None where nobody asks."""
    if not judged:
        yield None, list(cells)
        return
    for metric in dict.fromkeys(cell.metrics[0].name for cell in judged):
        yield metric, [cell for cell in judged if cell.metrics[0].name == metric]


def _of(cell: Cell) -> dict[str, Any]:
    return {
        "family": cell.model.family,
        "task": cell.task,
        "shots": cell.shots,
        "prompt": cell.prompt,
        "seed": cell.seed,
        "chat": cell.chat,
        "system": cell.system,
        "format": cell.format,
        "generation": cell.generation,
    }


def _row(found: StoredSample) -> dict[str, Any]:
    """One document of one cell; `prompt` names the variant and `input` is the text that the model read."""
    cell, sample = found
    return {
        **_of(cell),
        "model": cell.model.name,
        "params": cell.model.params,
        "key": cell.key,
        "doc_id": sample.doc_id,
        "doc_hash": sample.doc_hash,
        "input": sample.prompt,
        "target": sample.target,
        "output": sample.output,
        "outputs": list(sample.outputs),
        "options": list(sample.options),
        "option_loglikelihoods": list(sample.option_loglikelihoods),
        "truncated": sample.truncated,
        "scores": dict(sample.scores),
    }


def _flip_rows(store: Store, cells: Iterable[Cell], docs: tuple[str, ...], most: int | None) -> list[dict[str, Any]]:
    """One row per document that flips, of each setting; `right` has the models from the smallest to the largest."""
    from harness.store.samples import answer_changes

    rows: list[dict[str, Any]] = []
    for group in by_size(cells).values():
        found = answer_changes(store, group, group[0].metrics[0].name)
        for problem in found.problems:
            say(f"skipped {problem}")
        names = [cell.model.name for cell in found.cells]
        rows += [
            {
                **_of(group[0]),
                "doc_hash": item.doc_hash,
                "changes": item.changes,
                "right": dict(zip(names, item.right, strict=True)),
            }
            for item in found.items
            if not docs or item.doc_hash in docs
        ]
    return rows[:most]


def _show(rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        print_line(f"{row['model']} {row['task']} {row['shots']}-shot {row['prompt']} seed {row['seed']}")
        scores = ", ".join(f"{name} {score(value)}" for name, value in row["scores"].items())
        print_line(f"  document {row['doc_id']} ({row['doc_hash']}): {scores}")
        print_paragraph(f"  input: {row['input']}")
        print_paragraph(f"  target: {row['target']}")
        print_paragraph(f"  answer: {row['output']}")
        print_line()


def _show_flips(rows: Sequence[dict[str, Any]]) -> None:
    """A table per setting: + for a right answer, - for a wrong one, nothing where the document was not asked."""
    signs = {True: "+", False: "-", None: ""}
    settings = {tuple(row[name] for name in ("family", "task", "shots", "prompt", "seed")): row for row in rows}
    for setting in settings:
        some = [row for row in rows if tuple(row[n] for n in ("family", "task", "shots", "prompt", "seed")) == setting]
        family, task, shots, prompt, seed = setting
        print_line(f"{family} {task} {shots}-shot {prompt} seed {seed}")
        models = list(dict.fromkeys(name for row in some for name in row["right"]))
        shown = [[r["doc_hash"], r["changes"], *(signs[r["right"].get(name)] for name in models)] for r in some]
        print(table(["document", "changes", *models], shown))
        print_line()
