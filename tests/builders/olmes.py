"""Files as OLMES and olmo-eval write them, with every kind of field that real ones have.

The structure is that of two published descriptions, whose numbers and texts are others here: `OUTPUT_FORMATS.md` of
allenai/olmes (`task-000-arc_challenge-metrics.json` with its predictions and requests) and the files of
allenai/DataDecide-eval-instances (`arc_challenge-metrics.json`, without requests); and that of the classes
`MetricsOutput` and `TaskMetricsEntry` of allenai/olmo-eval.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

METRICS: Mapping[str, float] = {
    "acc_raw": 0.5,
    "acc_per_token": 0.75,
    "acc_per_char": 0.5,
    "acc_uncond": 0.75,
    "no_answer": 0.0,
    "sum_logits_corr": -8.5,
    "logits_per_token_corr": -1.25,
    "logits_per_char_corr": -0.25,
    "bits_per_byte_corr": 0.36,
    "primary_score": 0.75,
}


def olmes_file(folder: Path, name: str = "task-000-colours", **changes: Any) -> Path:
    """The file of one task; `changes` replace keys, those of `task_config` as `asked_KEY`, and None removes one."""
    of_task = {key.removeprefix("asked_"): changes.pop(key) for key in [*changes] if key.startswith("asked_")}
    raw: dict[str, Any] = {
        "task_name": "colours",
        "task_hash": "a0d2001c1f3d29a476cc7139e4c17f23",
        "model_hash": "9d32824fe8d69d912f8d58755482573f",
        "model_config": {
            "model": "lab/small",
            "revision": "step2000",
            "trust_remote_code": None,
            "max_length": 2048,
            "model_path": None,
            "model_type": "hf",
            "metadata": {"alias": "small"},
        },
        "task_config": {
            "dataset_path": "lab/colours",
            "dataset_name": "Colours",
            "native_id_field": "id",
            "primary_metric": "acc_uncond",
            "fewshot_source": "OLMES:colours",
            "split": "test",
            "num_shots": 5,
            "fewshot_seed": 1234,
            "limit": None,
            "random_subsample_seed": 1234,
            "context_kwargs": None,
            "generation_kwargs": None,
            "metric_kwargs": {"uncond_docid_offset": 1000000},
            "task_name": "colours",
            "version": 0,
            "task_core": "colours",
            "metadata": {"regimes": ["OLMES-v0.1"], "alias": "colours:rc::olmes"},
            **of_task,
        },
        "compute_config": {
            "batch_size": "auto",
            "max_batch_tokens": None,
            "output_dir": "out",
            "num_recorded_inputs": 3,
        },
        "processing_time": 90.5,
        "current_date": "2024-07-30 20:24:33 UTC",
        "num_instances": 4,
        "beaker_info": {},
        "metrics": dict(METRICS),
        "task_idx": 0,
        "something_new": {"kept": True},
    }
    raw = {key: value for key, value in {**raw, **changes}.items() if value is not None}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-metrics.json"
    path.write_text(json.dumps(raw))
    return path


def prediction(number: int, logits: Sequence[float], *, right: int) -> Mapping[str, Any]:
    """A row about a document with options."""
    best = max(range(len(logits)), key=logits.__getitem__)
    return {
        "doc_id": number,
        "native_id": f"Mercury_{number}",
        "metrics": {
            "predicted_index_raw": best,
            "predicted_index_per_token": best,
            "predicted_index_per_char": best,
            "predicted_index_uncond": best,
            "correct_choice": right,
            "acc_raw": int(best == right),
            "acc_per_token": int(best == right),
            "acc_per_char": int(best == right),
            "acc_uncond": int(best == right),
            "no_answer": 0,
            "sum_logits_corr": logits[right],
        },
        "model_output": [
            {
                "sum_logits": value,
                "num_tokens": 5,
                "num_tokens_all": 177,
                "is_greedy": False,
                "sum_logits_uncond": value - 7,
                "logits_per_token": value / 5,
                "logits_per_char": value / 29,
                "num_chars": 29,
            }
            for value in logits
        ],
        "label": right,
        "task_hash": "a0d2001c1f3d29a476cc7139e4c17f23",
        "model_hash": "9d32824fe8d69d912f8d58755482573f",
    }


def written(number: int, text: str, *, right: str) -> Mapping[str, Any]:
    """A row about a document that was answered in words."""
    return {
        "doc_id": number,
        "native_id": number,
        "metrics": {"exact_match": float(text.strip() == right)},
        "model_output": [{"continuation": text, "num_tokens": 3, "model_answer": text.strip()}],
        "label": right,
    }


def request(number: int, option: int, text: str) -> Mapping[str, Any]:
    """A row of the requests: one for each option of a document."""
    return {
        "request_type": "loglikelihood",
        "doc": {"id": f"Mercury_{number}", "query": f"Question: {number}\nAnswer:", "choices": ["red", "green"]},
        "request": {"context": f"Question: {number}\nAnswer:", "continuation": text},
        "idx": option,
        "task_name": "colours",
        "doc_id": number,
        "native_id": f"Mercury_{number}",
        "label": 0,
    }


def rows_file(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A file of predictions or requests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def olmo_eval_file(folder: Path, **changes: Any) -> Path:
    """The file of a run of olmo-eval about two tasks."""
    raw: dict[str, Any] = {
        "timestamp": "2026-05-01T12:00:00+00:00",
        "config": {
            "name": "default",
            "provider": {"kind": "vllm_server", "model": "lab/small", "revision": "step2000", "dtype": "bfloat16"},
            "system_prompt": None,
            "model_hash": "0123456789abcdef",
        },
        "tasks": [
            {
                "task": "colours:mc",
                "metrics": {"accuracy": {"exact_match": 0.75}, "bpb": {"logprob": 1.5}},
                "num_instances": 4,
                "primary_metric": "accuracy:exact_match",
                "config": {
                    "name": "colours",
                    "data_source": {"path": "lab/colours", "split": "test"},
                    "formatter": {"type": "MultipleChoice"},
                    "num_fewshot": 5,
                    "fewshot_seed": 42,
                    "limit": None,
                    "split": "test",
                },
                "duration_seconds": 12.5,
                "task_hash": "fedcba9876543210",
            },
            {
                "task": "sums:3shot",
                "metrics": {"pass_at_1": {"code": 0.25}},
                "num_instances": 4,
                "config": {"num_fewshot": 3},
            },
        ],
        "summary": {"colours:mc": {"metric": "accuracy:exact_match", "score": 0.75}},
        "errors": [],
        "experiment_id": "0a1b2c3d4e5f",
        "something_new": {"kept": True},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "metrics.json"
    path.write_text(json.dumps({**raw, **changes}))
    return path
