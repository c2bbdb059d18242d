"""Texts of tokenizers that drop the first space, decoded behind their prompts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from harness.engines.decoding import ContinuationDecoder
from tests.builders import zoo
from tests.builders.outside import ENGINES, answered, outputs, score, scripted_folder, task_of, writing

PROMPT = "def f(x):\n"
PROGRAM = "    y = x\n    return y + 1"


def metaspace() -> Any:
    """SentencePiece as newer tokenizers have it: a space is put before the first word of a text alone."""
    pieces = ["<unk>", "<s>", "</s>", "▁", *(chr(c) for c in range(32, 127)), "\n", "漢"]
    scores: dict[str, int] = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    made = Tokenizer(models.BPE(vocab=scores, merges=[], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    wrap: Any = PreTrainedTokenizerFast
    return wrap(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def wordpiece() -> Any:
    """Pieces that go on have a mark, and pieces that begin a word get a space."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = ["<unk>", "<s>", "</s>", *letters, *(f"##{letter}" for letter in letters), *"0123456789().:=+"]
    made = Tokenizer(models.WordPiece(vocab={piece: i for i, piece in enumerate(pieces)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s+"), "removed")
    made.decoder = decoders.WordPiece(cleanup=False)
    wrap: Any = PreTrainedTokenizerFast
    return wrap(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "byte-level": lambda: zoo.tokens("bos"),
    "SentencePiece": lambda: zoo.tokens("bytes"),
    "first word": metaspace,
    "the package's": lambda: zoo.tokens("embedded"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_a_program_keeps_its_indentation(engine: str, tokenizer: str, tmp_path: Path) -> None:
    """Decoded alone the first line loses a space, and pass@1 is 0 (lm-eval#3126, bigcode#74, instruct-eval PR#19)."""
    folder = scripted_folder(tmp_path / "model", TOKENIZERS[tokenizer](), PROMPT, PROGRAM)
    documents = [{"question": PROMPT, "answer": PROGRAM, "tests": [[1, 2], [5, 6]]}]
    task = task_of(tmp_path, documents, "pass_at_1", "edit_similarity", **writing(max_gen_toks=40), target_delimiter="")
    result = answered(engine, folder, task, confirm_run_unsafe_code=True, allow_unfenced=True)
    assert outputs(result) == [PROGRAM]
    assert score(result, "pass_at_1") == 1.0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize(
    ("prompt", "text", "until", "expected"),
    [
        ("The sea is", " dark blue", ["\n"], " dark blue"),
        ("The sea is", " dark blue", [" "], ""),
        ("The sea is", " dark blue", [" blue"], " dark"),
        ("The sea is ", " dark", ["\n"], " dark"),
        ("The sea is\n", "dark", ["\n"], "dark"),
        ("The sea", "\nis dark", ["\n"], ""),
        ("The sea", "s", ["\n"], "s"),
    ],
)
def test_a_text_is_what_stands_behind_the_prompt(
    engine: str, tokenizer: str, prompt: str, text: str, until: list[str], expected: str, tmp_path: Path
) -> None:
    """The same text by every tokenizer, up to a stop string that may be its beginning (lm-eval#3126)."""
    folder = scripted_folder(tmp_path / "model", TOKENIZERS[tokenizer](), prompt, text)
    task = task_of(tmp_path, [{"question": prompt, "answer": "x"}], "exact_match", **writing(until=until))
    assert outputs(answered(engine, folder, task)) == [expected]


@pytest.mark.parametrize("tokenizer", [*TOKENIZERS, "WordPiece"])
@settings(max_examples=40, deadline=None)
@given(
    prompt=st.text(alphabet="ab x\n.漢é", min_size=1, max_size=12),
    text=st.text(alphabet="ab x\n.漢é🙂", max_size=12),
)
def test_prompt_and_text_together_are_the_whole(tokenizer: str, prompt: str, text: str) -> None:
    """What is decoded behind a prompt is what the whole text has more than the prompt."""
    words = TOKENIZERS.get(tokenizer, wordpiece)()
    start = words.encode(prompt)
    whole = words.encode(prompt + text)
    if whole[: len(start)] != start:
        return  # a token spans the two
    found = ContinuationDecoder(words).text(start, whole[len(start) :])
    decoded = [words.decode(ids, skip_special_tokens=True) for ids in (start, whole)]
    assert decoded[0] + found == decoded[1]


def test_a_text_without_a_prompt_begins_like_any_text() -> None:
    """Behind <s> alone the space that SentencePiece puts first is none of the text's."""
    words = zoo.tokens("bytes")
    ids = words.encode("The sea")
    assert ContinuationDecoder(words).text(ids[:1], ids[1:]) == "The sea"
