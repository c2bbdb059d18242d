"""Which tokenizers are made of parts whose time is known, and which files of one are refused before they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.models.tokenizer_file import check_tokenizer, costly_part, is_known_pattern, read_tokenizer
from harness.errors import ModelError

BPE = {"type": "BPE"}


def replace(pattern: str, content: str, kind: str = "String") -> dict[str, Any]:
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def sequence(key: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", key: [*parts]}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "ByteLevel", "use_regex": True}},
        {"normalizer": sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, replace(" ", "▁"))},
        {"decoder": sequence("decoders", replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"})},
        {"pre_tokenizer": sequence("pretokenizers", split(r"\p{N}{1,3}"), split("[一-龥]+"), {"type": "ByteLevel"})},
    ],
)
def test_the_parts_of_usual_tokenizers_are_known(content: dict[str, Any]) -> None:
    assert costly_part({"model": BPE, **content}) is None


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("pre_tokenizer", {"pre_tokenizer": split("(a+)+$")}),
        ("normalizer", {"normalizer": sequence("normalizers", *[replace("a", "aa")] * 40)}),
        ("normalizer", {"normalizer": sequence("normalizers", *[{"type": "NFC"}] * 40)}),
        ("normalizer", {"normalizer": replace("", "aa")}),
        ("normalizer", {"normalizer": replace("a*", "b" * 99, "Regex")}),
        ("normalizer", {"normalizer": {"type": "Precompiled", "precompiled_charsmap": ""}}),
        ("pre_tokenizer", {"pre_tokenizer": {"type": "FixedLength", "length": 0}}),
        ("pre_tokenizer", {"pre_tokenizer": sequence("pretokenizers", sequence("pretokenizers", split(".*.*=")))}),
        ("decoder", {"decoder": "Fuse"}),
        ("post_processor", {"post_processor": {"type": "TemplateProcessing", "single": ["x" * 99] * 999}}),
        ("model", {"model": {"type": "WordPiece", "max_input_chars_per_word": 10**9}}),
        ("model", {"model": {"type": "Unigram", "vocab": [["a" * 9_000, -1.0]]}}),
        ("model", {"model": {"type": "Another"}}),
        ("model", {"model": None}),
    ],
)
def test_a_part_that_may_take_long_is_named(part: str, content: dict[str, Any]) -> None:
    assert costly_part({"model": BPE, **content}) == part


@pytest.mark.parametrize("pattern", ["a+b", "a*a*b", r"(a+b?)*\1c$", "a++", ".*a", r"\k<a>", "a{9}{9}", "[" * 1_900])
def test_an_expression_that_may_go_back_is_not_known(pattern: str) -> None:
    assert not is_known_pattern(pattern)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[1, 2", "tokenizer.json is damaged: not JSON"),
        (b"[]", "holds a list; expected keys and values"),
        (b'{"a": ' * 3_000 + b"1" + b"}" * 3_000, "levels of lists and mappings"),
        (json.dumps({"model": [0] * 200_000}).encode(), "values; expected at most 150,000"),
        (json.dumps({"x": "a" * 4_000_001}).encode(), "bytes; expected at most 4,000,000"),
        (
            json.dumps({"added_tokens": [{"id": 2**31}]}).encode(),
            "has the number 2,147,483,648; expected at most 150,000",
        ),
        (json.dumps({"added_tokens": [{}] * 5_001}).encode(), "5,001 added tokens; expected at most 5,000"),
        (
            json.dumps({"added_tokens_decoder": {"99999999": {}}}).encode(),
            "has the number 99,999,999; expected at most",
        ),
    ],
)
def test_a_file_over_a_limit_is_refused(
    content: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.05")
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"tokenizer\.json") as refused:
        check_tokenizer(tmp_path)
    assert said in str(refused.value)


def test_a_usual_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": BPE, "added_tokens": [{"id": 3, "content": "<s>"}]}))
    check_tokenizer(tmp_path)
    assert read_tokenizer(tmp_path / "tokenizer.json")["model"] == BPE
