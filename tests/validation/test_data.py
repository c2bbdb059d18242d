"""The tables that come with the tests are small, say where they come from, and say what was published."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

SHIPPED = Path(__file__).parent / "data"
PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data"


def test_they_are_one_megabyte_at_most() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 1_000_000


def test_each_is_named_with_its_source_and_a_licence_that_lies_beside_it() -> None:
    rows = [
        line.split("|")[1:-1] for line in (SHIPPED / "README.md").read_text().splitlines() if line.startswith("| `")
    ]
    about = {name.strip(" `"): (source, licence.strip().split(",")[0]) for name, source, licence, _ in rows}
    assert set(about) == {path.name for path in SHIPPED.iterdir() if path.suffix not in (".md", ".txt")}
    for name, (source, licence) in about.items():
        if name != "reference_numbers.json":
            assert "https://github.com/" in source
            assert (SHIPPED / f"LICENSE-{licence}.txt").is_file()


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the whole tables are not in ../shared/data")
@pytest.mark.parametrize("name", sorted(path.name for path in SHIPPED.glob("*.parquet")))
def test_their_rows_are_rows_of_the_published_table(name: str) -> None:
    part, whole = pd.read_parquet(SHIPPED / name), pd.read_parquet(PUBLISHED / name)
    columns = list(part.columns)
    both = part.merge(whole[columns].drop_duplicates(), how="left", on=columns, indicator=True)
    assert set(both["_merge"]) == {"both"}
    assert len(both) == len(part) <= len(whole)
