"""Words, their pieces, and the entities that labels say."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engines.encoder.words import entities_in, first_pieces, labelled_text, words_in
from tests.builders.encoders import word_pieces


def said(text: str, labels: str) -> list[tuple[str, str]]:
    words = words_in(text)
    return [(text[one.start : one.end], one.type) for one in entities_in(words, labels.split())]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("B-PER I-PER O B-LOC", [("Tom Ray", "PER"), ("York", "LOC")]),
        ("B-PER B-PER O O", [("Tom", "PER"), ("Ray", "PER")]),
        ("I-PER I-PER O I-LOC", [("Tom Ray", "PER"), ("York", "LOC")]),  # IOB1
        ("B-PER I-LOC O O", [("Tom", "PER"), ("Ray", "LOC")]),
        ("B-PER E-PER O S-LOC", [("Tom Ray", "PER"), ("York", "LOC")]),
        ("B-PER L-PER I-PER U-LOC", [("Tom Ray", "PER"), ("in", "PER"), ("York", "LOC")]),
        ("PER PER O LOC", [("Tom Ray", "PER"), ("York", "LOC")]),
        ("B-PER O I-PER O", [("Tom", "PER"), ("in", "PER")]),
        ("O O O O", []),
        ("B-first-name O O o", [("Tom", "first-name")]),
    ],
)
def test_labels_become_entities_as_the_conll_script_reads_them(labels: str, expected: list[tuple[str, str]]) -> None:
    assert said("Tom Ray in York", labels) == expected


def test_signs_are_words_of_their_own() -> None:
    text = "Tom, of A-Corp (U.N.), isn't here."
    assert [text[start:end] for start, end in words_in(text)] == [
        *("Tom", ",", "of", "A-Corp", "(", "U.N", ".", ")", ",", "isn't", "here", ".")
    ]


def test_a_word_takes_its_first_piece_whatever_its_pieces_are() -> None:
    text = "Tom lives in Paris, xyz."
    encoded = word_pieces()(text, add_special_tokens=False, return_offsets_mapping=True)
    pieces = word_pieces().convert_ids_to_tokens(encoded["input_ids"])
    assert pieces == ["tom", "lives", "in", "paris", ",", "x", "##y", "##z", "."]
    assert first_pieces(words_in(text), encoded["offset_mapping"]) == [0, 1, 2, 3, 4, 5, 8]


def test_pieces_with_the_space_before_a_word_and_without_characters_are_placed() -> None:
    assert first_pieces(words_in("ab cd ef"), [(0, 0), (0, 2), (2, 4), (4, 5), (5, 8)]) == [1, 2, 4]
    assert first_pieces(words_in("ab cd"), [(0, 2)]) == [0, None]


@pytest.mark.parametrize(
    ("doc", "question", "text", "n_words"),
    [
        ({"id": "text", "text": "Tom met Ann ."}, "text: Tom met Ann .\nentities:", "Tom met Ann .", 4),
        ({"tokens": ["U.N.", "met"], "ner_tags": [1, 0]}, "Name them.\n\nText: U.N. met\nEntities:", "U.N. met", 2),
        ({"sentence": "not shown"}, "What is here?", "What is here?", 4),
    ],
)
def test_the_text_of_a_document_is_what_stands_in_its_question(
    doc: dict[str, Any], question: str, text: str, n_words: int
) -> None:
    found = labelled_text(doc, question)
    assert (found.text, len(found.words)) == (text, n_words)
