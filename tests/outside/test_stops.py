"""Stop strings that are no text, none at all, or the beginning of the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders import zoo
from tests.builders.outside import ENGINES, answered, outputs, refused, scripted_folder, task_of, writing

PROMPT, TEXT = "The sea is", " dark blue"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes one text and its end."""
    return scripted_folder(tmp_path_factory.mktemp("models") / "model", zoo.tokens("bytes"), PROMPT, TEXT)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("until", "written"),
    [
        ([], TEXT),
        (["never"], TEXT),
        ([" "], ""),
        ([" dark"], ""),
        (["blue"], " dark "),
        ("k b", " dar"),
        (["e", "r"], " da"),
    ],
)
def test_a_text_ends_before_its_first_stop(engine: str, folder: Path, tmp_path: Path, until: Any, written: str) -> None:
    """No stop string leaves the end to the model; one that begins the answer leaves nothing of it (lm-eval#3126)."""
    task = task_of(tmp_path, [{"question": PROMPT, "answer": "x"}], "exact_match", **writing(until=until))
    assert outputs(answered(engine, folder, task)) == [written]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("until", ["", [""], ["\n", ""], [3], None], ids=repr)
def test_a_stop_that_is_no_text_is_refused(engine: str, folder: Path, tmp_path: Path, until: Any) -> None:
    """An empty stop string stands in every text: lm-eval writes one token (flexeval PR#20)."""
    task = task_of(tmp_path, [{"question": PROMPT, "answer": "x"}], "exact_match", **writing(until=until))
    said = refused(engine, folder, task)
    assert f"generation_kwargs.until is {until!r}; expected texts that end an answer, or [] for none" in said
