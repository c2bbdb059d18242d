"""Messages for people repeat names and values of others, and stay one line."""

import pickle
from pathlib import Path

import pytest

from harness.errors import DocumentError, HarnessError, TableError
from harness.store import Problem
from harness.wording import visible
from tests.builders import hostile


@pytest.mark.parametrize("name", hostile.TERMINAL)
def test_an_error_is_one_line_that_no_terminal_obeys(name: str) -> None:
    error = TableError(f"t.csv: column {name} stands twice")
    assert str(error) == visible(str(error))
    assert str(error).startswith("t.csv: column ")
    assert str(error).endswith(" stands twice")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_error_of_several_lines_becomes_one() -> None:
    assert str(HarnessError("cannot be read:\n  line 3")) == "cannot be read: line 3"
    assert str(DocumentError("a\nb", doc_id=3)) == "a b"


def test_a_skipped_file_is_named_in_one_line() -> None:
    assert str(Problem(path=Path("a\nb.json"), message="holds \x1b[31m")) == "a b.json: holds �[31m"
