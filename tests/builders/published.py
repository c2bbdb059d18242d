"""Result files as lm-evaluation-harness 0.4 writes them, with every kind of field that real ones have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DATE = "2026-03-01T12-00-00.000000"
"""Date in the names of the files."""


def lm_eval_file(folder: Path, **changes: Any) -> Path:
    """A result file about two tasks and a group; `changes` replace keys at the top, and None removes one."""
    raw: dict[str, Any] = {
        "results": {
            "colours": {
                "alias": "colours",
                "sample_len": 4,
                "acc,none": 0.75,
                "acc_stderr,none": 0.25,
                "acc_norm,none": 0.5,
                "acc_norm_stderr,none": "N/A",
            },
            "sums": {
                "alias": "sums",
                "exact_match,strict-match": 0.25,
                "exact_match_stderr,strict-match": 0.25,
                "exact_match,flexible-extract": 0.5,
                "exact_match_stderr,flexible-extract": 0.2886751345948129,
            },
            "both": {"acc,none": 0.6, "acc_stderr,none": 0.1, "alias": "both"},
        },
        "groups": {"both": {"acc,none": 0.6, "acc_stderr,none": 0.1, "alias": "both"}},
        "group_subtasks": {"both": ["colours"], "colours": []},
        "configs": {
            "colours": {
                "task": "colours",
                "output_type": "multiple_choice",
                "doc_to_choice": ["red", "green", "blue", "white"],
                "metric_list": [{"metric": "acc_norm"}, {"metric": "acc"}],
            },
            "sums": {"task": "sums", "output_type": "generate_until", "metric_list": [{"metric": "exact_match"}]},
        },
        "versions": {"colours": 1.0, "sums": 3.0},
        "n-shot": {"colours": 0, "sums": 5},
        "higher_is_better": {"colours": {"acc": True, "acc_norm": True}, "sums": {"exact_match": True}},
        "n-samples": {"colours": {"original": 4, "effective": 4}, "sums": {"original": 9, "effective": 4}},
        "config": {
            "model": "hf",
            "model_args": "pretrained=lab/small,dtype=bfloat16,revision=step2000",
            "model_num_parameters": 70_000_000,
            "model_dtype": "torch.bfloat16",
            "model_revision": "step2000",
            "model_sha": "0123456789abcdef0123456789abcdef01234567",
            "limit": 4.0,
            "gen_kwargs": None,
            "fewshot_seed": 1234,
        },
        "date": 1772366400.5,
        "lm_eval_version": "0.4.9",
        "chat_template": None,
        "system_instruction": None,
        "something_new": {"kept": True},
    }
    raw = {name: value for name, value in {**raw, **changes}.items() if value is not None}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"results_{DATE}.json"
    path.write_text(json.dumps(raw))
    return path


def option_row(number: int, likelihoods: Sequence[float], *, right: int, **changes: Any) -> Mapping[str, Any]:
    """A row of a sample file, about a document with options `option 0`, `option 1` and so on."""
    best = max(range(len(likelihoods)), key=likelihoods.__getitem__)
    return {
        "doc_id": number,
        "doc": {"q": number},
        "target": str(right),
        "arguments": {
            f"gen_args_{i}": {"arg_0": f"Q{number}:", "arg_1": f" option {i}"} for i in range(len(likelihoods))
        },
        "resps": [[[str(value), "False"]] for value in likelihoods],
        "filtered_resps": [[str(value), "False"] for value in likelihoods],
        "filter": "none",
        "metrics": ["acc", "acc_norm"],
        "doc_hash": f"{number:064x}",
        "prompt_hash": f"{number + 100:064x}",
        "target_hash": f"{number + 200:064x}",
        "acc": float(best == right),
        "acc_norm": float(best == right),
        **changes,
    }


def text_row(number: int, text: str, filtered: str, *, chosen: str, right: str) -> Mapping[str, Any]:
    """A row of a sample file, about a text after one of the filters."""
    return {
        "doc_id": number,
        "doc": {"q": number},
        "target": right,
        "arguments": {"gen_args_0": {"arg_0": f"{number} + 1 =", "arg_1": {"until": ["\n"]}}},
        "resps": [[text]],
        "filtered_resps": [filtered],
        "filter": chosen,
        "metrics": ["exact_match"],
        "doc_hash": f"{number:064x}",
        "prompt_hash": f"{number:064x}",
        "target_hash": f"{number:064x}",
        "exact_match": float(filtered == right),
    }


def sample_file(folder: Path, task: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """The sample file of a task beside the result file."""
    path = folder / f"samples_{task}_{DATE}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
