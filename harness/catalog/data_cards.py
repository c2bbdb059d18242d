"""The folder of a data set before `datasets` opens it: its parts, and whether its card names files elsewhere.

A card is the YAML between two lines `---` at the top of README.md. `datasets` reads whatever file or address the card
names, and so the names are checked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from harness.bounded.files import is_regular, read_text
from harness.bounded.limits import MODEL_TEXT_BYTES, UnreadableError
from harness.bounded.yaml_text import parsed_yaml
from harness.errors import CatalogError, unknown
from harness.wording import quoted

_CARD, _MORE = "README.md", ".huggingface.yaml"
_FENCE = "---"
_DEFAULT = "default"


class Part(NamedTuple):
    """A part of a data set, as `datasets` is asked for it."""

    folder: Path
    """Folder that is loaded."""
    name: str | None = None
    """Name of the part by the card of this folder; None for the only one."""
    config: Mapping[str, Any] = {}
    """What the card says of the part; nothing without a card."""
    is_first: bool = True
    """Whether the card names no part before it: `datasets` looks at the files of the first one, whichever is asked."""


def part_of(folder: Path, name: str | None) -> Part:
    """The part of a data set with this name: one of the card's `configs`, or a folder in that of the data set.

    Args:
        folder: the folder of the data set.
        name: the `dataset_name` of a task; None takes the only part, or the one that the card calls the default.

    Raises:
        CatalogError: it has no such part, or its card cannot be read or names files elsewhere.
    """
    configs = _configs(folder)
    if configs:
        chosen = name or _default(configs)
        if chosen is None:
            parts = ", ".join(sorted(configs))
            raise CatalogError(f"{folder}: has several parts; expected `dataset_name`, one of {parts}")
        if chosen not in configs:
            raise CatalogError(f"{folder}: {unknown('part', chosen, configs)}")
        return Part(folder, chosen, configs[chosen], chosen == next(iter(configs)))
    if name is None or name == _DEFAULT:
        return Part(folder)
    if (folder / name).is_dir():
        _configs(folder / name)
        return Part(folder / name)
    raise CatalogError(
        f"{folder}: has no part {quoted(name)}; expected a folder of this name in it, or `configs` in {_CARD}"
    )


def _default(configs: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The part that is meant where none is named; None where it is not clear."""
    marked = [name for name, config in configs.items() if config.get("default")]
    named = [name for name in configs if name == _DEFAULT or len(configs) == 1]
    return next(iter((*marked, *named)), None)


def _configs(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Name of each part that the card of a folder describes -> what it says; each file that it names is checked."""
    found: dict[str, Mapping[str, Any]] = {}
    for file in (_CARD, _MORE):
        configs = _content(folder / file).get("configs") or []
        if not isinstance(configs, list) or not all(isinstance(config, Mapping) for config in configs):
            raise CatalogError(f"{folder / file}: `configs` is {quoted(configs)}; expected a list of parts")
        for config in configs:
            found[str(config.get("config_name", _DEFAULT))] = config
            for place in texts_in([config.get("data_files"), config.get("data_dir")]):
                _check_place(place, folder / file)
    return found


def _content(path: Path) -> Mapping[str, Any]:
    """What a card says; nothing where there is none."""
    if not is_regular(path):
        return {}
    try:
        text = read_text(path, MODEL_TEXT_BYTES)
        content = parsed_yaml(_front(text) if path.name == _CARD else text)
    except UnreadableError as error:
        raise CatalogError(f"{path}: {error}") from error
    return content if isinstance(content, Mapping) else {}


def _front(text: str) -> str:
    """The lines between the first line, if that is a fence, and the next fence."""
    first, *rest = text.splitlines() or [""]
    ends = [number for number, line in enumerate(rest) if line.rstrip() == _FENCE]
    return "\n".join(rest[: ends[0]]) if first.rstrip() == _FENCE and ends else ""


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a value of lists and mappings, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple | Mapping):
        for inside in value.values() if isinstance(value, Mapping) else value:
            yield from texts_in(inside)


def _check_place(place: str, card: Path) -> None:
    parts = PurePosixPath(place).parts
    if place.startswith(("/", "~", "\\")) or "://" in place or "::" in place or ".." in parts:
        raise CatalogError(f"{card}: names {quoted(place)}; expected files of the data set's own folder")
