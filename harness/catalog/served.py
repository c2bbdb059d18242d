"""Models on a server: named as the server names them, and described by a family file or by their size alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import PlanError
from harness.plausible import MOST_NAME
from harness.specs import ModelSpec
from harness.wording import quoted

if TYPE_CHECKING:
    from harness.catalog.catalogue import Catalog

SERVER = "server"
"""Name of the engine that asks a server."""
_NAME = re.compile(r"\w[\w.:@+-]*(/\w[\w.:@+-]*)*")


def served_models(
    catalog: Catalog, families: Sequence[str], words: Sequence[str], params: int | None
) -> tuple[ModelSpec, ...]:
    """The models that are asked of a server.

    Nothing is looked for on this machine or on the hub: what weights a server has is the server's affair, so results of
    a server have no revision but the one that a family file names.

    Args:
        catalog: the families that can be chosen.
        families: names of families.
        words: names of models of these families, in full or behind the last slash, or of others.
        params: parameters of the models that no family describes; None when it was not said.

    Raises:
        PlanError: a model is not described, or no model is named.
    """
    members = [replace(model, path=None) for name in families for model in catalog.family(name).models]
    if not words and not members:
        raise PlanError("--engine server: which model? Give --model with the server's name of it, or --family")
    chosen = [_named(word, members, params) for word in words] if words else members
    return tuple(dict.fromkeys(chosen))


def _named(word: str, members: Sequence[ModelSpec], params: int | None) -> ModelSpec:
    for model in members:
        if word in (model.name, model.name.rpartition("/")[2]):
            return model
    if not _NAME.fullmatch(word) or len(word) > MOST_NAME:
        raise PlanError(f"--model {quoted(word)}: expected the name of a model on the server, such as org/name")
    if params is None:
        raise PlanError(
            f"--model {quoted(word)}: how large is it? Give --params, such as 7e9, or a family file that names it with "
            "--include-path and --family"
        )
    return ModelSpec(name=word, family=word.rpartition("/")[2], params=params)
