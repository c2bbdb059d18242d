"""lm-eval's task as the documents see it: what each asks, its options and its right answers.

`harness.scoring.questions` determines what each document asks and which answers are right; these are passed to lm-eval
one right answer at a time, because lm-eval decides by the first document alone whether targets are lists, and because
most of its metrics accept a single right answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import jinja2
from lm_eval.api.task import ConfigurableTask

from harness.engines.shots import Demonstration, DocumentFields
from harness.errors import DocumentError, HarnessError, PlanError
from harness.plan.formats import Format
from harness.scoring.copies import Asked, asked_by
from harness.scoring.limited import rendering_for
from harness.scoring.questions import Questions, Right, settled, told
from harness.scoring.rendering import Rendering
from harness.scoring.twins import Twin

_BATCH = 500
"""Documents whose templates are rendered together."""


class ExampleError(HarnessError):
    """An example cannot be shown."""

    def __init__(self, place: int, error: HarnessError) -> None:
        super().__init__(f"example {place}: {error}")
        self.key = error.key


class DocumentTask(ConfigurableTask):  # type: ignore[misc]  # lm-eval is untyped
    """lm-eval's task, which works out the question, the options and the right answers of a document once.

    They are kept, because lm-eval asks for them up to five times.
    """

    def __init__(
        self, *, trusted: bool = False, file: str | None = None, twin: Format | None = None, **kwargs: Any
    ) -> None:
        """Create lm-eval's task from a config.

        Args:
            trusted: True when templates and regular expressions need no limits on time and memory.
            file: file that defines the task, for messages about them; None when there is none.
            twin: the other format that the options are asked in; None for that of the task.
            kwargs: as for `ConfigurableTask`.
        """
        self._said: dict[tuple[str, int], tuple[DocumentFields, Any]] = {}
        self._rendering: Rendering = rendering_for(trusted=trusted)
        self._trusted = trusted
        self._of_file = f" of {file}" if file else ""
        self._one: Any = None
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

    @contextmanager
    def _told(self, target: Any) -> Iterator[None]:
        """While inside, lm-eval takes `target` for the only right answer."""
        self._one = target
        try:
            yield
        finally:
            self._one = None

    def asked(self) -> list[Asked]:
        """The question and the right answers of every document, by which copies of them are found."""
        found = []
        for doc_id, doc in self._rendered_ahead(enumerate(self.eval_docs)):
            with self._named(doc_id):
                found.append(asked_by(self.doc_to_text(doc), self.options(doc), self.right(doc)))
        return found

    def _rendered_ahead(self, numbered: Iterator[tuple[int, DocumentFields]]) -> Iterator[tuple[int, DocumentFields]]:
        """The same documents with their numbers; the templates are rendered for many of them at a time."""
        assert self._of_documents is not None
        others = [text for text in (self.config.description, self.config.gen_prefix) if isinstance(text, str)]
        while batch := list(islice(numbered, _BATCH)):
            documents = [doc for _, doc in batch]
            self._of_documents.learn(documents)
            self._rendering.learn([text for text in others if text not in self.features], documents)
            yield from batch

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
                if isinstance(doc, Demonstration) and not isinstance(error, ExampleError):
                    raise ExampleError(doc.place, error) from error
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
