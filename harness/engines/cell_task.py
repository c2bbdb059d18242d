"""lm-eval's task for one cell: builds its prompts and computes its scores.

lm-eval renders the prompts and computes its metrics. `harness.scoring.questions` determines what each document asks and
which answers are right; these are passed to lm-eval one right answer at a time, because lm-eval decides by the first
document alone whether targets are lists, and because most of its metrics accept a single right answer. When a document
has several right answers, the best score counts.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import jinja2
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from harness.bounded.limits import HINT, PROMPTS
from harness.engines.best_answer import best
from harness.engines.limited_scores import apply_limited, limit_metrics
from harness.engines.shots import Demonstration, DocumentFields
from harness.errors import ComputationError, DocumentError, HarnessError, PlanError
from harness.plan.formats import Format
from harness.scoring.copies import Asked, Pool, asked_by
from harness.scoring.limited import rendering_for
from harness.scoring.questions import Questions, Right, settled, told
from harness.scoring.rendering import Rendering
from harness.scoring.twins import Twin
from harness.wording import count

_BATCH = 500


class Turns(Protocol):
    """Writes the turns of a chat as the text that a model reads: `cell_model.CellModel.chat_text`."""

    def __call__(self, turns: Sequence[Mapping[str, str]], *, begins_answer: bool) -> str:
        """The text."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltCell:
    """The requests of a cell, ready to be answered by a model."""

    task: CellTask
    """lm-eval's task, with its filters, metrics and targets."""
    documents: tuple[tuple[Instance, ...], ...]
    """Requests of each document, in the order of their `idx`."""
    questions: tuple[str, ...]
    """The part of each prompt after the examples; empty for tasks whose options are part of the question."""
    shots: int
    """Number of examples in every prompt, as counted while the prompts were rendered."""
    n_copies: int = 0
    """Number of documents for which a copy among the examples was left out; the document itself is not a copy."""
    n_ambiguous: int = 0
    """Number of documents whose label is both the number of one option and the text of another."""
    foreign_code: tuple[str, ...] = ()
    """Python files of the task that were run, each with the hash of its bytes."""
    chance_of_documents: tuple[str, ...] = ()
    """Metrics whose chance level is the share of right options in these documents."""
    may_lack_scores: bool = False
    """True for a task as lm-eval has it, of whose metrics some may have no value: all but the headline."""


class CellTask(ConfigurableTask):  # type: ignore[misc]  # lm-eval is untyped
    """lm-eval's task, which also tells the sampler which document it draws for and counts the rendered examples.

    The question, the options and the right answers of a document are worked out once and kept, because lm-eval asks
    for them up to five times.
    """

    def __init__(
        self,
        *,
        trusted: bool = False,
        file: str | None = None,
        shares_split: bool = False,
        shows_examples: bool = True,
        turns: Turns | None = None,
        system: str | None = None,
        twin: Format | None = None,
        **kwargs: Any,
    ) -> None:
        """Create lm-eval's task from a config.

        Args:
            trusted: True when templates and regular expressions need no limits on time and memory.
            file: file that defines the task, for messages about them; None when there is none.
            shares_split: True when examples come from the split that is evaluated.
            shows_examples: False when no example is shown, so that their split need not be read.
            turns: function that writes the turns of a chat as a text; None for prompts in plain text.
            system: system instruction; None for none.
            twin: the other format that the options are asked in; None for that of the task.
            kwargs: as for `ConfigurableTask`.
        """
        self._turns = turns
        self._system = system
        self._shares_split = shares_split
        self._shows_examples = shows_examples
        self._said: dict[tuple[str, int], tuple[DocumentFields, Any]] = {}
        self._rendering: Rendering = rendering_for(trusted=trusted)
        self._trusted = trusted
        self._of_file = f" of {file}" if file else ""
        self._rendered = 0
        self._one: Any = None
        self._numbers: Mapping[int, int] = {}
        self._pool: Pool | None = None
        self._of_documents: Questions | Twin | None = None
        with self._named(0):
            super().__init__(**kwargs)
            own = settled(self._questions(), self.eval_docs)
            delimiter = self.config.target_delimiter
            self._of_documents = Twin(own=own, format=twin, delimiter=delimiter) if twin else own
            if twin and not delimiter[:1].isspace():
                self.set_config("target_delimiter", " ")
        self._said.clear()
        # lm-eval sets both from the first document alone, so they are set here for all documents
        self.multiple_target = 0
        self.multiple_input = len(self.options(self.eval_docs[0])) if self._of_documents.asks_options else 0
        if not trusted:
            limit_metrics(self._metric_fn_list, self._metric_fn_kwargs)

    @property
    def in_turns(self) -> bool:
        """True when prompts are turns of a chat, so that no delimiter separates a question from its answer."""
        return self._turns is not None

    def build(self, shots: int, limit: int | None, only: Container[int] | None = None) -> BuiltCell:
        """Requests of the first `limit` documents: lm-eval's `build_all_requests` without its progress bar.

        Args:
            shots: examples in each prompt.
            limit: number of documents from the first on; None for all.
            only: positions of the documents among them that are built; None for all.
        """
        documents: list[tuple[Instance, ...]] = []
        questions: list[str] = []
        copies = ambiguous = characters = 0
        head: str | None = None
        asked = ((i, doc) for i, doc in self.doc_iterator(limit=limit) if only is None or i in only)
        for doc_id, doc in self._rendered_ahead(asked):
            with self._named(doc_id):
                question = self.question(doc)
                ambiguous += self.right(doc).doubt is not None
                left_out = self.left_out(doc) if shots else frozenset()
                copies += any(not self._is_itself(doc, doc_id, place) for place in left_out)
                usual = self._shows_the_usual(doc, left_out, shots)
                if head is not None and usual:
                    context: str | list[str] = head + question
                else:
                    context = self._context(doc, doc_id, shots)
                    if isinstance(context, str) and usual and self._one_head():
                        assert context.endswith(question)
                        head = context[: len(context) - len(question)]
                characters += len(context) if isinstance(context, str) else sum(map(len, context))
                _check_length(characters)
                metadata = (self.config.task, doc_id, self.config.repeats)
                made = self.construct_requests(
                    doc=doc, ctx=context, metadata=metadata, apply_chat_template=self.in_turns
                )
            documents.append(tuple(made) if isinstance(made, list) else (made,))
            questions.append(question)
        self._instances = [request for requests in documents for request in requests]
        self._numbers = {id(request.doc): request.doc_id for request in self._instances}
        # examples are not asked for again
        self._said = {key: said for key, said in self._said.items() if not isinstance(said[0], Demonstration)}
        return BuiltCell(
            task=self,
            documents=tuple(documents),
            questions=tuple(questions),
            shots=shots,
            n_copies=copies,
            n_ambiguous=ambiguous,
        )

    def _rendered_ahead(self, numbered: Iterator[tuple[int, DocumentFields]]) -> Iterator[tuple[int, DocumentFields]]:
        """The same documents with their numbers; the templates are rendered for many of them at a time."""
        assert self._of_documents is not None
        others = [text for text in (self.config.description, self.config.gen_prefix) if isinstance(text, str)]
        while batch := list(islice(numbered, _BATCH)):
            documents = [doc for _, doc in batch]
            self._of_documents.learn(documents)
            self._rendering.learn([text for text in others if text not in self.features], documents)
            yield from batch

    def asked(self) -> list[Asked]:
        """The question and the right answers of every document, by which copies of them are found."""
        found = []
        for doc_id, doc in self._rendered_ahead(enumerate(self.eval_docs)):
            with self._named(doc_id):
                found.append(asked_by(self.doc_to_text(doc), self.options(doc), self.right(doc)))
        return found

    def release_data(self) -> int:
        """Let go of what only building needs, data set and examples; returns how many examples there were to take."""
        n_examples = len(self.sampler.pool({})) if not self.sampler.per_document else 0
        del self.dataset, self.task_docs, self.sampler
        self._pool = None
        self.config.custom_dataset = None  # a function that holds the data set
        return n_examples

    def fewshot_docs(self) -> Any:
        """The examples; none where none is shown, since some training splits have half a million documents."""
        return super().fewshot_docs() if self._shows_examples else []

    # --- what a document asks ---------------------------------------------------------------------------------------

    def question(self, doc: DocumentFields) -> str:
        """The document's part of the prompt, as lm-eval renders it; empty when the options are whole questions."""
        text = self.doc_to_text(doc)
        if not isinstance(text, str):
            return ""
        turn = self.build_qa_turn(
            q=text, gen_prefix=self.doc_to_prefix(doc), tgt_delim=self.config.target_delimiter, few_delim=""
        )
        return "".join(message.to_text() for message in turn)

    def right(self, doc: DocumentFields) -> Right:
        """Every right answer to the document."""
        right: Right = self._once("right", doc, self._ways(doc).right)
        return right

    def options(self, doc: DocumentFields) -> tuple[str, ...]:
        """The document's options; empty when the task has no options."""
        options: tuple[str, ...] = self._once("options", doc, self._ways(doc).options)
        return options

    def doc_to_text(self, doc: DocumentFields, doc_to_text: Any = None) -> Any:
        """The question as a text, or the number of the right question when the options are whole questions."""
        return self._once("text", doc, self._ways(doc).question)

    def doc_to_prefix(self, doc: DocumentFields) -> str | None:
        """The beginning of the answer, which the prompt ends with; None when the task has none."""
        prefix: Any = self.config.gen_prefix
        if prefix is None or callable(prefix):
            return super().doc_to_prefix(doc)  # type: ignore[no-any-return]
        if prefix in self.features:
            return doc[prefix]  # type: ignore[no-any-return]
        return str(told("gen_prefix", self._rendering.text, prefix, doc))

    def resolve_field(self, doc: DocumentFields, field: str | None = None) -> Any:
        """A field of the document, or the text of a template: the description, or the prefix of an example."""
        if not field:
            return None
        key = "description" if field == self.config.description else "fewshot_config.gen_prefix"
        return doc[field] if field in doc else told(key, self._rendering.text, field, doc)

    def doc_to_choice(self, doc: DocumentFields, doc_to_choice: Any = None) -> list[str]:
        """The options."""
        options = list(self.options(doc))
        # while it is created, lm-eval reads the first letter of each option, which fails for an empty option
        return options if self._of_documents is not None else [option or " " for option in options]

    def doc_to_target(self, doc: DocumentFields, doc_to_target: Any = None) -> Any:
        """The reference answer that lm-eval works with, or its number among the options; of an example, its text."""
        if self._one is not None:
            return self._one
        if isinstance(self.doc_to_text(doc), int):
            return self._once("continuation", doc, self._ways(doc).continuation)
        if isinstance(doc, Demonstration):
            return self.right(doc).texts[0]
        return self._targets(doc)[0]

    def _targets(self, doc: DocumentFields) -> Sequence[Any]:
        """Every right answer in the form lm-eval gets: its number among the options, or else its text."""
        right = self.right(doc)
        return right.positions or right.texts

    def _ways(self, doc: DocumentFields) -> Questions | Twin:
        asked = self._of_documents or self._questions()
        if not isinstance(doc, Demonstration):
            return asked
        shown = self.fewshot_cfg
        return asked.by(text=shown.doc_to_text, target=shown.doc_to_target, choice=shown.doc_to_choice)

    def _questions(self) -> Questions:
        config = self.config
        return Questions(
            text=config.doc_to_text,
            target=config.doc_to_target,
            choice=config.doc_to_choice,
            columns=frozenset(self.features),
            takes_anything=callable(config.process_results),
            rendering=self._rendering,
        )

    def _once(self, what: str, doc: DocumentFields, work_out: Callable[[DocumentFields], Any]) -> Any:
        key = (what, id(doc))
        known = self._said.get(key)
        if known is None:
            try:
                # keep a reference to the document, so that no other object can get the same id
                known = self._said[key] = (doc, work_out(doc))
            except HarnessError as error:
                if isinstance(doc, Demonstration) and not isinstance(error, _ExampleError):
                    raise _ExampleError(doc.place, error) from error
                raise
        return known[1]

    @contextmanager
    def _named(self, doc_id: int) -> Iterator[None]:
        """Add the task and the number of the document to the message of any error raised inside."""
        try:
            yield
        except (DocumentError, PlanError):
            raise
        except HarnessError as error:
            place = doc_id if error.item is None else error.item
            key = f" ({error.key}{self._of_file})" if error.key else ""
            raise DocumentError(f"task {self.config.task}: document {place}: {error}{key}", doc_id=place) from error
        except jinja2.TemplateError as error:
            said = f"task {self.config.task}: document {doc_id}: template fails: {error}"
            raise DocumentError(said, doc_id=doc_id) from error

    # --- prompts ----------------------------------------------------------------------------------------------------

    def left_out(self, doc: DocumentFields) -> frozenset[int]:
        """Positions of the examples that ask the same question as the document and thus show its answer."""
        examples = self.sampler.pool(doc)
        if self._pool is None or self.sampler.per_document:
            self._learn_examples(examples)
            self._pool = Pool(self._shown(example) for example in examples)
        return self._pool.copies(asked_by(self.doc_to_text(doc), self.options(doc), self.right(doc)))

    def _learn_examples(self, examples: Sequence[Demonstration]) -> None:
        if examples:
            for ways in (self._of_documents, self._ways(examples[0])):
                assert ways is not None
                ways.learn(examples)

    def _shown(self, example: Demonstration) -> Asked | None:
        """The question of an example, by the documents' templates if it has their fields, else by its own templates."""
        for ways in (self._of_documents, self._ways(example)):
            assert ways is not None
            try:
                return asked_by(ways.question(example), ways.options(example), ways.right(example))
            except ComputationError as error:
                raise _ExampleError(example.place, error) from error
            except HarnessError:
                continue
        return None

    def _is_itself(self, doc: DocumentFields, doc_id: int, place: int) -> bool:
        return self._shares_split and bool(self.sampler.pool(doc)[place].place == doc_id)

    def _shows_the_usual(self, doc: DocumentFields, left_out: frozenset[int], shots: int) -> bool:
        """True when the document is shown the same examples as nearly all other documents."""
        if not shots:
            return True
        usual = self.sampler.order(len(self.sampler.pool(doc)))[:shots]
        return not (self.sampler.per_document or left_out.intersection(usual))

    def _one_head(self) -> bool:
        """True when every prompt with the usual examples begins with the same text."""
        if self.in_turns:
            return False
        description = self.config.description or ""
        return "{" not in description and description not in self.features

    def _context(self, doc: DocumentFields, doc_id: int, shots: int) -> str | list[str]:
        context: str | list[str] = self.fewshot_context(
            doc, self.config.num_fewshot, gen_prefix=self.doc_to_prefix(doc)
        )
        # the examples are counted because lm-eval silently prefers `num_fewshot: 0` in a config to the number requested
        if self._rendered != shots:
            raise DocumentError(
                f"task {self.config.task}: document {doc_id} has {self._rendered} shots, asked were {shots}; "
                "`num_fewshot: 0` in a task config forbids any other number",
                doc_id=doc_id,
            )
        return context

    def fewshot_context(self, doc: DocumentFields, num_fewshot: int, **kwargs: Any) -> str | list[str]:
        """The prompt of `doc`."""
        if num_fewshot:
            self.sampler.turn_to(doc, self.left_out(doc))
        self._rendered = 0
        context: str | list[str] = super().fewshot_context(
            doc=doc,
            num_fewshot=num_fewshot,
            system_instruction=self._system,
            apply_chat_template=self.in_turns,
            fewshot_as_multiturn=True,
            chat_template=None if self._turns is None else self._written,
            **kwargs,
        )
        return context

    def _written(self, turns: Sequence[Mapping[str, str]], add_generation_prompt: bool) -> str:
        assert self._turns is not None
        return self._turns(turns, begins_answer=not add_generation_prompt)

    def build_qa_turn(self, *, a: Any = None, **kwargs: Any) -> list[Any]:
        """One question of the prompt; it is counted as an example when it comes with its answer."""
        self._rendered += a is not None
        turn: list[Any] = super().build_qa_turn(a=a, **kwargs)
        return turn

    def construct_requests(self, doc: DocumentFields, ctx: Any, **kwargs: Any) -> Any:
        """The document's requests; for a task that scores the answer's likelihood, one for each right answer."""
        targets = self._targets(doc) if self.OUTPUT_TYPE == "loglikelihood" else ()
        if len(targets) < 2:
            return super().construct_requests(doc, ctx, **kwargs)
        requests = []
        for idx, target in enumerate(targets):
            with self._told(target):
                request = super().construct_requests(doc, ctx, **kwargs)
            request.idx = idx
            requests.append(request)
        return requests

    # --- scores -----------------------------------------------------------------------------------------------------

    def apply_filters(self) -> None:
        """Apply the task's filters to the answers; regular expressions of others under limits."""
        for entry, usual in zip(self.config.filter_list or [None], self._filters, strict=True):
            try:
                is_done = entry is not None and not self._trusted and apply_limited(entry, self._instances)
            except HarnessError as error:
                with self._named(0 if error.item is None else self._instances[error.item].doc_id):
                    error.item = None
                    error.key = f"filter_list: {entry['name']}"
                    raise
            if not is_done:
                usual.apply(self._instances)

    def process_results(self, doc: DocumentFields, results: Sequence[Any]) -> Mapping[str, Any]:
        """The values of lm-eval's metrics for a document; with several right answers, the best value of each metric."""
        with self._named(self._numbers.get(id(doc), 0)):
            return self._values(doc, results)

    def _values(self, doc: DocumentFields, results: Sequence[Any]) -> Mapping[str, Any]:
        targets = self._targets(doc)
        if len(targets) == 1 or callable(self.config.process_results) or self.multiple_input:
            row: Mapping[str, Any] = super().process_results(doc, results)
            return row
        rows = []
        for i, target in enumerate(targets):
            with self._told(target):
                of_one = results[i : i + 1] if self.OUTPUT_TYPE == "loglikelihood" else results
                rows.append(super().process_results(doc, of_one))
        # a larger likelihood is better, even for `perplexity`, which is computed from it afterwards
        larger = {} if self.OUTPUT_TYPE == "loglikelihood" else self.higher_is_better()
        return {name: best([row[name] for row in rows], larger=larger.get(name, True)) for name in rows[0]}

    @contextmanager
    def _told(self, target: Any) -> Iterator[None]:
        """While inside, lm-eval takes `target` for the only right answer."""
        self._one = target
        try:
            yield
        finally:
            self._one = None


class _ExampleError(HarnessError):
    """An example cannot be shown."""

    def __init__(self, place: int, error: HarnessError) -> None:
        super().__init__(f"example {place}: {error}")
        self.key = error.key


def _check_length(characters: int) -> None:
    if characters > PROMPTS.allowed:
        raise HarnessError(
            f"the prompts up to this one have {count(characters)} characters; "
            f"expected at most {count(PROMPTS.allowed)} in a cell{HINT}"
        )
