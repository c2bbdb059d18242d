"""Labels that look like numbers, and documents with several right answers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.errors import CatalogError
from tests.builders import cell
from tests.builders.scripted import Saying, local_task, prompts, said, scores

FOUR = ["1", "2", "3", "4"]
CHOICE = {"output_type": "multiple_choice", "doc_to_choice": FOUR}
LIKELY = {"a": math.log(0.380), "b": math.log(0.406), "c": math.log(0.214)}
WRITING = {"output_type": "generate_until"}


def right(folder: Path, doc: dict[str, Any], **config: Any) -> tuple[int, ...]:
    """Positions of the right options of one document."""
    task = local_task(folder, {"test": [{"q": "Q", **doc}]}, **{**CHOICE, **config})
    built = build_cell(cell(of=task), task, DocumentCache())
    return built.task.right(built.documents[0][0].doc).positions


@pytest.mark.parametrize(
    ("label", "config", "position"),
    [
        ("2", {}, 2),
        ("0", {}, 0),
        ("4", {}, 3),
        ("٣", {"doc_to_choice": ["١", "٢", "٣", "٤"]}, 2),
        ("²", {"doc_to_choice": ["¹", "²"]}, 1),
        ("2", {"doc_to_choice": ["a", "b", "c"], "doc_to_target": "a"}, 2),
        ("2", {"doc_to_target": "a"}, 1),
        (2, {"doc_to_target": "a"}, 2),
        ("b", {"doc_to_choice": ["a", "b"]}, 1),
    ],
)
def test_a_label_names_one_option(tmp_path: Path, label: Any, config: dict[str, Any], position: int) -> None:
    """Digits are a number as in lm-eval, where they are the number of an option (lm-eval PR#1447)."""
    assert right(tmp_path, {"a": label}, **config) == (position,)


@pytest.mark.parametrize("label", ["٣", "5", "07", "-1", "two", "", "²", "9" * 5000, 4, -1, 1.0, None])
def test_a_label_that_is_no_option_is_refused_with_document_and_value(tmp_path: Path, label: Any) -> None:
    """lm-eval ends with SyntaxError or IndexError, or counts the answer as wrong (lm-eval PR#1447)."""
    documents = [{"q": "Q", "a": 0}, {"q": "Q", "a": label}]
    task = local_task(tmp_path, {"test": documents}, **CHOICE, doc_to_target="a")
    with pytest.raises(CatalogError, match="task outside: document 1: the right answer is ") as caught:
        build_cell(cell(of=task), task, DocumentCache())
    assert repr(label)[:20] in str(caught.value)


def test_labels_with_two_readings_are_counted(tmp_path: Path) -> None:
    """'2' is option number 2, which is '3', and the text of option number 1."""
    task = local_task(tmp_path, {"test": [{"q": "Q", "a": label} for label in "124"]}, **CHOICE)
    assert said(task, Saying()).n_ambiguous == 2


@pytest.mark.parametrize(
    ("target", "positions"),
    [([0, 2], (0, 2)), (["a", "c"], (0, 2)), ([1, 0, 1], (0, 2)), ([True, False, False], (0,)), ([2], (2,))],
    ids=str,
)
def test_several_options_are_right_by_number_text_or_mark(
    tmp_path: Path, target: list[Any], positions: tuple[int, ...]
) -> None:
    """TruthfulQA marks each option with 1 or 0."""
    config = {"doc_to_choice": list("abc")}
    assert right(tmp_path, {"a": target}, **config, doc_to_target="a") == positions
    assert right(tmp_path, {"a": target}, **config, doc_to_target="{{a}}") == positions


def test_each_document_says_how_many_options_are_right(tmp_path: Path) -> None:
    """lm-eval asks the first document alone (lm-eval#3170, PR#4057, PR#3933)."""
    for documents in ([1, [0, 1]], [[0, 1], 1]):
        task = local_task(
            tmp_path,
            {"test": [{"q": "Q", "a": target} for target in documents]},
            *("acc", "prob_correct", "brier", "exact_match"),
            **{**CHOICE, "doc_to_choice": list("abc")},
            doc_to_target="a",
        )
        found = scores(said(task, Saying("b", LIKELY)))
        assert found["acc"] == 1.0
        assert found["prob_correct"] == pytest.approx((0.406 + 0.786) / 2)
        one = 0.38**2 + 0.594**2 + 0.214**2
        assert found["brier"] == pytest.approx((one + 2 * 0.214**2) / 2)
        assert found["exact_match"] == 1.0


@pytest.mark.parametrize("target", ["a", "{{a}}", ["blue", "dark blue"]], ids=str)
def test_of_several_references_the_best_counts(tmp_path: Path, target: Any) -> None:
    """Also in the metrics between right and wrong (lm-eval#1125), and for literal targets (lm-eval#3170)."""
    names = ("exact_match", "token_f1", "edit_similarity", "loglikelihood_per_byte")
    documents = [{"q": "Q", "a": ["blue", "dark blue"]}]
    task = local_task(tmp_path, {"test": documents}, *names, **WRITING, doc_to_target=target)
    result = said(task, Saying("dark blue", {"blue": -4.0, "dark blue": -4.5}))
    assert scores(result) == dict.fromkeys(names[:3], 1.0) | {names[3]: -0.5}
    assert result.samples is not None
    assert (result.samples[0].target, result.samples[0].targets) == ("blue", ("blue", "dark blue"))


def test_a_single_reference_beside_lists_is_no_list_of_letters(tmp_path: Path) -> None:
    """lm-eval takes `no` for `n` and `o` where the first document has a list (lm-eval#3170)."""
    for documents in (["no", ["yes", "no"]], [["yes", "no"], "no"]):
        data = {"test": [{"q": "Q", "a": target} for target in documents]}
        task = local_task(tmp_path, data, "exact_match", **WRITING, doc_to_target="a")
        assert scores(said(task, Saying("no"))) == {"exact_match": 1.0}
        assert scores(said(task, Saying("n"))) == {"exact_match": 0.0}


def test_an_example_with_several_right_answers_shows_the_first(tmp_path: Path) -> None:
    """lm-eval ends with AssertionError where it is a number."""
    data = {"test": [{"q": "T", "a": [1]}], "dev": [{"q": "E", "a": [1, 2]}]}
    task = local_task(tmp_path, data, **CHOICE, doc_to_target="a", fewshot_split="dev")
    assert prompts(task, shots=1) == ["E 2\n\nT"]
    numbers = {"test": [{"q": "T", "a": 7}], "dev": [{"q": "E", "a": [8, 9]}]}
    task = local_task(tmp_path, numbers, **WRITING, doc_to_target="a", fewshot_split="dev")
    assert prompts(task, shots=1) == ["E 8\n\nT"]


def test_a_text_that_looks_like_a_list_of_numbers_is_a_text(tmp_path: Path) -> None:
    """What a program returns is one answer."""
    data = {"test": [{"q": "Q", "a": "[1, 2]"}]}
    assert scores(said(local_task(tmp_path, data, **WRITING), Saying("[1, 2]"))) == {"exact_match": 1.0}


def test_corpus_metrics_take_all_references(tmp_path: Path) -> None:
    """sacrebleu counts what any of them has, also where documents have other numbers of references."""
    documents = [{"q": "Q", "a": ["x y z w", "the cat sat down"]}, {"q": "R", "a": "the cat sat down"}]
    task = local_task(tmp_path, {"test": documents}, "bleu", "chrf", "ter", **WRITING, doc_to_target="a")
    found = scores(said(task, Saying("the cat sat down")))
    assert found == {"bleu": pytest.approx(100), "chrf": pytest.approx(100), "ter": pytest.approx(0)}


@pytest.mark.parametrize("target", [[], None, {"a": 1}], ids=str)
def test_a_document_without_a_right_answer_is_refused(tmp_path: Path, target: Any) -> None:
    """There is nothing to score it by."""
    data = {"test": [{"q": "Q", "a": "x"}, {"q": "Q", "a": target}]}
    task = local_task(tmp_path, data, **WRITING, doc_to_target="a")
    with pytest.raises(CatalogError, match="task outside: document 1: doc_to_target gives"):
        build_cell(cell(of=task), task, DocumentCache())


@pytest.mark.parametrize("options", ["a, b", "{{q}}", "missing", "{{ [] }}"])
def test_options_that_are_no_list_are_refused(tmp_path: Path, options: str) -> None:
    """lm-eval ends with SyntaxError."""
    task = local_task(tmp_path, {"test": [{"q": "Q", "a": 0}]}, **{**CHOICE, "doc_to_choice": options})
    with pytest.raises(CatalogError, match="task outside: document 0: doc_to_choice gives"):
        build_cell(cell(of=task), task, DocumentCache())
