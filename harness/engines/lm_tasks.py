"""Build lm-eval's requests for a task and a cell, once and equally on every machine.

lm-eval renders the prompts and computes its metrics; which examples are shown and which answers are right is decided by
the harness (`shots`, `cell_task`).
"""

from __future__ import annotations

import copy
import importlib
import logging
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import lm_eval.utils
from lm_eval.api.registry import metric_registry as lm_eval_metrics
from lm_eval.api.task import TaskConfig

from harness.catalog.functions import functions_in
from harness.catalog.tasks.code import code_names
from harness.catalog.tasks.config import evaluated_split, example_split
from harness.catalog.tasks.keys import check_sections
from harness.catalog.tasks.numbers import check_numbers
from harness.engines.cell_task import BuiltCell, CellTask, Turns
from harness.engines.documents import DocumentCache, Splits, seeds_of_lm_eval
from harness.engines.shots import sampler
from harness.errors import CatalogError, HarnessError, PlanError, unknown
from harness.plan import Cell
from harness.plan.documents import chosen_documents
from harness.plan.generation import asked_generation
from harness.scoring.metrics import OWN_METRICS, is_own
from harness.specs import ModelSpec, TaskSpec
from harness.wording import count, quoted

logging.getLogger("lm_eval").setLevel(logging.ERROR)  # its advice is about its own command line
OWN_KEYS = frozenset({"simulate"})
"""Config keys that the harness adds to lm-eval's."""


@seeds_of_lm_eval()  # some tasks shuffle options: each is the same one in every worker and in every run
def build_cell(
    cell: Cell,
    task: TaskSpec,
    data: DocumentCache,
    *,
    allow_code: bool = False,
    write_turns: Turns | None = None,
    only: range | None = None,
) -> BuiltCell:
    """The requests of `cell`; Python files of the task run only where the user allowed it.

    Args:
        cell: the cell to build.
        task: the cell's task.
        data: cache of the documents read so far.
        allow_code: True when the user agreed that Python files of the task run.
        write_turns: writes the turns of a chat by the model's template, for cells that ask in turns.
        only: positions of the documents to build, for a cell that is cut into parts; None for all.

    Raises:
        CatalogError: the task's config or data do not fit lm-eval.
        PlanError: the cell has more shots than there are examples.
        HarnessError: a metric is unknown, or prompts do not have the number of shots that the cell requires.
    """
    lm_eval.utils.env = _NoTemplates()
    config = task_config(cell, task, allow_code=allow_code)
    code = (*code_names(config), *dict.fromkeys(one.label for one in functions_in(config)))
    for function in functions_in(config):
        function.loaded()  # all of them before any is called, as lm-eval does: some register others
    _use_scripts(config)
    splits = data.splits(task, config)
    _check_splits(task, config, splits)
    if callable(config.get("process_docs")):
        config["process_docs"] = data.changing(config["process_docs"])
    made = CellTask(
        config={**config, "dataset_kwargs": None, "custom_dataset": lambda **_: splits},
        trusted=task.trusted,
        file=task.file,
        shares_split=task.demonstrations == "pool" and example_split(config) == evaluated_split(config),
        shows_examples=cell.shots > 0,
        turns=write_turns if cell.chat else None,
        system=cell.system,
        twin=cell.format,
    )
    if (cell.chat or cell.system) and made.OUTPUT_TYPE == "loglikelihood_rolling":
        raise PlanError(f"task {task.name}: scores whole texts, which are no turns of a chat and have no instruction")
    # lm-eval's own rule, kept for tasks of ours: 0 in a config means that the prompt has its examples built in.
    if made.config.num_fewshot != 0:
        made.set_config("num_fewshot", cell.shots)
    if cell.shots and (places := config["fewshot_config"].get("fewshot_indices")) is not None:
        made.sampler.take(places)
    made.set_fewshot_seed(cell.seed)
    chosen = only if cell.docs is None else frozenset(chosen_documents(cell.docs))
    built = made.build(cell.shots, cell.limit, chosen)
    if not built.documents and (only is None or cell.docs is not None):  # a part may have none
        raise PlanError(f"--docs {cell.docs}: task {task.name} has {count(len(made.eval_docs))} documents")
    return replace(
        built,
        foreign_code=code,
        chance_of_documents=task.chance_of_documents,
        may_lack_scores=task.dialect == "lm-eval",
    )


def number_of_documents(task: TaskSpec, *, allow_code: bool = False) -> int:
    """How many documents a task has, which are loaded for it; functions of the task may leave some out.

    Raises:
        HarnessError: they cannot be had.
    """
    model = ModelSpec(name="none", family="none", params=1)
    cell = Cell(
        model=model,
        task=task.name,
        suite=task.suite,
        kind=task.kind,
        task_version=task.version,
        task_digest=task.digest,
        metrics=task.metrics,
        shots=0,
    )
    return len(build_cell(cell, task, DocumentCache(), allow_code=allow_code, only=range(1)).task.eval_docs)


def task_config(cell: Cell, task: TaskSpec, *, allow_code: bool = False) -> dict[str, Any]:
    """The lm-eval config of a cell: the task's, changed by the prompt variant, with our sampler and metrics."""
    if cell.prompt not in task.prompts:
        raise PlanError(f"task {task.name}: " + unknown("prompt", cell.prompt, task.prompts))
    # a copy, because lm-eval modifies the config it gets
    config = copy.deepcopy({**task.config, **task.prompts[cell.prompt]})
    config = {key: value for key, value in config.items() if key not in OWN_KEYS}
    if cell.generation is not None:
        config["generation_kwargs"] = {**(config.get("generation_kwargs") or {}), **asked_generation(cell.generation)}
    known = {field.name for field in fields(TaskConfig)}
    for key in config:
        if key not in known:
            raise CatalogError(f"task {task.name}: " + unknown("config key", key, known))
    where = f"task {task.name}: prompt {cell.prompt}: {{}}".format
    check_sections(config, where, allow_code=allow_code, dialect=task.dialect)
    check_numbers(config, where, trusted=task.trusted)
    if config.get("use_prompt") is not None:
        # lm-eval renders such prompts outside its sandbox, and takes them from any file
        raise CatalogError(f"task {task.name}: use_prompt is {quoted(config['use_prompt'])}; expected doc_to_text")
    config.setdefault("task", task.name)
    shown = config.get("fewshot_config") or {}
    config["fewshot_config"] = {**shown, "sampler": sampler(task.demonstrations, shown.get("sampler") or "default")}
    if cell.format is not None:
        if config.get("output_type") != "multiple_choice":
            raise PlanError(f"task {task.name}: has no options, and so no twin in the format {cell.format}")
        # what the author made of the answers is about their own format
        config = {**config, "metric_list": [], "filter_list": None, "process_results": None}
    config["metric_list"] = _metric_list(cell, config)
    return config


class _NoTemplates:
    """Takes the place of lm-eval's environment for templates, which has no limits; `CellTask` renders by itself."""

    def from_string(self, source: str) -> Any:
        """Refuse a template."""
        raise CatalogError(f"template in a place where none is rendered: {quoted(source)}")


class ScriptMetric:
    """A metric that a script of the `evaluate` library computes; lm-eval calls it as it calls any function."""

    def __init__(self, name: str, script: Path) -> None:
        self.__name__ = name
        self._script = script
        self._loaded: Any = None

    def __call__(self, **kwargs: Any) -> Any:
        """The script's scores by name, of `references` and `predictions`."""
        if self._loaded is None:
            import evaluate

            # the folder that evaluate copies scripts to may be newer than what the import system knows of it
            importlib.invalidate_caches()
            self._loaded = evaluate.load(str(self._script), keep_in_memory=True)
        return self._loaded.compute(**kwargs)

    def __deepcopy__(self, memo: Any) -> ScriptMetric:
        return self  # lm-eval copies configs; one script is enough


def _use_scripts(config: dict[str, Any]) -> None:
    """Put the scripts and the function that were allowed where lm-eval and transformers take them."""
    options = config.get("generation_kwargs") or {}
    options.pop("trust_remote_code", None)
    if options.get("custom_generate"):
        options["trust_remote_code"] = True  # transformers requires it even for a local folder
    for entry in config["metric_list"]:
        if script := entry.pop("hf_evaluate", None):  # by now the path of the script
            entry["metric"] = ScriptMetric(entry["metric"], Path(script))
            entry.setdefault("aggregation", "mean")
            entry.setdefault("higher_is_better", True)


def _metric_list(cell: Cell, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """lm-eval's share of the metrics: what the config lists and what the cell asks for, less our own."""
    import lm_eval.api.metrics  # noqa: F401  # fills lm-eval's registry

    listed = [dict(entry) for entry in config.get("metric_list") or [] if not _is_own(entry.get("metric"))]
    names = {entry["metric"] for entry in listed}
    scripts = {entry["metric"] for entry in listed if entry.get("hf_evaluate")}
    free = callable(config.get("process_results")) or any(callable(name) for name in names)
    for name in dict.fromkeys([*names, *(metric_name(m.name) for m in cell.metrics)]):
        if _is_own(name) or callable(name) or (free and name in names) or name in scripts:
            continue
        if name not in lm_eval_metrics:
            known = {*OWN_METRICS, *lm_eval_metrics.keys()}
            # lm-eval would look for it on the network
            raise HarnessError(f"task {cell.task}: " + unknown("metric", str(name), known))
        if name not in names:
            listed.append({"metric": name})
    return listed


def _is_own(metric: Any) -> bool:
    return isinstance(metric, str) and is_own(metric)


def metric_name(name: str) -> str:
    """Name of lm-eval's metric without the filter: `exact_match` for `exact_match,strict-match`."""
    return name.partition(",")[0]


def _check_splits(task: TaskSpec, config: Mapping[str, Any], splits: Splits) -> None:
    named = {key: config.get(key) for key in ("training_split", "validation_split", "test_split", "fewshot_split")}
    named["fewshot_config.split"] = config["fewshot_config"].get("split")
    for key, split in named.items():
        if split is None:
            continue
        if split not in splits:
            raise CatalogError(f"task {task.name}: {key}: " + unknown("split", split, splits))
        if len(splits[split]) == 0:
            raise CatalogError(f"task {task.name}: {key}: split {quoted(split)} has no documents")
    if config.get("test_split") is None and config.get("validation_split") is None:
        raise CatalogError(f"task {task.name}: neither test_split nor validation_split says what to evaluate")
