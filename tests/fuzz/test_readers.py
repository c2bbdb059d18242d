"""Every reader of files of others ends with a value or one sentence; `make fuzz` tries many more files."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import READERS


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    reader.prepare(tmp_path)

    # the same files each time, and within ten seconds each
    @settings(max_examples=reader.files, deadline=10_000, derandomize=True, database=None)
    @given(st.integers(min_value=0, max_value=2**32))
    def try_it(seed: int) -> None:
        reader.takes(tmp_path, reader.make(Random(seed)))

    try_it()
