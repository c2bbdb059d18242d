"""A YAML file in lm-eval's dialect, read as it is: what it includes, its functions, and what cannot be evaluated here.

`include` names files relative to the one that includes them. Of several values of a key the one nearest to the task
counts: a group's own over the task's, the task's over those of what it includes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.bounded.documents import FILE_KINDS
from harness.bounded.files import read_text
from harness.bounded.limits import YAML_BYTES, UnreadableError
from harness.bounded.yaml_text import parsed_yaml
from harness.catalog.functions import TaskFunction, task_function
from harness.errors import CatalogError
from harness.wording import quoted

_OURS = frozenset({"family", "suite", "config", "kind", "metrics", "lm_eval", "prompts", "demonstrations", "published"})
"""Keys at the top of the harness's own files, which lm-eval does not know."""
OWN_WORDS = frozenset({"kind", "metrics", "prompts", "demonstrations", "published"})
"""Those of them that may stand in a file that includes one of lm-eval's."""
_THEIRS = frozenset(
    (
        *("include", "group", "tag", "class", "dataset_path", "dataset_name", "dataset_kwargs", "custom_dataset"),
        *("output_type", "doc_to_text", "doc_to_target", "doc_to_choice", "metric_list", "test_split"),
        *("validation_split", "training_split", "fewshot_split", "fewshot_config", "process_docs", "task_list"),
        *("process_results", "generation_kwargs", "filter_list", "num_fewshot", "aggregate_metric_list"),
    )
)
"""Keys at the top of lm-eval's files."""
_TOP_KEY = re.compile(r"^(\w+)[ \t]*:", re.MULTILINE)
_NAMES = ("task", "group", "tag", "task_list", "task_alias", "group_alias", "include", "num_fewshot", "class")
"""Keys that say where a task belongs, and not what is asked."""
_ON_HUB = re.compile(r"hf://datasets/(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w.-]+))?/(?P<path>[^?#]+)", re.ASCII)
"""A file of a data set on the hub."""
_MOST_INCLUDED = 200
"""Files that a task may include, each time counted; lm-eval's own include five at most."""


def is_lm_eval(keys: Iterable[str]) -> bool:
    """Whether a file with these keys at the top is written in lm-eval's dialect, and not in the harness's own."""
    known = frozenset(keys)
    # one that includes a file of lm-eval may say in our words what would be derived
    ours = known & (_OURS - OWN_WORDS if "include" in known else _OURS)
    return not ours and bool(known & _THEIRS)


def looks_like_lm_eval(path: Path) -> bool:
    """The same of a file that has not been parsed; False for one that cannot be read."""
    try:
        return is_lm_eval(_TOP_KEY.findall(read_text(path, YAML_BYTES)))
    except UnreadableError:
        return False


def read_task_file(path: Path, allowed: Sequence[Path]) -> dict[str, Any]:
    """The keys of a file in lm-eval's dialect and of those that it includes, with its functions found but not run.

    Args:
        path: the file.
        allowed: folders, resolved, that included files may lie below.

    Raises:
        CatalogError: a file or a function cannot be found or read, or the file includes itself.
    """
    return _Files(allowed).read(path, ())


class _Files:
    """Reads a file with those that it includes, and counts them: a few files can include each other without end."""

    def __init__(self, allowed: Sequence[Path]) -> None:
        self._allowed = allowed
        self._number = 0

    def read(self, path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
        """The keys of a file that those `above` include, the first one last."""
        self._number += 1
        if path in above:
            raise CatalogError(f"{path}: include: the files include each other")
        if self._number > _MOST_INCLUDED:
            raise CatalogError(f"{path}: include: the task includes more than {_MOST_INCLUDED} files")
        try:
            raw = parsed_yaml(read_text(path, YAML_BYTES), partial(task_function, folder=path.parent, where=str(path)))
        except UnreadableError as error:
            raise CatalogError(f"{path}: {error}") from error
        if not isinstance(raw, dict):
            raise CatalogError(f"{path}: is a {type(raw).__name__}; expected keys and values")
        names = raw.pop("include", None)
        merged: dict[str, Any] = {}
        for name in names if isinstance(names, list) else [names]:
            if name is not None:
                included = self.read(self._place(path, name), (*above, path))
                merged.update({key: value for key, value in included.items() if key != "task_list"})
        # what executes programs of a model does so whatever a file that includes it says
        executes = {"unsafe_code": True} if merged.get("unsafe_code") else {}
        return {**merged, **raw, **executes}

    def _place(self, path: Path, name: Any) -> Path:
        if not isinstance(name, str):
            raise CatalogError(f"{path}: include is {quoted(name)}; expected the name of a file, or a list of names")
        found = (path.parent / name).resolve()
        if not any(found.is_relative_to(root) for root in self._allowed):
            raise CatalogError(
                f"{path}: include is {quoted(str(found))}, outside the task's folder; expected a file below it, below "
                "--include-path, or below a folder given with --data-root"
            )
        return found


def asked_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a task asks: its keys without names and tags, without what lm-eval ignores, and in the form used here."""
    asked = {key: value for key, value in config.items() if key not in (*_NAMES, *OWN_WORDS) and value is not None}
    if isinstance(kwargs := asked.get("dataset_kwargs"), Mapping):
        # data sets with scripts are not loaded any more, and lm-eval takes this key out as well
        asked["dataset_kwargs"] = {key: value for key, value in kwargs.items() if key != "trust_remote_code"}
        asked.update(_of_hub(asked))
    if isinstance(entries := asked.get("metric_list"), list):
        asked["metric_list"] = [_asked_metric(entry, asked) for entry in entries]
    if isinstance(asked.get("metadata"), Mapping) and not isinstance(asked.get("custom_dataset"), TaskFunction):
        del asked["metadata"]  # only functions that make documents read it
    if asked.get("repeats") == 1:
        del asked["repeats"]
    return asked


def _of_hub(config: Mapping[str, Any]) -> dict[str, Any]:
    """A data set of the hub whose files are named one by one, as in `hf://datasets/ORG/NAME/x.jsonl`, by its own name.

    Nothing for any other; where the files are of several data sets, they are left for later checks to refuse.
    """
    files = config["dataset_kwargs"].get("data_files")
    if config.get("dataset_path") not in FILE_KINDS or not isinstance(files, Mapping):
        return {}
    found = {split: _ON_HUB.fullmatch(name) for split, name in files.items() if isinstance(name, str)}
    repositories = {(of["name"], of["revision"]) for of in found.values() if of}
    if len(found) < len(files) or not all(found.values()) or len(repositories) != 1:
        return {}
    ((name, revision),) = repositories
    kwargs = {**config["dataset_kwargs"], "data_files": {split: of["path"] for split, of in found.items() if of}}
    return {"dataset_path": name, "dataset_kwargs": {**kwargs, **({"revision": revision} if revision else {})}}


def _asked_metric(entry: Any, config: Mapping[str, Any]) -> Any:
    """An entry of `metric_list`; where lm-eval computes the metric itself, it does not load a script of that name."""
    computed = config.get("output_type", "generate_until") != "generate_until" or "process_results" in config
    if not isinstance(entry, Mapping) or not (computed or entry.get("hf_evaluate") is False):
        return entry
    return {key: value for key, value in entry.items() if key != "hf_evaluate"}


def check_dialect(config: Mapping[str, Any], path: Path) -> None:
    """Check that a task asks for nothing that cannot be evaluated here.

    Raises:
        CatalogError: it is written in Python, reads pictures or sound, or runs what a model wrote.
    """
    if "class" in config:
        what = getattr(config["class"], "name", config["class"])
        raise CatalogError(f"{path}: class is {quoted(what)}: a task written in Python cannot be evaluated here")
    for key, what in (("doc_to_image", "pictures"), ("doc_to_audio", "sound")):
        if config.get(key):
            raise CatalogError(f"{path}: {key}: the task shows {what}, and models here read text alone")
    if config.get("unsafe_code"):
        raise CatalogError(
            f"{path}: unsafe_code: lm-eval would run programs that a model wrote outside any sandbox; expected a task "
            "of kind codegen with `pass_at_K` (docs/tasks.md)"
        )
    if config.get("use_prompt") is not None:
        raise CatalogError(f"{path}: use_prompt is {quoted(config['use_prompt'])}; expected doc_to_text")
