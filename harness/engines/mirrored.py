"""Documents of a data set in a mirror, as `datasets.load_dataset` gives them: JSON, CSV, Parquet and text alone.

What `datasets` would open is measured first, since a small file can unpack to a large one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.bounded.documents import DATA_ENDINGS
from harness.bounded.files import Content, unpacked
from harness.bounded.limits import DATA_BYTES, UnreadableError
from harness.bounded.parquet_file import check_parquet
from harness.catalog.data_cards import Part, part_of
from harness.errors import CatalogError
from harness.wording import cut

_PIECE = 1 << 20
_HUB = "hf://datasets/"
_FORMS = ("json", "csv", "parquet", "text")


def load_folder(folder: Path, name: str | None, options: Mapping[str, Any] | None = None) -> Any:
    """Every split of a part of a data set, a `datasets.DatasetDict`.

    Args:
        folder: folder of the data set.
        name: name of the part; None for the only one.
        options: what else a task gives `datasets`, such as `data_files`.

    Raises:
        CatalogError: it has no such part, or what is in it is no data of one of these forms, or more than is allowed.
    """
    part = part_of(folder, name)
    try:
        builder = _builder(part, options or {})
        _check(builder, folder)
        # by itself `datasets` takes what it read from files of these names before, whatever has become of them
        builder = _builder(part, options or {}, cache=_cache_of(builder))
        builder.download_and_prepare()
        return builder.as_dataset()
    except CatalogError:
        raise
    except FileNotFoundError as error:
        what = "no files of data" if part.name is None else f"no files of part {part.name}"
        raise CatalogError(
            f"{part.folder}: has {what}; download them with `emergence prepare`, or put them there"
        ) from error
    except Exception as error:  # a damaged file can make `datasets` raise any exception
        cause = error.__cause__ or error
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        raise CatalogError(f"{part.folder}: cannot be loaded: {cut(lines[0])}") from error


def _builder(part: Part, options: Mapping[str, Any], cache: Path | None = None) -> Any:
    """What `datasets` reads a part with; a `cache` of None is its usual one.

    It would look at the files of the card's first part even for another one, and these need not be in the mirror. So
    for other parts it is told their files, and the types of their columns, which it would forget then.
    """
    import datasets

    folder = str(part.folder)
    if options or part.is_first or part.config.get("data_files") is None:
        return datasets.load_dataset_builder(folder, part.name, cache_dir=cache, **options)
    infos = datasets.info.DatasetInfosDict.from_directory(folder)
    known = infos.get(str(part.name))
    files = datasets.data_files.sanitize_patterns(part.config["data_files"])
    features = None if known is None else known.features
    return datasets.load_dataset_builder(folder, part.name, cache_dir=cache, data_files=files, features=features)


def _cache_of(builder: Any) -> Path:
    """Where what is read is kept: another place when a file has changed."""
    import datasets

    facts = hashlib.sha256()
    for file in _files(builder):
        found = os.stat(file)
        facts.update(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ino}\0".encode())
    return Path(datasets.config.HF_DATASETS_CACHE) / "mirrored" / facts.hexdigest()[:24]


def files_on_hub(name: str, parts: Iterable[str | None], commit: str) -> set[str]:
    """Paths of the files that parts of a data set on the hub are read from.

    The hub is asked once for all parts: `load_dataset_builder` would ask it eight times for each, and some data sets
    have a hundred parts.

    Raises:
        CatalogError: it is read from something else than files of the hub, or in another form than a mirror has.
        Exception: what `datasets` raises when the hub has no such data set or part, or cannot be reached.
    """
    import datasets

    module = datasets.load.dataset_module_factory(f"{_HUB}{name}", revision=commit)
    options = dict(module.builder_kwargs)
    of_name = options.pop("dataset_name", None)
    of_class = datasets.load.get_dataset_builder_class(module, dataset_name=of_name)
    usual = options.pop("config_name", None) or module.builder_configs_parameters.default_config_name
    found: set[str] = set()
    for part in parts:
        builder = of_class(dataset_name=of_name, config_name=part or usual, hash=module.hash, **options)
        _check_on_hub(name, builder)
        if (form := _form(builder)) not in _FORMS:
            raise CatalogError(f"holds data of the form {form}; expected JSON, CSV, Parquet or text")
        found.update(file.removeprefix(f"{_HUB}{name}@{commit}/") for file in _files(builder))
    return found


def builder_on_hub(name: str, part: str | None, revision: str | None, options: Mapping[str, Any] | None = None) -> Any:
    """What `datasets.load_dataset` reads a data set with, once it is seen that its card names files of the hub alone.

    Raises:
        CatalogError: it names other files.
    """
    import datasets

    # by its name alone `datasets` would take a folder of that name below the working one
    builder = datasets.load_dataset_builder(f"{_HUB}{name}", part, revision=revision, **(options or {}))
    _check_on_hub(name, builder)
    return builder


def _check_on_hub(name: str, builder: Any) -> None:
    for file in _files(builder):  # none when the cache has the data set ready
        if not file.startswith(_HUB):
            raise CatalogError(f"data set {name} names {file}; expected files of the hub alone")


def _form(builder: Any) -> str:
    return type(builder).__module__.rpartition(".")[2]


def _check(builder: Any, folder: Path) -> None:
    """Check that a builder reads plain data below a folder, and not more than is allowed."""
    form, files = _form(builder), [Path(file) for file in _files(builder)]
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


def _files(builder: Any) -> Iterator[str]:
    named: Iterable[Iterable[Any]] = (builder.config.data_files or {}).values()
    return (str(file) for files in named for file in files)


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
