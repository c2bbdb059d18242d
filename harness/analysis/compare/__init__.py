"""Are two things different? Paired comparisons on shared documents, and how sure the order of a ranking is."""

from harness.analysis.compare.composition import Composition, SizeBesideParts, TaskPart, compose
from harness.analysis.compare.differences import compare_pairs, paired_scores, summary
from harness.analysis.compare.gating import GateCheck, at_least, no_worse, verdict_of
from harness.analysis.compare.onset_order import OnsetAt, OrderOfTwo, onset_orders
from harness.analysis.compare.pairing import cells_of, choose_side, pair_up
from harness.analysis.compare.rank_ranges import MOST_ANSWERS, Rank, RankModels, ReadDocuments, ranks
from harness.analysis.compare.ranking import leads
from harness.analysis.compare.run_noise import NoiseOf, noise_from
from harness.analysis.compare.task_quality import RecipeOrder, TaskQuality, task_qualities, task_quality_json
from harness.analysis.compare.types import (
    CellPair,
    Comparison,
    Comparisons,
    Lead,
    PairedScores,
    Pairing,
    Side,
    Summary,
    Unpaired,
)

__all__ = [
    "MOST_ANSWERS",
    "CellPair",
    "Comparison",
    "Comparisons",
    "Composition",
    "GateCheck",
    "Lead",
    "NoiseOf",
    "OnsetAt",
    "OrderOfTwo",
    "PairedScores",
    "Pairing",
    "Rank",
    "RankModels",
    "ReadDocuments",
    "RecipeOrder",
    "Side",
    "SizeBesideParts",
    "Summary",
    "TaskPart",
    "TaskQuality",
    "Unpaired",
    "at_least",
    "cells_of",
    "choose_side",
    "compare_pairs",
    "compose",
    "leads",
    "no_worse",
    "noise_from",
    "onset_orders",
    "pair_up",
    "paired_scores",
    "ranks",
    "summary",
    "task_qualities",
    "task_quality_json",
    "verdict_of",
]
