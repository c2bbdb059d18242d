"""Details of lighteval: a Parquet file with a row per document.

Since version 0.11 a row has the columns `doc`, `model_response` and `metric`; before, those are spread over columns
such as `full_prompt`, `choices`, `predictions` and `metrics`, some of which hold lists as texts of Python.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.bounded.limits import UnreadableError
from harness.bounded.parquet_file import parquet_rows
from harness.errors import HarnessError
from harness.exchange.fields import Fields, is_number
from harness.records import Sample
from harness.wording import quoted


def lighteval_documents(path: Path) -> tuple[Sample, ...]:
    """The documents of a file, numbered in its order.

    Raises:
        HarnessError: the file cannot be read, or a row is none of lighteval's.
    """
    return tuple(_sample(number, row) for number, row in enumerate(_rows(path)))


def _rows(path: Path) -> Iterator[Fields]:
    try:
        for number, row in enumerate(parquet_rows(path), start=1):
            yield Fields(row, f"{path}: row {number}")
    except UnreadableError as error:
        raise HarnessError(f"{path}: {error}") from error


def _sample(number: int, row: Fields) -> Sample:
    doc, answer, metric = (_part(row, name) for name in ("doc", "model_response", "metric"))
    if doc is None or answer is None or metric is None:
        return _older_sample(number, row)
    choices = [str(one) for one in doc.list("choices")]
    prompt = _text(answer.get("input")) or _text(doc.get("query"))
    return _made(
        number,
        query=_text(doc.get("query")),
        prompt=prompt,
        choices=choices,
        gold=doc.get("gold_index"),
        likelihoods=answer.list("logprobs"),
        texts=[str(one) for one in answer.list("text_post_processed") or answer.list("text") if one is not None],
        truncated=bool(answer.get("truncated_tokens_count")),
        scores=metric,
    )


def _part(row: Fields, name: str) -> Fields | None:
    for key in (name, f"__{name}__"):
        if isinstance(row.get(key), dict):
            return row.mapping(key)
    return None


def _older_sample(number: int, row: Fields) -> Sample:
    metrics = row.get("metrics")
    if not isinstance(metrics, dict):
        raise HarnessError(
            f"{row.place}: has the columns {quoted(sorted(row.raw))}; expected doc, model_response and metric, as "
            "lighteval writes them"
        )
    weighed = [one[0] if isinstance(one, list) and one else one for one in _listed(row.get("predictions"))]
    is_weighed = bool(weighed) and all(map(is_number, weighed))
    choices = [str(one) for one in _listed(row.get("choices"))]
    gold = _listed(row.get("gold_index"))
    return _made(
        number,
        query=_text(row.get("example")),
        prompt=_text(row.get("full_prompt")),
        choices=choices,
        gold=gold or None,
        likelihoods=weighed if is_weighed else [],
        texts=[] if is_weighed else [str(one) for one in weighed],
        truncated=bool(row.get("truncated")),
        scores=Fields(metrics, f"{row.place}: metrics"),
    )


def _listed(value: Any) -> list[Any]:
    """A list that may be written as a text of Python."""
    if isinstance(value, str) and value.startswith("[") and len(value) < _LONGEST:
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return []
    return value if isinstance(value, list) else [] if value is None else [value]


_LONGEST = 100_000
"""Characters of a list that is written as a text; longer ones are not read."""


def _text(value: Any) -> str:
    """A prompt, which is a list of turns where the model has a chat template."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)


def _made(
    number: int,
    *,
    query: str,
    prompt: str,
    choices: list[str],
    gold: Any,
    likelihoods: list[Any],
    texts: list[str],
    truncated: bool,
    scores: Fields,
) -> Sample:
    weighed = tuple(float(one) for one in likelihoods if is_number(one))
    options = tuple(choices) if len(choices) > 1 and len(weighed) == len(choices) == len(likelihoods) else ()
    right = [choices[i] for i in _indices(gold) if i < len(choices)]
    preferred = max(range(len(options)), key=weighed.__getitem__) if options else 0
    return Sample(
        doc_id=number,
        doc_hash=_hash(query, *choices),
        prompt_hash=_hash(prompt),
        prompt=prompt,
        target=right[0] if right else "",
        targets=tuple(right) if len(right) > 1 else (),
        output=options[preferred] if options else next(iter(texts), ""),
        outputs=tuple(texts) if len(texts) > 1 and not options else (),
        options=options,
        option_loglikelihoods=weighed if options else (),
        truncated=truncated,
        scores={name: float(value) for name, value in scores.items() if isinstance(value, bool) or is_number(value)},
    )


def _indices(gold: Any) -> Iterator[int]:
    """Numbers of the right choices."""
    for one in gold if isinstance(gold, list) else [gold]:
        if is_number(one) and one == int(one) and one >= 0:
            yield int(one)


def _hash(*texts: str) -> str:
    return hashlib.sha256(repr(texts).encode("utf-8", "surrogatepass")).hexdigest()
