"""What a model learns from: training documents of a task in the form in which the cell asks the task's own.

A lesson is a prompt without examples, and the answer that follows it, in the very tokens that the engine scores. Loss
is on the answer alone. After an answer that is to be written stands the token that ends a text, so that the model
learns to stop.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from lm_eval.api.instance import Instance

from harness.catalog.functions import functions_in
from harness.engines.cell_model import CellModel
from harness.engines.cell_task import BuiltCell
from harness.engines.documents import DocumentCache, Splits, picked, seeds_of_lm_eval
from harness.engines.encoder.lm import EncoderLM
from harness.engines.lm_tasks import build_cell, task_config
from harness.engines.references import references_of
from harness.engines.tuning.labelling import LabelledTokens, with_class, with_labels
from harness.errors import CatalogError, HarnessError, unknown
from harness.ladder.tuning_rows import N_TRAINING, training_rows
from harness.plan import Cell
from harness.scoring.copies import Pool
from harness.specs import TaskSpec
from harness.wording import count, counted

log = logging.getLogger(__name__)

_SPLIT = "training"
_SPLITS = ("training_split", "validation_split", "fewshot_split", "process_docs")


class LessonReader(CellModel, Protocol):
    """A model as far as lessons need it."""

    backend: str

    @property
    def eot_token_id(self) -> int | None:
        """The token that ends a text; None for a tokenizer without."""
        ...


class Lesson(NamedTuple):
    """A text that is learnt from."""

    tokens: tuple[int, ...]
    """Token ids of the prompt and of the answer; behind what an encoder reads the numbers of what is right there."""
    prompt: int
    """Number of the first tokens that are read and not learnt."""


class OptionLesson(NamedTuple):
    """A question with its options, of which one is right."""

    question: str
    """The prompt."""
    options: tuple[str, ...]
    """What can follow it, without the space before."""
    right: int
    """Number of the right option; the first where several are right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lessons:
    """All that a model learns from."""

    lessons: tuple[Lesson, ...]
    """One for each training document."""
    left_out: int
    """Number of training documents that ask what a test document asks, with the same answer: they are not learnt."""
    shortened: int
    """Number of lessons whose prompt was cut at its beginning to fit the context."""
    choices: tuple[OptionLesson, ...] = ()
    """The same as questions with options; empty for a task that has none, or whose options are whole questions."""

    labels: tuple[str, ...] = ()
    """Names of the labels of words; empty for a task that names no entities, and for models that write."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The options, if they are the same and in the same order in all documents; empty otherwise."""
        lists = {choice.options for choice in self.choices}
        found = next(iter(lists)) if len(lists) == 1 else ()
        return found if len(set(found)) == len(found) > 1 else ()

    @property
    def why_no_classes(self) -> str:
        """Why the options are no classes, where they are not."""
        found = "differ from document to document" if self.choices else "are no classes, or there are none"
        return (
            f"the options of the task {found}; expected the same ones in each document, as in doc_to_choice: [yes, no]"
        )

    @property
    def digest(self) -> str:
        """16 hex digits of what is learnt from."""
        text = json.dumps([[lesson.prompt, *lesson.tokens] for lesson in self.lessons], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def lessons_of(
    lm: LessonReader,
    cell: Cell,
    task: TaskSpec,
    data: DocumentCache,
    *,
    documents: int | None,
    seed: int,
    allow_code: bool = False,
) -> Lessons:
    """Lessons from the training documents of a task, asked with the prompt of the cell and without examples.

    Args:
        lm: reads the texts as it will when it answers.
        cell: says how the task is asked.
        task: its task.
        data: cache of the documents read so far.
        documents: number of documents, the first of one permutation; None for all.
        seed: fixes the permutation, so that fewer documents are part of more.
        allow_code: True when the user agreed that Python files of the task run.

    Raises:
        HarnessError: the task has too few documents, or one cannot be asked.
    """
    asked = replace(cell, shots=0, limit=None, docs=None)
    pool = _training_documents(asked, task, data, documents, allow_code=allow_code)
    write_turns = lm.chat_text if cell.chat else None
    tests = build_cell(asked, task, data, allow_code=allow_code, write_turns=write_turns, only=range(0)).task.asked()
    order = list(range(len(pool)))
    random.Random(f"training documents {seed}").shuffle(order)
    wanted = len(order) if documents is None else documents
    requests: list[tuple[BuiltCell, Sequence[Instance]]] = []
    left_out, first = 0, 0
    while len(requests) < wanted and first < len(order):
        places = order[first : first + wanted - len(requests)]
        first += len(places)
        built = build_cell(
            asked,
            _on(task, cell.prompt),
            _Given({_SPLIT: picked(pool, places)}),
            allow_code=allow_code,
            write_turns=write_turns,
        )
        learnable = Pool(built.task.asked())
        copies = frozenset(place for test in tests for place in learnable.copies(test))
        left_out += len(copies)
        requests += [(built, of) for place, of in enumerate(built.documents) if place not in copies]
    if len(requests) < (documents or 1):
        raise HarnessError(
            f"task {task.name}: has {counted(len(requests), 'training document')} that "
            f"{'is' if len(requests) == 1 else 'are'} no test document; expected {count(documents or 1)}"
        )
    if left_out:
        log.warning(
            "task %s: %s left out, which test documents ask too", task.name, counted(left_out, "training document")
        )
    return _encoded(lm, requests, left_out)


def _training_documents(
    cell: Cell, task: TaskSpec, data: DocumentCache, documents: int | None, *, allow_code: bool
) -> Any:
    """All documents that can be learnt from, as the task's own function changes them."""
    if task.training == "generated":
        return training_rows(task.name, max(N_TRAINING, documents or 0))
    config = task_config(cell, task, allow_code=allow_code)
    with seeds_of_lm_eval():
        for function in functions_in(config):
            function.loaded()
        splits = data.splits(task, config)
    split = str(config.get("training_split"))
    if split not in splits:
        raise CatalogError(f"task {task.name}: training_split: " + unknown("split", split, splits))
    if callable(config.get("process_docs")):
        return data.changing(config["process_docs"])(splits[split])
    return splits[split]


def _on(task: TaskSpec, prompt: str) -> TaskSpec:
    """The task as one that evaluates training documents, asked with one of its prompts."""
    config = {**task.config, **task.prompts[prompt], "fewshot_config": None, "test_split": _SPLIT}
    return replace(
        task,
        config={key: value for key, value in config.items() if key not in _SPLITS and value is not None},
        prompts={prompt: {}},
    )


class _Given(DocumentCache):
    """Documents that are at hand."""

    def __init__(self, splits: Splits) -> None:
        super().__init__()
        self._given = splits

    def splits(self, task: TaskSpec, config: Any) -> Splits:
        """The documents, whatever the config says."""
        return self._given


def _encoded(lm: LessonReader, asked: Sequence[tuple[BuiltCell, Sequence[Instance]]], left_out: int) -> Lessons:
    choices = [_choice(built, requests) for built, requests in asked]
    known = tuple(choice for choice in choices if choice is not None)
    if isinstance(lm, EncoderLM):
        labels, read = _labelled(lm, asked, choices)
        lessons = [Lesson((*one.tokens, *one.labels), len(one.tokens)) for one in read]
        shortened = sum(one.is_cut for one in read)
    else:
        labels = ()
        lessons, shortened = _continued(lm, asked)
    return Lessons(
        lessons=tuple(lessons),
        left_out=left_out,
        shortened=shortened,
        choices=known if len(known) == len(choices) else (),
        labels=labels,
    )


def _labelled(
    lm: EncoderLM, asked: Sequence[tuple[BuiltCell, Sequence[Instance]]], choices: Sequence[OptionLesson | None]
) -> tuple[tuple[str, ...], list[LabelledTokens]]:
    """The names of labels, and what an encoder reads, with what is right there."""
    if asked[0][0].task.OUTPUT_TYPE == "generate_until":
        return with_labels(lm, asked)
    questions = [str(requests[0].args[0]) for _, requests in asked]
    numbers = [None if choice is None else choice.right for choice in choices]
    return (), [with_class(lm, question, number) for question, number in zip(questions, numbers, strict=True)]


def _continued(lm: LessonReader, asked: Sequence[tuple[BuiltCell, Sequence[Instance]]]) -> tuple[list[Lesson], int]:
    """Prompts with the answers that go on with them, and the number of those that were cut."""
    answers = [_answer(built, requests) for built, requests in asked]
    pairs = iter(lm.pair_tokens([one for one in answers if one.request_type == "loglikelihood"]))
    lessons: list[Lesson] = []
    shortened = 0
    for (built, _), request in zip(asked, answers, strict=True):
        if request.request_type == "loglikelihood":
            context, answer = next(pairs)
        else:  # a whole text: its first token has nothing before it
            context, answer = (ids := lm.tok_encode(request.args[0]))[:1], ids[1:]
        if built.task.OUTPUT_TYPE == "generate_until" and lm.eot_token_id is not None:
            answer = [*answer, lm.eot_token_id]
        # an encoder reads the prompt by itself, and leaves the answer all of the decoder's context
        room = lm.max_length - (0 if lm.backend == "seq2seq" else len(answer))
        prompt = context[-room:] if room > 0 else context[-1:]
        shortened += len(prompt) < len(context)
        lessons.append(Lesson((*prompt, *answer), len(prompt)))
    return lessons, shortened


def _choice(built: BuiltCell, requests: Sequence[Instance]) -> OptionLesson | None:
    """A document as a question with options; None where there are none, or each has a question of its own."""
    if built.task.OUTPUT_TYPE != "multiple_choice":
        return None
    doc = requests[0].doc
    own = requests[: len(built.task.options(doc))]  # behind them may come the options without the question
    if len({request.args[0] for request in own}) > 1:
        return None
    options = tuple(str(request.args[1]).strip() for request in own)
    return OptionLesson(str(own[0].args[0]), options, built.task.right(doc).positions[0])


def _answer(built: BuiltCell, requests: Sequence[Instance]) -> Instance:
    """The request for the likelihood of a document's first right answer."""
    if requests[0].request_type == "loglikelihood_rolling":
        return requests[0]
    found = next((one for one in references_of(built.task, requests) if one is not None), None)
    if found is None:
        raise HarnessError(f"task {built.task.config.task}: the answer to a training document is empty")
    return found.request
