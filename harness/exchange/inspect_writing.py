"""Results as logs of Inspect (inspect-ai), one JSON file for each cell, in version 2 of its layout.

A metric of a cell is a scorer of its log, whose `mean` and `stderr` are the score; one that Inspect itself computed,
such as `accuracy,match`, is its metric `accuracy` of the scorer `match` again. What the layout has no place for stands
in `eval.metadata` and in the metadata of each sample, under `emergence_harness`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.exchange.exported import DETAILS, details_of, tool_of
from harness.exchange.inspect_logs import INSPECT
from harness.exchange.inspect_samples import MEANS
from harness.exchange.types import ExportedFile
from harness.records import CellResult, Sample
from harness.store import Store
from harness.version import __version__
from harness.wording import file_name

_NOT_IN_NAMES = re.compile(r'["<>:/|\\?*\[\]\s]+')


def inspect_logs(results: Iterable[CellResult], store: Store) -> Iterator[ExportedFile]:
    """The logs of these results, one after the other.

    Args:
        results: cells that were evaluated.
        store: where their documents lie.

    Raises:
        StoreError: documents cannot be read.
    """
    for result in results:
        cell = result.cell
        model = cell.model.name if cell.model.variant is None else f"{cell.model.name}+{cell.model.variant}"
        name = f"{_utc(result):%Y-%m-%dT%H-%M-%S+00-00}_{file_name(cell.task).replace('_', '-')}_{cell.key}.json"
        content = json.dumps(_log(result, store.samples(cell)), indent=2, ensure_ascii=False, allow_nan=False)
        yield ExportedFile.of_text(Path(_NOT_IN_NAMES.sub("__", model)) / name, content)


def _utc(result: CellResult) -> datetime:
    return result.provenance.started_at.astimezone(UTC)


def _log(result: CellResult, samples: tuple[Sample, ...]) -> Mapping[str, Any]:
    began = _utc(result)
    answered = min((score.n for score in result.scores), default=0)
    return {
        "version": 2,
        "status": "success",
        "eval": _spec(result, samples),
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {}},
        "results": {
            "total_samples": result.n_expected,
            "completed_samples": answered,
            "scores": list(_scores(result)),
        },
        "stats": {
            "started_at": began.isoformat(),
            "completed_at": (began + timedelta(seconds=result.provenance.seconds)).isoformat(),
            "model_usage": {},
        },
        "samples": [_sample(result, sample) for sample in samples],
    }


def _spec(result: CellResult, samples: tuple[Sample, ...]) -> Mapping[str, Any]:
    cell, source = result.cell, result.provenance.source
    model = cell.model
    args = {"revision": model.revision, "dtype": model.dtype}
    packages = {"emergence_harness": __version__}
    if source is not None and source.tool == INSPECT and source.tool_version is not None:
        packages["inspect_ai"] = source.tool_version
    arguments = {"fewshot": cell.shots, "fewshot_seed": cell.seed}
    return {
        "eval_id": cell.key,
        "run_id": cell.key,
        "created": _utc(result).isoformat(),
        "task": cell.task,
        "task_id": cell.key,
        "task_version": int(cell.task_version) if cell.task_version.isdecimal() else cell.task_version,
        "task_attribs": {},
        "task_args": arguments,
        "task_args_passed": arguments,
        "dataset": {
            "name": cell.task,
            "samples": result.n_expected,
            "sample_ids": [sample.doc_id for sample in samples],
            "shuffled": False,
        },
        "model": model.name,
        "model_generate_config": {},
        "model_args": {name: value for name, value in args.items() if value is not None},
        "config": {"limit": cell.limit, "epochs": 1} if cell.limit is not None else {"epochs": 1},
        "packages": packages,
        "metadata": {DETAILS: _details(result)},
    }


def _details(result: CellResult) -> Mapping[str, Any]:
    tool, version = tool_of(result)
    return {"details": details_of(result), "tool": tool, **({"tool_version": version} if version else {})}


def _parts(metric: str) -> tuple[str, str]:
    """Scorer, and metric of the scorer, under which a score stands."""
    name, _, scorer = metric.partition(",")
    return (scorer, name) if scorer and name in MEANS else (metric, "mean")


def _scores(result: CellResult) -> Iterator[Mapping[str, Any]]:
    for score in result.scores:
        scorer, metric = _parts(score.metric)
        metrics = {metric: score.value} if score.stderr is None else {metric: score.value, "stderr": score.stderr}
        yield {
            "name": scorer,
            "scorer": scorer,
            "params": {},
            "metrics": {name: {"name": name, "value": value, "params": {}} for name, value in metrics.items()},
        }


def _sample(result: CellResult, sample: Sample) -> Mapping[str, Any]:
    texts = sample.outputs or (sample.output,)
    messages = [_message("assistant", text) for text in texts]
    own: dict[str, Any] = {"doc_id": sample.doc_id, "doc_hash": sample.doc_hash, "prompt_hash": sample.prompt_hash}
    if sample.option_loglikelihoods:
        own["option_loglikelihoods"] = list(sample.option_loglikelihoods)
    return {
        "id": sample.doc_id,
        "epoch": 1,
        "input": sample.prompt,
        **({"choices": list(sample.options)} if sample.options else {}),
        "target": list(sample.targets) or sample.target,
        "messages": [_message("user", sample.prompt), messages[0]],
        "output": {
            "model": result.cell.model.name,
            "choices": [{"message": one, "stop_reason": "stop"} for one in messages],
            "completion": sample.output,
        },
        "scores": {_parts(metric)[0]: {"value": value} for metric, value in sample.scores.items()},
        "metadata": {DETAILS: own},
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
    }


def _message(role: str, text: str) -> Mapping[str, Any]:
    return {"role": role, "content": text}
