"""The YAML files of families, tasks, suites and treatments, read to specs. Every message names the file and the key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from harness.catalog.family import family_of
from harness.catalog.lm_eval_tasks.dialect import looks_like_lm_eval
from harness.catalog.lm_eval_tasks.groups import LM_EVAL, ChosenTask, OtherTasks, named_like
from harness.catalog.lm_eval_tasks.index import Installed, TaskIndex, indexed, made_index
from harness.catalog.mirror import Mirror
from harness.catalog.places import at_home, own_folders, yaml_files_in
from harness.catalog.tasks.config import check_templates
from harness.catalog.tasks.data import DataFile
from harness.catalog.tasks.documents import Told, look_at_documents
from harness.catalog.tasks.loading import Permissions, task_from
from harness.catalog.yaml_files import (
    FamilyFile,
    SuiteFile,
    TreatmentsFile,
    WrapperFile,
    read_yaml,
    validated,
    validated_task,
)
from harness.errors import CatalogError, Faults, unknown
from harness.plan import ALL
from harness.specs import Family, Suite, TaskSpec
from harness.treatments import Treatment
from harness.wording import quoted

_Thing = TypeVar("_Thing")
_Spec = Family | Suite | TaskSpec | WrapperFile | TreatmentsFile


class Wrapped(NamedTuple):
    """A file of ours that names one of lm-eval's tasks."""

    file: WrapperFile
    """What it says."""
    path: Path
    """Where it lies."""
    permitted: Permissions
    """What the user permits it to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """Every family, suite and task that can be chosen, by name."""

    families: Mapping[str, Family]
    """Family name -> family."""
    suites: Mapping[str, Suite]
    """Suite name -> suite."""
    tasks: Mapping[str, TaskSpec]
    """Task name -> task."""
    files: Mapping[str, Path]
    """`family NAME`, `suite NAME`, `task NAME` or `treatment NAME` -> the file that defines it."""
    fields: Mapping[str, Mapping[str, frozenset[str]]]
    """Task name -> split -> names of the fields of its documents; no splits for a task whose data come from the hub."""
    mirror: Mirror | None = None
    """Folder with the models and data sets of the hub; None to ask the hub or its cache for them."""
    others: OtherTasks = field(default_factory=OtherTasks)
    """Tasks in lm-eval's dialect, which are read when they are chosen: see `with_others`."""
    permitted: Permissions = field(default_factory=lambda: Permissions((), False))
    """What the user permits these to do."""
    wrapped: Mapping[str, Wrapped] = field(default_factory=dict)
    """Task name -> file of ours that changes one of lm-eval's tasks; read when it is chosen, too."""
    treatments: Mapping[str, Treatment] = field(default_factory=dict)
    """Name -> treatment, of the user's own ones."""

    def family(self, name: str) -> Family:
        """The family called `name`.

        Raises:
            CatalogError: it is not known; the known ones are listed.
        """
        return _known(self.families, name, "family")

    def suite(self, name: str) -> Suite:
        """The suite called `name`.

        Raises:
            CatalogError: it is not known; the known ones are listed.
        """
        return _known(self.suites, name, "suite")

    def task(self, name: str) -> TaskSpec:
        """The task called `name`.

        Raises:
            CatalogError: it is not known; the known ones are listed.
        """
        if name not in self.tasks:
            raise CatalogError(self.others.unknown(name, (*self.tasks, *self.wrapped)))
        return self.tasks[name]

    def with_others(self, names: Sequence[str]) -> tuple[Catalog, Mapping[str, tuple[str, ...]]]:
        """The catalogue with those of lm-eval's tasks that some names stand for, and what each of the names stands for.

        Args:
            names: tasks of this catalogue, which stand for themselves, or tasks, groups and tags of lm-eval, with or
                without `lm_eval:` before them; or patterns such as `mmlu_*`, which stand for tasks.

        Raises:
            CatalogError: a name is not known, or something is wrong with a task; the faults of all are told.
        """
        from harness.catalog.lm_eval_tasks.tasks import load_leaf, load_wrapper

        tasks, fields, files = dict(self.tasks), dict(self.fields), dict(self.files)
        stands_for: dict[str, tuple[str, ...]] = {}
        loaded: dict[str, ChosenTask] = {}
        faults = Faults()
        asked = {name: self._matching(name) for name in names if "*" in name}
        for name in dict.fromkeys(
            [*(n for n in names if n not in asked), *(n for some in asked.values() for n in some)]
        ):
            if name in self.tasks:
                stands_for[name] = (name,)
                continue
            if name in self.wrapped:
                with faults:
                    stands_for[name] = (name,)
                    wrapped = self.wrapped[name]
                    spec, splits = load_wrapper(wrapped.file, wrapped.path, self._one_task(wrapped), wrapped.permitted)
                    tasks[name] = spec
                    fields[name] = {split: documents.fields for split, documents in splits.items()}
                continue
            if self.others.find(name) is None:
                faults.add([self.others.unknown(name, (*self.tasks, *self.wrapped))])
                continue
            found = []
            for leaf in self.others.meaning(name).tasks:
                # one of ours has the name, and keeps it
                taken = leaf.name in self.tasks or leaf.name in self.wrapped
                called = f"{LM_EVAL}{leaf.name}" if taken else leaf.name
                found.append(called)
                if called in loaded:
                    if loaded[called] != leaf:
                        faults.add([_twice(called, loaded[called], leaf)])
                    continue
                loaded[called] = leaf
                with faults:
                    spec, splits = load_leaf(leaf, self.permitted_to(leaf.file))
                    tasks[called] = replace(spec, name=called, suite=self.others.home(leaf.file) or spec.suite)
                    fields[called] = {split: documents.fields for split, documents in splits.items()}
                    files[f"task {called}"] = leaf.file or Path(f"group {leaf.of}")
            stands_for[name] = tuple(found)
        faults.check()
        for pattern, some in asked.items():
            stands_for[pattern] = tuple(task for name in some for task in stands_for[name])
        return replace(self, tasks=tasks, fields=fields, files=files), stands_for

    def _matching(self, pattern: str) -> list[str]:
        """The tasks, without groups and tags, whose names a pattern such as `mmlu_*` describes."""
        known = (*self.tasks, *self.wrapped, *(found.name for found in self.others.matching(pattern) if found.is_task))
        if found := [name for name in dict.fromkeys(known) if named_like(name, pattern)]:
            return found
        raise CatalogError(self.others.unknown(pattern, (*self.tasks, *self.wrapped)))

    def _one_task(self, wrapped: Wrapped) -> ChosenTask:
        where, name = f"{wrapped.path}: lm_eval", wrapped.file.lm_eval
        if self.others.find(f"{LM_EVAL}{name}") is None and self.others.find(name) is None:
            raise CatalogError(f"{where}: {self.others.unknown(name)}")
        of_lm_eval = f"{LM_EVAL}{name}" if self.others.find(name) is None else name
        leaves = self.others.meaning(of_lm_eval).tasks
        if len(leaves) != 1:
            raise CatalogError(f"{where} is {quoted(name)}, which stands for {len(leaves)} tasks; expected one")
        return leaves[0]

    def permitted_to(self, file: Path | None) -> Permissions:
        """What a file in lm-eval's dialect may do; lm-eval's own are trusted like those of the package."""
        trusted = file is None or not any(file.is_relative_to(index.folder) for index in self.others.own)
        return self.permitted._replace(trusted=trusted)

    def check_templates(self, names: Iterable[str]) -> None:
        """Check that the templates of these tasks ask for fields that their documents have.

        Parsing all templates of the package takes a few hundredths of a second.

        Raises:
            CatalogError: a template asks for a field that no document has, or cannot be parsed.
        """
        faults = Faults()
        for name in dict.fromkeys(names):
            with faults:
                check_templates(self.task(name), self.fields[name], self.files[f"task {name}"])
        faults.check()

    def check_documents(
        self,
        names: Iterable[str],
        *,
        asked: Sequence[int] | None = None,
        shots: int | None = None,
        told: Told | None = None,
    ) -> tuple[str, ...]:
        """Look at every document of these tasks, after their templates have been checked.

        Args:
            names: names of tasks.
            asked: positions of the documents that are evaluated, ascending; None for all.
            shots: largest number of examples that are shown; None for the largest of the suites.
            told: called every few seconds with how far the look has come.

        Returns:
            What can be meant as it is, a line each.

        Raises:
            CatalogError: a run would fail on a document.
        """
        faults, warnings = Faults(), list[str]()
        for name in dict.fromkeys(names):
            path = self.files[f"task {name}"]
            usual = [max(suite.shots) for suite in self.suites.values() if name in suite.tasks and suite.shots]
            most = max(usual, default=None) if shots is None else shots
            found = look_at_documents(self.task(name), self.fields[name], path, asked=asked, shots=most, told=told)
            of_task = Faults(path)
            of_task.add(found.errors)
            with faults:
                of_task.check()
            warnings += found.warnings
        faults.check()
        return tuple(warnings)


def _twice(name: str, one: ChosenTask, other: ChosenTask) -> str:
    who = [f"as group {leaf.of} changes it" if leaf.changes else f"as it is in {leaf.file}" for leaf in (one, other)]
    return f"task {name} is asked for {who[0]} and {who[1]}; expected one of them in a plan"


def _known(things: Mapping[str, _Thing], name: str, what: str) -> _Thing:
    if name not in things:
        raise CatalogError(unknown(what, name, things))
    return things[name]


def load_catalog(
    extra: Sequence[Path] = (),
    *,
    data_roots: Sequence[Path] = (),
    allow_code: bool = False,
    mirror: Path | None = None,
) -> Catalog:
    """Every family, suite and task of the package, and of the user's own files.

    Args:
        extra: files of the user, or folders of such files. A task reads data below its own folder and this one.
        data_roots: further folders that tasks may read data from.
        allow_code: whether Python files that come with a task may run when the task is evaluated.
        mirror: folder with the models and data sets of the hub (see `harness.catalog.mirror`); None for the hub itself.

    Files in lm-eval's dialect are looked up by name, and read when they are chosen: `Catalog.with_others`.

    Raises:
        CatalogError: files are wrong; a line for each fault, up to ten of a file, names the file and the key.

    >>> catalog = load_catalog()
    >>> "embedded" in catalog.families, "arithmetic" in catalog.suites
    (True, True)
    """
    own, faults, found = tuple(own_folders()), Faults(), _FoundInFiles()
    held = None if mirror is None else Mirror.read(mirror)
    theirs: dict[Path, list[Path]] = {}
    for path, folder in yaml_files_in((*own, *extra)):
        if folder not in own and looks_like_lm_eval(path):
            theirs.setdefault(folder, []).append(path)
            continue
        permitted = Permissions((folder, *map(at_home, data_roots)), allow_code, trusted=folder in own)
        with faults:
            found.take(*_load(path, permitted), path, permitted)
    faults.check()
    others = OtherTasks([_index_of(folder, paths) for folder, paths in theirs.items()], Installed())
    faults.add(
        f"{folder / index.tasks[name][0]}: task {name} is already defined in {found.files[f'task {name}']}"
        for folder, index in zip(theirs, reversed(others.own), strict=True)
        for name in index.tasks
        if f"task {name}" in found.files
    )
    for suite in found.suites.values():
        with faults:
            _check_suite(suite, found, others)
    faults.check()
    found.label_tasks()
    roots = tuple(at_home(root) for root in (*theirs, *data_roots))
    return Catalog(
        families=found.families,
        suites=found.suites,
        tasks=found.tasks,
        files=found.files,
        fields=found.fields,
        mirror=held,
        others=others,
        permitted=Permissions(roots, allow_code),
        wrapped=found.wrapped,
        treatments=found.treatments,
    )


@dataclass(kw_only=True)
class _FoundInFiles:
    """What the files that have been read so far define."""

    families: dict[str, Family] = field(default_factory=dict)
    suites: dict[str, Suite] = field(default_factory=dict)
    tasks: dict[str, TaskSpec] = field(default_factory=dict)
    fields: dict[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    wrapped: dict[str, Wrapped] = field(default_factory=dict)
    treatments: dict[str, Treatment] = field(default_factory=dict)

    def take(self, spec: _Spec, splits: Mapping[str, DataFile], path: Path, permitted: Permissions) -> None:
        """Add what a file defines.

        Raises:
            CatalogError: another file defines the same.
        """
        if isinstance(spec, TreatmentsFile):
            self._take_treatments(spec, path)
            return
        kind = type(spec).__name__.removesuffix("Spec").lower()
        label = f"task {spec.task}" if isinstance(spec, WrapperFile) else f"{kind} {spec.name}"
        if label in self.files:
            raise CatalogError(f"{path}: {label} is already defined in {self.files[label]}")
        self.files[label] = path
        if isinstance(spec, WrapperFile):
            self.wrapped[spec.task] = Wrapped(spec, path, permitted)
        elif isinstance(spec, Family):
            self.families[spec.name] = spec
        elif isinstance(spec, Suite):
            self.suites[spec.name] = spec
        else:
            self.tasks[spec.name] = spec
            self.fields[spec.name] = {split: documents.fields for split, documents in splits.items()}

    def _take_treatments(self, file: TreatmentsFile, path: Path) -> None:
        for entry in file.treatments:
            label = f"treatment {entry.name}"
            if label in self.files:
                raise CatalogError(f"{path}: {label} is already defined in {self.files[label]}")
            self.files[label] = path
            self.treatments[entry.name] = entry.treatment()

    def label_tasks(self) -> None:
        """Give tasks the name of the suite that lies beside them."""
        for suite in self.suites.values():
            folder = self.files[f"suite {suite.name}"].parent
            for name in suite.tasks:
                if name in self.tasks and self.files[f"task {name}"].parent == folder:
                    self.tasks[name] = replace(self.tasks[name], suite=suite.name)


def _index_of(folder: Path, paths: Sequence[Path]) -> TaskIndex:
    """The names in the files of a folder that the user named; a single file is all of it."""
    found = (
        made_index(folder, [str(path.relative_to(folder)) for path in paths]) if len(paths) < _MANY else indexed(folder)
    )
    if found.faults:
        faults = Faults()
        faults.add(f"{folder / file}: {fault}" for file, fault in found.faults.items())
        faults.check()
    return found


_MANY = 500
"""From so many files in lm-eval's dialect on their names are kept for the next start."""


def load_file(path: Path) -> Family | Suite | TaskSpec:
    """The family, suite or task in one YAML file; its first key says which of them it is.

    Raises:
        CatalogError: the file cannot be read, or something in it is wrong; a line for each fault, ten at most.
    """
    loaded = _load(path, Permissions((path.parent,), False))[0]
    if isinstance(loaded, TreatmentsFile):
        raise CatalogError(f"{path}: treatments: expected a family, a suite or a task")
    if isinstance(loaded, WrapperFile):
        raise CatalogError(f"{path}: lm_eval: a task that changes one of lm-eval's is read by name alone")
    return loaded


def _load(path: Path, permitted: Permissions) -> tuple[_Spec, Mapping[str, DataFile]]:
    """The spec in a file, and the documents of each split when it is a task with local data."""
    raw = read_yaml(path)
    if "family" in raw:
        return family_of(validated(FamilyFile, raw, path), path), {}
    if "treatments" in raw and "suite" not in raw:
        return validated(TreatmentsFile, raw, path), {}
    if "suite" in raw:
        file = validated(SuiteFile, raw, path)
        lists = {name: tuple(getattr(file, name)) for name in ("tasks", "shots", "prompts", "treatments")}
        return Suite(**{**file.model_dump(exclude={"suite"}), **lists, "name": file.suite}), {}
    if "task" in raw and "lm_eval" in raw:
        return validated(WrapperFile, raw, path), {}
    if "task" in raw:
        faults = Faults(path)
        of_task = validated_task(raw, path, faults)
        loaded = None
        with faults:
            loaded = None if of_task is None else task_from(of_task, path, permitted)
        faults.check()
        assert loaded is not None
        return loaded
    raise CatalogError(
        f"{path}: is neither family, suite nor task; expected one of these as a key at the top, or `treatments`"
    )


def _check_suite(suite: Suite, found: _FoundInFiles, others: OtherTasks) -> None:
    path = found.files[f"suite {suite.name}"]
    faults = Faults(path)
    for index, name in enumerate(suite.tasks):
        if name in found.tasks:
            faults.add(f"{path}: {problem}" for problem in _problems_with(suite, found.tasks[name]))
        # what lm-eval has is looked up when the suite is chosen, where the suite says that lm-eval has it
        elif not (name in found.wrapped or name.startswith(LM_EVAL) or others.find(name) is not None):
            faults.add([f"{path}: tasks[{index}]: {others.unknown(name, (*found.tasks, *found.wrapped))}"])
    faults.check()


def _problems_with(suite: Suite, task: TaskSpec) -> Iterator[str]:
    """What a suite asks of a task that the task cannot give."""
    if task.unsafe_code and not suite.unsafe_code:
        yield f"unsafe_code is false, but task {task.name} executes what the model wrote; expected true"
    for i, prompt in enumerate(suite.prompts):
        if prompt not in task.prompts and suite.prompts != (ALL,):
            yield f"prompts[{i}]: task {task.name}: {unknown('prompt', prompt, task.prompts)}"
    most = task.shots_available
    for i, shots in enumerate(suite.shots):
        if most is not None and shots > most:
            yield f"shots[{i}] is {shots}; task {task.name} has {most} demonstrations to give"
