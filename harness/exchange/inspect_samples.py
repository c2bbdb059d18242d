"""The samples of an Inspect log: documents with the messages that were sent, the answer and a score of each scorer."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harness.exchange.exported import DETAILS
from harness.exchange.fields import Fields, is_number
from harness.records import Sample
from harness.wording import natural_order

_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Grades of Inspect's scorers: correct, partly correct, incorrect, no answer."""
MEANS = ("accuracy", "mean")
"""Metrics of a scorer that are the mean of what it gave for each document."""
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_ATTACHED = re.compile(r"attachment://([0-9a-f]+)|tc://([0-9a-f]+)")
"""A text that stands elsewhere in the sample, because it is used several times."""


KEPT = frozenset("id epoch input choices target messages output scores score metadata attachments".split())
"""Keys of a sample that are read; the greatest by far, `events`, is none of them."""


def inspect_documents(raw: Sequence[Fields], metrics: Sequence[str], order: Sequence[Any]) -> tuple[Sample, ...]:
    """The documents of a log; several answers to one (epochs) are its outputs, and their mean its score.

    Args:
        raw: the log's samples.
        metrics: names of the metrics of the result, such as `accuracy,match`.
        order: ids in the order of the data set, where the log says it.

    Raises:
        HarnessError: a value is not what Inspect writes there.
    """
    answers: dict[Any, list[Fields]] = defaultdict(list)
    for sample in raw:
        answers[_id(sample.get("id"))].append(sample)
    places = {_id(one): position for position, one in enumerate(order)}
    known = places.keys() >= answers.keys()
    ids = sorted(answers, key=lambda one: (places[one] if known else 0, natural_order(str(one)), str(one)))
    return tuple(_sample(position, answers[one], metrics) for position, one in enumerate(ids))


def _id(value: Any) -> Any:
    return value if isinstance(value, str | int) else str(value)


def _sample(position: int, answers: Sequence[Fields], metrics: Sequence[str]) -> Sample:
    answers = sorted(answers, key=lambda one: one.whole("epoch") or 1)
    first = answers[0]
    own = Fields(first.mapping("metadata").get(DETAILS) or {}, f"{first.place}: metadata.{DETAILS}")
    targets = [str(one) for one in _listed(first.get("target"))]
    prompt, outputs = _prompt(first), [text for one in answers for text in _outputs(one)]
    document = [first.get("id"), first.get("input"), first.get("choices"), targets]
    weighed = [float(value) for value in own.list("option_loglikelihoods") if is_number(value)]
    return Sample(
        doc_id=position if own.whole("doc_id") is None else own.whole("doc_id") or 0,
        doc_hash=own.text("doc_hash") or _hash(repr(document)),
        prompt_hash=own.text("prompt_hash") or _hash(prompt),
        prompt=prompt,
        target=targets[0] if targets else "",
        targets=tuple(targets) if len(targets) > 1 else (),
        output=outputs[0] if outputs else "",
        outputs=tuple(outputs) if len(outputs) > 1 else (),
        scores=dict(_scores(answers, metrics)),
        options=tuple(map(str, first.list("choices"))) if weighed else (),
        option_loglikelihoods=tuple(weighed),
    )


def _scores(answers: Sequence[Fields], metrics: Sequence[str]) -> Iterator[tuple[str, float]]:
    for written in metrics:
        values = [_value(Fields(_graded(one), one.place), written) for one in answers]
        if numbers := [value for value in values if value is not None]:
            yield written, sum(numbers) / len(numbers)


def _graded(sample: Fields) -> Any:
    """The scores by scorer; older logs have a single `score`."""
    scores = sample.get("scores")
    return {"": sample.get("score")} if scores is None and sample.get("score") is not None else scores or {}


def _value(scores: Fields, written: str) -> float | None:
    """What a scorer gave for the metric `accuracy,match`; other metrics than means are of all documents together.

    `tests` of `pass.tests` is one of several scores that the scorer `pass` gave at once.
    """
    metric, _, name = written.partition(",")
    if written in scores.raw:
        name = written
    elif not name or metric not in MEANS:
        return None
    for outer, entry in scores.items():
        value = entry.get("value") if isinstance(entry, dict) else None
        if isinstance(value, dict):
            value = value.get(name.removeprefix(f"{outer}."))
        elif outer not in (name, ""):
            continue
        if value is not None:
            return _grade(value)
    return None


def _grade(value: Any) -> float | None:
    if isinstance(value, bool):
        return float(value)
    if is_number(value):
        return float(value)
    if isinstance(value, str):
        known = _GRADES.get(value, _WORDS.get(value.lower()))
        try:
            number = float(value) if known is None else known
        except ValueError:
            return None
        return number if is_number(number) else None
    return None


def _prompt(sample: Fields) -> str:
    """What the model was asked: the messages before its first answer, else the input."""
    asked: list[str] = []
    for message in sample.list("messages"):
        if not isinstance(message, dict) or message.get("role") == "assistant":
            break
        asked.append(_text(message.get("content")))
    return _resolved("\n\n".join(asked) if asked else _input(sample.get("input")), sample)


def _input(value: Any) -> str:
    parts = [one.get("content") for one in value if isinstance(one, dict)] if isinstance(value, list) else [value]
    return "\n\n".join(map(_text, parts))


def _outputs(sample: Fields) -> list[str]:
    """What the model answered, without the messages before the last one."""
    output = sample.mapping("output")
    texts = [
        _text(choice["message"].get("content"))
        for choice in output.list("choices")
        if isinstance(choice, dict) and isinstance(choice.get("message"), dict)
    ]
    if len(texts) < 2 and isinstance(output.get("completion"), str):
        texts = [output["completion"]]
    return [_resolved(text, sample) for text in texts]


def _text(content: Any) -> str:
    """The text of a message, whose parts may be pictures and more besides."""
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    return "" if content is None else str(content)


def _resolved(text: str, sample: Fields) -> str:
    kept = sample.mapping("attachments").raw
    return _ATTACHED.sub(lambda found: str(kept.get(found[1] or found[2], found[0])), text)


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
