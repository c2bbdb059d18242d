"""Examples that give a document's answer away, because it stands among them itself or as a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.engines.shots import permutation
from harness.errors import PlanError
from harness.specs import TaskSpec
from tests.builders import cell
from tests.builders.scripted import Saying, local_task, prompts, said

WRITING = {"output_type": "generate_until"}


def documents(n: int, letter: str = "T", **more: Any) -> list[dict[str, Any]]:
    return [{"q": f"{letter}{i}?", "a": f"{letter.lower()}{i}", **more} for i in range(n)]


def shown(prompt: str) -> list[str]:
    """The questions of the examples."""
    return [example.partition("?")[0] for example in prompt.split("\n\n")[:-1]]


@pytest.mark.parametrize("evaluated", ["validation_split", "test_split"])
@pytest.mark.parametrize("named", ["fewshot_split", "fewshot_config", None])
def test_a_document_is_none_of_its_own_examples_whichever_split_is_evaluated(
    tmp_path: Path, evaluated: str, named: str | None
) -> None:
    """lm-eval compares the split of the examples with `test_split` alone (lm-eval#4145, PR#4168)."""
    split: dict[str, Any] = {} if named is None else {named: {"split": "all"} if named == "fewshot_config" else "all"}
    task = local_task(tmp_path, {"all": documents(4)}, **WRITING, **{"test_split": None, evaluated: "all", **split})
    for seed in range(3):
        order = permutation(seed, 4)
        for i, prompt in enumerate(prompts(task, shots=2, seed=seed)):
            assert shown(prompt) == [f"T{j}" for j in order if j != i][:2]


def pool(folder: Path, copy: dict[str, Any], **config: Any) -> TaskSpec:
    """Four documents, and five examples of which the third is `copy`."""
    examples = documents(5, "E")
    examples[2] = copy
    splits = {"test": documents(4, source="book"), "train": examples}
    return local_task(folder, splits, **{**WRITING, "fewshot_split": "train", **config})


@pytest.mark.parametrize(
    "copy",
    [
        {"q": "T1?", "a": "t1"},
        {"q": "T1?", "a": "t1", "source": "web", "id": 7},
        {"q": " t1? ", "a": "T1 "},
    ],
    ids=["same", "other fields", "case and space"],
)
def test_a_copy_is_left_out_for_its_document_and_the_others_keep_their_examples(
    tmp_path: Path, copy: dict[str, Any]
) -> None:
    """k shots stay the first k of the order without it; lm-eval shows the answer (lm-eval#4145)."""
    task = pool(tmp_path, copy)
    for seed in range(4):
        names = ["E0", "E1", copy["q"].partition("?")[0], "E3", "E4"]
        usual = [names[i] for i in permutation(seed, 5)]
        for i, prompt in enumerate(prompts(task, shots=3, seed=seed)):
            kept = [name for name in usual if i != 1 or name != names[2]]
            assert shown(prompt) == kept[:3]


def test_the_same_question_with_another_answer_is_no_copy(tmp_path: Path) -> None:
    """Only the answer must not be given away."""
    task = pool(tmp_path, {"q": "T1?", "a": "t2"})
    result = said(task, Saying("t1"), shots=4)
    assert result.n_copies == 0
    assert len({tuple(shown(prompt)) for prompt in prompts(task, shots=5)}) == 1


def test_copies_are_counted_in_the_result_and_a_document_itself_is_none(tmp_path: Path) -> None:
    """A copy elsewhere in the evaluated split is one."""
    assert said(pool(tmp_path, {"q": "T1?", "a": "t1"}), Saying(), shots=1).n_copies == 1
    assert said(pool(tmp_path, {"q": "T1?", "a": "t1"}), Saying(), shots=0).n_copies == 0
    itself = local_task(tmp_path, {"test": documents(4)}, **WRITING, fewshot_split="test")
    assert said(itself, Saying(), shots=1).n_copies == 0
    twice = [*documents(4), {"q": "T3?", "a": "t3", "id": 9}]
    assert said(local_task(tmp_path, {"test": twice}, **WRITING, fewshot_split="test"), Saying(), shots=1).n_copies == 2


def test_a_copy_names_the_right_option_by_another_number(tmp_path: Path) -> None:
    """Options in another order are the same question and answer."""
    splits = {
        "test": [{"q": "T?", "options": ["red", "blue"], "a": 0}, {"q": "U?", "options": ["red", "blue"], "a": 0}],
        "train": [{"q": "T?", "options": ["Blue", "Red"], "a": 1}, {"q": "E?", "options": ["red", "blue"], "a": 1}],
    }
    config = {"output_type": "multiple_choice", "doc_to_choice": "options", "doc_to_target": "a"}
    task = local_task(tmp_path, splits, **config, fewshot_split="train")
    first = "T" if permutation(0, 2)[0] == 0 else "E"
    assert [shown(prompt) for prompt in prompts(task, shots=1)] == [["E"], [first]]


def test_an_example_that_shows_one_of_several_right_answers_is_a_copy(tmp_path: Path) -> None:
    """It need not show the first of them."""
    splits = {"test": [{"q": "T?", "a": ["one", "1"]}], "train": [{"q": "T?", "a": "1"}, {"q": "E?", "a": "2"}]}
    task = local_task(tmp_path, splits, **WRITING, doc_to_target="a", fewshot_split="train")
    assert [shown(prompt) for prompt in prompts(task, shots=1)] == [["E"]]


def test_a_copy_is_seen_through_the_words_of_examples(tmp_path: Path) -> None:
    """Examples with templates of their own are still the same documents."""
    words = {"doc_to_text": "Example: {{q}}", "doc_to_target": "It is {{a}}"}
    task = pool(tmp_path, {"q": "T1?", "a": "t1"}, fewshot_config={"split": "train", **words}, fewshot_split=None)
    assert said(task, Saying(), shots=4).n_copies == 1
    assert all("T1" not in example for example in prompts(task, shots=4)[1].split("\n\n")[:-1])


def test_a_copy_among_a_documents_own_examples_is_left_out(tmp_path: Path) -> None:
    """Documents that bring their examples along can bring themselves."""
    own = [{"q": "T?", "a": "t"}, {"q": "E?", "a": "e"}, {"q": "F?", "a": "f"}]
    task = local_task(
        tmp_path, {"test": [{"q": "T?", "a": "t", "examples": own}]}, demonstrations="document", **WRITING
    )
    (prompt,) = prompts(task, shots=2)
    assert sorted(shown(prompt)) == ["E", "F"]
    assert said(task, Saying(), shots=2).n_copies == 1


def test_more_shots_than_are_left_for_a_document_are_refused(tmp_path: Path) -> None:
    """Five examples less a copy are four."""
    task = pool(tmp_path, {"q": "T1?", "a": "t1"})
    with pytest.raises(PlanError, match="5 shots were asked for; there are 4 examples"):
        build_cell(cell(of=task, shots=5), task, DocumentCache())
