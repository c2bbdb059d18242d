"""Sample files of lm-evaluation-harness: `samples_TASK_DATE.jsonl`, a row per document and filter."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.exchange.fields import Fields, is_number, rows_of
from harness.records import Sample
from harness.wording import quoted


def lm_eval_documents(path: Path) -> tuple[Sample, ...]:
    """The documents of a sample file, ascending by number; rows of further filters add scores to the same document.

    Raises:
        HarnessError: the file cannot be read, or a row is none of lm-eval's.
    """
    found: dict[int, dict[str, Any]] = {}
    for row in rows_of(path):
        _add(found, row)
    return tuple(Sample(**found[number]) for number in sorted(found))


def _add(found: dict[int, dict[str, Any]], row: Fields) -> None:
    number = row.whole("doc_id")
    if number is None:
        raise HarnessError(f"{row.place}: doc_id is missing; expected a sample file of lm-eval")
    if number not in found:
        found[number] = _document(number, row)
    chosen = row.text("filter")
    suffix = "" if chosen in (None, "none") else f",{chosen}"
    names = row.list("metrics") or [name for name, value in row.items() if name not in _FIELDS and is_number(value)]
    scores = found[number]["scores"]
    for name in names:
        if isinstance(name, str) and is_number(value := row.get(name)):
            scores.setdefault(name + suffix, float(value))


_FIELDS = frozenset(
    "doc_id doc target arguments resps filtered_resps filter metrics doc_hash prompt_hash target_hash".split()
)


def _document(number: int, row: Fields) -> dict[str, Any]:
    requests = [_texts(one) for one in _requests(row.get("arguments"))]
    prompt = requests[0][0] if requests else ""
    responses = [_first(one) for one in row.list("resps")]
    weighed = [_number(one[0]) if isinstance(one, list) and one else None for one in responses]
    options: tuple[str, ...] = ()
    likelihoods: tuple[float, ...] = ()
    if len(requests) > 1 and all(value is not None for value in weighed) and len(weighed) >= len(requests):
        options = tuple(text for _, text in requests)
        likelihoods = tuple(float(value) for value in weighed[: len(requests)] if value is not None)
    outputs = _outputs(row)
    preferred = max(range(len(options)), key=likelihoods.__getitem__) if options else 0
    return {
        "doc_id": number,
        "doc_hash": row.text("doc_hash") or _hash(row.get("doc")),
        "prompt_hash": row.text("prompt_hash") or _hash(prompt),
        "prompt": prompt,
        "target": _target(row.get("target"), options),
        "output": options[preferred] if options else next(iter(outputs), ""),
        "scores": {},
        "options": options,
        "option_loglikelihoods": likelihoods,
        "outputs": tuple(outputs) if len(outputs) > 1 and not options else (),
    }


def _requests(arguments: Any) -> Iterable[Any]:
    """The requests of a document: a list, or since 0.4.3 a mapping `gen_args_0` -> `{arg_0: ..., arg_1: ...}`."""
    if isinstance(arguments, Mapping):
        return arguments.values()
    return arguments if isinstance(arguments, list) else ()


def _texts(request: Any) -> tuple[str, str]:
    """Prompt and continuation of one request; the second is empty where it holds options of generation."""
    parts = list(request.values()) if isinstance(request, Mapping) else request
    if not isinstance(parts, list) or not parts:
        raise HarnessError(f"arguments are {quoted(request)}; expected those of lm-eval")
    second = parts[1] if len(parts) > 1 else ""
    return str(parts[0]), second if isinstance(second, str) else ""


def _first(response: Any) -> Any:
    """The first of the repeated answers to one request."""
    return response[0] if isinstance(response, list) and response else response


def _number(value: Any) -> float | None:
    """A log-likelihood, which older files have as a text."""
    if is_number(value):
        return float(value)
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _outputs(row: Fields) -> list[str]:
    filtered = row.get("filtered_resps")
    found = filtered if isinstance(filtered, list) else [filtered]
    return [str(one) for one in found if isinstance(one, str)]


def _target(target: Any, options: tuple[str, ...]) -> str:
    text = "" if target is None else str(target)
    number = target if isinstance(target, int) else int(text) if text.isdecimal() and len(text) < 4 else None
    return options[number] if options and number is not None and 0 <= number < len(options) else text


def _hash(value: Any) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()
