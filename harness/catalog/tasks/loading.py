"""A task made from its file: its data found and read, its config checked, its digest computed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.bounded.files import sha256
from harness.bounded.limits import CONFIG_BYTES, DATA_BYTES, UnreadableError
from harness.catalog.functions import functions_in, without_places
from harness.catalog.packaged import installed_file
from harness.catalog.tasks.code import Locate, locate_code
from harness.catalog.tasks.config import (
    check_config,
    check_templates,
    chosen_examples,
    evaluated_split,
    example_split,
    written_examples,
)
from harness.catalog.tasks.data import DataFile, data_files, folder_files, located, read_data, with_data
from harness.catalog.yaml_files import MetricFile, TaskFile
from harness.errors import CatalogError, Faults
from harness.ladder.tuning_rows import has_rows
from harness.specs import MetricSpec, TaskSpec
from harness.wording import quoted


class Permissions(NamedTuple):
    """What the user permits task files to do."""

    roots: tuple[Path, ...]
    """Folders that a task may read data from, beside its own."""
    code: bool
    """Whether Python files that come with a task may run."""
    trusted: bool = False
    """True for files of the package."""


class OfLmEval(NamedTuple):
    """What a task in lm-eval's dialect has beside what a file of ours has."""

    plain: bool
    """True for a file of lm-eval as it is, False for one of ours that changes such a task."""
    default_shots: int | None
    """Its own number of examples; None when it says none."""
    from_documents: tuple[str, ...]
    """Metrics whose chance level is worked out from the documents."""
    own_metrics: bool
    """True where the user's file lists the metrics, which then count in the digest."""
    folder: Path | None = None
    """Folder of the task that a file of ours changes, where its data are looked for too; None for a plain one."""


def task_from(
    file: TaskFile, path: Path, permitted: Permissions, of_lm_eval: OfLmEval | None = None
) -> tuple[TaskSpec, Mapping[str, DataFile]]:
    """The task that a file describes, and the documents of each split when its data are local.

    Args:
        file: the content of the file.
        path: the file.
        permitted: what the user permits it to do.
        of_lm_eval: what else is known of a task in lm-eval's dialect; None for one of ours.

    Raises:
        CatalogError: something in it is wrong; a line for each fault.
    """
    allowed = tuple(root.resolve() for root in (path.parent, *permitted.roots))
    locate = partial(located, path.parent, allowed)
    if of_lm_eval is not None:
        elsewhere = [Path.cwd()] if of_lm_eval.folder is None else [of_lm_eval.folder, Path.cwd()]
        within = (*allowed, *(folder.resolve() for folder in elsewhere[:-1]))
        locate = partial(_here_or_there, partial(located, path.parent, within), elsewhere)
    faults = Faults()
    data: Mapping[str, tuple[Path, ...]] | None = None
    with faults:
        data = data_files(file.config, path, locate)
    config = with_data(file.config, data or {})
    folder: tuple[Path, ...] = ()
    if of_lm_eval is not None and not data:
        with faults:
            config, folder = _with_folder(config, path, locate)
    prompts: dict[str, Mapping[str, Any]] = {"default": {}, **file.prompts}
    code = [one.path for one in functions_in(config) if not one.installed]
    if permitted.code:
        with faults:
            config, files = locate_code(config, f"{path}: config", locate)
            code += files
            for prompt, own in prompts.items():
                prompts[prompt], files = locate_code(own, f"{path}: prompts.{prompt}", locate)
                code += files
    task = TaskSpec(
        name=file.task,
        kind=file.kind,
        suite=path.parent.resolve().name,
        metrics=tuple(MetricSpec(**m.model_dump()) if isinstance(m, MetricFile) else m for m in file.metrics),
        config=config,
        prompts=prompts,
        demonstrations=file.demonstrations,
        data_files=(*(path for paths in (data or {}).values() for path in paths), *folder),
        code_files=tuple(dict.fromkeys(code)),
        unsafe_code=file.unsafe_code,
        version=file.version,
        description=file.description,
        file=str(path),
        trusted=permitted.trusted,
        data_folder=Path(config["dataset_path"]) if folder else None,
        dialect="own" if of_lm_eval is None else "lm-eval" if of_lm_eval.plain else "wrapped",
        published_docs=file.published.documents if file.published else None,
        default_shots=of_lm_eval.default_shots if of_lm_eval else file.shots,
        chance_of_documents=of_lm_eval.from_documents if of_lm_eval else (),
    )
    with faults:
        # what a file that cannot be had would add is no fault of its own
        check_config(task, path, allow_code=permitted.code, with_data=data is not None)
    documents: dict[str, DataFile] = {}
    # a function that changes the documents runs in a worker alone
    if config.get("process_docs") is None:
        for split, paths in (data or {}).items():
            with faults:
                documents[split] = read_data(paths, config.get("dataset_path"))
    if faults.lines:
        with faults:
            check_templates(task, {split: found.fields for split, found in documents.items()}, path)
        faults.check()
    assert data is not None
    evaluated = documents.get(str(evaluated_split(config)))
    if (file_of_package := installed_file(config.get("dataset_path"))) is not None:
        evaluated = read_data([file_of_package], "json")
    files_of = {**data, **({"": folder} if folder else {})}
    known = replace(
        task,
        n_docs=None if evaluated is None else evaluated.number,
        shots_available=_shots_available(task, documents, path),
        mean_doc_chars=None if evaluated is None else evaluated.characters / evaluated.number,
        digest=_digest(file, files_of, code) if of_lm_eval is None else _digest_of(file, files_of, of_lm_eval),
        training=_training(task),
    )
    return known, documents


def _training(task: TaskSpec) -> Literal["split", "generated"] | None:
    """Where documents to train on come from; None for nowhere."""
    split = task.config.get("training_split")
    if split is not None and split != evaluated_split(task.config):
        return "split"
    of_package = task.trusted and task.dialect == "own" and bool(task.data_files)
    return "generated" if of_package and has_rows(task.name) else None


def _here_or_there(locate: Locate, elsewhere: Sequence[Path], name: str, where: str) -> Path:
    """A file beside the task, or else beside the one that it changes, or in the current folder, as with lm-eval."""
    try:
        beside, error = locate(name, where), None
        if beside.exists():
            return beside
    except CatalogError as raised:
        error = raised
    found = next((folder / name for folder in elsewhere if (folder / name).exists()), None)
    if found is not None:
        return locate(str(found.resolve()), where)
    if error is not None:
        raise error
    return beside


def _with_folder(config: dict[str, Any], path: Path, locate: Locate) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """The config with the absolute path of a local folder that holds its data set, and the data files in it."""
    name = config.get("dataset_path")
    if not isinstance(name, str) or callable(config.get("custom_dataset")):
        return config, ()
    where = f"{path}: dataset_path"
    if not name.startswith((".", "/", "~")) and not (path.parent / name).is_dir() and not Path(name).is_dir():
        return config, ()
    folder = locate(os.path.expanduser(name), where)
    if not folder.is_dir():
        raise CatalogError(f"{where} is {quoted(name)}; expected a folder, or the name of a data set on the hub")
    return {**config, "dataset_path": str(folder)}, folder_files(folder, where)


def _shots_available(task: TaskSpec, documents: Mapping[str, DataFile], path: Path) -> int | None:
    if not documents:
        return None
    evaluated = evaluated_split(task.config)
    if task.demonstrations == "document":
        read = documents[str(evaluated)]
        if not read.fewest_examples:
            place = f"document {read.fewest_at} of {evaluated}"
            raise CatalogError(f"{path}: demonstrations: document, but a document has no `examples`: {place}")
        return read.fewest_examples
    if callable(written_examples(task.config)):
        return None
    split, samples, chosen = example_split(task.config), written_examples(task.config), chosen_examples(task.config)
    number = len(samples or ()) if split is None else documents[split].number
    if chosen is not None:
        if too_far := [place for place in chosen if place >= number]:
            where = f"{path}: config.fewshot_config.fewshot_indices"
            raise CatalogError(f"{where} has {too_far[0]}; there are {number} demonstrations, the first is 0")
        number = len(chosen)
    # a document is no example of itself
    return number - (split == evaluated)


def _digest(file: TaskFile, data: Mapping[str, Sequence[Path]], code: Iterable[Path]) -> str:
    """12 hex digits of what decides a score: config, prompts, metrics, and the bytes of data and code files."""
    decides = file.model_dump(include={"config", "prompts", "metrics", "demonstrations"}, mode="json")
    return _hashed(decides, data, code)


def _digest_of(file: TaskFile, data: Mapping[str, Sequence[Path]], of_lm_eval: OfLmEval) -> str:
    """The same for lm-eval's dialect; metrics that are derived do not count, since they change no answer."""
    decides = {"config": without_places(file.config), "prompts": without_places(file.prompts)}
    if of_lm_eval.own_metrics:
        decides["metrics"] = [metric.model_dump(mode="json") for metric in file.metrics]
    return _hashed(decides, data, ())


def _hashed(decides: Any, data: Mapping[str, Sequence[Path]], code: Iterable[Path]) -> str:
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True, ensure_ascii=True).encode())
    files = [(path, DATA_BYTES) for split in sorted(data) for path in data[split]] + [
        (path, CONFIG_BYTES) for path in code
    ]
    for path, limit in files:
        try:
            digest.update(sha256(path, limit))
        except UnreadableError as error:
            raise CatalogError(f"{path}: {error}") from error
    return digest.hexdigest()[:12]
