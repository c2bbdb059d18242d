"""lm-eval's task for one cell: builds its prompts.

lm-eval renders the prompts; the examples are drawn for each document, and counted.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lm_eval.api.instance import Instance

from harness.bounded.limits import HINT, PROMPTS
from harness.engines.document_task import ExampleError
from harness.engines.scored_task import ScoredTask
from harness.engines.shots import Demonstration, DocumentFields
from harness.errors import ComputationError, DocumentError, HarnessError
from harness.scoring.copies import Asked, Pool, asked_by
from harness.wording import count


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


class CellTask(ScoredTask):
    """lm-eval's task, which also tells the sampler which document it draws for and counts the rendered examples."""

    def __init__(
        self,
        *,
        shares_split: bool = False,
        shows_examples: bool = True,
        turns: Turns | None = None,
        system: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Create lm-eval's task from a config.

        Args:
            shares_split: True when examples come from the split that is evaluated.
            shows_examples: False when no example is shown, so that their split need not be read.
            turns: function that writes the turns of a chat as a text; None for prompts in plain text.
            system: system instruction; None for none.
            kwargs: as for `ScoredTask`.
        """
        self._turns = turns
        self._system = system
        self._shares_split = shares_split
        self._shows_examples = shows_examples
        self._rendered = 0
        self._pool: Pool | None = None
        super().__init__(**kwargs)

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
                raise ExampleError(example.place, error) from error
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


def _check_length(characters: int) -> None:
    if characters > PROMPTS.allowed:
        raise HarnessError(
            f"the prompts up to this one have {count(characters)} characters; "
            f"expected at most {count(PROMPTS.allowed)} in a cell{HINT}"
        )
