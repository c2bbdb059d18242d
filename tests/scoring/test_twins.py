"""The same options asked by letter and by their texts: what is made of a document's own question."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import HarnessError
from harness.scoring.questions import Questions
from harness.scoring.rendering import RenderingHere
from harness.scoring.twins import Twin, unlisted, with_list

LETTERS = ("A", "B", "C")


def twin(format: Any, text: Any, target: Any, choice: Any, **changes: Any) -> Twin:
    own = Questions(
        text=text, target=target, choice=choice, columns=("q", "options", "label"), rendering=RenderingHere(), **changes
    )
    return Twin(own=own, format=format)


@pytest.mark.parametrize(
    ("question", "labels"),
    [
        ("Which?\nA. one\nB. two words\nC. three\nAnswer:", LETTERS),
        ("Which?\n\nOptions:\n(A) one\n(B) two words\n(C) three\nAnswer:", LETTERS),
        ("Which?\nAnswer Choices: (A) one, (B) two words, (C) three\nAnswer:", ("(A)", "(B)", "(C)")),
        ("Which? A) one B) two words C) three Answer:", LETTERS),
        ("Which?\na: one\nb: two words\nc: three", ("a", "b", "c")),
        ("Which?\n[A] one\n[B] two words\n[C] three\n", LETTERS),
    ],
)
def test_the_list_of_options_is_taken_out_however_it_is_written(question: str, labels: tuple[str, ...]) -> None:
    assert unlisted(question, labels) == ("Which?\nAnswer:", ("one", "two words", "three"))


def test_letters_in_the_question_are_not_taken_for_the_list() -> None:
    question = "A. Turing wrote to B. Russell.\nA. Why?\nA. love\nB. logic\nC. luck\nAnswer:"
    assert unlisted(question, LETTERS) == (
        "A. Turing wrote to B. Russell.\nA. Why?\nAnswer:",
        ("love", "logic", "luck"),
    )


def test_options_of_several_lines_end_where_the_answer_is_asked_for() -> None:
    question = "Which returns 1?\nA. def f():\n  return 1\nB. def f():\n  return 2\nAnswer:"
    assert unlisted(question, ("A", "B")).options == ("def f():\n  return 1", "def f():\n  return 2")


@pytest.mark.parametrize("question", ["Which?\nAnswer:", "Which?\nA. one\nB. two\nAnswer:", "Which?\nA.\nB. x\nC. y"])
def test_a_question_without_the_whole_list_has_no_cloze_twin(question: str) -> None:
    with pytest.raises(HarnessError, match=r"has no cloze twin: doc_to_text does not list the texts of the options"):
        unlisted(question, LETTERS)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Q: who?\nAnswer:", "Q: who?\nA. me\nB. you\nAnswer:"),
        ("text: a b\ntopic:", "text: a b\nA. me\nB. you\ntopic:"),
        ("He sees", "He sees\nA. me\nB. you\nAnswer:"),
        ("Q: who? A:", "Q: who? A:\nA. me\nB. you\nAnswer:"),
    ],
)
def test_options_are_listed_before_the_last_line(question: str, expected: str) -> None:
    assert with_list(question, ["me", " you"]) == expected


def test_letters_name_the_same_options_as_the_texts() -> None:
    asked = twin("mc", "{{q}}\nAnswer:", "label", "options")
    doc = {"q": "who?", "options": ["me", "you", "her"], "label": 1}
    assert asked.options(doc) == LETTERS
    assert asked.right(doc)[:2] == (("B",), (1,))
    several = twin("mc", "{{q}}\nAnswer:", "label", "options").right({**doc, "label": [0, 2]})
    assert several[:2] == (("A", "C"), (0, 2))


def test_texts_name_the_same_options_as_the_letters() -> None:
    text = "{{q}}\nA. {{options[0]}}\nB. {{options[1]}}\nAnswer:"
    asked = twin("cloze", text, "label", ["A", "B"])
    doc = {"q": "who?", "options": ["me", "you"], "label": "B"}
    assert (asked.question(doc), asked.options(doc)) == ("who?\nAnswer:", ("me", "you"))
    assert asked.right(doc)[:2] == (("you",), (1,))


def test_options_that_are_whole_questions_are_listed_with_their_continuation() -> None:
    asked = twin("mc", "{{label}}", "{{q}}", "options")
    doc = {"q": "fell.", "options": ["The cup", "The table"], "label": 1}
    assert asked.question(doc) == "A. The cup fell.\nB. The table fell.\nAnswer:"
    assert asked.right(doc)[:2] == (("B",), (1,))


def test_options_that_turn_out_to_be_letters_have_no_twin_by_letter() -> None:
    asked = twin("mc", "{{q}}\nA. x\nB. y\nAnswer:", "label", "options")
    with pytest.raises(HarnessError, match=r"has the letters \['A', 'B'\] for options already: its own format is mc"):
        asked.question({"q": "who?", "options": ["A", "B"], "label": 0})


def test_an_example_without_options_cannot_be_asked_by_letter() -> None:
    asked = twin("mc", "{{q}}", "label", "options").by(text="{{q}}", target="label", choice=None)
    with pytest.raises(HarnessError, match="comes without options, so that it cannot be asked in the format mc"):
        asked.right({"q": "who?", "label": "me"})
