"""Documents of a data set in a mirror, as `datasets.load_dataset` gives them: JSON, CSV, Parquet and text alone.

What `datasets` would open is measured first, since a small file can unpack to a large one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.bounded.documents import DATA_ENDINGS
from harness.bounded.files import Content, unpacked
from harness.bounded.limits import DATA_BYTES, UnreadableError
from harness.bounded.parquet_file import check_parquet
from harness.catalog.data_cards import part_of
from harness.errors import CatalogError
from harness.wording import cut

_PIECE = 1 << 20
_FORMS = ("json", "csv", "parquet", "text")


def load_folder(folder: Path, name: str | None) -> Any:
    """Every split of a part of a data set, a `datasets.DatasetDict`.

    Args:
        folder: folder of the data set.
        name: name of the part; None for the only one.

    Raises:
        CatalogError: it has no such part, or what is in it is no data of one of these forms, or more than is allowed.
    """
    import datasets

    part = part_of(folder, name)
    try:
        builder = datasets.load_dataset_builder(str(part.folder), part.name)
        _check(builder, folder)
        builder.download_and_prepare()
        return builder.as_dataset()
    except CatalogError:
        raise
    except Exception as error:  # a damaged file can make `datasets` raise any exception
        cause = error.__cause__ or error
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        raise CatalogError(f"{part.folder}: cannot be loaded: {cut(lines[0])}") from error


def _check(builder: Any, folder: Path) -> None:
    """Check that a builder reads plain data below a folder, and not more than is allowed."""
    form = type(builder).__module__.rpartition(".")[2]
    files = list(_files(builder))
    if form not in _FORMS:
        named = f", such as {files[0].name}" if files else ""
        raise CatalogError(f"{folder}: holds data of the form {form}{named}; expected JSON, CSV, Parquet or text")
    for file in files:
        if not Path(os.path.abspath(file)).is_relative_to(folder):
            raise CatalogError(f"{folder}: names {file}; expected files below it")
        try:
            _measure(file)
        except UnreadableError as error:
            raise CatalogError(f"{file}: {error}") from error


def _files(builder: Any) -> Iterator[Path]:
    named: Iterable[Iterable[Any]] = (builder.config.data_files or {}).values()
    return (Path(str(file)) for files in named for file in files)


def _measure(file: Path) -> None:
    ending = Path(file.name.lower().removesuffix(".gz")).suffix
    if ending not in DATA_ENDINGS:
        raise UnreadableError(
            f"ends in {file.suffix or 'nothing'}; expected {', '.join(DATA_ENDINGS)}, or these in gzip"
        )
    if DATA_ENDINGS[ending] == "parquet":
        check_parquet(file)
        return
    with unpacked(file, DATA_BYTES) as content:
        if file.name.lower().endswith(".gz"):
            _read_through(content)


def _read_through(content: Content) -> None:
    while content.read(_PIECE):
        pass
