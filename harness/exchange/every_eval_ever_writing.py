"""Results as Every Eval Ever 0.3 has them: a JSON for each cell, and its documents in `UUID_samples.jsonl` beside it.

The folders are those of its collections, `data/COLLECTION/DEVELOPER/MODEL`. Names and times depend on the cell alone;
so an export that is repeated replaces its files. Who evaluated is `unknown`: whoever contributes the files says it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from harness.exchange.every_eval_ever_samples import LIKELIHOODS
from harness.exchange.exported import DETAILS, details_of, tool_of
from harness.exchange.types import ExportedFile
from harness.plausible import is_share
from harness.records import CellResult, Sample, Score
from harness.specs import MetricSpec
from harness.store import Store

SCHEMA = "0.3.0"
_COLLECTION = "emergence-harness"
_UNKNOWN = "unknown"
_LOCAL = ("tree", "lm-eval", "seq2seq", "encoder", "vllm")
"""Engines that load the model on the machine that evaluates."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def every_eval_ever_files(results: Iterable[CellResult], store: Store) -> Iterator[ExportedFile]:
    """The files that hold these results, one after the other.

    Args:
        results: cells that were evaluated.
        store: where their documents lie.

    Raises:
        StoreError: documents cannot be read.
    """
    for result in results:
        folder = _folder(result.cell.model.name)
        name = str(UUID(bytes=hashlib.sha256(f"{result.cell.place}".encode()).digest()[:16], version=4))
        rows = b"".join(_line(row) for sample in store.samples(result.cell) for row in _rows(result, sample))
        record = _record(result)
        if rows:
            path = folder / f"{name}_samples.jsonl"
            record["detailed_evaluation_results"] = {
                "format": "jsonl",
                "file_path": path.as_posix(),
                "hash_algorithm": "sha256",
                "checksum": hashlib.sha256(rows).hexdigest(),
                "total_rows": rows.count(b"\n"),
            }
            yield ExportedFile(path, rows)
        content = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        yield ExportedFile.of_text(folder / f"{name}.json", content)


def _folder(model: str) -> Path:
    developer, _, name = model.rpartition("/")
    return Path("data") / _COLLECTION / _part(developer or _UNKNOWN) / _part(name)


def _part(text: str) -> str:
    """A name of a folder: no other signs than those that every system takes, and no step upwards."""
    return _NOT_IN_NAMES.sub("_", text).strip(".") or "_"


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "backslashreplace")


def _record(result: CellResult) -> dict[str, Any]:
    done = result.provenance.started_at + timedelta(seconds=result.provenance.seconds)
    source = result.provenance.source
    tool, version = tool_of(result)
    about = {"licence": source.licence} if source is not None and source.licence else {}
    return {
        "schema_version": SCHEMA,
        "evaluation_id": _id(result),
        "evaluation_timestamp": _time(result.provenance.started_at),
        "retrieved_timestamp": _time(done if source is None else source.imported_at),
        "source_metadata": {
            "source_name": "emergence harness" if source is None else source.label,
            "source_type": "evaluation_run" if source is None else "documentation",
            "source_organization_name": _UNKNOWN,
            "evaluator_relationship": "other",
            **({"additional_details": about} if about else {}),
        },
        "eval_library": {
            "name": tool,
            "version": version or _UNKNOWN,
            "additional_details": {DETAILS: details_of(result)},
        },
        "model_info": _model(result),
        "evaluation_results": [_entry(result, score) for score in result.scores],
    }


def _id(result: CellResult) -> str:
    return f"{result.cell.task}/{result.cell.model.name.replace('/', '_')}/{result.cell.key}"


def _time(at: datetime) -> str:
    return repr(at.timestamp())


def _model(result: CellResult) -> Mapping[str, Any]:
    model = result.cell.model
    developer, _, name = model.name.rpartition("/")
    known = {
        "num_parameters": model.params,
        "training_tokens": model.tokens,
        "family": model.family,
        "revision": model.revision,
        "dtype": model.dtype,
        "variant": model.variant,
    }
    return {
        "name": name,
        "id": model.name,
        "developer": developer or _UNKNOWN,
        "additional_details": {
            "deployment_type": "self_deployed" if result.cell.engine in _LOCAL else _UNKNOWN,
            "model_availability": _UNKNOWN,
            **{key: str(value) for key, value in known.items() if value is not None},
        },
    }


def _entry(result: CellResult, score: Score) -> Mapping[str, Any]:
    cell = result.cell
    metric = next(one for one in cell.metrics if one.name == score.metric)
    error = {} if score.stderr is None else {"standard_error": {"value": score.stderr}}
    return {
        "evaluation_result_id": _result_id(result, score.metric),
        "evaluation_name": cell.task,
        "source_data": {"dataset_name": cell.task, "source_type": "other"},
        "evaluation_timestamp": _time(result.provenance.started_at),
        "metric_config": {"metric_id": metric.name, "metric_name": metric.name, **_reading(metric)},
        "score_details": {"score": score.value, "uncertainty": {**error, "num_samples": score.n}},
        "generation_config": {"additional_details": {"num_fewshot": str(cell.shots)}},
    }


def _result_id(result: CellResult, metric: str) -> str:
    return f"{_id(result)}/{metric}"


def _reading(metric: MetricSpec) -> Mapping[str, Any]:
    """How a metric is read; a bound that is not known is infinite."""
    least = 0.0 if is_share(metric.name) else "-Infinity"  # correlations can be below 0
    best = metric.best
    higher = (least, "Infinity" if best is None else best)
    lower = ("-Infinity" if best is None else best, "Infinity")
    low, high = higher if metric.higher_is_better else lower
    return {
        "lower_is_better": not metric.higher_is_better,
        "score_type": "continuous",
        "min_score": low,
        "max_score": high,
    }


def _rows(result: CellResult, sample: Sample) -> Iterator[Mapping[str, Any]]:
    """A row for each metric; the answer is correct where the headline metric has its best score."""
    cell = result.cell
    headline = cell.metrics[0]
    is_correct = headline.best is not None and sample.scores.get(headline.name) == headline.best
    targets, outputs = list(sample.targets or (sample.target,)), list(sample.outputs or (sample.output,))
    metadata = {"doc_hash": sample.doc_hash, "prompt_hash": sample.prompt_hash}
    if sample.option_loglikelihoods:
        metadata[LIKELIHOODS] = json.dumps(sample.option_loglikelihoods)
    if sample.truncated:
        metadata["truncated"] = "true"
    raw = json.dumps({"raw": sample.prompt, "reference": targets}, sort_keys=True)
    for metric, value in sample.scores.items():
        yield {
            "schema_version": SCHEMA,
            "evaluation_id": _id(result),
            "model_id": cell.model.name,
            "evaluation_name": cell.task,
            "evaluation_result_id": _result_id(result, metric),
            "sample_id": str(sample.doc_id),
            "sample_hash": hashlib.sha256(raw.encode()).hexdigest(),
            "interaction_type": "single_turn",
            "input": {
                "raw": sample.prompt,
                "reference": targets,
                **({"choices": list(sample.options)} if sample.options else {}),
            },
            "output": {"raw": outputs},
            "answer_attribution": [
                {
                    "turn_idx": 0,
                    "source": "output.raw",
                    "extracted_value": sample.output,
                    "extraction_method": metric.partition(",")[2] or "none",
                    "is_terminal": True,
                }
            ],
            "evaluation": {"score": value, "is_correct": is_correct},
            "metadata": metadata,
        }
