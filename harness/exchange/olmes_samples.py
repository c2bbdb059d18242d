"""Documents of OLMES and olmo-eval: `...-predictions.jsonl`, and prompts and options in `...-requests.jsonl`."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.bounded.files import is_regular
from harness.errors import HarnessError
from harness.exchange.fields import Fields, is_number, rows_of
from harness.records import Sample

PREDICTIONS, REQUESTS = "-predictions.jsonl", "-requests.jsonl"
"""How the names of both files end; what stands before is the same."""


def olmes_documents(path: Path) -> tuple[Sample, ...]:
    """The documents of a file of predictions, ascending by number.

    Raises:
        HarnessError: a file cannot be read, or a row is not what the program writes.
    """
    asked = _requests(_beside(path))
    found: dict[int, Sample] = {}
    for row in rows_of(path):
        number = row.whole("doc_id")
        if number is None:
            raise HarnessError(f"{row.place}: doc_id is missing; expected a file of predictions of OLMES")
        found[number] = _sample(number, row, asked.get(number, []))
    return tuple(found[number] for number in sorted(found))


def _beside(path: Path) -> Path:
    """The file of requests: beside the predictions, or in the folder `requests` where they lie in `predictions`."""
    name = path.name.removesuffix(PREDICTIONS) + REQUESTS
    if path.parent.parent.name == "predictions":
        return path.parent.parent.with_name("requests") / path.parent.name / name
    return path.with_name(name)


def _requests(path: Path) -> Mapping[int, list[tuple[str, str]]]:
    """Document -> prompt and continuation of each of its requests; empty where there is no such file."""
    found: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    for row in rows_of(path) if is_regular(path) else ():
        number, request = row.whole("doc_id"), row.mapping("request")
        several = request.list("continuations") or [request.get("continuation")]
        for place, text in enumerate(several):
            position = (row.whole("idx") or 0) + place
            found[-1 if number is None else number].append((position, _text(request.get("context")), _text(text)))
    return {
        number: [(prompt, text) for _, prompt, text in sorted(several, key=lambda one: one[0])]
        for number, several in found.items()
    }


def _weighed(row: Fields, asked: list[tuple[str, str]]) -> list[float]:
    """Log-likelihoods of a document's options, in nats; empty where it has none to choose from.

    Where answers have texts, they are options only if as many were asked for: else the model wrote several answers.
    """
    outputs = row.list("model_output")
    numbers = [one["sum_logits"] for one in outputs if isinstance(one, dict) and is_number(one.get("sum_logits"))]
    are_options = not _outputs(row) or len(asked) == len(outputs)
    return [float(number) for number in numbers] if len(numbers) == len(outputs) > 1 and are_options else []


def _sample(number: int, row: Fields, asked: list[tuple[str, str]]) -> Sample:
    weighed = _weighed(row, asked)
    options = tuple(text for _, text in asked) if len(asked) == len(weighed) else ()
    prompt = asked[0][0] if asked else ""
    outputs = _outputs(row)
    preferred = max(range(len(weighed)), key=weighed.__getitem__) if weighed else 0
    if weighed:
        outputs = [options[preferred] if options else str(preferred)]
    return Sample(
        doc_id=number,
        doc_hash=_hash(repr(number if row.get("native_id") is None else row.get("native_id"))),
        prompt_hash=_hash(prompt),
        prompt=prompt,
        target=_target(row.get("label"), options),
        output=outputs[0] if outputs else "",
        outputs=tuple(outputs) if len(outputs) > 1 else (),
        scores=dict(_scores(row)),
        options=options,
        option_loglikelihoods=tuple(weighed) if options else (),
    )


def _scores(row: Fields) -> Iterator[tuple[str, float]]:
    for name, value in row.mapping("metrics").items():  # OLMES
        if is_number(value) or isinstance(value, bool):
            yield name, float(value)
    for metric, by_scorer in row.mapping("instance_metrics").items():  # olmo-eval
        for scorer, value in by_scorer.items() if isinstance(by_scorer, dict) else ():
            if is_number(value) or isinstance(value, bool):
                yield f"{metric},{scorer}", float(value)


def _outputs(row: Fields) -> list[str]:
    texts = (
        next((one[key] for key in ("continuation", "text") if isinstance(one.get(key), str)), None)
        for one in row.list("model_output")
        if isinstance(one, dict)
    )
    return [text for text in texts if text is not None]


def _target(label: Any, options: tuple[str, ...]) -> str:
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(options):
        return options[label]
    return _text(label)


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):  # messages of a chat
        return "\n\n".join(str(one.get("content", "")) for one in value)
    return "" if value is None else value if isinstance(value, str) else str(value)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
