"""Results as lm-evaluation-harness 0.4 lays them out: `results_DATE.json` and `samples_TASK_DATE.jsonl` of each model.

A file of lm-eval has one number of shots for a task and one model, so cells that differ in anything else stand in files
of their own. What its layout has no place for stands under the key `emergence_harness` of each task's config.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.exchange.exported import DETAILS, details_of, tool_of
from harness.exchange.types import ExportedFile
from harness.plan import Cell
from harness.records import CellResult, Sample
from harness.store import Store

_NOT_IN_NAMES = re.compile(r'["<>:/|\\?*\[\]\s]+')


def lm_eval_files(results: Iterable[CellResult], store: Store) -> Iterator[ExportedFile]:
    """The files that hold these results, one after the other.

    Args:
        results: cells that were evaluated.
        store: where their documents lie.

    Raises:
        StoreError: documents cannot be read.
    """
    groups: dict[tuple[object, ...], dict[str, CellResult]] = {}
    for result in results:
        cell = result.cell
        settings = cell.setting(free=("task", "task_digest"))
        place: tuple[object, ...] = (settings, 0)
        while cell.task in groups.get(place, {}):  # another text of the same task
            place = (settings, int(str(place[1])) + 1)
        groups.setdefault(place, {})[cell.task] = result
    taken: set[tuple[str, str]] = set()
    for group in groups.values():
        yield from _group(list(group.values()), store, taken)


def _group(results: list[CellResult], store: Store, taken: set[tuple[str, str]]) -> Iterator[ExportedFile]:
    model = results[0].cell.model
    folder = _NOT_IN_NAMES.sub("__", model.name if model.variant is None else f"{model.name}+{model.variant}")
    at = min(result.provenance.started_at for result in results).astimezone(UTC)
    while (folder, _date(at)) in taken:
        at += timedelta(microseconds=1)
    taken.add((folder, _date(at)))
    content = json.dumps(_results(results, at), indent=2, ensure_ascii=False, allow_nan=False)
    yield ExportedFile.of_text(Path(folder) / f"results_{_date(at)}.json", content)
    for result in results:
        if rows := list(_rows(result.cell, store.samples(result.cell))):
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            name = f"samples_{_NOT_IN_NAMES.sub('_', result.cell.task)}_{_date(at)}.jsonl"
            yield ExportedFile.of_text(Path(folder) / name, lines)


def _date(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H-%M-%S.%f")


def _results(results: list[CellResult], at: datetime) -> Mapping[str, Any]:
    first = results[0]
    cell, model = first.cell, first.cell.model
    args = {"pretrained": model.name, "revision": model.revision, "dtype": model.dtype}
    if model.variant is not None:
        # lm-eval has no word for treatments; adapters it knows
        args["peft" if model.treatment is None else "treatment"] = model.variant
    by_task = {result.cell.task: result for result in results}
    return {
        "results": {task: _row(result) for task, result in by_task.items()},
        "group_subtasks": {},
        "configs": {task: _config(result) for task, result in by_task.items()},
        "versions": {task: result.cell.task_version for task, result in by_task.items()},
        "n-shot": {task: result.cell.shots for task, result in by_task.items()},
        "higher_is_better": {
            task: {_split(m.name)[0]: m.higher_is_better for m in result.cell.metrics}
            for task, result in by_task.items()
        },
        "n-samples": {
            task: {"original": result.n_expected, "effective": min((s.n for s in result.scores), default=0)}
            for task, result in by_task.items()
        },
        "config": {
            "model": cell.engine,
            "model_args": args,
            "model_num_parameters": model.params,
            "model_dtype": f"torch.{model.dtype}",
            "model_revision": model.revision,
            "model_sha": "",
            "batch_size": first.provenance.batch_size,
            "device": first.provenance.device,
            "limit": cell.limit,
            "gen_kwargs": {},
            "fewshot_seed": cell.seed,
        },
        "date": at.timestamp(),
        "chat_template": cell.chat,
        "system_instruction": cell.system,
        "model_name": model.name,
        "model_name_sanitized": _NOT_IN_NAMES.sub("__", model.name),
        "total_evaluation_time_seconds": str(sum(result.provenance.seconds for result in results)),
    }


def _split(metric: str) -> tuple[str, str]:
    """Name and filter of a metric."""
    name, _, chosen = metric.partition(",")
    return name, chosen or "none"


def _row(result: CellResult) -> Mapping[str, Any]:
    row: dict[str, Any] = {"alias": result.cell.task, "sample_len": result.n_expected}
    for score in result.scores:
        name, chosen = _split(score.metric)
        row[f"{name},{chosen}"] = score.value
        row[f"{name}_stderr,{chosen}"] = "N/A" if score.stderr is None else score.stderr
    return row


def _config(result: CellResult) -> Mapping[str, Any]:
    cell = result.cell
    tool, version = tool_of(result)
    return {
        "task": cell.task,
        "num_fewshot": cell.shots,
        "metric_list": [{"metric": name} for name in dict.fromkeys(_split(metric.name)[0] for metric in cell.metrics)],
        "metadata": {"version": cell.task_version},
        DETAILS: {
            "key": cell.key,
            "family": cell.model.family,
            "run": cell.model.run,
            "suite": cell.suite,
            "kind": cell.kind,
            "task_digest": cell.task_digest,
            "prompt": cell.prompt,
            "engine": cell.engine,
            "limit": cell.limit,
            "metrics": [asdict(metric) for metric in cell.metrics],
            "n": {score.metric: score.n for score in result.scores},
            "details": details_of(result),
            "tool": tool,
            "tool_version": version,
        },
    }


def _rows(cell: Cell, samples: Iterable[Sample]) -> Iterator[Mapping[str, Any]]:
    """A row per document and filter."""
    filters = dict.fromkeys(_split(metric.name)[1] for metric in cell.metrics)
    for sample in samples:
        for chosen in filters:
            scores = {
                _split(metric)[0]: value for metric, value in sample.scores.items() if _split(metric)[1] == chosen
            }
            yield {
                "doc_id": sample.doc_id,
                "doc": {},
                "target": sample.target,
                **_answers(sample),
                "filter": chosen,
                "metrics": list(scores),
                "doc_hash": sample.doc_hash,
                "prompt_hash": sample.prompt_hash,
                "target_hash": hashlib.sha256(sample.target.encode("utf-8", "backslashreplace")).hexdigest(),
                **scores,
            }


def _answers(sample: Sample) -> Mapping[str, Any]:
    if sample.options:
        asked = {f"gen_args_{i}": {"arg_0": sample.prompt, "arg_1": option} for i, option in enumerate(sample.options)}
        weighed = [[str(value), "False"] for value in sample.option_loglikelihoods]
        return {"arguments": asked, "resps": [[one] for one in weighed], "filtered_resps": weighed}
    outputs = list(sample.outputs or (sample.output,))
    return {
        "arguments": {"gen_args_0": {"arg_0": sample.prompt, "arg_1": {}}},
        "resps": [outputs],
        "filtered_resps": outputs,
    }
