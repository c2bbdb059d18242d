"""Logs as Inspect writes them, as `.eval` and as JSON, with every kind of field that real ones have.

The structure is that of two logs in the repository of inspect-ai, whose texts and numbers are others here:
`tests/log/test_eval_log/log_read_sample.eval` (a task with free answers, of which one of 100 was asked) and
`tests/analysis/test_logs_choices/mmlu-summary-choices.eval` (a task of `inspect_evals` with options).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.builders.archives import zip_bytes

SPEC: Mapping[str, Any] = {
    "eval_id": "C3pqnFnsCUx6ZpmsRU9Ape",
    "run_id": "X3kuys5egBfmBhaXyCtp4X",
    "created": "2025-07-05T09:59:48-04:00",
    "task": "inspect_evals/colours_0_shot",
    "task_id": "EgjQRZxk6Gcz2GUJgtUV6u",
    "task_version": 2,
    "task_file": "examples/colours.py",
    "task_display_name": "colours_0_shot",
    "task_registry_name": "inspect_evals/colours_0_shot",
    "task_attribs": {},
    "task_args": {"fewshot": 5, "fewshot_seed": 42, "language": "EN"},
    "task_args_passed": {},
    "dataset": {
        "name": "colours",
        "location": "example://colours",
        "samples": 100,
        "sample_ids": [1, 2, 3, 4],
        "shuffled": False,
    },
    "model": "hf/lab/small",
    "model_generate_config": {},
    "model_args": {"revision": "step2000", "torch_dtype": "bfloat16", "device": "cuda:0"},
    "model_roles": {},
    "config": {
        "limit": 4,
        "epochs": 1,
        "epochs_reducer": ["mean"],
        "fail_on_error": True,
        "sandbox_cleanup": True,
        "log_samples": True,
        "log_realtime": True,
        "log_images": True,
        "log_shared": 0,
        "score_display": True,
    },
    "revision": {"type": "git", "origin": "git@github.com:lab/evals.git", "commit": "2c576e260"},
    "packages": {"inspect_ai": "0.3.154"},
    "scorers": [
        {
            "name": "choice",
            "options": {},
            "metrics": [{"name": "inspect_ai/accuracy", "options": {}}, {"name": "inspect_ai/stderr", "options": {}}],
            "metadata": {},
        }
    ],
}


def scorer(name: str = "choice", **values: float) -> Mapping[str, Any]:
    """What came out for a scorer; its metrics by name."""
    metrics = {metric: {"name": metric, "value": value, "params": {}} for metric, value in values.items()}
    return {"name": name, "scorer": name, "scored_samples": 4, "unscored_samples": 0, "params": {}, "metrics": metrics}


def sample(number: int, grade: Any, *, target: str = "A", **changes: Any) -> Mapping[str, Any]:
    """A sample with four options, answered with B."""
    asked = {"id": "m1", "content": f"Pick one.\n\nWhich is {number}?", "source": "input", "role": "user"}
    told = {"id": "m2", "content": "ANSWER: B", "source": "generate", "role": "assistant", "model": "small"}
    return {
        "id": number,
        "epoch": 1,
        "input": f"Which is {number}?",
        "choices": ["red", "green", "blue", "white"],
        "target": target,
        "messages": [asked, told],
        "output": {
            "model": "small",
            "choices": [{"message": told, "stop_reason": "stop"}],
            "completion": "ANSWER: B",
            "usage": {"input_tokens": 153, "output_tokens": 3, "total_tokens": 156},
            "time": 1.4,
        },
        "scores": {"choice": {"value": grade, "answer": "B", "explanation": "ANSWER: B", "history": []}},
        "metadata": {"subject": "hues"},
        "store": {},
        "events": [{"event": "info", "timestamp": "2025-07-05T09:59:48-04:00", "data": "much more"}],
        "model_usage": {},
        "total_time": 1.566,
        "working_time": 1.458,
        "uuid": "BnPn8uQfTVhAcF8eKSuDJn",
        "error_retries": [],
        "attachments": {},
        **changes,
    }


SAMPLES = (sample(1, "C", target="B"), sample(2, "I"), sample(3, "C", target="B"), sample(4, "C", target="B"))


def inspect_log(samples: Sequence[Mapping[str, Any]] = SAMPLES, **changes: Any) -> dict[str, Any]:
    """A log; `changes` replace keys at the top, or those of `eval` where they are named `eval_...`."""
    of_spec = {name.removeprefix("eval_"): changes.pop(name) for name in [*changes] if name.startswith("eval_")}
    return {
        "version": 2,
        "status": "success",
        "eval": {**SPEC, **of_spec},
        "plan": {
            "name": "plan",
            "steps": [{"solver": "multiple_choice", "params": {"cot": False, "max_tokens": 5}}],
            "config": {"temperature": 0.0, "max_connections": 10},
        },
        "results": {
            "total_samples": 4,
            "completed_samples": 4,
            "scores": [scorer(accuracy=0.75, stderr=0.25)],
        },
        "stats": {
            "started_at": "2025-07-05T09:59:48-04:00",
            "completed_at": "2025-07-05T10:00:18-04:00",
            "model_usage": {},
        },
        "samples": list(samples),
        "something_new": {"kept": True},
        **changes,
    }


def json_log(path: Path, log: Mapping[str, Any]) -> Path:
    """The log as one JSON document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(log))
    return path


def eval_log(path: Path, log: Mapping[str, Any], *, zstd: bool = False, finished: bool = True) -> Path:
    """The log as a zip file; `zstd` packs as Inspect does since 2026, and an unfinished one has no header yet."""
    head = {name: value for name, value in log.items() if name not in ("samples", "reductions")}
    kept = ("id", "epoch", "input", "choices", "target", "metadata", "scores", "uuid")
    summaries = [{name: one[name] for name in kept if name in one} for one in log["samples"]]
    files: dict[str, Any] = {"_journal/start.json": {"version": 2, "eval": log["eval"], "plan": log["plan"]}}
    files |= {f"samples/{one['id']}_epoch_{one['epoch']}.json": one for one in log["samples"]}
    files |= {"_journal/summaries/1.json": summaries}
    if finished:
        files |= {"summaries.json": summaries, "header.json": head}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        zip_bytes({name: json.dumps(value, indent=2).encode() for name, value in files.items()}, zstd=zstd)
    )
    return path
