"""Evaluate one cell with any of lm-eval's model objects, so that engines differ only in how they run the model.

For a task that generates text, the model gets two requests: to write the text, and to give the likelihood of the
reference answer after the same prompt. The first gives the all-or-nothing metric, the second its smooth partner.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lm_eval.api.instance import Instance

from harness.engines import pulse
from harness.engines.asking import AskedCell, asked_cell
from harness.engines.cell_model import CellModel
from harness.engines.cell_task import CellTask
from harness.engines.documents import DocumentCache
from harness.engines.protocol import CellPart, EngineSettings
from harness.engines.provenance import Stopwatch
from harness.engines.references import References
from harness.engines.scores import score_cell, with_chances
from harness.errors import HarnessError
from harness.plan import Cell
from harness.records import CellResult, Sample
from harness.schedule import BLOCK
from harness.scoring.metrics import Answer
from harness.specs import TaskSpec

_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=True, default=str)
"""Encodes equal documents as the same text, whatever the order of their fields."""

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
    asked = asked_cell(lm, cell, task, data, settings)
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
    asked = asked_cell(lm, cell, task, data, settings, only=documents)
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
    asked = asked_cell(lm, cell, task, data, settings)
    responses = [said for part in parts for said in part.responses]
    if len(responses) != len(asked.built.documents):
        raise HarnessError(
            f"task {cell.task}: workers answered {len(responses)} documents and there are "
            f"{len(asked.built.documents)}: are the data the same on every node?"
        )
    return _result(lm, cell, asked, responses, watch, settings, device)


def _result(
    lm: CellModel,
    cell: Cell,
    asked: AskedCell,
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
        _sample(requests, answer, scores, hashes, truncated=length.excess > 0)
        for requests, answer, scores, hashes, length in zip(
            built.documents, answers, scored.per_sample, _hashes(asked), lengths, strict=True
        )
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


# --- answers --------------------------------------------------------------------------------------------------------


def _respond(lm: CellModel, asked: AskedCell) -> _Responses:
    """The responses to each document.

    The requests of a block go in one call, so that a prompt they share needs to be read only once. The blocks are the
    same whether one worker answers the cell or several: what stands beside a request changes its last bits.
    """
    responses: list[list[list[Any]]] = []
    for first in range(0, len(asked.requests), BLOCK):
        block = asked.requests[first : first + BLOCK]
        said = iter(lm.respond([each for of in block for each in of for _ in range(each.repeats or 1)]))
        responses += [[[next(said) for _ in range(each.repeats or 1)] for each in of] for of in block]
        pulse.answered(len(block))
    return responses


def _fill_in(asked: AskedCell, responses: _Responses) -> None:
    for of_document, said in zip(asked.requests, responses, strict=True):
        for request, answers in zip(of_document, said, strict=True):
            request.resps.extend(answers)
    asked.built.task.apply_filters()


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


def _hashes(asked: AskedCell) -> Sequence[tuple[str, str]]:
    """Hashes of each document and of its prompts: a task whose options are part of the question has one for each."""
    if not asked.hashes:
        for requests in asked.built.documents:
            prompts = dict.fromkeys(request.args[0] for request in requests)
            asked.hashes.append((doc_hash(requests[0].doc), short_hash("\x00".join(prompts))))
    return asked.hashes


def _sample(
    requests: Sequence[Instance],
    answer: Answer,
    scores: Mapping[str, float],
    hashes: tuple[str, str],
    *,
    truncated: bool,
) -> Sample:
    first = requests[0]
    generated = tuple(first.resps) if first.request_type == "generate_until" else (answer.output,)
    return Sample(
        doc_id=first.doc_id,
        doc_hash=hashes[0],
        prompt_hash=hashes[1],
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
