"""What a task asks, on a card: in words, by one example with its right answer, and how its chance level was set.

Cards are made of results, so that they exist for tasks whose files are gone. What the files add, the description and
where a chance level is from, is taken from the catalogue where it has the task, and `TaskCard.unknown` says what is
missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.catalog.tasks.config import evaluated_split
from harness.catalog.tasks.data import named_files, read_split
from harness.errors import CatalogError, HarnessError
from harness.plan import Cell
from harness.records import CellResult, Outcome, Sample
from harness.scoring.limited import rendering_for
from harness.scoring.questions import Questions
from harness.specs import Kind, MetricSpec, TaskSpec
from harness.store import Store
from harness.wording import count, number, span

if TYPE_CHECKING:
    from harness.catalog import Catalog

LOOKED_AT = 20
"""Documents that are read to find out how many options there are, and where demonstrations end."""
_NEAR = 0.005
"""Chance levels that differ by less are the same guess."""
FirstSamples = Callable[[Cell], Sequence[Sample]]
"""Gives the first documents of a cell as they were answered; none where no one has them."""


class TaskExample(NamedTuple):
    """One document of a task, as a model read it."""

    prompt: str
    """All that the model read, demonstrations included."""
    question: str
    """The end of `prompt`, from where it differs from the prompts of other documents; all of it without
    demonstrations."""
    shots: int
    """Number of demonstrations in `prompt`."""
    options: tuple[str, ...]
    """Answers to choose from; empty where the model writes its own."""
    answers: tuple[str, ...]
    """Every right answer, at least one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskCard:
    """What a reader of a curve should know of its task."""

    task: str
    """Task name."""
    suite: str
    """Suite that it belongs to."""
    kind: Kind
    """Kind of ability."""
    description: str | None
    """What it asks, as its file says; None when that is not known."""
    data: str | None
    """Where its documents are from: the name of a data set, or `files of the task`; None when that is not known."""
    answers: str
    """How it is answered, such as `one of 4 options`."""
    metric: MetricSpec
    """The headline metric."""
    partner: MetricSpec | None
    """The continuous metric of the same answers; None when there is none."""
    chance: str
    """The chance level of the headline metric and how it was set, in a sentence."""
    shots: tuple[int, ...]
    """Numbers of demonstrations that were asked for, ascending; those of the file where there is no result."""
    prompts: tuple[str, ...]
    """Names of the prompt variants that were asked."""
    documents: int | None
    """Most documents that one cell was asked, or that the file tells; None when not known."""
    example: TaskExample | None
    """The first document; None when no document is kept."""
    unknown: tuple[str, ...]
    """What is not known and why, a sentence each."""


def task_cards(
    outcomes: Iterable[Outcome], *, first: FirstSamples, catalog: Catalog | None = None
) -> dict[str, TaskCard]:
    """A card for each task of these results and failures, by name.

    Of several versions of a task, the one that was evaluated last is shown.

    Args:
        outcomes: in any order; headers are enough.
        first: gives the first documents of a cell, see `first_samples`; called once for each task.
        catalog: tasks that are known by name; None for none.
    """
    by_task: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_task.setdefault(one.cell.task, []).append(one)
    return {
        task: task_card(_newest(of_task), spec=_spec(task, catalog), first=first)
        for task, of_task in sorted(by_task.items())
    }


def task_card(outcomes: Sequence[Outcome], *, spec: TaskSpec | None, first: FirstSamples) -> TaskCard:
    """The card of one task.

    Args:
        outcomes: its results and failures, at least one, all of one version.
        spec: the task in the catalogue, perhaps in another version; None when it has none of that name.
        first: as in `task_cards`.
    """
    cell = outcomes[0].cell
    results = [one for one in outcomes if isinstance(one, CellResult)]
    shown = min((result.cell for result in results), key=_plainness, default=None)
    samples = first(shown) if shown is not None else ()
    same = spec if spec is not None and spec.digest == cell.task_digest else None
    options = sorted({len(sample.options) for sample in samples})
    metrics = (shown or cell).metrics
    return TaskCard(
        task=cell.task,
        suite=cell.suite,
        kind=cell.kind,
        description=_description(spec),
        data=None if spec is None else data_source(spec),
        answers=_answers(options, spec),
        metric=metrics[0],
        partner=next((metric for metric in metrics if metric.continuous), None),
        chance=chance_sentence(metrics[0], spec=same, options=options),
        shots=tuple(sorted({one.cell.shots for one in outcomes})),
        prompts=tuple(sorted({one.cell.prompt for one in outcomes})),
        documents=max((result.n_expected for result in results), default=None if spec is None else spec.expected_docs),
        example=_example(samples, shown.shots) if shown is not None and samples else None,
        unknown=tuple(_unknown(spec, same, samples)),
    )


def first_samples(store: Store) -> FirstSamples:
    """What reads the first documents of a cell of this store; none where its file cannot be read."""

    def read(cell: Cell) -> Sequence[Sample]:
        from harness.store.samples import page

        try:
            return tuple(row.sample for row in page(store, [cell], limit=LOOKED_AT).rows)
        except HarnessError:
            return ()

    return read


def data_source(spec: TaskSpec) -> str | None:
    """Where the documents of a task are from, in a few words; None when its file does not tell."""
    if spec.data_files:
        return f"files of the task ({spec.data_files[0].name}{' …' if len(spec.data_files) > 1 else ''})"
    path, name = spec.config.get("dataset_path"), spec.config.get("dataset_name")
    return None if not isinstance(path, str) else f"{path}, {name}" if isinstance(name, str) else path


def chance_sentence(metric: MetricSpec, *, spec: TaskSpec | None, options: Sequence[int] = ()) -> str:
    """The chance level of a metric and how it was set.

    Args:
        metric: as the results have it.
        spec: the version of the task that the results are of; None when it is not known.
        options: the different numbers of options of the documents looked at, ascending; 0 for a text.
    """
    counted = spec is not None and metric.name in spec.chance_of_documents
    if metric.chance is None and counted:
        return "The share of right options, on average over the documents; known when they have been read."
    if metric.chance is None:
        return f"{metric.name} has no chance level: nobody knows what a guess would score."
    level = number(metric.chance)
    guess = 1 / options[0] if len(options) == 1 and options[0] else None
    if counted:
        return f"{level}: the share of right options, on average over the documents that were asked."
    if guess is not None and abs(guess - metric.chance) < _NEAR:
        return f"{level}: a guess among {options[0]} options."
    if spec is not None and metric.chance == 0 and spec.dialect == "lm-eval":
        return "0: taken for granted, because nothing tells what a guess would score."
    if metric.chance == 0:
        return "0: no guess is expected to be right."
    if spec is not None:
        return f"{level}, as the file of the task says."
    return f"{level}, as stored with the results; who set it is not recorded."


def card_of_file(spec: TaskSpec) -> TaskCard:
    """The card of a task that has no results yet, from its file alone."""
    example = _example_of_files(spec)
    return TaskCard(
        task=spec.name,
        suite=spec.suite,
        kind=spec.kind,
        description=_description(spec),
        data=data_source(spec),
        answers=_answers([len(example.options)] if example else [], spec),
        metric=spec.headline,
        partner=next((metric for metric in spec.metrics if metric.continuous), None),
        chance=chance_sentence(spec.headline, spec=spec, options=[len(example.options)] if example else []),
        shots=spec.shots(()),
        prompts=tuple(spec.prompts),
        documents=spec.expected_docs,
        example=example,
        unknown=(
            *([] if spec.description else ["What it asks in words: its file does not say."]),
            *([] if example else ["An example: the documents are not beside the task's file."]),
        ),
    )


def card_rows(card: TaskCard) -> tuple[tuple[str, str], ...]:
    """The card without its example as headings and texts, those first that a reader asks for first."""
    rows = [
        ("Asks", card.description or ""),
        ("Answered by", card.answers),
        ("Scored by", card.metric.name + (f", and beside it {card.partner.name}" if card.partner else "")),
        ("Chance", card.chance),
        ("Shots", ", ".join(map(str, card.shots))),
        ("Prompts", "" if card.prompts == ("default",) else ", ".join(card.prompts)),
        ("Documents", "" if card.documents is None else count(card.documents)),
        ("Data", card.data or ""),
        ("Not known", " ".join(card.unknown)),
    ]
    return tuple((heading, text) for heading, text in rows if text)


def _newest(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those of the version of the task that was evaluated last."""
    results = [one for one in outcomes if isinstance(one, CellResult)]
    last = max(results, key=lambda r: (r.provenance.started_at, r.cell.task_digest), default=outcomes[-1])
    return [one for one in outcomes if one.cell.task_digest == last.cell.task_digest]


def _plainness(cell: Cell) -> tuple[object, ...]:
    """Ascending from the cell whose prompts show most plainly what is asked: few demonstrations, no trial, no chat."""
    special = (cell.docs, cell.format, cell.chat, cell.system)
    return (
        sum(one is not None for one in special),
        cell.shots,
        cell.prompt != "default",
        cell.limit is not None,
        cell.model.params,
        cell.model.name,
        cell.key,
    )


def _spec(task: str, catalog: Catalog | None) -> TaskSpec | None:
    """The task of that name in the catalogue; None when it has none, or its file cannot be read any more."""
    if catalog is None:
        return None
    if task in catalog.tasks:
        return catalog.tasks[task]
    try:
        return catalog.with_others([task])[0].tasks.get(task)
    except CatalogError:
        return None


def _description(spec: TaskSpec | None) -> str | None:
    return (spec and " ".join(spec.description.split())) or None


def _answers(options: Sequence[int], spec: TaskSpec | None) -> str:
    """How a task is answered; `options` are the different numbers of options of some documents, ascending."""
    if options and options[-1]:
        return f"one of {span(options)} options"
    asked = None if spec is None else spec.config.get("output_type")
    if asked == "multiple_choice":
        return "one of several options"
    if asked == "loglikelihood_rolling":
        return "nothing: whole texts are scored by their likelihood"
    return "a text that the model writes" if options or asked else "not known"


def _example(samples: Sequence[Sample], shots: int) -> TaskExample:
    first = samples[0]
    return TaskExample(
        prompt=first.prompt,
        question=_question([sample.prompt for sample in samples]) if shots else first.prompt,
        shots=shots,
        options=first.options,
        answers=first.targets or (first.target,),
    )


def _question(prompts: Sequence[str]) -> str:
    """The end of the first prompt, from the line on in which the others differ from it: demonstrations are shared."""
    if len(set(prompts)) < 2:
        return prompts[0]
    first, last = min(prompts), max(prompts)  # what these two begin with, all that sort between them begin with
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return prompts[0][first.rfind("\n", 0, same) + 1 :]


def _example_of_files(spec: TaskSpec) -> TaskExample | None:
    """The first document of a task whose data lie beside its file; None for any other."""
    split = evaluated_split(spec.config)
    if not spec.data_files or split is None or spec.dialect != "own":
        return None
    config = {**spec.config, **spec.prompts["default"]}
    try:
        paths = [Path(name) for name in named_files(config)[split]]
        fields = next(read_split(paths, config.get("dataset_path"))).fields
        asked = Questions(
            text=config.get("doc_to_text"),
            target=config.get("doc_to_target"),
            choice=config.get("doc_to_choice"),
            columns=frozenset(fields),
            rendering=rendering_for(trusted=spec.trusted),
        )
        question, options = str(asked.question(fields)), asked.options(fields)
        right = asked.right(fields, options)
    except (HarnessError, KeyError, StopIteration):
        return None
    return TaskExample(prompt=question, question=question, shots=0, options=options, answers=right.texts)


def _unknown(spec: TaskSpec | None, same: TaskSpec | None, samples: Sequence[Sample]) -> Iterator[str]:
    if spec is None:
        yield "What it asks in words, and where its documents are from: its file is not here, and results keep neither."
    elif same is None:
        yield "Whether its file says of these results what it says now: it has changed since they were made."
    if spec is not None and not spec.description:
        yield "What it asks in words: its file does not say."
    if not samples:
        yield "An example: no document is kept."
