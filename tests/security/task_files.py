"""The provider of task files that would run code, or read and write beside their data, if they could.

Each is tried where a file is read (`check`), in a prompt's own keys too, and where a config is used, as if nobody had
checked it. Scripts beside the task leave a canary when they run; data outside of it must not come back.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from harness.catalog import load_catalog
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.errors import HarnessError
from harness.specs import TaskSpec
from tests.builders import cell
from tests.security import Case

CODE, ELSEWHERE = "task files that run code", "task files that read or write elsewhere"
SECRET = "correct-horse-battery"
_CONFIG: dict[str, Any] = {
    "output_type": "generate_until",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "test.jsonl"}},
    "test_split": "test",
    "doc_to_text": "{{q}}",
    "doc_to_target": "a",
}
_METRICS = [{"name": "exact_match"}, {"name": "loglikelihood_per_token", "continuous": True}]


def cases() -> Iterator[Case]:
    """Every config in every place."""
    for kind, configs in ((CODE, RUNNING), (ELSEWHERE, READING)):
        for name, config in configs.items():
            for where, attempt in _PLACES.items():
                if attempt is _where_it_is_used and not _asks_again(config):
                    continue
                yield Case(kind, name, where, partial(_tried, attempt, config))
    for name, text in TEXTS.items():
        yield Case(CODE, name, "in a task file", partial(_tried, _as_text, text))


def _tried(attempt: Callable[[Path, Any], str | None], config: Any) -> str | None:
    with tempfile.TemporaryDirectory() as made:
        outside = Path(made)
        folder = outside / "theirs"
        canary = outside / "canary"
        code = f"open({str(canary)!r}, 'w').close()\ndef generate(model, **kwargs):\n    return None\n"
        for name in (
            "custom_generate/generate.py",
            "exact_match/exact_match.py",
            "set/set.py",
            "set.py",
            "generate.py",
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(code)
        (folder / "test.jsonl").write_text(json.dumps({"q": "1+1=", "a": "2"}) + "\n")
        for name in ("secret.jsonl", "secret.txt"):
            (outside / name).write_text(json.dumps({"q": SECRET, "a": SECRET}) + "\n")
        (folder / "link.jsonl").symlink_to(outside / "secret.jsonl")
        (folder / "linked").symlink_to(outside)
        before = _content(outside)
        here = os.getcwd()
        os.chdir(folder)  # where lm-eval and `datasets` look for scripts
        try:
            harm = attempt(folder, _placed(config, outside))
        except HarnessError as error:
            harm = f"told the secret: {error}" if SECRET in str(error) else None
        finally:
            os.chdir(here)
        if canary.exists():
            return "its code ran"
        return harm or (None if _content(outside) == before else "files were written")


def _placed(value: Any, outside: Path) -> Any:
    """The config with `OUTSIDE` in its texts as the folder around the task."""
    return json.loads(json.dumps(value).replace("OUTSIDE", str(outside))) if not isinstance(value, str) else value


def _content(folder: Path) -> dict[str, int]:
    """Files below a folder, but for the one that holds the task."""
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name != "sums.yaml"}


def _spec(**changes: Any) -> dict[str, Any]:
    return {"task": "sums", "kind": "qa", "metrics": _METRICS, "config": copy.deepcopy(_CONFIG), **changes}


def _in_config(folder: Path, config: Mapping[str, Any]) -> str | None:
    return _as_text(folder, yaml.safe_dump(_spec(config=_CONFIG | dict(config))))


def _in_a_prompt(folder: Path, config: Mapping[str, Any]) -> str | None:
    return _as_text(folder, yaml.safe_dump(_spec(prompts={"terse": dict(config)})))


def _as_text(folder: Path, text: str) -> str | None:
    (folder / "sums.yaml").write_text(text)
    catalog = load_catalog([folder / "sums.yaml"])
    catalog.check_templates(["sums"])
    return "it was accepted" + _read(catalog.task("sums"))


def _where_it_is_used(folder: Path, config: Mapping[str, Any]) -> str | None:
    (folder / "sums.yaml").write_text(yaml.safe_dump(_spec()))
    good = load_catalog([folder / "sums.yaml"]).task("sums")
    forged = replace(good, config={**good.config, **config})
    try:
        return "it was used" + _read(forged)
    except HarnessError:
        raise
    except Exception:  # whatever it is, a worker makes a failed cell of it
        return None


def _asks_again(config: Mapping[str, Any]) -> bool:
    """Whether a config is looked at once more: functions and paths may be there for callers in Python."""
    paths = (config.get("dataset_kwargs") or {}).get("data_files") or {}
    functions = {"process_docs", "process_results", "custom_dataset"}
    return not functions & config.keys() and paths in ({}, _CONFIG["dataset_kwargs"]["data_files"])


def _read(task: TaskSpec) -> str:
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    built = build_cell(cell(of=task), task, DocumentCache())
    return " and read the secret" if SECRET in str(built.documents) else ""


_PLACES: Mapping[str, Callable[[Path, Any], str | None]] = {
    "in the config": _in_config,
    "in a prompt": _in_a_prompt,
    "where it is used": _where_it_is_used,
}


def _generation(**keys: Any) -> dict[str, Any]:
    return {"generation_kwargs": {"until": ["\n"], **keys}}


def _metric(**keys: Any) -> dict[str, Any]:
    return {"metric_list": [{"metric": "exact_match", **keys}]}


def _filter(**keys: Any) -> dict[str, Any]:
    return {"filter_list": [{"name": "f", "filter": [keys]}]}


def _data(**keys: Any) -> dict[str, Any]:
    return {"dataset_kwargs": {**_CONFIG["dataset_kwargs"], **keys}}


def _files(name: str) -> dict[str, Any]:
    return {"dataset_kwargs": {"data_files": {"test": name}}}


RUNNING: Mapping[str, Any] = {
    "a folder with a way to generate": _generation(custom_generate="."),
    "one by its whole path": _generation(custom_generate="OUTSIDE/theirs", trust_remote_code=True),
    "one of the hub": _generation(custom_generate="org/way", trust_remote_code=True),
    "trust in code of the hub": _generation(trust_remote_code=True),
    "a model that helps": _generation(assistant_model="org/model"),
    "compilation": _generation(compile_config={"backend": "inductor"}),
    "a cache of its own kind": _generation(cache_implementation="offloaded"),
    "a processor of logits": _generation(logits_processor=["set.generate"]),
    "a generation config": _generation(generation_config="OUTSIDE/theirs"),
    "contrastive search from the hub": _generation(penalty_alpha=0.6, top_k=4),
    "layers from the hub": _generation(dola_layers="high"),
    "a metric beside the task": _metric(hf_evaluate=True),
    "a metric by its path": {"metric_list": [{"metric": "OUTSIDE/theirs/exact_match", "hf_evaluate": True}]},
    "a metric of the hub": {"metric_list": [{"metric": "org/metric", "hf_evaluate": True}]},
    "a metric nobody knows": {"metric_list": [{"metric": "set"}]},
    "an aggregation of its own": _metric(aggregation="set.generate"),
    "an aggregation as a mapping": _metric(aggregation={"__class__": "os.system"}),
    "another key of a metric": _metric(kwargs={"module": "set"}),
    "a filter of any function": _filter(function="custom", filter_fn="set.generate"),
    "a filter nobody knows": _filter(function="set"),
    "a filter with a key": _filter(function="regex", regex_pattern="a", module="set"),
    "a sampler of its own": {"fewshot_config": {"sampler": "set.Sampler"}},
    "documents of examples by a function": {"fewshot_config": {"process_docs": "set.generate"}},
    "a data set by a function": {"custom_dataset": "set.generate"},
    "documents by a function": {"process_docs": "set.generate"},
    "results by a function": {"process_results": "set.generate"},
    "a prompt of a library": {"use_prompt": "promptsource:GPT-3 style"},
    "a prompt of any file": {"use_prompt": "OUTSIDE/theirs/p.yaml:one"},
    "a script of a data set": {"dataset_path": "set", "dataset_kwargs": None},
    "a script by its name": {"dataset_path": "set.py", "dataset_kwargs": None},
    "a script by its path": {"dataset_path": "OUTSIDE/theirs/set.py", "dataset_kwargs": None},
    "trust in a data set": _data(trust_remote_code=True),
    "pickles as data": {"dataset_path": "pandas", "dataset_kwargs": {"data_files": {"test": "test.pkl"}}},
}
READING: Mapping[str, Any] = {
    "the folder above": _files("../secret.jsonl"),
    "a whole path": _files("OUTSIDE/secret.jsonl"),
    "a link": _files("link.jsonl"),
    "a linked folder": _files("linked/secret.jsonl"),
    "up and down": _files("custom_generate/../../secret.jsonl"),
    "a pattern": _files("../*.jsonl"),
    "a user's folder": _files("~/.ssh/id_rsa"),
    "the users of the machine": _files("/etc/passwd"),
    "a file's address": _files("file:///etc/passwd"),
    "an address": _files("https://example.org/test.jsonl"),
    "inside of an archive": _files("zip://test.jsonl::OUTSIDE/a.zip"),
    "a device": _files("/dev/zero"),
    "a process": _files("/proc/self/environ"),
    "a null byte": _files("test.jsonl\0/../../secret.jsonl"),
    "texts of a folder": {"dataset_path": "text", "dataset_kwargs": {"data_dir": "OUTSIDE"}},
    "texts of a file": {"dataset_path": "text", "dataset_kwargs": {"data_files": {"test": "../secret.txt"}}},
    "a folder of data": _data(data_dir="OUTSIDE"),
    "a cache elsewhere": _data(cache_dir="OUTSIDE/cache"),
    "a download elsewhere": _data(download_config={"cache_dir": "OUTSIDE/cache"}),
    "64 processes": _data(num_proc=64),
    "options of a storage": _data(storage_options={"key": "x"}),
    "a token": _data(token=True),
    "information saved": _data(save_infos=True),
    "a folder as a data set": {"dataset_path": "OUTSIDE", "dataset_kwargs": None},
    "a folder above as one": {"dataset_path": "..", "dataset_kwargs": None},
    "pictures of a folder": {"dataset_path": "imagefolder", "dataset_kwargs": {"data_dir": "OUTSIDE"}},
    "a database": {"dataset_path": "sql", "dataset_kwargs": {"con": "sqlite:///OUTSIDE/x.db", "sql": "x"}},
    "a data set on a drive": {"dataset_path": "s3://bucket/set", "dataset_kwargs": None},
    "a part of another path": {"dataset_name": "../../secret"},
    "a revision as a path": _data(revision="../../secret"),
}
"""What is tried -> keys of a config; `OUTSIDE` is the folder around the task's."""
TEXTS: Mapping[str, str] = {
    name: yaml.safe_dump(_spec()).replace("doc_to_target: a", f"doc_to_target: {tag}")
    for name, tag in {
        "a function": "!function set.generate",
        "a Python object": "!!python/object/apply:os.system ['touch canary']",
        "a new object": "!!python/object/new:os.system ['touch canary']",
        "a module": "!!python/module:set ''",
        "a name": "!!python/name:os.system ''",
        "an included file": "!include ../secret.txt",
        "a variable of the environment": "!ENV ${HOME}",
    }.items()
}
"""What is tried -> the text of a task file."""
