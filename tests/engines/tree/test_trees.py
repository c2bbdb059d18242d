"""What is shared: every sequence is there once, whole, and no plan runs more than it must."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.tree.trees import PASS_TOKENS, Group, TreeRow, batches, common_beginnings, distinct, plant

tokens = st.lists(st.integers(0, 3), min_size=1, max_size=12)


def sequences_of(groups: Sequence[Group]) -> dict[int, list[int]]:
    """Every planted sequence, read back from prefix and path."""
    return {
        number: [*group.prefix, *(row.tokens[node] for node in path)]
        for group in groups
        for row in group.rows
        for number, path in zip(row.sequences, row.paths, strict=True)
    }


def nodes(groups: Sequence[Group]) -> int:
    """Tokens that are run."""
    return sum(len(group.prefix) + sum(len(row.tokens) for row in group.rows) for group in groups)


def few_shot(documents: int, *, shots: int = 400, own: int = 30, options: int = 4) -> list[list[int]]:
    """Multiple choice behind the same examples; options of two tokens, the last of which is not read."""
    rng = random.Random(0)
    examples = [rng.randrange(1000) for _ in range(shots)]
    made = []
    for _ in range(documents):
        document = [rng.randrange(1000) for _ in range(own)]
        made += [[*examples, *document, 1000 + option] for option in range(options)]
    return made


@given(st.lists(tokens, min_size=1, max_size=30, unique_by=tuple), st.sampled_from([1, 64, 4096]))
def test_every_sequence_can_be_read_back(sequences: list[list[int]], width: int) -> None:
    groups = plant(sequences, width=width)
    assert sequences_of(groups) == dict(enumerate(sequences))
    assert all(len(group.prefix) < len(sequence) for group in groups for sequence in sequences_of([group]).values())


@given(st.lists(tokens, min_size=1, max_size=30, unique_by=tuple))
def test_a_node_sees_its_own_sequence_and_nothing_else(sequences: list[list[int]]) -> None:
    for group in plant(sequences, width=4096):
        for row in group.rows:
            for path in row.paths:
                for place, node in enumerate(path):
                    seen = [a for a in range(node + 1) if node < row.ends[a]]
                    assert seen == list(path[: place + 1])
                    assert row.positions[node] == len(group.prefix) + place


@given(st.lists(tokens, min_size=1, max_size=30, unique_by=tuple))
def test_no_plan_runs_more_than_the_sequences_or_less_than_their_tree(sequences: list[list[int]]) -> None:
    tree = len({tuple(sequence[: i + 1]) for sequence in sequences for i in range(len(sequence))})
    assert tree <= nodes(plant(sequences)) <= sum(map(len, sequences))


def test_the_same_examples_are_run_once() -> None:
    [group] = plant(few_shot(50))
    assert len(group.prefix) == 400
    assert [len(row.tokens) for row in group.rows] == [34] * 50
    assert all(len(row.sequences) == 4 for row in group.rows)


def test_examples_of_one_document_need_no_pass_of_their_own() -> None:
    [group] = plant(few_shot(1))
    assert group.prefix == []
    assert [len(row.tokens) for row in group.rows] == [434]


def test_examples_that_differ_are_not_shared() -> None:
    made = [[0, *sequence[5 * i :]] for i, sequence in enumerate(few_shot(20, options=1))]
    [group] = plant(made)
    assert group.prefix == []
    assert len(group.rows) == 20


def test_each_subject_has_a_prefix_of_its_own() -> None:
    made = [[subject, *sequence] for subject in range(3) for sequence in few_shot(20)]
    groups = plant(made)
    assert [len(group.prefix) for group in groups] == [401] * 3
    assert nodes(groups) == 3 * (401 + 20 * 34)


def test_a_short_beginning_is_not_worth_a_pass() -> None:
    made = few_shot(10, shots=PASS_TOKENS // 20, own=100, options=1)
    [group] = plant(made)
    assert group.prefix == []


def test_documents_that_are_alike_share_a_row_only_where_that_is_cheaper() -> None:
    alike = few_shot(40, shots=20, own=20, options=1)
    narrow, wide = plant(alike, width=8), plant(alike, width=4096)
    assert nodes(wide) < nodes(narrow)
    assert max(len(row.tokens) for group in narrow for row in group.rows) < 60


def test_nothing_is_shared_when_that_is_asked_for() -> None:
    [group] = plant(few_shot(3), share=False)
    assert group.prefix == []
    assert [row.paths for row in group.rows] == [[range(431)]] * 12


@pytest.mark.parametrize("order", ["given", "shuffled"])
def test_the_order_of_sequences_does_not_matter(order: str) -> None:
    made = few_shot(30)
    if order == "shuffled":
        random.Random(1).shuffle(made)
    assert nodes(plant(made)) == 400 + 30 * 34


def test_nested_sequences_do_not_exhaust_the_stack() -> None:
    made = [[1] * (i + 1) for i in range(3000)]
    assert sequences_of(plant(made)) == dict(enumerate(made))


def test_equal_sequences_are_found() -> None:
    kept, which = distinct([[1], [1, 2], [1], [2], [1, 2]])
    assert kept == [[1], [1, 2], [2]]
    assert which == [0, 1, 0, 2, 1]


def test_common_beginnings_are_counted_in_tokens() -> None:
    keys = [b"aaaabbbb", b"aaaabbbbcccc", b"aaaabbbc", b"zzzz"]
    assert common_beginnings(keys).tolist() == [0, 2, 1, 0]


def row(length: int) -> TreeRow:
    """A row that is one sequence."""
    return TreeRow(
        tokens=range(length), positions=range(length), ends=[length] * length, sequences=[0], paths=[range(length)]
    )


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 200), st.integers(1, 60))
def test_batches_hold_every_row_once_and_keep_to_their_limits(lengths: list[int], budget: int, most: int) -> None:
    rows = [row(length) for length in sorted(lengths, reverse=True)]
    scored = [3] * len(rows)
    made = list(batches(rows, budget, scored, most))
    assert [i for batch in made for i in batch] == list(range(len(rows)))
    for batch in made:
        longest = len(rows[batch[0]].tokens)
        assert len(batch) == 1 or (len(batch) * longest <= budget and 3 * len(batch) <= most)
        assert all(len(rows[i].tokens) >= 0.75 * longest - 4 for i in batch)
