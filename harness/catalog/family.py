"""The models of a family file: their folders, parameters and tokens, counted where the file does not say them."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from harness.catalog.braces import Braced, expanded
from harness.catalog.models.checkpoints import model_folders, step_of, tokens_seen
from harness.catalog.models.folders import ModelFolder
from harness.catalog.models.own_family import is_temporary, own_model
from harness.catalog.models.revisions import cached_parameters
from harness.catalog.models.sizes import ParameterCounts
from harness.catalog.yaml_files import FamilyFile, ModelFile
from harness.errors import CatalogError, Faults, ModelError
from harness.plan import model_identity
from harness.specs import Family, ModelSpec
from harness.wording import counted, cut, natural_order, quoted


def family_of(file: FamilyFile, path: Path, *, only: Collection[Path] | None = None) -> Family:
    """The family that a file describes, its models ascending by parameters.

    Args:
        file: the content of the file.
        path: where it lies; folders of models are relative to it.
        only: the folders that are taken of those that the file names, and no models of the hub; None for all.

    Raises:
        CatalogError: a model stands twice, has a variant, or its parameters are neither said nor to be counted.
    """
    models: list[ModelSpec] = []
    faults = Faults(path)
    for index, entry in enumerate(file.models):
        with faults:
            for one in _runs_of(entry, path, index):
                models += _models(file, one, path, index, only)
    with faults:
        for entry in _own_models(file, path, only):
            models += _models(file, entry, path, len(file.models), None)
    faults.check()
    if len({model_identity(m) for m in models}) < len(models):
        raise CatalogError(f"{path}: models: one stands twice with the same revision, dtype and variant")
    _check_runs(models, path)
    ordered = tuple(sorted(models, key=lambda m: (m.params, m.tokens or 0)))
    return Family(
        name=file.family,
        models=ordered,
        kind=file.kind,
        revisions=_revisions(file),
        url=file.url,
        licence=file.licence,
        sources=file.sources,
        note=file.note,
    )


def _revisions(file: FamilyFile) -> dict[str, int | None]:
    """The checkpoints on the hub -> training tokens, by the number of steps between the braces of each line."""
    found: dict[str, int | None] = {}
    for text in file.revisions:
        for name, step in expanded(text) or (Braced(text, ""),):
            found[name] = _tokens_after(step, file.tokens_per_step)
    return found


def _tokens_after(step: str, per_step: int | None) -> int | None:
    return int(step) * per_step if per_step and step.isdecimal() else None


def _runs_of(entry: ModelFile, path: Path, index: int) -> Iterator[ModelFile]:
    """The entry, or one for each training run that braces in its name stand for."""
    runs = expanded(entry.name)
    if runs and entry.run is not None:
        raise CatalogError(f"{path}: models[{index}].run: the braces in its name say the run; expected one of the two")
    if runs and entry.path is not None:
        raise CatalogError(f"{path}: models[{index}].path: expected none, since its name stands for several on the hub")
    if not runs:
        yield entry
    for name, run in runs:
        yield entry.model_copy(update={"name": name, "run": run})


def folders_named(file: FamilyFile, path: Path) -> tuple[Path, ...]:
    """The folders that a file names, and those that fit its patterns, as far as they are there."""
    found = [*_checkpoint_folders(file, path)]
    for entry in file.models:
        with suppress(CatalogError):
            found += _folders(path, entry) if entry.path is not None else ()
    return tuple(dict.fromkeys(folder for folder in found if folder.is_dir()))


def _checkpoint_folders(file: FamilyFile, path: Path) -> list[Path]:
    """The folders that fit `checkpoints`, in order; links to them, such as `latest`, are left out."""
    if file.checkpoints is None:
        return []
    pattern = os.path.join(path.parent.resolve(), os.path.expanduser(file.checkpoints))
    places = sorted(glob.glob(pattern, recursive=True), key=natural_order)
    return [Path(os.path.normpath(place)) for place in places if os.path.isdir(place) and not os.path.islink(place)]


def _own_models(file: FamilyFile, path: Path, only: Collection[Path] | None) -> Iterator[ModelFile]:
    """An entry for each folder that fits `checkpoints`, with the run and the tokens that its place tells."""
    if file.checkpoints is None:
        return
    found = _checkpoint_folders(file, path)
    taken = [folder for folder in found if (not is_temporary(folder.name) if only is None else folder in only)]
    if not taken and only is None:
        raise CatalogError(f"{path}: checkpoints is {quoted(file.checkpoints)}; no folder fits it")
    # from the last folder on that the pattern names in full, so that names stay as they are when more folders come
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), Path(file.checkpoints).parent.parts)
    root = Path(os.path.normpath(path.parent.resolve().joinpath(os.path.expanduser(os.path.join("", *fixed)))))
    for folder in taken:
        try:
            one = own_model(folder, root, file.tokens_per_step)
        except ModelError as error:
            raise CatalogError(f"{path}: {error}") from error
        yield ModelFile(name=one.name, path=str(folder), tokens=one.tokens, run=one.run, **one.sizes._asdict())


def _models(
    file: FamilyFile, entry: ModelFile, path: Path, index: int, only: Collection[Path] | None
) -> Iterator[ModelSpec]:
    """The model of an entry, or the checkpoints in the folder that it names."""
    if entry.variant is not None:
        raise CatalogError(
            f"{path}: models[{index}].variant is {entry.variant!r}, and nothing here makes that of a model: its "
            "answers would be those of the plain weights. Leave it out and ask for --treatment, or give models whose "
            "folders hold treated weights a family of their own"
        )
    try:
        folders = (None,) if entry.path is None else _folders(path, entry)
    except CatalogError:
        if only is None:
            raise
        return
    expanded = entry.path is not None and folders != (_place(path, entry),)
    if expanded and (entry.tokens or entry.loss):
        raise CatalogError(
            f"{path}: models[{index}] stands for {counted(len(folders), 'checkpoint')}, which do not share `tokens` or "
            "`loss`; expected `tokens_per_step`"
        )
    for folder in folders:
        if only is not None and folder not in only:
            continue
        sizes = ParameterCounts(entry.params, None, None) if entry.params else _sizes(path, index, entry, folder)
        yield ModelSpec(
            name=f"{entry.name}-{folder.name}" if folder and expanded else entry.name,
            family=file.family,
            params=sizes.params,
            params_non_embedding=entry.params_non_embedding or sizes.params_non_embedding,
            params_active=entry.params_active or sizes.params_active,
            tokens=_tokens_of_checkpoint(file, entry, folder) if folder and expanded else entry.tokens or file.tokens,
            loss=entry.loss,
            path=None if folder is None else str(folder),
            revision=entry.revision,
            dtype=entry.dtype or file.dtype,
            run=entry.run,
            gpus=file.gpus if entry.gpus is None else entry.gpus,
        )


def _check_runs(models: Sequence[ModelSpec], path: Path) -> None:
    """Check that no weights stand there as two training runs: they would make a curve look surer than it is."""
    runs: dict[tuple[str, str], str | int | None] = {}
    for model in models:
        if (run := runs.setdefault((model.source, model.revision), model.run)) != model.run:
            raise CatalogError(
                f"{path}: models: {model.source}@{model.revision} stands there as run {run} and as run {model.run}; "
                "expected other weights for each training run: another name, path or revision"
            )


def _place(path: Path, entry: ModelFile) -> Path:
    return (path.parent / os.path.expanduser(str(entry.path))).resolve()


def _folders(path: Path, entry: ModelFile) -> tuple[Path, ...]:
    try:
        _place(path, entry)
        return model_folders(str(entry.path), below=path.parent)
    except (OSError, ValueError, RuntimeError) as error:  # links in a ring, a null byte
        raise CatalogError(f"{path}: path of {cut(entry.name)} is {quoted(entry.path)}; expected a folder") from error
    except ModelError as error:
        raise CatalogError(f"{path}: {error}") from error


def _sizes(path: Path, index: int, entry: ModelFile, folder: Path | None) -> ParameterCounts:
    """The parameters of a model of which the file does not say them."""
    try:
        if folder is not None:
            return ModelFolder.read(folder).sizes()
        if (params := cached_parameters(entry.name, entry.revision)) is not None:
            return ParameterCounts(params, None, None)
    except ModelError as error:
        raise CatalogError(f"{path}: `models[{index}].params` is missing, and cannot be counted: {error}") from error
    raise CatalogError(
        f"{path}: `models[{index}].params` is missing; it is counted when `path` names a folder or the hub's cache has "
        f"the model (hf download {cut(entry.name)})"
    )


def _tokens_of_checkpoint(file: FamilyFile, entry: ModelFile, folder: Path) -> int | None:
    """Training tokens by its step or by its trainer's count; those of the whole training are not its own."""
    step, per_step = step_of(folder), entry.tokens_per_step or file.tokens_per_step
    return step * per_step if step and per_step else tokens_seen(folder)
