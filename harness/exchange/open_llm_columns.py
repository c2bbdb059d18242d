"""Columns of the Open LLM Leaderboard's `contents`: what each benchmark is in lm-eval, and how its score is written.

Version 1 (2023 to June 2024) writes scores in percent. Version 2 writes the share in `NAME Raw`, and in `NAME` what is
left of it above a guess, in percent (https://huggingface.co/docs/leaderboards/open_llm_leaderboard/normalization).
"""

from __future__ import annotations

from typing import NamedTuple


class LeaderboardTask(NamedTuple):
    """A benchmark of the leaderboard."""

    column: str
    """Column of its score in percent."""
    task: str
    """Name of the task in lm-eval."""
    shots: int
    """Demonstrations."""
    metric: str
    """Metric."""


OPEN_LLM_V1 = (
    LeaderboardTask("ARC", "arc_challenge", 25, "acc_norm"),
    LeaderboardTask("HellaSwag", "hellaswag", 10, "acc_norm"),
    LeaderboardTask("MMLU", "mmlu", 5, "acc"),
    LeaderboardTask("TruthfulQA", "truthfulqa_mc2", 0, "acc"),
    LeaderboardTask("Winogrande", "winogrande", 5, "acc"),
    LeaderboardTask("GSM8K", "gsm8k", 5, "exact_match"),
    LeaderboardTask("DROP", "drop", 3, "f1"),
)
OPEN_LLM_V2 = (
    LeaderboardTask(
        "IFEval", "leaderboard_ifeval", 0, "strict_acc"
    ),  # mean of that of prompts and that of instructions
    LeaderboardTask("BBH", "leaderboard_bbh", 3, "acc_norm"),
    LeaderboardTask("MATH Lvl 5", "leaderboard_math_hard", 4, "exact_match"),
    LeaderboardTask("GPQA", "leaderboard_gpqa", 0, "acc_norm"),
    LeaderboardTask("MUSR", "leaderboard_musr", 0, "acc_norm"),
    LeaderboardTask("MMLU-PRO", "leaderboard_mmlu_pro", 5, "acc"),
)
RAW = " Raw"
"""End of the name of a column of shares."""
OPEN_LLM_AVERAGE = "Average ⬆️"
OPEN_LLM_PARAMS = "#Params (B)"
OPEN_LLM_COLUMNS = (
    *("eval_name", "Precision", "Type", "T", "Weight type", "Architecture", "Model", "fullname", "Model sha"),
    *(OPEN_LLM_AVERAGE, "Hub License", "Hub ❤️", OPEN_LLM_PARAMS, "Available on the hub", "MoE", "Flagged"),
    *("Chat Template", "CO₂ cost (kg)"),
)
"""Columns of version 2 before those of the benchmarks."""
OPEN_LLM_LAST_COLUMNS = ("Upload To Hub Date", "Submission Date", "Generation", "Base Model")
"""Columns of version 2 behind those of the benchmarks."""
