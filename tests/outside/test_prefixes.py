"""`gen_prefix`, the beginning of the answer that the prompt ends with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from tests.builders import cell, zoo
from tests.builders.outside import ENGINES, answered, choices, outputs, refused, scripted_folder, task_of, writing

DOCUMENTS = ({"question": "The apple is", "begin": "So"}, {"question": "The sea is", "begin": "Thus"})
EXAMPLES = ({"question": "The sun is", "begin": "Well", "answer": "hot"},)


def prompt(folder: Path, prefix: str, shots: int, **config: Any) -> tuple[Any, ...]:
    """Arguments of the first request."""
    documents = [{**document, "answer": "red"} for document in DOCUMENTS]
    task = task_of(folder, documents, "exact_match", examples=EXAMPLES, gen_prefix=prefix, **config)
    first: tuple[Any, ...] = build_cell(cell(of=task, shots=shots), task, DocumentCache()).documents[0][0].args
    return first


@pytest.mark.parametrize(
    ("prefix", "shown", "asked"),
    [
        ("It is", "The sun is It is hot\n\n", "The apple is It is"),
        ("{{begin}}:", "The sun is Well: hot\n\n", "The apple is So:"),
        ("begin", "The sun is Well hot\n\n", "The apple is So"),
        ("It is ", "The sun is It is hot\n\n", "The apple is It is "),
    ],
)
def test_each_example_has_the_prefix_of_its_own_document(tmp_path: Path, prefix: str, shown: str, asked: str) -> None:
    """lm-eval rendered it with the fields of the document that is asked (lm-eval PR#3979), a space too many (#3231)."""
    assert prompt(tmp_path, prefix, 0, **writing())[0] == asked
    assert prompt(tmp_path, prefix, 1, **writing())[0] == shown + asked


def test_an_option_follows_the_prefix_by_the_delimiter(tmp_path: Path) -> None:
    """The delimiter was left out in turns of a chat (lm-eval#3220, PR#3508)."""
    options = {"output_type": "multiple_choice", "doc_to_choice": ["red", "hot"]}
    assert prompt(tmp_path, "It is", 1, **options) == ("The sun is It is hot\n\nThe apple is It is", " red")


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_written_goes_on_from_the_prefix(engine: str, tmp_path: Path) -> None:
    """The prefix is part of the prompt and no part of the answer."""
    folder = scripted_folder(tmp_path / "model", zoo.tokens("bytes"), "The sea is It is", " dark blue")
    documents = [{"question": "The sea is", "answer": "dark blue"}]
    task = task_of(tmp_path, documents, "exact_match", gen_prefix="It is", **writing(until=["\n"]))
    assert outputs(answered(engine, folder, task)) == [" dark blue"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_prefix_of_a_field_that_is_not_there_is_refused(engine: str, tmp_path: Path) -> None:
    """A template that lacks its field renders to nothing, and nobody is told."""
    folder = scripted_folder(tmp_path / "model", zoo.tokens("bytes"), "The sea is", " dark blue")
    documents = [{"question": "The sea is", "answer": 0}]
    task = task_of(tmp_path, documents, "acc", gen_prefix="{{missing}}", **choices(["red", "green"]))
    assert "missing" in refused(engine, folder, task)
