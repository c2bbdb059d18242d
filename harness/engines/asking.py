"""What a cell asks of a model: its requests, those of its reference answers, and how many tokens they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from lm_eval.api.instance import Instance
from lm_eval.models.utils import normalize_gen_kwargs

from harness.engines.cell_model import CellModel
from harness.engines.cell_task import BuiltCell, CellTask
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.engines.protocol import EngineSettings
from harness.engines.references import References, references_of, with_references
from harness.errors import HarnessError
from harness.plan import Cell
from harness.scoring.metrics import programs_needed, runs_programs
from harness.scoring.programs import too_few_programs
from harness.scoring.sandbox import fenced_sandbox
from harness.specs import TaskSpec

_OF_A_REQUEST = 20
"""Tokens that take as much memory as a request beside its text, or as what is known of an example."""


class Lengths(NamedTuple):
    """How many tokens of the model's context a document's requests need."""

    excess: int
    """Number of tokens by which the longest request exceeds the context; 0 or less when all requests fit."""
    references: tuple[int | None, ...]
    """Number of tokens of each reference answer; None for an empty answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedCell:
    """What a cell asks of a model."""

    built: BuiltCell
    """The requests."""
    references: Sequence[References]
    """The reference answers of each document."""
    requests: Sequence[Sequence[Instance]]
    """The requests of each document, those of its references among them."""
    lengths: Sequence[Lengths]
    """The tokens of each document."""
    encoded: Any
    """Token ids of the texts, as the model keeps them."""
    fence: str | None = None
    """Description of the sandbox for programs; None when the cell runs none."""
    hashes: list[tuple[str, str]] = field(default_factory=list)
    """Hashes of each document and of its prompts; empty until they are first needed."""

    def forget_responses(self) -> None:
        """Make the requests as if nobody had answered them yet."""
        for of_document in self.requests:
            for request in of_document:
                request.resps, request.filtered_resps = [], {}


def asked_cell(
    lm: CellModel,
    cell: Cell,
    task: TaskSpec,
    data: DocumentCache,
    settings: EngineSettings,
    only: range | None = None,
) -> AskedCell:
    """What the cell asks, or some of its documents ask, once it is sure that the model may and can be asked it.

    Args:
        lm: the model.
        cell: the cell.
        task: its task.
        data: what was read and prepared for earlier cells.
        settings: permissions, and whether prompts may be cut.
        only: positions of the documents, for a cell that is cut into parts; None for all.

    Raises:
        HarnessError: programs would run without consent or without a sandbox, prompts do not fit the context, or
            `build_cell` raises an error.
    """
    _check_consent(cell, task, settings)
    fence = _fence(cell, settings)
    # a chat is written by the model's own template
    how = None if lm.reading is None or cell.chat else (lm.reading, only, settings.allow_code)
    asked = None if how is None else data.cells.find(cell, task, how)
    if asked is None:
        asked = _prepared(lm, cell, task, data, settings, only)
        if how is not None and _is_always_the_same(asked.built, task):
            n_examples = asked.built.task.release_data()
            data.cells.keep(cell, task, how, asked, _tokens(asked) + _OF_A_REQUEST * n_examples)
    else:
        asked.forget_responses()
        lm.encoded = asked.encoded
    _check_fit(cell, lm, asked, settings)
    return replace(asked, fence=fence)


def _prepared(
    lm: CellModel, cell: Cell, task: TaskSpec, data: DocumentCache, settings: EngineSettings, only: range | None
) -> AskedCell:
    write_turns = lm.chat_text if cell.chat else None
    built = build_cell(cell, task, data, allow_code=settings.allow_code, write_turns=write_turns, only=only)
    _check_programs(cell, built)
    references = tuple(references_of(built.task, requests) for requests in built.documents)
    if not lm.gives_likelihoods:
        references = tuple([None] * len(of_document) for of_document in references)
    requests = tuple(with_references(*each) for each in zip(built.documents, references, strict=True))
    return AskedCell(
        built=built,
        references=references,
        requests=requests,
        lengths=_lengths(lm, built.task, requests, references),
        encoded=lm.encoded,
    )


def _is_always_the_same(built: BuiltCell, task: TaskSpec) -> bool:
    """True for a task without functions of its own, which might change a document or draw by chance."""
    return not (built.foreign_code or _has_function(task.config) or _has_function(task.prompts))


def _has_function(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_function, value.values()))
    return any(map(_has_function, value)) if isinstance(value, list | tuple) else callable(value)


def _tokens(asked: AskedCell) -> int:
    """Tokens that take as much memory as what the cell asks."""
    return sum(map(len, asked.encoded.values())) + _OF_A_REQUEST * sum(map(len, asked.requests))


def _check_consent(cell: Cell, task: TaskSpec, settings: EngineSettings) -> None:
    runs = sorted(metric.name for metric in cell.metrics if runs_programs(metric.name))
    if runs and not task.unsafe_code:
        raise HarnessError(
            f"task {task.name}: {runs[0]} executes what the model wrote; expected `unsafe_code: true` in its task file"
        )
    if task.unsafe_code and not settings.confirm_run_unsafe_code:
        raise HarnessError(
            f"task {task.name} executes programs that the model wrote; agree with --confirm-run-unsafe-code"
        )


def _fence(cell: Cell, settings: EngineSettings) -> str | None:
    """Description of the sandbox for the programs of this cell on this machine; None when the cell runs none."""
    if not any(runs_programs(metric.name) for metric in cell.metrics):
        return None
    return fenced_sandbox(allow_unfenced=settings.allow_unfenced).fence


def _check_programs(cell: Cell, built: BuiltCell) -> None:
    """Refuse, before the model runs, metrics that need more programs per document than the task generates."""
    asked = built.task.config.repeats
    for metric in cell.metrics:
        if (programs_needed(metric.name) or 0) > asked:
            raise too_few_programs(metric.name, asked)


def _lengths(
    lm: CellModel, task: CellTask, asked: Sequence[Sequence[Instance]], references: Sequence[References]
) -> list[Lengths]:
    room = lm.max_length
    generated = _new_tokens(lm, task) if task.OUTPUT_TYPE == "generate_until" else 0
    scored = [request for requests in asked for request in requests if request.request_type == "loglikelihood"]
    pairs = iter(lm.pair_tokens(scored))
    read = [request.args[0] for requests in asked for request in requests if request.request_type != "loglikelihood"]
    lm.learn(read)
    found: list[Lengths] = []
    for requests, of_document in zip(asked, references, strict=True):
        excess = 0
        tokens: dict[int, int] = {}
        for request in requests:
            if request.request_type == "loglikelihood":
                prompt, answer = next(pairs)
                excess = max(excess, lm.context_needed(len(prompt), len(answer), 0) - room)
                tokens[id(request)] = len(answer)
            elif request.request_type == "generate_until":
                excess = max(excess, lm.context_needed(len(lm.tok_encode(request.args[0])), 0, generated) - room)
            else:
                # rolling likelihood: windows cover the whole text, so nothing is truncated
                tokens[id(request)] = len(lm.tok_encode(request.args[0]))
        lengths = tuple(None if each is None else tokens[id(each.request)] for each in of_document)
        found.append(Lengths(excess=excess, references=lengths))
    return found


def _new_tokens(lm: CellModel, task: CellTask) -> int:
    new = int(normalize_gen_kwargs(task.config.generation_kwargs, lm.max_gen_toks)["max_gen_toks"])
    if lm.context_needed(1, 0, new) > lm.max_length:
        raise HarnessError(
            f"task {task.config.task} generates up to {new} tokens, the model reads {lm.max_length} in all; "
            "lower generation_kwargs.max_gen_toks"
        )
    return new


def _check_fit(cell: Cell, lm: CellModel, asked: AskedCell, settings: EngineSettings) -> None:
    lengths = asked.lengths
    over = [length.excess for length in lengths if length.excess > 0]
    if over and settings.truncation == "refuse":
        longest = [length.excess for length in lengths].index(max(over))
        error = HarnessError(
            f"task {cell.task}, {cell.shots} shots: {len(over)} of {len(lengths)} prompts do not fit "
            f"{cell.model.name}: the longest takes {lm.max_length + max(over)} tokens with its answer, "
            f"the model reads {lm.max_length}; use fewer shots, or --truncation allow",
        )
        raise error.about(asked.built.documents[longest][0].doc_id)
