"""Files of lighteval as found in public: each has the structure of a real one, with numbers of our own.

`new_file` has that of version 0.11 and later (`evaluation_tracker.py` in huggingface/lighteval, and the example in its
documentation), `old_file` that of 2024, as model cards on the hub quote it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

DATE = "2025-11-05T14-43-47.148527"
"""Date in the names of the files."""


def new_file(root: Path, **changes: Any) -> Path:
    """A result file about two tasks, one of them with parts, where lighteval puts it below `root`."""
    config = {"hf_repo": "lab/data", "hf_subset": "main", "evaluation_splits": ["test"], "few_shots_select": None}
    arc = {
        **config,
        "name": "arc:easy",
        "prompt_function": "arc",
        "metrics": [
            {"metric_name": "acc", "higher_is_better": True, "category": "LOGPROBS"},
            {"metric_name": ["pass@1", "pass@4"], "higher_is_better": {"pass@1": True, "pass@4": True}},
        ],
        "original_num_docs": 4,
        "effective_num_docs": 4,
        "num_fewshots": 5,
        "version": 0,
    }
    gsm8k = {**config, "name": "gsm8k", "metrics": [{"metric_name": "em", "higher_is_better": True}]}
    raw: dict[str, Any] = {
        "config_general": {
            "lighteval_sha": "203045a8431bc9b77245c9998e05fc54509ea07f",
            "num_fewshot_seeds": 1,
            "max_samples": 2,
            "job_id": "",
            "start_time": 620979.879320166,
            "end_time": 621004.632108041,
            "total_evaluation_time_secondes": "24.75",
            "model_config": {
                "model_name": "lab/small",
                "generation_parameters": {"temperature": 0, "max_new_tokens": None, "seed": None},
                "system_prompt": "Answer.",
                "revision": "step2000",
                "dtype": "bfloat16",
                "override_chat_template": True,
            },
            "model_name": "lab/small",
        },
        "results": {
            "arc:easy|5": {"pass@1": 0.25, "acc": 0.75, "acc_stderr": 0.25, "loss": float("nan")},
            "gsm8k|0": {"em": 0.5, "em_stderr": 0.5},
            "arc:_average|5": {"acc": 0.75},
            "all": {"acc": 0.75, "em": 0.5},
        },
        "versions": {"arc:easy|5": 0, "gsm8k|0": 0},
        "config_tasks": {
            "arc:easy|5": arc,
            "gsm8k|0": {**gsm8k, "original_num_docs": 1319, "effective_num_docs": 2},
        },
        "summary_tasks": {"arc:easy|5": {"hashes": {"hash_examples": "8517d5bf7e880086"}, "truncated": 0}},
        "summary_general": {"hashes": {}, "truncated": 0, "padded": 0},
        **changes,
    }
    path = root / "results" / "lab" / "small" / f"results_{DATE}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: value for name, value in raw.items() if value is not None}))
    return path


def old_file(root: Path) -> Path:
    """A result file of 2024: suites stand before the tasks, numbers behind, and configs under other names."""
    raw = {
        "config_general": {
            "lighteval_sha": "?",
            "num_few_shot_default": 0,
            "num_fewshot_seeds": 1,
            "override_batch_size": 1,
            "max_samples": None,
            "start_time": 1781075.607155059,
            "total_evaluation_time_secondes": "3579.75",
            "model_name": "/scratch/me/small",
            "model_sha": "84430552036c85cc6a16722b26496df4d93f3afe",
            "model_dtype": "torch.float16",
            "model_size": "15.08 GB",
        },
        "results": {
            "leaderboard|arc:challenge|25|0": {"acc": 0.5, "acc_stderr": 0.25, "acc_norm": 0.75},
            "leaderboard|mmlu:_average|5": {"acc": 0.5},
            "all": {"acc": 0.5},
        },
        "versions": {},
        "config_tasks": {
            "leaderboard|arc:challenge": {
                "name": "arc:challenge",
                "prompt_function": "arc",
                "hf_repo": "ai2_arc",
                "metric": ["loglikelihood_acc", "loglikelihood_acc_norm_nospace"],
                "original_num_docs": -1,
                "effective_num_docs": -1,
            }
        },
        "summary_tasks": {},
    }
    path = root / "results_2024-05-02T10-00-00.000001.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw))
    return path


def option_detail(number: int, likelihoods: Sequence[float], *, right: int) -> dict[str, Any]:
    """A row of details about a document with options, as version 0.11 writes it."""
    choices = [f" option {i}" for i in range(len(likelihoods))]
    best = max(range(len(likelihoods)), key=likelihoods.__getitem__)
    return _detail(number, choices, right, logprobs=list(likelihoods), metric={"acc": float(best == right)})


def text_detail(number: int, texts: Sequence[str], *, right: str) -> dict[str, Any]:
    """A row of details about a document that is answered by texts."""
    return _detail(number, [right], 0, text=list(texts), metric={"em": float(texts[0] == right)})


def _detail(
    number: int, choices: list[str], right: int, *, metric: Mapping[str, float], **answer: Any
) -> dict[str, Any]:
    doc = {
        "query": f"Q{number}",
        "choices": choices,
        "gold_index": right,
        "instruction": "",
        "images": None,
        "specific": None,
        "id": str(number),
        "task_name": "lab",
        "fewshot_samples": [],
        "sampling_methods": ["LOGPROBS"],
        "stop_sequences": ["\n"],
        "num_samples": 1,
    }
    response = {
        "input": f"prompt {number}",
        "input_tokens": [1, 2],
        "text": [],
        "output_tokens": [[3]],
        "text_post_processed": None,
        "logprobs": [],
        "argmax_logits_eq_gold": [False],
        "truncated_tokens_count": number % 2,
        "padded_tokens_count": -1,
    }
    return {"doc": doc, "metric": dict(metric), "model_response": {**response, **answer}}


def old_detail(number: int, *, right: int) -> dict[str, Any]:
    """A row of details of 2024, with lists as texts of Python."""
    return {
        "choices": "[' option 0', ' option 1']",
        "cont_tokens": "[[5], [6]]",
        "example": f"Q{number}",
        "full_prompt": f"prompt {number}",
        "gold": f"[' option {right}']",
        "gold_index": f"[{right}]",
        "metrics": {"acc": int(right == 0), "acc_norm": 1},
        "num_effective_few_shots": 25,
        "pred_logits": "[]",
        "predictions": "[(-1.5, False), (-3.0, False)]".replace("(", "[").replace(")", "]"),
        "truncated": 0,
    }


def details_file(folder: Path, key: str, rows: Sequence[Mapping[str, Any]], date: str = DATE) -> Path:
    """The details of a task, by its key in `results`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"details_{key}_{date}.parquet"
    parquet.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
    return path
