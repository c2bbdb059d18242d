"""Evaluate one cell with any of lm-eval's model objects, so that engines differ only in how they run the model.

For a task that generates text, the model gets two requests: to write the text, and to give the likelihood of the
reference answer after the same prompt. The first gives the all-or-nothing metric, the second its smooth partner.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.models.utils import normalize_gen_kwargs

from harness.engines import pulse
from harness.engines.cell_model import CellModel
from harness.engines.cell_task import BuiltCell, CellTask
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.engines.protocol import CellPart, EngineSettings
from harness.engines.provenance import Stopwatch
from harness.engines.references import References, references_of, with_references
from harness.engines.scores import score_cell, with_chances
from harness.errors import HarnessError
from harness.plan import Cell
from harness.records import CellResult, Sample
from harness.schedule import BLOCK
from harness.scoring.metrics import Answer, programs_needed, runs_programs
from harness.scoring.programs import too_few_programs
from harness.scoring.sandbox import fenced_sandbox
from harness.specs import TaskSpec

_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=True, default=str)
"""Encodes equal documents as the same text, whatever the order of their fields."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lengths:
    """How many tokens of the model's context a document's requests need."""

    excess: int
    """Number of tokens by which the longest request exceeds the context; 0 or less when all requests fit."""
    references: tuple[int | None, ...]
    """Number of tokens of each reference answer; None for an empty answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _AskedCell:
    """What a cell asks of a model."""

    built: BuiltCell
    """The requests."""
    references: Sequence[References]
    """The reference answers of each document."""
    lengths: Sequence[_Lengths]
    """The tokens of each document."""
    fence: str | None
    """Description of the sandbox for programs; None when the cell runs none."""


_Responses = Sequence[Sequence[Sequence[Any]]]
"""For each document and each of its requests, the responses: several where a request is repeated."""


def evaluate_with(
    lm: CellModel,
    cell: Cell,
    task: TaskSpec,
    *,
    data: DocumentCache,
    settings: EngineSettings,
    device: str = "cpu",
) -> CellResult:
    """Build the cell's requests, let `lm` answer them, and score the answers.

    Args:
        lm: the model.
        cell: the cell to evaluate.
        task: the cell's task.
        data: cache of the documents read so far.
        settings: permission to run unsafe code, truncation, and other settings that the provenance records.
        device: name of the device, for the provenance.

    Raises:
        HarnessError: programs would run without consent or without a sandbox, prompts do not fit the context, or
            `build_cell` raises an error.
    """
    watch = Stopwatch()
    asked = _ask(lm, cell, task, data, settings)
    return _result(lm, cell, asked, _respond(lm, asked), watch, settings, device)


def answer_part_with(
    lm: CellModel, cell: Cell, task: TaskSpec, documents: range, *, data: DocumentCache, settings: EngineSettings
) -> CellPart:
    """Let `lm` answer some documents of a cell; arguments and errors as of `evaluate_with`.

    Args:
        lm: the model.
        cell: the cell.
        task: the cell's task.
        documents: positions of the documents, whole blocks of them.
        data: cache of the documents read so far.
        settings: as of `evaluate_with`.
    """
    watch = Stopwatch()
    asked = _ask(lm, cell, task, data, settings, only=documents)
    responses = _respond(lm, asked)
    took = watch.provenance(fallback=lm.fallback)
    return CellPart(
        documents=documents,
        responses=tuple(responses),
        started_at=took.started_at,
        seconds=took.seconds,
        fallback=took.fallback,
    )


def join_with(
    lm: CellModel,
    cell: Cell,
    task: TaskSpec,
    parts: Sequence[CellPart],
    *,
    data: DocumentCache,
    settings: EngineSettings,
    device: str = "cpu",
) -> CellResult:
    """Score the answers of a cell that several workers gave; arguments and errors as of `evaluate_with`.

    Raises:
        HarnessError: the parts are not the whole cell, as when the data differ between nodes.
    """
    watch = Stopwatch()
    asked = _ask(lm, cell, task, data, settings)
    responses = [said for part in parts for said in part.responses]
    if len(responses) != len(asked.built.documents):
        raise HarnessError(
            f"task {cell.task}: workers answered {len(responses)} documents and there are "
            f"{len(asked.built.documents)}: are the data the same on every node?"
        )
    return _result(lm, cell, asked, responses, watch, settings, device)


def _ask(
    lm: CellModel,
    cell: Cell,
    task: TaskSpec,
    data: DocumentCache,
    settings: EngineSettings,
    only: range | None = None,
) -> _AskedCell:
    """What the cell asks, or some of its documents ask, once it is sure that the model may and can be asked it."""
    _check_consent(cell, task, settings)
    fence = _fence(cell, settings)
    write_turns = lm.chat_text if cell.chat else None
    built = build_cell(cell, task, data, allow_code=settings.allow_code, write_turns=write_turns, only=only)
    _check_programs(cell, built)
    references = tuple(references_of(built.task, requests) for requests in built.documents)
    if not lm.gives_likelihoods:
        references = tuple([None] * len(of_document) for of_document in references)
    lengths = _lengths(lm, built, references)
    _check_fit(cell, lm, built, lengths, settings)
    return _AskedCell(built=built, references=references, lengths=lengths, fence=fence)


def _result(
    lm: CellModel,
    cell: Cell,
    asked: _AskedCell,
    responses: _Responses,
    watch: Stopwatch,
    settings: EngineSettings,
    device: str,
) -> CellResult:
    """Score the responses to all documents of a cell."""
    built, lengths = asked.built, asked.lengths
    _fill_in(asked, responses)
    answers = [
        _answer(built.task, requests, question, of_document, length.references)
        for requests, question, of_document, length in zip(
            built.documents, built.questions, asked.references, lengths, strict=True
        )
    ]
    cell = with_chances(cell, built.chance_of_documents, answers)
    scored = score_cell(cell, built, answers)
    samples = tuple(
        _sample(requests, answer, scores, truncated=length.excess > 0)
        for requests, answer, scores, length in zip(built.documents, answers, scored.per_sample, lengths, strict=True)
    )
    return CellResult(
        cell=cell,
        scores=scored.scores,
        samples=samples,
        shots_effective=built.shots,
        n_expected=len(samples),
        n_truncated=sum(sample.truncated for sample in samples),
        n_copies=built.n_copies,
        n_ambiguous=built.n_ambiguous,
        provenance=watch.provenance(
            device=device,
            batch_size=lm.batch_size_used,
            token_budget=lm.token_budget_used,
            deterministic=settings.deterministic,
            fallback=lm.fallback,
            foreign_code=(*lm.foreign_code, *built.foreign_code),
            fence=asked.fence,
        ),
    )


def short_hash(text: str) -> str:
    """First 16 hex digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def doc_hash(doc: Mapping[str, Any]) -> str:
    """Hash of a document's fields, whatever their order."""
    return short_hash(_CANONICAL.encode(doc))


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


# --- lengths --------------------------------------------------------------------------------------------------------


def _lengths(lm: CellModel, built: BuiltCell, references: Sequence[References]) -> list[_Lengths]:
    room = lm.max_length
    generated = _new_tokens(lm, built.task) if built.task.OUTPUT_TYPE == "generate_until" else 0
    asked = [with_references(*each) for each in zip(built.documents, references, strict=True)]
    scored = [request for requests in asked for request in requests if request.request_type == "loglikelihood"]
    pairs = iter(lm.pair_tokens(scored))
    read = [request.args[0] for requests in asked for request in requests if request.request_type != "loglikelihood"]
    lm.learn(read)
    found: list[_Lengths] = []
    for requests, of_document in zip(asked, references, strict=True):
        excess = 0
        tokens: dict[int, int] = {}
        for request in requests:
            if request.request_type == "loglikelihood":
                prompt, answer = next(pairs)
                # the last token is only predicted, so it needs no room in the context
                excess = max(excess, len(prompt) + len(answer) - 1 - room)
                tokens[id(request)] = len(answer)
            elif request.request_type == "generate_until":
                excess = max(excess, len(lm.tok_encode(request.args[0])) + generated - room)
            else:
                # rolling likelihood: windows cover the whole text, so nothing is truncated
                tokens[id(request)] = len(lm.tok_encode(request.args[0]))
        lengths = tuple(None if each is None else tokens[id(each.request)] for each in of_document)
        found.append(_Lengths(excess=excess, references=lengths))
    return found


def _new_tokens(lm: CellModel, task: CellTask) -> int:
    new = int(normalize_gen_kwargs(task.config.generation_kwargs, lm.max_gen_toks)["max_gen_toks"])
    if new >= lm.max_length:
        raise HarnessError(
            f"task {task.config.task} generates up to {new} tokens, the model reads {lm.max_length} in all; "
            "lower generation_kwargs.max_gen_toks"
        )
    return new


def _check_fit(
    cell: Cell, lm: CellModel, built: BuiltCell, lengths: Sequence[_Lengths], settings: EngineSettings
) -> None:
    over = [length.excess for length in lengths if length.excess > 0]
    if over and settings.truncation == "refuse":
        longest = [length.excess for length in lengths].index(max(over))
        error = HarnessError(
            f"task {cell.task}, {cell.shots} shots: {len(over)} of {len(lengths)} prompts do not fit "
            f"{cell.model.name}: the longest takes {lm.max_length + max(over)} tokens with its answer, "
            f"the model reads {lm.max_length}; use fewer shots, or --truncation allow",
        )
        raise error.about(built.documents[longest][0].doc_id)


# --- answers --------------------------------------------------------------------------------------------------------


def _respond(lm: CellModel, asked: _AskedCell) -> _Responses:
    """The responses to each document.

    The requests of a block go in one call, so that a prompt they share needs to be read only once. The blocks are the
    same whether one worker answers the cell or several: what stands beside a request changes its last bits.
    """
    requests = _requests(asked)
    responses: list[list[list[Any]]] = []
    for first in range(0, len(requests), BLOCK):
        block = requests[first : first + BLOCK]
        said = iter(lm.respond([each for of in block for each in of for _ in range(each.repeats or 1)]))
        responses += [[[next(said) for _ in range(each.repeats or 1)] for each in of] for of in block]
        pulse.answered(len(block))
    return responses


def _fill_in(asked: _AskedCell, responses: _Responses) -> None:
    for of_document, said in zip(_requests(asked), responses, strict=True):
        for request, answers in zip(of_document, said, strict=True):
            request.resps.extend(answers)
    asked.built.task.apply_filters()


def _requests(asked: _AskedCell) -> list[Sequence[Instance]]:
    """The requests of each document, those of its references among them."""
    return [with_references(*each) for each in zip(asked.built.documents, asked.references, strict=True)]


def _answer(
    task: CellTask,
    requests: Sequence[Instance],
    question: str,
    references: References,
    tokens: Sequence[int | None],
) -> Answer:
    doc = requests[0].doc
    right = task.right(doc)
    options: tuple[str, ...] = ()
    loglikelihoods: tuple[float, ...] = ()
    if task.OUTPUT_TYPE == "multiple_choice":
        options = task.options(doc)
        # `acc_mutual_info` adds a second request for every option, without the question
        loglikelihoods = tuple(float(request.resps[0][0]) for request in requests[: len(options)])
        outputs: tuple[str, ...] = (options[loglikelihoods.index(max(loglikelihoods))],)
    else:
        outputs = _outputs(task, requests, right.texts)
    against = [
        Answer(
            doc=doc,
            target=text,
            output=outputs[0],
            outputs=outputs if len(outputs) > 1 else (),
            question=question,
            options=options,
            option_loglikelihoods=loglikelihoods,
            gold=right.positions[i] if options else None,
            right=right.positions if options and len(right.positions) > 1 else (),
            reference_loglikelihood=None if reference is None else _loglikelihood(reference.request),
            reference_tokens=n_tokens,
            reference_bytes=None if reference is None else len(reference.text.encode()),
            scored_bytes=None if reference is None else len(reference.scored.encode()),
        )
        for i, (text, reference, n_tokens) in enumerate(zip(right.texts, references, tokens, strict=True))
    ]
    return replace(against[0], also=tuple(against[1:]))


def _outputs(task: CellTask, requests: Sequence[Instance], targets: Sequence[str]) -> tuple[str, ...]:
    """Texts the model wrote, after the task's first filter; without filters, every one of the repeated texts."""
    request = requests[0]
    if task.OUTPUT_TYPE == "generate_until":
        # for a task without filters lm-eval adds its own, which keeps only the first text
        kept = next(iter(request.filtered_resps.values())) if task.config.filter_list else request.resps
        return tuple(map(str, kept)) if isinstance(kept, list) else (str(kept),)
    if task.OUTPUT_TYPE == "loglikelihood":
        greedy = (target for target, asked in zip(targets, requests, strict=True) if asked.resps[0][1])
        return (next(greedy, ""),)
    return ("",)


def _loglikelihood(request: Instance) -> float:
    response = request.resps[0]
    return float(response[0] if isinstance(response, tuple) else response)


def _sample(requests: Sequence[Instance], answer: Answer, scores: Mapping[str, float], *, truncated: bool) -> Sample:
    first = requests[0]
    generated = tuple(first.resps) if first.request_type == "generate_until" else (answer.output,)
    # a task whose options are part of the question has one prompt for each option
    prompts = dict.fromkeys(request.args[0] for request in requests)
    return Sample(
        doc_id=first.doc_id,
        doc_hash=doc_hash(first.doc),
        prompt_hash=short_hash("\x00".join(prompts)),
        prompt=first.args[0],
        target=answer.target,
        targets=(answer.target, *(other.target for other in answer.also)) if answer.also else (),
        output=generated[0],
        outputs=generated if len(generated) > 1 else (),
        scores=scores,
        options=answer.options,
        option_loglikelihoods=answer.option_loglikelihoods,
        truncated=truncated,
    )
