"""A folder with models and data sets of the hub, for machines without a network: `--mirror DIR`.

    DIR/ORG/NAME                   a model, at the branch main
    DIR/ORG/NAME@REVISION          a model, at another branch, a tag or a commit
    DIR/datasets/ORG/NAME          a data set; `@REVISION` as above
    DIR/ORG/NAME                   a data set too, if it is not below `datasets`

`datasets.load_dataset("ORG/NAME")` finds data sets of the last form when DIR is the working folder. With a mirror
nothing is asked of the hub: what is not in the folder is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.bounded.files import kind_of
from harness.bounded.limits import UnreadableError
from harness.catalog.data_cards import texts_in
from harness.catalog.manifest import Repository, RepositoryKind, read_manifest
from harness.catalog.models.folders import ModelFolder, complete_folder
from harness.catalog.tasks.data import named_files
from harness.catalog.tasks.keys import LOADERS
from harness.errors import CatalogError, ModelError
from harness.specs import ModelSpec, TaskSpec
from harness.wording import quoted

DATA_SETS = "datasets"
"""Folder of a mirror with data sets alone."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
MAIN = "main"
"""Branch of the hub that is meant unless another one is named."""


def data_set_of(task: TaskSpec) -> tuple[str, str] | None:
    """Name and revision of the data set of the hub that a task takes its documents from; None for any other source."""
    if task.data_folder is not None or callable(task.config.get("custom_dataset")):
        return None
    name, kwargs = task.config.get("dataset_path"), task.config.get("dataset_kwargs")
    if not isinstance(name, str) or name in LOADERS or named_files(task.config):
        return None
    asked = kwargs.get("revision") if isinstance(kwargs, Mapping) else None
    return name, str(asked or MAIN)


def files_of_data_set(task: TaskSpec) -> tuple[str, ...]:
    """Files of its data set on the hub that a task names itself, as paths or patterns; none where a part is meant."""
    kwargs = task.config.get("dataset_kwargs")
    if data_set_of(task) is None or not isinstance(kwargs, Mapping):
        return ()
    return tuple(texts_in(kwargs.get("data_files")))


def place_of(kind: RepositoryKind, name: str, revision: str) -> str:
    """Folder below that of a mirror in which `emergence prepare` puts a repository."""
    return f"{name if kind == 'model' else f'{DATA_SETS}/{name}'}{_at(revision)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """A mirror that is there."""

    folder: Path
    """Its folder, absolute and without links."""
    prepared: Mapping[str, Repository] = field(default_factory=dict)
    """Folder below it -> what `emergence prepare` put there; nothing for a folder that was filled by hand."""
    _sound: set[str] = field(default_factory=set, compare=False, repr=False)
    """Folders that were looked at: many tasks share one data set, and file systems of clusters are slow."""

    @classmethod
    def read(cls, folder: Path) -> Mirror:
        """Look at the folder and its manifest.

        Raises:
            CatalogError: there is no such folder, or its manifest cannot be read.
        """
        place = Path(os.path.expanduser(folder))
        try:
            if (kind := kind_of(place)) != "a folder":
                found = f"is {kind}" if kind else "no such folder"
                raise CatalogError(f"--mirror {folder}: {found}; expected a folder with models and data sets")
        except UnreadableError as error:
            raise CatalogError(f"--mirror {folder}: {error}") from error
        resolved = place.resolve()
        return cls(folder=resolved, prepared={entry.folder: entry for entry in read_manifest(resolved)})

    def model(self, spec: ModelSpec) -> ModelSpec:
        """A model of the hub with the folder that it has here, and its revision; any other model as it is.

        The revision is the commit that the manifest gives, and else the fingerprint of the folder.

        Raises:
            HarnessError: it is not here, is damaged, or was changed after it was downloaded.
        """
        if spec.path is not None:
            return spec
        place = self._place("model", spec.name, spec.revision)
        if place is None:
            raise ModelError(f"{spec.name}{_at(spec.revision)}: {self._is_missing(spec.name, spec.revision)}")
        folder = complete_folder(self.folder / place)
        entry = self.prepared.get(place)
        return replace(spec, path=str(folder.path), revision=folder.fingerprint() if entry is None else entry.revision)

    def has_model(self, name: str, revision: str) -> bool:
        """Whether a model of the hub is here at a revision.

        Raises:
            CatalogError: its folder holds a link that leads out of the mirror, or a pipe or a device.
        """
        return self._place("model", name, revision) is not None

    def parameters(self, name: str, revision: str) -> int:
        """Parameters of a model of the hub, counted in its folder here.

        Raises:
            HarnessError: it is not here, or they cannot be counted.
        """
        found = self.model(ModelSpec(name=name, family=name, params=1, revision=revision))
        return ModelFolder.read(Path(str(found.path))).parameters()

    def task(self, task: TaskSpec) -> TaskSpec:
        """A task whose documents come from the hub with the folder that they have here; any other task as it is.

        Raises:
            CatalogError: the data set is not here, or a file of it is a link that leads out of the mirror.
        """
        if (asked := data_set_of(task)) is None:
            return task
        name, revision = asked
        place = self._place("data set", name, revision)
        if place is None:
            missing = self._is_missing(f"{DATA_SETS}/{name}", revision)
            raise CatalogError(f"task {task.name}: data set {name}{_at(revision)}: {missing}")
        return replace(task, data_folder=self.folder / place)

    def _is_missing(self, below: str, revision: str) -> str:
        return (
            f"not in the mirror; expected {self.folder / below}{_at(revision)}, which `emergence prepare` fills where "
            "there is a network"
        )

    def _place(self, kind: RepositoryKind, name: str, revision: str) -> str | None:
        """Folder below that of the mirror in which a repository lies at a revision; None when it is not here.

        Raises:
            CatalogError: a link leads out of the mirror, there is a pipe or a device, or files were changed.
        """
        if not _NAME.fullmatch(name) or ".." in name:
            return None
        for place in self._candidates(kind, name, revision):
            if place in self._sound:
                return place
            if _is_folder(self.folder / place):
                self._check_files(self.folder / place)
                self._check_manifest(place)
                self._sound.add(place)
                return place
        return None

    def _candidates(self, kind: RepositoryKind, name: str, revision: str) -> Iterator[str]:
        bases = [name] if kind == "model" else [f"{DATA_SETS}/{name}", name]
        for base in bases:
            if revision != MAIN:
                yield f"{base}@{revision.replace('/', '--')}"
            entry = self.prepared.get(base)
            if revision == MAIN or (entry is not None and revision in (entry.asked, entry.revision)):
                yield base

    def _check_manifest(self, place: str) -> None:
        """Check that a folder is as `emergence prepare` left it, by the sizes of its files.

        Raises:
            CatalogError: files were changed since.
        """
        entry = self.prepared.get(place)
        if entry is not None and (changed := entry.changed(self.folder)):
            raise CatalogError(f"{changed}; run `emergence prepare` again, or name a folder of your own")

    def _check_files(self, place: Path) -> None:
        """Check that everything in a folder is a file or a folder of the mirror itself.

        Raises:
            CatalogError: a link leads out of the mirror, or there is a pipe or a device.
        """
        try:
            inside = [
                place,
                *(Path(root) / name for root, folders, files in os.walk(place) for name in (*folders, *files)),
            ]
            for path in inside:
                real = path.resolve()
                if not real.is_relative_to(self.folder):
                    raise CatalogError(f"{path}: is a link to {quoted(str(real))}; expected files in the mirror itself")
                if kind_of(path) not in ("a file", "a folder"):
                    raise CatalogError(f"{path}: is {kind_of(path) or 'a link to nothing'}; expected a regular file")
        except (OSError, RuntimeError, UnreadableError) as error:  # links in a ring
            raise CatalogError(f"{place}: cannot be read: {error}") from error


def _at(revision: str) -> str:
    return "" if revision == MAIN else f"@{revision.replace('/', '--')}"


def _is_folder(path: Path) -> bool:
    try:
        return kind_of(path) == "a folder"
    except UnreadableError:
        return False
