"""Which of 57 BIG-bench tasks turn over BIG-G sizes, and hard documents below the threshold of emergence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.verdict.ushape import TwoLines, arms, two_lines
from tests.builders.tables import Published

TURNING = ("parsinlu_qa_mc", "arithmetic", "hindu_knowledge", "analogical_similarity", "conceptual_combinations")
NOT_TURNING = ("mmlu", "hellaswag", "arc", "abstract_narrative_understanding")


def test_the_published_inverted_u_tasks_turn_but_no_more_than_their_sizes_scatter(data: Published) -> None:
    table = pd.read_csv(data("bigbench_bigg_3shot_counts.csv"))
    k, n = (table.pivot(index="task", columns="params", values=v).sort_index(axis=1).astype(float) for v in ("k", "n"))
    x = np.broadcast_to(np.log10(k.columns.to_numpy(dtype=float)), k.shape)
    found = arms(x, k.to_numpy(), n.to_numpy(), effect=0.05)
    published = pd.read_csv(data("reference_bigbench_verdicts.csv")).set_index("task").loc[k.index, "verdict"]
    inverted = (published == "inverted-U").to_numpy()
    assert list(k.index[inverted]) == ["chess_state_tracking", "color"]
    assert not (found.p < 0.05).any()
    assert set(found.turn[inverted].tolist()) <= {-1, 0}


@pytest.fixture(scope="module")
def hard_third(data: Published) -> dict[str, TwoLines]:
    """Two lines through minus the Brier score of the hardest third, models below the task's threshold of emergence."""
    table = pd.read_parquet(data("ushape_difficulty_groups.parquet"))
    # the data give some tasks several thresholds; the one used for tenths is the authors' choice
    chosen = table[table.n_groups == 10].groupby("task").threshold_1e21.max()
    groups = table[(table.n_groups == 3) & (table.metric == "tc_brier") & (table.group != "all")]
    groups = groups[groups.threshold_1e21 == groups.task.map(chosen)]
    groups = groups[groups.flops < groups.threshold_1e21 * 1e21]
    first_document = groups.group.str.split("_").str[0].astype(int)
    hardest = groups[first_document == first_document.groupby(groups.task).transform("max")]
    models = hardest.drop_duplicates(["task", "model"])
    found = {
        str(task): two_lines(np.log10(rows.flops.to_numpy()), -rows.value.to_numpy())
        for task, rows in models.groupby("task")
    }
    return {task: lines for task, lines in found.items() if lines is not None}


def test_hard_documents_bend_below_the_threshold_on_emergent_tasks_only(hard_third: dict[str, TwoLines]) -> None:
    # The reference t values depend on where the lines break, which was not recorded with them. What does not depend on
    # it is the sign: down and up on five of six emergent tasks, and on none of the three others.
    assert set(hard_third) == {*TURNING, *NOT_TURNING}
    for task in TURNING:
        lines = hard_third[task]
        assert lines.t_left < -1.5, task
        assert lines.t_right > 1.5, task
    for task in NOT_TURNING:
        lines = hard_third[task]
        assert lines.t_left > -1, task
        assert lines.p == 1.0, task


def test_after_correction_for_breaks_the_u_is_sure_on_one_task(hard_third: dict[str, TwoLines]) -> None:
    assert [task for task, lines in hard_third.items() if lines.p < 0.05] == ["parsinlu_qa_mc"]
