import json
import tracemalloc
from pathlib import Path

import pytest

from harness.bounded import json_text
from harness.bounded.json_documents import json_documents
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import UnreadableError


@pytest.mark.parametrize("brackets", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("levels", [101, 500, 5_000, 200_000])
def test_json_nested_too_deep_is_refused(brackets: str, levels: int) -> None:
    close = "".join("]" if c == "[" else "}" for c in reversed(brackets) if c in "[{")
    with pytest.raises(UnreadableError, match="has more than 100 levels of lists and mappings"):
        parsed_json(brackets * levels + "1" + close * levels)


def test_json_of_many_brackets_side_by_side_is_fine() -> None:
    assert len(parsed_json("[" + "[]," * 1000 + "{}]")) == 1001
    assert parsed_json("[" * 100 + "]" * 100)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not UTF-8"),
        (b"", "is not JSON"),
        (b"9" * 5000, "has a number of too many digits"),
        (rb'["\ud800"]', r"has half of a character \(a lone surrogate"),
        (rb'{"\uD83d": 1}', "has half of a character"),
    ],
)
def test_json_that_cannot_be_had_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        parsed_json(text)


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    assert parsed_json(rb'["\ud83d\ude00", "\\ud800"]') == ["😀", "\\ud800"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_json_lacks_are_refused_where_they_must_be_finite(number: str) -> None:
    parsed_json(number)
    with pytest.raises(UnreadableError, match="expected numbers that are finite"):
        parsed_json(number, finite=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n[1]\n', "line 2 is a list; expected a JSON object"),
        ('{"a": 1}\n\n{"a"\n', "line 3 is not JSON; expected JSONL, one object per line"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}\n", "line 1 has more than 100 levels"),
    ],
)
def test_the_line_that_is_no_document_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(UnreadableError) as caught:
        list(json_documents(tmp_path / "x"))
    assert str(caught.value).startswith(message)


def test_documents_are_read_one_by_one(tmp_path: Path) -> None:
    with (tmp_path / "x").open("w") as file:
        file.writelines(json.dumps({"id": i, "text": "x" * 1000}) + "\r\n" for i in range(3000))
    tracemalloc.start()
    number = sum(
        document.fields["id"] >= 0 and document.characters > 1000 for document in json_documents(tmp_path / "x")
    )
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert number == 3000
    assert most < 500_000


def test_depth_is_that_of_the_deepest_branch() -> None:
    assert json_text.deeper_than({"a": [1, [2]], "b": 3}, 2)
    assert not json_text.deeper_than({"a": [1, [2]], "b": 3}, 3)
    assert not json_text.deeper_than(3, 0)
