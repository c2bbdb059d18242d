"""Answers of which a tokenizer leaves nothing to score, found before a model's weights are loaded.

A tokenizer can join the end of a question and a whole answer in one token when no white space stands between them.
That depends on the tokenizer alone, which loads in a moment. Where white space stands between the two nothing is
looked at, so that this costs nothing for nearly all tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import transformers

from harness.engines.chats import written_turns
from harness.engines.documents import DocumentCache
from harness.engines.encoding import TokenCache
from harness.engines.lm_tasks import build_cell
from harness.engines.pairs import check_answers, encode_pairs
from harness.engines.references import references_of, with_references
from harness.engines.tried_tokenizer import check_before_loading, tried
from harness.errors import HarnessError
from harness.plan import Cell
from harness.schedule import Job, Lane
from harness.specs import ModelSpec, TaskSpec

_CHATS = 50
"""Documents of a chat that are looked at: every question ends with the same signs of the template."""


def joined_answers(lane: Lane) -> Mapping[int, HarnessError]:
    """Jobs of which an answer has no tokens of its own, by their positions; none where the tokenizer does not load."""
    risky = {i: job for i, job in enumerate(lane.jobs) if _may_join(job)}
    tokenizer = _tokenizer(lane.model) if risky else None
    if tokenizer is None:
        return {}
    data = DocumentCache()
    known: dict[Cell, HarnessError | None] = {}
    found: dict[int, HarnessError] = {}
    for i, job in risky.items():
        # the examples before a question do not change its end
        look = replace(job.cell, shots=0, seed=0, limit=_fewer(job.cell.limit) if job.cell.chat else job.cell.limit)
        if look not in known:
            known[look] = _why_refused(tokenizer, look, job.task, data)
        if (error := known[look]) is not None:
            found[i] = error
    return found


def _may_join(job: Job) -> bool:
    config = {**job.task.config, **job.task.prompts[job.cell.prompt]}
    delimiter = config.get("target_delimiter", " ")
    return job.cell.chat is not None or not (isinstance(delimiter, str) and delimiter[:1].isspace())


def _fewer(limit: int | None) -> int:
    return min(limit or _CHATS, _CHATS)


def _tokenizer(model: ModelSpec) -> Any:
    """The tokenizer; None where it cannot be loaded, which is told when the model is loaded."""
    revision = "main" if model.path else model.revision
    try:
        check_before_loading(model.source, revision)
        found = transformers.AutoTokenizer.from_pretrained(model.source, revision=revision, trust_remote_code=False)
        tried(found)
        return found
    except Exception:  # a damaged folder can make transformers raise any exception
        return None


def _why_refused(tokenizer: Any, cell: Cell, task: TaskSpec, data: DocumentCache) -> HarnessError | None:
    try:
        built = build_cell(cell, task, data, write_turns=partial(written_turns, tokenizer))
    except HarnessError:
        return None  # the cell will fail for this
    requests = [
        request
        for own in built.documents
        for request in with_references(own, references_of(built.task, own))
        if request.request_type == "loglikelihood"
    ]
    tokens = TokenCache(tokenizer, lambda _, special: {} if special is None else {"add_special_tokens": special})
    try:
        check_answers(requests, encode_pairs([request.args for request in requests], tokens, None))
        return None
    except HarnessError as error:
        return error
