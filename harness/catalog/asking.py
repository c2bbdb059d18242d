"""Which engine asks which model, and which tasks it can ask it: told by the model's config, before anything is loaded.

A model that continues a text, or rewrites it, can be asked everything. One that fills gaps gives the likelihood of
words, so it can be asked for a choice; a classifier chooses among the classes it was trained on, and a tagger names the
entities of a text. Neither of the last two reads examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.catalog.models.architectures import Head, head_of, labels_of
from harness.catalog.models.folders import read_config
from harness.catalog.models.revisions import cached_commit, snapshot_folder
from harness.errors import PlanError
from harness.plan import AUTO_ENGINE, DEFAULT_ENGINE, Cell, RunPlan
from harness.specs import FamilyKind, ModelSpec, TaskSpec
from harness.treatments import Finetune, Lora, method_from
from harness.wording import cut, quoted

SEQ2SEQ, ENCODER = "seq2seq", "encoder"
"""Engines for encoders with a decoder, and for encoders alone."""
_ENGINE_OF: Mapping[Head, str] = {
    "causal": DEFAULT_ENGINE,
    "seq2seq": SEQ2SEQ,
    "masked": ENCODER,
    "classifier": ENCODER,
    "tagger": ENCODER,
}
_HEADS_OF_KIND: Mapping[FamilyKind, tuple[Head, ...]] = {
    "decoder": ("causal",),
    "seq2seq": ("seq2seq",),
    "encoder": ("masked", "classifier", "tagger"),
}
"""What models of a family may give, as long as their configs are not on this machine."""
_WRITERS: frozenset[Head] = frozenset({"causal", "seq2seq"})
_TAKES: Mapping[str, frozenset[Head]] = {
    "tree": _WRITERS,
    "lm-eval": _WRITERS,
    "vllm": _WRITERS,
    SEQ2SEQ: frozenset({"seq2seq"}),
    ENCODER: frozenset({"masked", "classifier", "tagger"}),
}
"""Engine -> what the models give that it can ask. Engines that load no model ask anything."""
_DOES: Mapping[Head, str] = {
    "causal": "continues a text",
    "seq2seq": "turns a text into another one",
    "masked": "fills gaps in a text and writes none",
    "classifier": "sorts texts into classes and writes none",
    "tagger": "labels the words of a text and writes none",
}
_ASKED: Mapping[Head, str] = {
    "masked": "tasks with options",
    "classifier": "tasks whose options are its classes",
    "tagger": "tasks of the kind ner that name entities",
}
"""Head -> the tasks that it answers."""
_ELSEWHERE = f"--engine {DEFAULT_ENGINE} asks models that continue texts for this, --engine {SEQ2SEQ} encoder-decoders"
_UNSHOWN = "learns nothing from examples before a question; expected --shots 0"


class Known(NamedTuple):
    """What is known of models before one is loaded."""

    kinds: Mapping[str, FamilyKind]
    """Family -> what its models do, for those whose config is not on this machine."""
    configs: Mapping[str | None, Mapping[str, Any]]
    """Folder -> its config.json, of folders that were looked at already."""


def engines_of(models: Iterable[ModelSpec], asked: str, known: Known) -> Mapping[ModelSpec, str]:
    """The engine that asks each model: the one that was asked for, or else the one for what its config says it does.

    Args:
        models: the models.
        asked: name of an engine, or `auto`.
        known: what is known of them.

    Raises:
        PlanError: a model does something else than the engine asks for.
    """
    if asked != AUTO_ENGINE and asked not in _TAKES:
        return dict.fromkeys(models, asked)
    found: dict[ModelSpec, str] = {}
    for model in models:
        heads = heads_of(model, known)
        engine = found[model] = _ENGINE_OF[heads[0]] if asked == AUTO_ENGINE else asked
        if not _TAKES[engine].intersection(heads):
            raise PlanError(
                f"--engine {engine}: {model.source} {_DOES[heads[0]]}; expected --engine {_ENGINE_OF[heads[0]]}, which "
                "is taken where --engine is left out"
            )
    return found


def heads_of(model: ModelSpec, known: Known) -> tuple[Head, ...]:
    """What a model gives; several where that cannot be told yet."""
    config = config_here(model, known)
    return _HEADS_OF_KIND[known.kinds.get(model.family, "decoder")] if config is None else (head_of(config),)


def config_here(model: ModelSpec, known: Known) -> Mapping[str, Any] | None:
    """The config.json of a model's folder, or of its commit in the hub's cache; None when it is not there.

    Raises:
        ModelError: it is there and damaged.
    """
    if model.path in known.configs:
        return known.configs[model.path]
    folder = None if model.path is None else Path(model.path)
    if folder is None and (commit := cached_commit(model.name, model.revision)) is not None:
        folder = snapshot_folder(model.name, commit)
    return read_config(folder) if folder is not None and (folder / "config.json").is_file() else None


def check_answerable(plan: RunPlan, known: Known) -> None:
    """Check that models which do not write are asked only what they can answer.

    Raises:
        PlanError: one is asked something else; the message names the engine that can, and what else can be asked.
    """
    reasons: dict[ModelSpec, dict[str, str | None]] = {}
    found: dict[ModelSpec, tuple[tuple[Head, ...], tuple[str, ...]]] = {}
    for cell in plan.cells:
        if cell.engine != ENCODER or gets_new_head(cell.model):
            continue
        if cell.model not in found:
            found[cell.model] = heads_of(cell.model, known), labels_of(config_here(cell.model, known) or {})
        heads, labels = found[cell.model]
        why_not = [why_not_answered(head, labels, cell, plan.tasks[cell.task]) for head in heads]
        of_model = reasons.setdefault(cell.model, {})
        of_model[cell.task] = of_model.get(cell.task) or (why_not[0] if all(why_not) else None)
    for of_model in reasons.values():
        if (reason := next(filter(None, of_model.values()), None)) is not None:
            able = ", ".join(task for task, of_task in of_model.items() if of_task is None)
            raise PlanError(f"{reason}{f'; of these tasks it answers {cut(able)}' if able else ''}")


def why_not_answered(head: Head, labels: Sequence[str], cell: Cell, task: TaskSpec) -> str | None:
    """Why a model with this head cannot answer a cell; None when it can, as far as the task's file tells.

    Args:
        head: what the model gives.
        labels: names of its classes or labels; empty where it has none or nobody knows.
        cell: what is asked.
        task: the cell's task.
    """
    if head in _WRITERS:
        return None
    config = {**task.config, **task.prompts[cell.prompt]}
    form = config.get("output_type", "generate_until")
    name = f"task {task.name}: {cell.model.name} {_DOES[head]}"
    if head == "tagger":
        fits = form == "generate_until" and task.kind == "ner"
    else:
        fits = form == "multiple_choice" or (head == "masked" and form == "loglikelihood")
    if not fits:
        trained = ", or --treatment finetune, which trains it for this" if head_to_train(cell, task) == "tagger" else ""
        return f"{name}; expected {_ASKED[head]}{trained}; {_ELSEWHERE}"
    if head == "masked":
        return None
    if cell.shots:
        return f"{name}, and {_UNSHOWN}"
    return _not_its_classes(labels, config, cell, name) if head == "classifier" else None


def gets_new_head(model: ModelSpec) -> bool:
    """True for an encoder whose training gives it a head for each task, whatever the head that it has."""
    return model.tuned and model.treatment is not None and isinstance(method_from(model.treatment), Finetune | Lora)


def head_to_train(cell: Cell, task: TaskSpec) -> Head | None:
    """What an encoder is given to be trained on a task: a head for its classes or for its words; None for neither."""
    form = {**task.config, **task.prompts[cell.prompt]}.get("output_type", "generate_until")
    if form == "multiple_choice":
        return "classifier"
    return "tagger" if form == "generate_until" and task.kind == "ner" else None


def why_not_trained(cell: Cell, task: TaskSpec) -> str | None:
    """Why an encoder cannot be trained to answer a cell; None when it can, as far as the task's file tells."""
    if head_to_train(cell, task) is None:
        return (
            f"task {task.name}: {cell.model.name} is an encoder and cannot be trained to write; expected tasks whose "
            f"options are the same in each document, or of the kind ner that name entities; {_ELSEWHERE}"
        )
    return f"task {task.name}: {cell.model.name} is trained without examples, and {_UNSHOWN}" if cell.shots else None


def _not_its_classes(labels: Sequence[str], config: Mapping[str, Any], cell: Cell, name: str) -> str | None:
    """Why the options of a task are not the classes of a model; None when they are, or each document has its own."""
    options = config.get("doc_to_choice")
    if not labels or not isinstance(options, list):
        return None
    if cell.format == "mc":
        return f"{name}, of which none is a letter; expected the format that the task is written in, --formats cloze"
    if len(labels) == len(options) and are_numbered(labels):
        return None
    classes = {plain(label) for label in labels}
    missing = [str(option) for option in options if plain(str(option)) not in classes]
    if not missing:
        return None
    classes_named = cut(", ".join(labels))
    return f"{name}: {quoted(missing[0])} is none of its classes, {classes_named}; expected {_ASKED['classifier']}"


def are_numbered(labels: Sequence[str]) -> bool:
    """True for the names that transformers gives to classes which nobody named: `LABEL_0`, `LABEL_1`, ..."""
    return all(label == f"LABEL_{i}" for i, label in enumerate(labels))


def plain(label: str) -> str:
    """An option or the name of a class, in the form in which they are compared.

    >>> plain(" Not_Positive")
    'not positive'
    """
    return " ".join(label.casefold().replace("_", " ").split())
