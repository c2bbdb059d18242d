"""Which models the words of `--model` mean: models of families, checkpoints of them, or models of the hub."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from harness.catalog.mirror import Mirror
from harness.catalog.models.checkpoints import STEP_NAME
from harness.catalog.models.revisions import cached_commit, hub_model, hub_spec
from harness.errors import ModelError, PlanError, unknown
from harness.specs import Family, ModelSpec

if TYPE_CHECKING:
    from harness.catalog.catalogue import Catalog

_ON_HUB = re.compile(r"(?P<name>[\w.-]{1,96}/[\w.-]{1,96})(@(?P<revision>[\w.-]+))?", re.ASCII)
"""A model of the hub, and its branch, tag or commit."""
_REVISION = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_STEP = re.compile(rf"-{STEP_NAME}$", re.ASCII | re.IGNORECASE)
"""What the name of a checkpoint adds to that of its run."""
_MAIN = "main"


def is_folder(word: str, catalog: Catalog) -> bool:
    """Whether a word names a folder with a model rather than a model of a family or of the hub."""
    if word.startswith((".", "/", "~")):
        return True
    if catalog.mirror is not None and (hub := _ON_HUB.fullmatch(word)):
        # a mirror may be the working folder, where the name of each model is a path too
        return os.path.exists(word) and not catalog.mirror.has_model(hub["name"], hub["revision"] or _MAIN)
    if os.path.exists(word):
        return True
    if not glob.has_magic(word):
        return False
    name, at, _ = word.partition("@")
    of_families = any(_is_called(model, name) for family in catalog.families.values() for model in family.models)
    return not of_families or (not at and bool(glob.glob(word)))


def models_named(
    word: str, members: Sequence[ModelSpec], catalog: Catalog, *, anywhere: bool, as_asked: bool = False
) -> list[ModelSpec]:
    """The models that a word means: of the chosen families, or, when none was chosen, of any family or of the hub.

    `NAME@REVISION` is another checkpoint of a model; both may be patterns, such as `pythia-*@step1000` or
    `pythia-70m@step*`, which the family's list of checkpoints fits.

    Args:
        word: what the user typed.
        members: the models of the chosen families.
        catalog: all families.
        anywhere: whether no family was chosen.
        as_asked: take a model of the hub by its name alone, and leave its parameters uncounted.

    Raises:
        HarnessError: there is no such model or checkpoint, or several families have it.
    """
    name, at, revision = word.partition("@")
    found = [m for m in members if _is_called(m, name)]
    homes = [f for f in catalog.families.values() if any(_is_called(m, name) for m in f.models)]
    if not found and anywhere and len(homes) == 1:
        found = [m for m in homes[0].models if _is_called(m, name)]
    if found:
        return [one for m in found for one in (_checkpoints(m, revision, catalog.family(m.family)) if at else [m])]
    if anywhere and not homes and (hub := _ON_HUB.fullmatch(word)):
        if as_asked:
            return [hub_spec(hub["name"], hub["revision"] or _MAIN, params=1)]
        return [_on_hub(hub["name"], hub["revision"] or _MAIN, catalog.mirror)]
    message = unknown("model", word, (m.name for m in members))
    if homes:
        raise PlanError(f"{message}; {name} is in --family {' and '.join(home.name for home in homes)}")
    raise PlanError(f"{message}; a folder is given as ./folder, and a model of the hub as organisation/name")


def _is_called(model: ModelSpec, name: str) -> bool:
    """Whether a model has this name, or one that fits it, or is a checkpoint of what a family file calls by it."""
    run = _STEP.sub("", model.name) if model.path else model.name
    return any(fnmatchcase(own, name) for own in (model.name, run, model.name.rpartition("/")[2]))


def _checkpoints(model: ModelSpec, revision: str, family: Family) -> list[ModelSpec]:
    """The checkpoints of a model on the hub that a revision, or a pattern of revisions, names."""
    if model.path is not None:
        raise PlanError(f"--model {model.name}@{revision}: {model.name} is a folder; expected its name alone")
    if revision in (_MAIN, model.revision):
        return [model]
    fit = [name for name in family.revisions if fnmatchcase(name, revision)]
    if fit:
        return [_at(model, name, family.revisions[name]) for name in fit]
    if _COMMIT.fullmatch(revision):
        return [_at(model, revision, _tokens_of_commit(model, revision, family))]
    if family.revisions or not _REVISION.fullmatch(revision):
        raise PlanError(_no_checkpoint(model, revision, [*family.revisions]))
    return [_at(model, revision, None)]


def _no_checkpoint(model: ModelSpec, revision: str, known: Sequence[str]) -> str:
    expected = f"one of {len(known)} from {known[0]} to {known[-1]}, or a pattern" if known else "a branch or tag"
    return f"--model {model.name}@{revision}: the family has no such checkpoint; expected {expected}"


def _at(model: ModelSpec, revision: str, tokens: int | None) -> ModelSpec:
    # what a file says of tokens and loss is true of the model on its main branch
    return replace(model, revision=revision, tokens=tokens, loss=None)


def _tokens_of_commit(model: ModelSpec, commit: str, family: Family) -> int | None:
    """Training tokens of a commit, where the hub's cache tells which checkpoint it is."""
    known = {_MAIN: model.tokens, **family.revisions}
    return next((tokens for name, tokens in known.items() if cached_commit(model.name, name) == commit), None)


def _on_hub(name: str, revision: str, mirror: Mirror | None) -> ModelSpec:
    if mirror is not None:
        return hub_spec(name, revision, mirror.parameters(name, revision))
    try:
        return hub_model(name, revision)
    except ModelError as error:
        if os.path.isdir(name.partition("/")[0]):  # so that it may have been meant as a path
            raise ModelError(f"{name}: no such folder, and as a model of the hub {error}") from error
        raise
