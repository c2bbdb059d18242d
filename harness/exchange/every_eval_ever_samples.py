"""Sample files of Every Eval Ever: `UUID_samples.jsonl`, a row per document and metric."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.json_text import parsed_json
from harness.bounded.limits import UnreadableError
from harness.errors import HarnessError
from harness.exchange.fields import Fields, is_number, rows_of
from harness.records import Sample
from harness.wording import quoted

LIKELIHOODS = "option_loglikelihoods"
"""Key under `metadata` for the log-likelihoods of the options, which the schema has no field for."""


def every_eval_ever_documents(path: Path, evaluation: str, metrics: Mapping[str, str]) -> tuple[Sample, ...]:
    """The documents of one evaluation, ascending by number.

    A document is numbered as its `sample_id` says where all ids are whole numbers, else in the order of the file.

    Args:
        path: the file.
        evaluation: name of the evaluation.
        metrics: id of a result of it, or its name where the aggregate has no ids -> metric.

    Raises:
        HarnessError: the file cannot be read, or a row is not as the schema has it.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in _of_evaluations(path, path.stat().st_mtime_ns).get(evaluation, ()):
        if row.key in metrics:
            one = found.setdefault(row.sample_id, {**row.document, "scores": {}})
            one["scores"][metrics[row.key]] = row.score
    numbered = {int(name): one for name, one in found.items() if name.isdecimal() and len(name) < _DIGITS}
    if len(numbered) < len(found):
        numbered = dict(enumerate(found.values()))
    return tuple(Sample(doc_id=number, **numbered[number]) for number in sorted(numbered))


_DIGITS = 10
"""Digits of a number of a document are fewer than these."""


class _ScoredRow(NamedTuple):
    """One document under one metric."""

    key: str
    """Id of the result, or the name of the evaluation."""
    sample_id: str
    """The document."""
    document: Mapping[str, Any]
    """All of it but its score."""
    score: float
    """What it scored."""


@lru_cache(maxsize=1)
def _of_evaluations(path: Path, modified: int) -> Mapping[str, Sequence[_ScoredRow]]:
    """Evaluation -> its rows. Those of the last file are kept: its other evaluations are asked for next.

    Raises:
        HarnessError: the file cannot be read, or a row is not as the schema has it.
    """
    found: dict[str, list[_ScoredRow]] = defaultdict(list)
    for row in rows_of(path):
        evaluation = row.text("evaluation_name")
        key = row.text("evaluation_result_id") or evaluation
        if evaluation is None or key is None:
            continue
        name, score = row.get("sample_id"), row.mapping("evaluation").get("score")
        if not isinstance(name, str) or not name:
            raise HarnessError(f"{row.place}: sample_id is {quoted(name)}; expected a text")
        if not is_number(score):
            raise HarnessError(f"{row.place}: evaluation.score is {quoted(score)}; expected a number")
        found[evaluation].append(_ScoredRow(key, name, _document(row), float(score)))
    return found


def _document(row: Fields) -> dict[str, Any]:
    asked, metadata = row.mapping("input"), row.mapping("metadata")
    prompt = asked.text("formatted") or asked.text("raw") or ""
    targets = tuple(str(one) for one in asked.list("reference"))
    outputs = tuple(str(one) for one in row.mapping("output").list("raw")) or _said(row)
    options = tuple(str(one) for one in asked.list("choices"))
    likelihoods = _likelihoods(metadata, len(options))
    return {
        "doc_hash": metadata.text("doc_hash") or row.text("sample_hash") or _hash(prompt, *targets),
        "prompt_hash": metadata.text("prompt_hash") or _hash(prompt),
        "prompt": prompt,
        "target": targets[0] if targets else "",
        "targets": targets if len(targets) > 1 else (),
        "output": outputs[0] if outputs else "",
        "outputs": outputs if len(outputs) > 1 else (),
        "options": options if likelihoods else (),
        "option_loglikelihoods": likelihoods,
        "truncated": metadata.get("truncated") == "true",
    }


def _said(row: Fields) -> tuple[str, ...]:
    """The last thing that the model said, where a document took several turns."""
    turns = [one for one in row.list("messages") if isinstance(one, dict) and one.get("role") == "assistant"]
    return (str(turns[-1].get("content") or ""),) if turns else ()


def _likelihoods(metadata: Fields, options: int) -> tuple[float, ...]:
    text = metadata.text(LIKELIHOODS)
    if text is None:
        return ()
    try:
        values = parsed_json(text, finite=True)
    except UnreadableError:
        values = None
    if not isinstance(values, list) or len(values) != options or not all(map(is_number, values)):
        raise HarnessError(
            f"{metadata.place}.{LIKELIHOODS} is {quoted(text)}; expected a list with a number for each of the choices"
        )
    return tuple(map(float, values))


def _hash(*texts: str) -> str:
    return hashlib.sha256(repr(texts).encode("utf-8", "surrogatepass")).hexdigest()
