"""Which tasks, groups and tags of lm-eval there are, and in which files: looked up once and kept in the user's cache.

lm-eval comes with some 14,000 YAML files, which take seconds to read. The index is read in their place. It is made anew
when a file was added, changed or removed, without importing lm-eval, and is kept in memory alone where no file can be
written.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from harness.bounded.files import read_bytes, read_text
from harness.bounded.limits import FOLDERS, YAML_BYTES, Limit, UnreadableError
from harness.bounded.yaml_text import parsed_yaml
from harness.catalog.functions import PACKAGE, package_folder
from harness.catalog.lm_eval_tasks.dialect import is_lm_eval
from harness.errors import CatalogError

log = logging.getLogger(__name__)

Said = Literal["task", "group", "tag", "class"]
"""What a name stands for; `class` is a task that is written in Python."""
_FORMAT = 1
"""Number of the form of the file; another one is made anew."""
_CACHE_BYTES = Limit(most=100_000_000, unit="bytes", of="the index of lm-eval's tasks")
_LEFT_OUT = ("__pycache__", ".ipynb_checkpoints")
OF_GROUPS = frozenset({"group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag"})
"""Keys of a group that are about the group; all others are changes of its tasks."""
FUNCTION = "!function"
"""Key under which the index keeps the name of a function."""
_MANY = 500
"""From so many files on it is said that they are being read."""


class Entry(NamedTuple):
    """What a name stands for."""

    kind: Said
    """Task, group, tag, or a task that is written in Python."""
    file: Path | None
    """The file that defines it; None for a tag."""
    members: tuple[Any, ...] = ()
    """A group's own list of tasks, or the tasks that carry a tag."""
    aggregate: tuple[Mapping[str, Any], ...] = ()
    """How a group's score is made of those of its tasks: lm-eval's `aggregate_metric_list`."""
    changes: Mapping[str, Any] = {}  # never written to
    """Keys that a group changes in its tasks; a function is `{"!function": NAME}`."""
    output_type: str = ""
    """What a task asks of a model: `multiple_choice`, `generate_until`, `loglikelihood`, `loglikelihood_rolling`."""


@dataclass(kw_only=True)
class TaskIndex:
    """The tasks, groups and tags in a folder."""

    folder: Path
    """The folder."""
    tasks: dict[str, list[str]] = field(default_factory=dict)
    """Task -> its file below the folder, its output type, and `class` where it is written in Python."""
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Group -> its file, its members, and its way to a score."""
    tags: dict[str, list[str]] = field(default_factory=dict)
    """Tag -> tasks that carry it, by alphabet."""
    faults: dict[str, str] = field(default_factory=dict)
    """File below the folder -> why it cannot be read."""

    def __contains__(self, name: object) -> bool:
        return name in self.tasks or name in self.groups or name in self.tags

    def names(self) -> Iterator[str]:
        """Every name: tasks, groups, tags."""
        yield from self.tasks
        yield from self.groups
        yield from self.tags

    def entry(self, name: str) -> Entry:
        """What a name stands for; a task or a group comes before a tag of the same name, as with lm-eval.

        Raises:
            KeyError: it is not known.
        """
        if name in self.groups:
            of = self.groups[name]
            return Entry(
                "group", self.folder / of["file"], tuple(of["task"]), tuple(of["aggregate"]), changes=of["changes"]
            )
        if name in self.tasks:
            file, output_type, *rest = self.tasks[name]
            return Entry("class" if rest else "task", self.folder / file, output_type=output_type)
        return Entry("tag", None, tuple(self.tags[name]))


class Installed:
    """The tasks that come with the installed lm-eval; looked up when they are first asked for."""

    @cached_property
    def index(self) -> TaskIndex:
        """Their index; empty where lm-eval is not installed."""
        folder = package_folder()
        return TaskIndex(folder=Path()) if folder is None else indexed(folder / "tasks", lm_eval_version())


def lm_eval_version() -> str:
    """Version of the installed lm-eval; empty where it is not installed."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return ""


def indexed(folder: Path, edition: str = "") -> TaskIndex:
    """The index of a folder, from the user's cache where it is up to date.

    Args:
        folder: the folder.
        edition: what else must be the same for the cache to be read, such as a version.

    Raises:
        CatalogError: the folder cannot be read.
    """
    folder = Path(os.path.realpath(folder))
    try:
        files = list(_yaml_files(folder))
    except (OSError, UnreadableError) as error:
        raise CatalogError(f"{folder}: {error}") from error
    state = _state(files, edition)
    kept = _cache_file(folder)
    if (known := _read(kept, folder, state)) is not None:
        return known
    if len(files) >= _MANY:
        log.warning("reading %s task files once, to know their names", f"{len(files):,}")
    made = made_index(folder, (name for name, _, _ in files), trusted=bool(edition))
    if len(files) >= _MANY:
        _write(kept, made, state)
    return made


def _yaml_files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Name below the folder, time of the last change and size of each YAML file, in lm-eval's order."""
    waiting = [(folder, "", 1)]
    found = []
    while waiting:
        here, below, depth = waiting.pop()
        if depth > FOLDERS.allowed:
            raise FOLDERS.exceeded()
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _LEFT_OUT:
                        waiting.append((Path(entry.path), f"{below}{entry.name}/", depth + 1))
                elif entry.name.endswith((".yaml", ".yml")) and entry.is_file():
                    of = entry.stat()
                    found.append((f"{below}{entry.name}", of.st_mtime_ns, of.st_size))
    yield from sorted(found)


def _state(files: Iterable[tuple[str, int, int]], edition: str) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {edition}".encode())
    for name, changed_at, size in files:
        digest.update(f"{name} {changed_at} {size}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def made_index(folder: Path, files: Iterable[str], *, trusted: bool = False) -> TaskIndex:
    """The index of these files below a folder; `trusted` ones are read faster, without counting what they hold."""
    index = TaskIndex(folder=folder)
    read = _FileReader(trusted)
    for file in files:
        try:
            config = read.merged(str(folder / file))
        except (UnreadableError, yaml.YAMLError, ValueError, RecursionError) as error:
            index.faults[file] = " ".join(str(error).split())
            continue
        if config is not None:
            _take(index, config, file)
    index.tags = {name: sorted(tasks) for name, tasks in sorted(index.tags.items())}
    return index


def _take(index: TaskIndex, config: Mapping[str, Any], file: str) -> None:
    """Note what a file defines; of several files with one name the first counts, as with lm-eval."""
    name = config.get("task")
    if "class" not in config and "group" in config:
        group, members = str(config["group"]), config.get("task")
        if group not in index.groups and group not in index.tasks:
            aggregate = config.get("aggregate_metric_list") or []
            index.groups[group] = {
                "file": file,
                "task": members if isinstance(members, list) else [members] if members else [],
                "aggregate": aggregate if isinstance(aggregate, list) else [aggregate],
                "changes": {key: value for key, value in config.items() if key not in OF_GROUPS},
            }
        return
    if not isinstance(name, str) or name in index.tasks or name in index.groups:
        return
    index.tasks[name] = [file, str(config.get("output_type") or "generate_until")]
    if "class" in config:
        index.tasks[name].append("class")
    tags = config.get("tag") or []
    for tag in tags if isinstance(tags, list) else [tags]:
        index.tags.setdefault(str(tag), []).append(name)


class _FileReader:
    """Reads files with what they include, each once, and without looking at the functions that they name."""

    def __init__(self, trusted: bool) -> None:
        self._trusted = trusted
        self._read: dict[str, dict[str, Any] | None] = {}
        self._merged: dict[str, dict[str, Any]] = {}

    def merged(self, path: str) -> dict[str, Any] | None:
        """The keys of a file and of those it includes; None for one that is not in lm-eval's dialect."""
        own = self._raw(path)
        if own is None:
            return None
        found = self._with_included(path, own, ())
        return found if is_lm_eval({*own, *found}) else None

    def _with_included(self, path: str, own: dict[str, Any], above: tuple[str, ...]) -> dict[str, Any]:
        if "include" not in own:
            return own
        if path in above:
            raise UnreadableError("include: the files include each other")
        found: dict[str, Any] = {}
        names = own["include"]
        for name in names if isinstance(names, list) else [names]:
            # an included file without the ending of YAML is common: `_default_template_yaml`
            place = os.path.normpath(os.path.join(os.path.dirname(path), str(name)))
            if place not in self._merged:
                self._merged[place] = self._with_included(place, self._included(place) or {}, (*above, path))
            found.update({key: value for key, value in self._merged[place].items() if key != "task_list"})
        return {**found, **{key: value for key, value in own.items() if key != "include"}}

    def _included(self, path: str) -> dict[str, Any] | None:
        try:
            return self._raw(path)
        except UnreadableError as error:
            raise UnreadableError(f"include: {path}: {error}") from error

    def _raw(self, path: str) -> dict[str, Any] | None:
        if path not in self._read:
            text = read_text(Path(path), YAML_BYTES)
            value = yaml.load(text, Loader=_Names) if self._trusted else parsed_yaml(text, _named)
            self._read[path] = value if isinstance(value, dict) else None
        return self._read[path]


def _named(function: str) -> dict[str, str]:
    return {FUNCTION: function}


class _Names(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads plain values; a function is its name."""


_Names.add_constructor("!function", lambda loader, node: _named(str(node.value)))
_Names.add_constructor("tag:yaml.org,2002:timestamp", _Names.construct_yaml_str)


# --- the cache ------------------------------------------------------------------------------------------------------


def _cache_file(folder: Path) -> Path:
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return usual / "emergence" / f"tasks-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]}.json"


def _read(kept: Path, folder: Path, state: str) -> TaskIndex | None:
    """What the cache has for this state of the folder; None when it has nothing that can be used."""
    try:
        content = json.loads(read_bytes(kept, _CACHE_BYTES))
        if content["state"] != state:
            return None
        index = content["index"]
        return TaskIndex(
            folder=folder,
            tasks=dict(index["tasks"]),
            groups=dict(index["groups"]),
            tags=dict(index["tags"]),
            faults=dict(index["faults"]),
        )
    except (UnreadableError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _write(kept: Path, index: TaskIndex, state: str) -> None:
    """Keep an index for the next start; where that is not possible, it is made again."""
    content = {"state": state, "index": {**asdict(index), "folder": str(index.folder)}}
    with suppress(OSError, TypeError, ValueError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{kept.name}-", dir=kept.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
                json.dump(content, file)
            os.replace(name, kept)
        except BaseException:
            os.unlink(name)
            raise
