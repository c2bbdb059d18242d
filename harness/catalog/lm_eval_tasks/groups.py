"""Groups and tags of lm-eval: the tasks that they stand for, with what a group changes in them, and a group's score."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from harness.catalog.functions import task_function
from harness.catalog.lm_eval_tasks.index import FUNCTION, OF_GROUPS, Entry, Installed, TaskIndex
from harness.errors import CatalogError, HarnessError, PlanError
from harness.wording import cut, quoted

LM_EVAL = "lm_eval:"
"""Begins a name that is looked up among lm-eval's tasks alone."""
_MOST_GROUPS = 20
"""Groups inside each other."""
_MOST_ENTRIES = 100_000
"""Entries of a group and of all groups in it, each time counted."""


class ChosenTask(NamedTuple):
    """A task that a name stands for."""

    name: str
    """Its name."""
    file: Path | None
    """Its file; None where the group that it belongs to defines it."""
    changes: Mapping[str, Any]
    """Keys that its groups change."""
    of: str = ""
    """The group that defines or changes it; empty for none."""


class NamedTask(NamedTuple):
    """A task, a group or a tag in a list."""

    name: str
    """Its name."""
    kind: str
    """`task`, `group`, `tag`, or `class` for a task written in Python, which cannot be evaluated here."""
    output_type: str
    """What a task asks of a model; empty for groups and tags."""
    tasks: int | None
    """Number of tasks of a group or a tag; None for a task."""

    @property
    def is_task(self) -> bool:
        """True for a task that can be evaluated here, False for groups, tags, and tasks written in Python."""
        return self.kind == "task"


def named_like(name: str, word: str) -> bool:
    """Whether a name has a word in it, in letters of any case; `*` stands for anything, as in `arc*`.

    >>> named_like("arc_easy", "ARC"), named_like("darcy", "arc*")
    (True, False)
    """
    pattern = word.lower()
    return fnmatchcase(name.lower(), pattern) if "*" in pattern else pattern in name.lower()


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskGroup:
    """How a group's score is made."""

    name: str
    """Its name."""
    tasks: tuple[str, ...]
    """All its tasks, those of groups in it among them."""
    aggregate: tuple[Mapping[str, Any], ...]
    """lm-eval's `aggregate_metric_list`: metric, filters, and whether tasks count by their number of documents."""


@dataclass(kw_only=True)
class Meaning:
    """What a name stands for."""

    tasks: list[ChosenTask] = field(default_factory=list)
    """Tasks, in lm-eval's order."""
    groups: list[TaskGroup] = field(default_factory=list)
    """Groups among what it stands for, itself included, those inside first."""
    entries: int = 0
    """Entries of groups that were looked at."""


class OtherTasks:
    """The tasks in lm-eval's dialect that can be chosen by name: the user's, and those that come with lm-eval."""

    def __init__(self, own: Sequence[TaskIndex] = (), installed: Installed | None = None) -> None:
        """`own`: of the user's folders, of which the last one counts; `installed`: lm-eval's, unless there are none."""
        self.own = tuple(reversed(own))
        self._installed = installed

    def indexes(self) -> Iterator[TaskIndex]:
        """Every index in the order in which a name is looked up; lm-eval's is read only when it is reached."""
        yield from self.own
        if self._installed is not None:
            yield self._installed.index

    def own_names(self) -> tuple[list[str], list[str]]:
        """Every task of the user's own folders, and every group."""
        tasks = [name for index in self.own for name in index.tasks]
        return tasks, [name for index in self.own for name in index.groups]

    def home(self, file: Path | None) -> str:
        """What the tasks of a file of the installed lm-eval are listed under: their folder; empty for other files."""
        if file is None or self._installed is None or any(file.is_relative_to(index.folder) for index in self.own):
            return ""
        return file.relative_to(self._installed.index.folder).parts[0]

    def find(self, name: str) -> Entry | None:
        """What a name stands for; None when nobody knows it."""
        bare = name.removeprefix(LM_EVAL)
        indexes = self.indexes() if bare == name or self._installed is None else iter([self._installed.index])
        return next((index.entry(bare) for index in indexes if bare in index), None)

    def near(self, name: str) -> list[str]:
        """Names that are nearly the same, the nearest first."""
        known = {known: None for index in self.indexes() for known in index.names()}
        return get_close_matches(name.removeprefix(LM_EVAL), known, n=5, cutoff=0.75)

    def number(self) -> int:
        """Number of tasks, without groups and tags."""
        return len({name for index in self.indexes() for name in index.tasks})

    def matching(self, word: str) -> list[NamedTask]:
        """Tasks, groups and tags with a word in their name, by alphabet; groups and tags first."""
        found: dict[str, NamedTask] = {}
        for index in self.indexes():
            for name in index.names():
                if name not in found and named_like(name, word):
                    entry = index.entry(name)
                    tasks = len(self.meaning(name).tasks) if entry.kind in ("group", "tag") else None
                    found[name] = NamedTask(name, entry.kind, entry.output_type, tasks)
        return sorted(found.values(), key=lambda one: (one.kind not in ("group", "tag"), one.name))

    def groups_of(self, tasks: Collection[str]) -> list[TaskGroup]:
        """The groups with a score of their own of which every task is among these, by alphabet."""
        asked = frozenset(tasks)
        found: dict[str, TaskGroup] = {}
        for index in self.indexes():
            for name in index.groups:
                entry = index.entry(name)
                if entry.aggregate and name not in found and _may_be_of(entry, asked, index):
                    found.update({group.name: group for group in self._scored(name, asked)})
        return sorted(found.values(), key=lambda group: group.name)

    def _scored(self, name: str, asked: frozenset[str]) -> Iterator[TaskGroup]:
        try:
            groups = self.meaning(name).groups
        except HarnessError:  # a group of a task that is not there has no score
            return
        yield from (group for group in groups if group.aggregate and group.tasks and asked.issuperset(group.tasks))

    def meaning(self, name: str) -> Meaning:
        """The tasks and groups that a name stands for.

        Raises:
            PlanError: the name, or that of a group's task, is not known.
        """
        entry = self.find(name)
        if entry is None:
            raise PlanError(self.unknown(name))
        made = Meaning()
        self._add(made, name.removeprefix(LM_EVAL), entry, {}, "", ())
        made.tasks = list({leaf.name: leaf for leaf in made.tasks}.values())  # a group counts a task once
        return made

    def unknown(self, name: str, known: Sequence[str] = ()) -> str:
        """The message for a name that nobody knows; `known` are names of other tasks."""
        near = dict.fromkeys([*get_close_matches(name, known, n=5, cutoff=0.75), *self.near(name)])
        said = f"unknown task {quoted(name)}"
        if name.endswith((".yaml", ".yml")):
            return f"{said}; expected the name of a task, and its file or folder with --include-path"
        if near:
            return f"{said}; did you mean {', '.join([*near][:5])}? `emergence list tasks --match WORD` shows more"
        shown = f"; known: {cut(', '.join(sorted(known)), 2000)}" if known else ""
        return f"{said}{shown}; `emergence list tasks --match WORD` looks among lm-eval's"

    def _add(
        self, made: Meaning, name: str, entry: Entry, changes: Mapping[str, Any], of: str, above: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Add what an entry stands for, and give the names of its tasks."""
        if entry.kind == "tag":
            return tuple(task for member in entry.members for task in self._named(made, member, changes, of, above))
        if entry.kind == "group":
            return self._group(made, name, entry, changes, above)
        made.tasks.append(ChosenTask(name, entry.file, changes, of if changes else ""))
        return (name,)

    def _group(
        self, made: Meaning, name: str, entry: Entry, changes: Mapping[str, Any], above: tuple[str, ...]
    ) -> tuple[str, ...]:
        if name in above or len(above) > _MOST_GROUPS:
            raise CatalogError(f"{entry.file}: group {quoted(name)} holds itself")
        made.entries += len(entry.members)
        if made.entries > _MOST_ENTRIES:
            raise CatalogError(f"{entry.file}: group {quoted(name)} has more than {_MOST_ENTRIES:,} entries in all")
        inside, folder = (*above, name), None if entry.file is None else entry.file.parent
        every = {**_resolved(entry.changes, folder), **changes}
        tasks = [
            task for one in entry.members for task in self._member(made, _resolved(one, folder), every, name, inside)
        ]
        found = tuple(dict.fromkeys(tasks))
        made.groups.append(TaskGroup(name=name, tasks=found, aggregate=entry.aggregate))
        return found

    def _member(
        self, made: Meaning, member: Any, changes: Mapping[str, Any], group: str, above: tuple[str, ...]
    ) -> tuple[str, ...]:
        """A group's entry: a name, or a mapping with a name and with changes, or a group or a task of its own."""
        if isinstance(member, str):
            return self._named(made, member, changes, group, above)
        if not isinstance(member, Mapping) or not ("group" in member or "task" in member):
            raise CatalogError(f"group {quoted(group)}: {quoted(member)}; expected the name of a task or a group")
        own = {key: value for key, value in member.items() if key not in OF_GROUPS}
        if "group" in member:
            inner = str(member["group"])
            entry = self.find(inner)
            if entry is None or entry.kind != "group":
                inner, entry = f"{group}::{inner}", _inline(member)
            return self._add(made, inner, entry, {**changes, **own}, group, above)
        inner = str(member["task"])
        if self.find(inner) is None:
            made.tasks.append(ChosenTask(f"{group}::{inner}", None, {**changes, **own}, group))
            return (f"{group}::{inner}",)
        return self._named(made, inner, {**changes, **own}, group, above)

    def _named(
        self, made: Meaning, name: str, changes: Mapping[str, Any], of: str, above: tuple[str, ...]
    ) -> tuple[str, ...]:
        entry = self.find(name)
        if entry is None:
            raise CatalogError(f"group {quoted(of)}: {self.unknown(name)}")
        return self._add(made, name, entry, changes, of, above)


def _may_be_of(entry: Entry, asked: frozenset[str], index: TaskIndex) -> bool:
    """False for a group that names a task which is not among these; its groups and tags are looked at later."""
    named = [member if isinstance(member, str) else member.get("task") for member in entry.members]
    return all(not isinstance(name, str) or name in asked or name not in index.tasks for name in named)


def _resolved(value: Any, folder: Path | None) -> Any:
    """The same with the functions that the names of the index stand for; as it is where they have been found before."""
    if folder is None:
        return value
    if isinstance(value, Mapping):
        if set(value) == {FUNCTION}:
            return task_function(str(value[FUNCTION]), folder, str(folder))
        return {key: _resolved(one, folder) for key, one in value.items()}
    return [_resolved(one, folder) for one in value] if isinstance(value, list) else value


def _inline(member: Mapping[str, Any]) -> Entry:
    """The entry of a group that stands in another group's file."""
    tasks, aggregate = member.get("task"), member.get("aggregate_metric_list") or []
    members = tasks if isinstance(tasks, list) else [tasks] if tasks else []
    return Entry("group", None, tuple(members), tuple(aggregate if isinstance(aggregate, list) else [aggregate]))
