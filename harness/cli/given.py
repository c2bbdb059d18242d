"""What the options that `plan` and `run` share ask for: the cells, and how models run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.catalog.offline import go_offline
from harness.cli.option_values import count_of, document_limit, names, split, whole_numbers
from harness.engines.protocol import EngineSettings
from harness.plan import RunPlan
from harness.plan.generation import generation_options

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.specs import TaskSpec


def plan_of(given: Mapping[str, Any], *, as_asked: bool = False, catalog: Catalog | None = None) -> RunPlan:
    """The plan that a verb's options choose.

    Args:
        given: Name of the option as in the verb's signature -> value.
        as_asked: leave models of the hub at the branch, tag or commit that was asked for.
        catalog: what is chosen from; None to load it.

    Raises:
        HarnessError: a file, a name or a number among them is not as it must be.
    """
    from harness.catalog import select  # building validators takes a third of `--help`

    if given["mirror"] is not None:
        go_offline()
    return select(
        catalog or catalog_of(given),
        suites=names(given["suite"]),
        tasks=names(given["task"]),
        families=names(given["family"]),
        dtype=given["dtype"],
        treatments=split(given["treatment"]),
        models=split(given["model"]),
        shots=whole_numbers(given["shots"], "--shots"),
        prompts=names(given["prompts"]) or None,
        seeds=given["seeds"],
        limit=document_limit(given["limit"]),
        counted=partial(_number_of_documents, given["allow_code"]),
        docs=",".join(given["docs"]) if given["docs"] else None,
        chat=given["apply_chat_template"],
        system=given["system_instruction"],
        formats=split(given["formats"]) or None,
        generation=generation_options(given["gen_kwargs"]) if given["gen_kwargs"] else None,
        engine=given["engine"],
        params=None if given.get("params") is None else count_of(given["params"], "--params"),
        as_asked=as_asked,
    )


def _number_of_documents(allow_code: bool, task: TaskSpec) -> int:
    """How many documents a task has, where only the hub or code knows: they are loaded."""
    from harness.engines.lm_tasks import number_of_documents

    return number_of_documents(task, allow_code=allow_code)


def catalog_of(given: Mapping[str, Any]) -> Catalog:
    """Every family, suite and task that a verb's options can choose from.

    Raises:
        CatalogError: a file is not as it must be.
    """
    from harness.catalog import load_catalog

    return load_catalog(
        given["include_path"] or (),
        data_roots=given["data_root"] or (),
        allow_code=given["allow_code"],
        mirror=given["mirror"],
    )


def settings_of(given: Mapping[str, Any]) -> EngineSettings:
    """How models run: each field of `EngineSettings` is the option of the same name, if the verb has one."""
    return EngineSettings(**{field.name: given[field.name] for field in fields(EngineSettings) if field.name in given})
