"""Tables `contents` of the Open LLM Leaderboard as found in public: columns of real ones, numbers of our own.

Columns are those of `AutoEvalColumn` in the leaderboard's code (`src/display/utils.py` of its spaces); the invisible
sign behind arrow and heart stands there too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

_LINK = '<a target="_blank" href="https://huggingface.co/{name}" style="color: blue">{name}</a>'
_NEW_TASKS = {"IFEval": 0.0, "BBH": 0.25, "MATH Lvl 5": 0.0, "GPQA": 0.25, "MUSR": 0.25, "MMLU-PRO": 0.1}
_OLD_TASKS = ("ARC", "HellaSwag", "MMLU", "TruthfulQA", "Winogrande", "GSM8K")


def new_row(name: str, billions: float, raw: float, **changes: Any) -> dict[str, Any]:
    """A model of version 2 with the same share `raw` in every benchmark."""
    scores: dict[str, float] = {}
    for task, chance in _NEW_TASKS.items():
        scores |= {f"{task} Raw": raw, task: 100 * max(0.0, (raw - chance) / (1 - chance))}
    return {
        "eval_name": f"{name.replace('/', '_')}_bfloat16",
        "Precision": "bfloat16",
        "Type": "🟢 pretrained",
        "T": "🟢",
        "Weight type": "Original",
        "Architecture": "LlamaForCausalLM",
        "Model": _LINK.format(name=name),
        "fullname": name,
        "Model sha": "62bd457b6fe961a42a631306577e622c83876cb6",
        "Average ⬆️": 100 * raw,
        "Hub License": "apache-2.0",
        "Hub ❤️": 7,
        "#Params (B)": billions,
        "Available on the hub": True,
        "MoE": False,
        "Flagged": False,
        "Chat Template": False,
        "CO₂ cost (kg)": 0.75,
        **scores,
        "Maintainer's Highlight": False,
        "Upload To Hub Date": "2024-04-17",
        "Submission Date": "2024-06-12",
        "Generation": 0,
        "Base Model": name,
        **changes,
    }


def old_row(name: str, billions: float, percent: float, **changes: Any) -> dict[str, Any]:
    """A model of version 1 with the same score in every benchmark."""
    return {
        "T": "🟢",
        "Model": _LINK.format(name=name),
        "Average ⬆️": percent,
        **dict.fromkeys(_OLD_TASKS, percent),
        "Type": "pretrained",
        "Architecture": "GPTNeoXForCausalLM",
        "Weight type": "Original",
        "Precision": "torch.float16",
        "Merged": False,
        "Hub License": "apache-2.0",
        "#Params (B)": billions,
        "Hub ❤️": 7,
        "Available on the hub": True,
        "Model sha": "main",
        "Flagged": False,
        "MoE": False,
        "date": "2024-02-19T16:53:51Z",
        "model_name_for_query": name,
        **changes,
    }


def baseline_row() -> dict[str, Any]:
    """The row of a guess, which version 1 shows among the models."""
    shown = {"Model": "<p>Baseline</p>", "Model sha": "N/A", "Precision": None, "model_name_for_query": "baseline"}
    return old_row("", 0.0, 25.0, **shown)


def table_file(path: Path, *rows: dict[str, Any]) -> Path:
    """The rows as Parquet, CSV or JSON, as the name of the file says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(list(rows))
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=path.suffix == ".jsonl")
    return path
