"""Paths of the package's own files, which each machine of a cluster may keep elsewhere.

Embedded models and tasks name their files by absolute paths. On another machine the same files lie in its own copy of
the package, whose version is checked before the first cell.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.schedule import Lane
from harness.specs import ModelSpec, TaskSpec
from harness.treatments import moved_teacher


def package_folders() -> tuple[str, ...]:
    """Folders of the package and of its tasks on this machine, each as Python names it and without links."""
    named = [os.path.abspath(next(iter(importlib.import_module(name).__path__))) for name in _PACKAGES]
    return tuple(path for name in named for path in (name, os.path.realpath(name)))


_PACKAGES = ("harness", "harness.tasks")


def moved(lane: Lane, there: tuple[str, ...], here: tuple[str, ...]) -> Lane:
    """The lane with the package's own files where they lie here.

    Args:
        lane: a lane with paths of another machine.
        there: `package_folders` of that machine.
        here: those of this machine.
    """
    if there == here:
        return lane
    tasks: dict[int, TaskSpec] = {}
    jobs = []
    for job in lane.jobs:
        if id(job.task) not in tasks:
            tasks[id(job.task)] = _task(job.task, there, here)
        cell = replace(job.cell, model=moved_model(job.cell.model, there, here))
        jobs.append(replace(job, cell=cell, task=tasks[id(job.task)]))
    return replace(lane, model=moved_model(lane.model, there, here), jobs=tuple(jobs))


def moved_model(model: ModelSpec, there: tuple[str, ...], here: tuple[str, ...]) -> ModelSpec:
    """The model, and that which it learns from, with their folders where they lie here."""
    if model.treatment is not None:
        settings = moved_teacher(model.treatment, lambda path: relocated(path, there, here))
        model = replace(model, treatment=settings) if settings != model.treatment else model
    return model if model.path is None else replace(model, path=relocated(model.path, there, here))


def _task(task: TaskSpec, there: tuple[str, ...], here: tuple[str, ...]) -> TaskSpec:
    return replace(
        task,
        config=_value(task.config, there, here),
        prompts=_value(task.prompts, there, here),
        data_files=tuple(Path(relocated(str(path), there, here)) for path in task.data_files),
        code_files=tuple(Path(relocated(str(path), there, here)) for path in task.code_files),
    )


def _value(value: Any, there: tuple[str, ...], here: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return relocated(value, there, here)
    if isinstance(value, Mapping):
        return {name: _value(inside, there, here) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_value(inside, there, here) for inside in value)
    return value


def relocated(text: str, there: tuple[str, ...], here: tuple[str, ...]) -> str:
    """A path as it is here, where it lies below a folder of the package; any other text as it is."""
    for old, new in zip(there, here, strict=True):
        if text == old or text.startswith(f"{old}/"):
            return new + text[len(old) :]
    return text
