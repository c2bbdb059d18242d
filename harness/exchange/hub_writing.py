"""Results as the Hugging Face hub shows them beside a model: `.eval_results/*.yaml`, and `model-index` in README.md.

`.eval_results` names a benchmark, which is a data set of the hub, and one value; `model-index` also takes the metric,
the number of shots and data sets that are no benchmark. Layout: hub-docs, `eval_results.yaml` and `modelcard.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from harness.errors import HarnessError
from harness.exchange.tasks import known_task
from harness.exchange.types import ExportedFile
from harness.plan import Cell
from harness.records import CellResult, Score
from harness.store import Store
from harness.version import __version__
from harness.wording import quoted

_NOT_IN_NAMES = re.compile(r'["<>:/|\\?*\[\]\s]+')


class HubDataset(NamedTuple):
    """A data set of the hub."""

    name: str
    """Its name, such as `allenai/ai2_arc`."""
    part: str | None
    """Its configuration, which is the task on its leaderboard; None for the only one."""


def told_datasets(texts: Iterable[str]) -> dict[str, HubDataset]:
    """Task -> data set, from texts such as `arc_easy=allenai/ai2_arc:ARC-Easy`.

    Raises:
        HarnessError: a text is none.
    """
    found: dict[str, HubDataset] = {}
    for text in texts:
        task, _, place = text.partition("=")
        name, _, part = place.partition(":")
        if not task or name.count("/") != 1 or not all(name.split("/")):
            raise HarnessError(
                f"--dataset is {quoted(text)}; expected TASK=ORG/NAME or TASK=ORG/NAME:PART, such as "
                "arc_easy=allenai/ai2_arc:ARC-Easy"
            )
        found[task] = HubDataset(name, part or None)
    return found


def dataset_of(task: str, told: Mapping[str, HubDataset]) -> HubDataset | None:
    """The data set of a task, as the user says, else as the table of known tasks has it."""
    known = known_task(task)
    in_table = None if known is None or known.dataset is None else HubDataset(known.dataset, known.part)
    return told.get(task) or in_table


def hub_files(
    results: Iterable[CellResult], store: Store, datasets: Mapping[str, HubDataset] | None = None
) -> Iterator[ExportedFile]:
    """A folder for each model, with `.eval_results/emergence-harness.yaml` and the front matter of its README.md.

    Args:
        results: cells that were evaluated.
        store: where their documents lie, which the hub does not take.
        datasets: task -> data set, as the user says.
    """
    models: dict[str, list[CellResult]] = {}
    for result in results:
        models.setdefault(result.cell.model.name, []).append(result)
    for name, cells in models.items():
        folder = Path(_NOT_IN_NAMES.sub("__", name))
        placed = [(cell, dataset_of(cell.cell.task, datasets or {})) for cell in cells]
        if entries := [_entry(cell, dataset) for cell, dataset in placed if dataset is not None]:
            yield ExportedFile(folder / ".eval_results" / "emergence-harness.yaml", _yaml(entries).encode())
        index = [{"name": name, "results": [_result(cell, dataset) for cell, dataset in placed]}]
        yield ExportedFile(folder / "README.md", f"---\n{_yaml({'model-index': index})}---\n{MARK}\n".encode())


def without_dataset(results: Iterable[CellResult], datasets: Mapping[str, HubDataset]) -> list[str]:
    """Tasks whose data set nobody named, so that `.eval_results` cannot hold them."""
    return sorted({one.cell.task for one in results if dataset_of(one.cell.task, datasets) is None})


MARK = "<!-- Written by emergence-harness: the lines above belong into the front matter of the model's README.md. -->"


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)


def _entry(result: CellResult, dataset: HubDataset) -> Mapping[str, Any]:
    """An entry of `.eval_results`: the headline score, which the benchmark's leaderboard shows."""
    score = result.scores[0]
    return {
        "dataset": {"id": dataset.name, "task_id": dataset.part or "default"},
        "value": score.value,
        "date": result.provenance.started_at.astimezone(UTC).isoformat(timespec="seconds"),
        "notes": ", ".join(_notes(result.cell, score)),
    }


def _notes(cell: Cell, score: Score) -> Iterator[str]:
    """The setting of a score in words, without what goes without saying."""
    yield f"{score.metric}"
    yield f"{cell.shots}-shot"
    yield from (f"{name} {value}" for name, value in _setting(cell).items())
    if score.stderr is not None:
        yield f"stderr {score.stderr:.4g}"
    yield f"{score.n} documents"
    yield f"emergence-harness {__version__}"


def _setting(cell: Cell) -> Mapping[str, Any]:
    setting = {
        "prompt": None if cell.prompt == "default" else cell.prompt,
        "seed": cell.seed or None,
        "limit": cell.limit,
        "revision": None if cell.model.revision == "main" else cell.model.revision,
        "variant": cell.model.variant,
        "dtype": cell.model.dtype,
        "chat": cell.chat,
    }
    return {name: value for name, value in setting.items() if value is not None}


def _result(result: CellResult, dataset: HubDataset | None) -> Mapping[str, Any]:
    """An entry of `model-index`: all scores of a cell. A task without a data set stands under its own name."""
    cell = result.cell
    place = {"name": cell.task, "type": cell.task if dataset is None else dataset.name}
    if dataset is not None and dataset.part is not None:
        place["config"] = dataset.part
    return {
        "task": {"type": "text-generation", "name": "Text Generation"},
        "dataset": {**place, "args": {"num_few_shot": cell.shots, **_setting(cell)}},
        "metrics": [
            {
                "type": score.metric,
                "value": score.value,
                "args": {
                    "n": score.n,
                    **({} if score.stderr is None else {"stderr": score.stderr}),
                },
            }
            for score in result.scores
        ],
    }
