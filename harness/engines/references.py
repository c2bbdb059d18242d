"""The requests that give the likelihoods of a document's reference answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lm_eval.api.instance import Instance

from harness.engines.cell_task import CellTask
from harness.engines.pairs import scored_text


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """The likelihood request of a document's reference answer."""

    request: Instance
    """Its arguments are (prompt, answer). It is one of the document's own requests when options are scored."""
    text: str
    """The answer without the delimiter before it."""

    @property
    def scored(self) -> str:
        """All that the likelihood is of: the answer with the delimiter and the white space before it."""
        return scored_text(*self.request.args) if self.request.request_type == "loglikelihood" else self.text


References = Sequence[Reference | None]
"""One reference for each right answer of a document; None for an empty answer."""


def references_of(task: CellTask, requests: Sequence[Instance]) -> References:
    """The likelihood requests of a document's right answers, given its own requests."""
    right = task.right(requests[0].doc)
    if task.OUTPUT_TYPE == "multiple_choice":
        numbered = zip(right.positions, right.texts, strict=True)
        return [Reference(request=requests[position], text=text) for position, text in numbered]
    if task.OUTPUT_TYPE != "generate_until":
        return [Reference(request=request, text=text) for request, text in zip(requests, right.texts, strict=False)]
    return [_reference(task, requests[0], text) for text in right.texts]


def _reference(task: CellTask, first: Instance, text: str) -> Reference | None:
    continuation = _delimiter(task, first.args[0], text) + text
    if not continuation:
        return None
    asked = Instance(
        request_type="loglikelihood",
        doc=first.doc,
        arguments=(first.args[0], continuation),
        idx=0,
        metadata=(first.task_name, first.doc_id, 1),
    )
    return Reference(request=asked, text=text)


def _delimiter(task: CellTask, prompt: str, text: str) -> str:
    """The text between the question of an example and its answer, as lm-eval renders it."""
    if not task.config.gen_prefix:
        return "" if task.in_turns else str(task.config.target_delimiter)
    return "" if prompt[-1:].isspace() or text[:1].isspace() else " "


def with_references(requests: Sequence[Instance], references: References) -> Sequence[Instance]:
    """A document's own requests, followed by those requests of its references that are not among them."""
    own = set(map(id, requests))
    return [*requests, *(each.request for each in references if each is not None and id(each.request) not in own)]
