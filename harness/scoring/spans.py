"""Entities that a model wrote as text, `Tom PER ; Tibi LOC`, scored as spans with nervaluate.

A generated answer names entities but not where they stand. Each predicted entity is therefore placed in the document's
text: where the same text and type is expected and no earlier entity of the answer was placed there, else at the first
free occurrence, else after the end of the text, where nothing is expected and it counts as spurious. A piece of the
answer that names no known type is one spurious entity too, so that rambling costs precision. With this placing, strict
true positives are the common part of two multisets of (text, type), whatever the order of the answer.

The reference is the document's `text` and its list `entities`. A document with `tokens` in place of these, as data sets
for taggers have them, is read through the task's target, which names its entities as an answer does; a target that
names none, such as `none`, is the right answer where there is no entity.

Expected entities may share a span (`Paris LOC`, `Paris ORG`) or stand inside one another (`England` in `Bank of
England`). nervaluate compares spans one by one and lets each expected one be met once: every such entity counts as one.

Batista and Upson, nervaluate, after SemEval-2013 task 9.1: `strict` wants the exact span and type; `partial` gives half
a point for an overlapping span and ignores the type.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from harness.errors import HarnessError
from harness.scoring.metrics import Answer, CorpusValue, mean_stderr
from harness.wording import quoted

UNKNOWN = "?"
"""Type given to a piece of an answer that names none."""

Schema = Literal["strict", "partial"]


class Entity(NamedTuple):
    """A name and its type, not yet placed."""

    text: str
    type: str


class Matches(NamedTuple):
    """True positives of one answer by schema, and the entities on both sides."""

    strict: float
    """Exact spans with the right type."""
    partial: float
    """Overlapping spans, half a point where they are not exact."""
    expected: int
    """Entities of the reference."""
    predicted: int
    """Entities of the answer."""


class TypeCounts(NamedTuple):
    """What one answer has of one type of entity, or of one relation."""

    strict: float
    """Right as a whole."""
    partial: float
    """Right as a whole, and half of what is right in part."""
    expected: int
    """In the reference."""
    predicted: int
    """In the answer."""


class Span(NamedTuple):
    """An entity placed in a text, in characters; nervaluate wants the end inclusive."""

    start: int
    end: int
    type: str


def entity_f1_strict(answers: Sequence[Answer]) -> CorpusValue:
    """Micro-averaged F1 of exact spans with the right type; per document its own F1."""
    return _entity_f1(answers, "strict")


def entity_f1_partial(answers: Sequence[Answer]) -> CorpusValue:
    """Micro-averaged F1 that gives half a point for an overlapping span and ignores types."""
    return _entity_f1(answers, "partial")


def parse_failure_rate(answers: Sequence[Answer]) -> CorpusValue:
    """Share of answers that are no list `<text> <TYPE> ; ...` of known types; an empty one fails unless it is right."""
    types = known_types(answers)
    failures = tuple(float(_fails(answer, types)) for answer in answers)
    value, stderr = mean_stderr(failures)
    return CorpusValue(value, stderr, failures)


def counts_by_type(
    prompt: str, expected: tuple[Entity, ...], output: str, types: frozenset[str]
) -> dict[str, TypeCounts]:
    """What an answer has of each type of entity, by nervaluate; under the empty name, of all types together.

    Of a single type nervaluate looks at the entities of that type alone, so that `partial` wants the type to be right,
    unlike that of all types together. Pieces of the answer without a known type are counted under `UNKNOWN`.

    Args:
        prompt: what the model read; the text is as many of its last lines as have every expected entity.
        expected: entities of the reference.
        output: the answer.
        types: types that the documents have.

    Raises:
        HarnessError: an expected entity does not stand in the prompt.

    >>> found = counts_by_type("text: Tom met Ann", (Entity("Tom", "PER"), Entity("Ann", "PER")), "Tom PER", {"PER"})
    >>> found["PER"]
    TypeCounts(strict=1.0, partial=1.0, expected=2, predicted=1)
    """
    text = _last_lines(prompt, expected)
    gold, predicted = _placed(text, expected, parse_entities(output, types))
    tags = sorted({span.type for span in gold + predicted})
    found = _evaluated(gold, predicted, tags)
    by_tag = {"": found["overall"], **{tag: found["entities"][tag] for tag in tags}}
    return {
        tag: TypeCounts(
            _points(of["strict"]),
            _points(of["partial"]),
            sum(tag in ("", span.type) for span in gold),
            sum(tag in ("", span.type) for span in predicted),
        )
        for tag, of in by_tag.items()
    }


def target_entities(target: str) -> list[Entity]:
    """The entities that a right answer names as text; none for one that names none, such as `none`.

    >>> target_entities("Tom PER ; Tibi Bank ORG"), target_entities("none")
    ([Entity(text='Tom', type='PER'), Entity(text='Tibi Bank', type='ORG')], [])
    """
    pieces = (piece.strip().rpartition(" ") for piece in target.split(";"))
    return [Entity(text.strip(), kind) for text, _, kind in pieces if text.strip()]


def entity_spans(text: str, doc: Mapping[str, Any], target: str) -> list[Span]:
    """Where the entities of a document stand in a text: one behind the other, if they can be, else as they are scored.

    Args:
        text: the text.
        doc: the document.
        target: its right answer, which names the entities of a document without a list of them.

    Raises:
        HarnessError: one of them is not in the text.

    >>> entity_spans("Ann said that Bob met Ann", {}, "Bob PER ; Ann PER")
    [Span(start=14, end=16, type='PER'), Span(start=22, end=24, type='PER')]
    """
    expected = _gold(doc, target) if "entities" in doc else target_entities(target)
    found: list[Span] = []
    for entity in expected:
        behind = found[-1].end + 1 if found else 0
        start = next((start for start in _occurrences(text, entity.text) if start >= behind), None)
        if start is None:
            return _placed_gold(text, expected)
        found.append(_span(start, entity))
    return found


def check_entities(doc: Mapping[str, Any], target: str) -> int:
    """The number of entities of a document, which all stand in its text.

    Args:
        doc: the document.
        target: the right answer by the task's template.

    Raises:
        HarnessError: the document has no text or no list of entities, or one of them is not in the text.
    """
    entities = _gold(doc, target)
    return len(_placed_gold(_text(doc), entities))


def parse_entities(output: str, types: frozenset[str]) -> list[Entity]:
    """The entities of an answer, in its order; a piece without a known type gets `UNKNOWN`.

    >>> parse_entities(" Tom PER ; Tibi Bank ORG ; and so on", frozenset({"PER", "ORG"}))
    [Entity(text='Tom', type='PER'), Entity(text='Tibi Bank', type='ORG'), Entity(text='and so on', type='?')]
    """
    entities = []
    for piece in filter(None, (piece.strip() for piece in output.split(";"))):
        text, _, last = piece.rpartition(" ")
        known = last in types and bool(text.strip())
        entities.append(Entity(text.strip(), last) if known else Entity(piece, UNKNOWN))
    return entities


def known_types(answers: Sequence[Answer]) -> frozenset[str]:
    """The types that occur in the reference entities of the documents."""
    return frozenset(entity.type for answer in answers for entity in _gold(answer.doc, answer.target))


def ratio_stderr(numerators: Sequence[float], denominators: Sequence[float]) -> float | None:
    """Standard error of sum(a)/sum(b) over independent documents, by the delta method.

    se = sqrt(n/(n-1) * sum((a_i - R*b_i)^2)) / sum(b) with R = sum(a)/sum(b); Cochran (1977), Sampling Techniques,
    3rd ed., ch. 6 (ratio estimators), without the correction for finite populations. None for one document or an
    empty denominator. With equal denominators it is the usual error of a mean:

    >>> ratio_stderr([2, 0, 2, 2], [2, 2, 2, 2])
    0.25
    """
    n, total = len(numerators), math.fsum(denominators)
    if n < 2 or total == 0:
        return None
    ratio = math.fsum(numerators) / total
    squares = math.fsum((a - ratio * b) ** 2 for a, b in zip(numerators, denominators, strict=True))
    return math.sqrt(n / (n - 1) * squares) / total


def _entity_f1(answers: Sequence[Answer], schema: Schema) -> CorpusValue:
    """F1 = sum(2*tp) / sum(predicted + expected); documents without any entity on either side agree fully."""
    types = known_types(answers)
    doubled: list[float] = []
    totals: list[float] = []
    for answer in answers:
        expected = tuple(_gold(answer.doc, answer.target))
        found = _matches(_text(answer.doc), expected, _claims(answer, expected), types)
        doubled.append(2 * (found.strict if schema == "strict" else found.partial))
        totals.append(float(found.expected + found.predicted))
    per_sample = tuple(a / b if b else 1.0 for a, b in zip(doubled, totals, strict=True))
    total = sum(totals)
    return CorpusValue(sum(doubled) / total if total else 1.0, ratio_stderr(doubled, totals), per_sample)


@functools.lru_cache(maxsize=4096)
def _matches(text: str, expected: tuple[Entity, ...], output: str, types: frozenset[str]) -> Matches:
    """The matches of an answer with the reference; cached, because both schemas need them."""
    gold, predicted = _placed(text, expected, parse_entities(output, types))
    counts = _evaluated(gold, predicted, sorted({span.type for span in gold + predicted}))["overall"]
    return Matches(_points(counts["strict"]), _points(counts["partial"]), len(gold), len(predicted))


def _evaluated(gold: Sequence[Span], predicted: Sequence[Span], tags: Sequence[str]) -> Any:
    from nervaluate import Evaluator  # `emergence check` looks at entities without it

    # loader="dict" is named because nervaluate's guess reads the first entity of the first document, if there is one.
    return Evaluator(
        true=[[_as_dict(span) for span in gold]],
        pred=[[_as_dict(span) for span in predicted]],
        tags=list(tags),
        loader="dict",
    ).evaluate()


def _points(counts: Any) -> float:
    return float(counts.correct + 0.5 * counts.partial)


def _last_lines(prompt: str, expected: Sequence[Entity]) -> str:
    """As many of the last lines of a prompt as have every expected entity; demonstrations come before these.

    Raises:
        HarnessError: the prompt has not.
    """
    lines = prompt.splitlines()
    for first in range(len(lines) - 1, 0, -1):
        text = "\n".join(lines[first:])
        if all(text.count(entity.text) >= expected.count(entity) for entity in expected):
            with suppress(HarnessError):  # there, but not often enough beside each other
                _placed_gold(text, expected)
                return text
    _placed_gold(prompt, expected)
    return prompt


def _as_dict(span: Span) -> dict[str, Any]:
    return {"label": span.type, "start": span.start, "end": span.end}


def _placed(text: str, expected: Sequence[Entity], answered: Sequence[Entity]) -> tuple[list[Span], list[Span]]:
    """Expected and predicted entities as spans.

    Exact matches come first: nervaluate goes through the predictions in order and lets one that merely overlaps take
    an expected entity away from a later one that matches it.
    """
    gold = _placed_gold(text, expected)
    exact: list[Span] = []
    others: list[Entity] = []
    for entity in answered:
        matches = (s for s in gold if s.type == entity.type and text[s.start : s.end + 1] == entity.text)
        span = next((s for s in matches if s not in exact), None)
        if span is None:
            others.append(entity)
        else:
            exact.append(span)
    rest: list[Span] = []
    for entity in sorted(others):  # the order of the answer must not matter
        beyond = len(text) + 2 * len(rest) + 1
        rest.append(
            _first_free(text, entity, exact + rest)
            or _nested(text, entity, [span for span in gold if span not in exact], rest)
            or Span(beyond, beyond, entity.type)
        )
    same_place = {(span.start, span.end) for span in gold}
    rest.sort(key=lambda span: ((span.start, span.end) not in same_place, span))
    return gold, exact + rest


def _placed_gold(text: str, expected: Sequence[Entity]) -> list[Span]:
    """Expected entities as spans that share no character; where that cannot be, the longest first, others inside.

    Raises:
        HarnessError: an entity does not stand in the text, or not as often as it is expected.
    """
    apart: list[Span] = []
    for entity in expected:
        span = _first_free(text, entity, apart)
        if span is None:
            break
        apart.append(span)
    if len(apart) == len(expected):
        return apart
    gold: list[Span] = []
    for entity in sorted(expected, key=lambda entity: -len(entity.text)):
        everywhere = (_span(start, entity) for start in _occurrences(text, entity.text))
        span = _first_free(text, entity, gold) or next((span for span in everywhere if span not in gold), None)
        if span is None:
            there = "not" if entity.text not in text else f"expected {expected.count(entity)} times and fewer times"
            raise HarnessError(f"entity {quoted(entity.text)} of a document is {there} in its text {quoted(text)}")
        gold.append(span)
    return gold


def _span(start: int, entity: Entity) -> Span:
    return Span(start, start + len(entity.text) - 1, entity.type)


def _first_free(text: str, entity: Entity, taken: Sequence[Span]) -> Span | None:
    """The first occurrence of the entity that shares no character with a taken one, whole words before parts."""
    spans = (_span(start, entity) for start in _occurrences(text, entity.text))
    return next((span for span in spans if not _touches(span, taken)), None)


def _nested(text: str, entity: Entity, unmet: Sequence[Span], taken: Sequence[Span]) -> Span | None:
    """The place where the same text is expected, as another type, inside an entity that was found."""
    same = (Span(s.start, s.end, entity.type) for s in unmet if text[s.start : s.end + 1] == entity.text)
    return next((span for span in same if not _touches(span, taken)), None)


def _touches(span: Span, others: Sequence[Span]) -> bool:
    return any(span.start <= other.end and other.start <= span.end for other in others)


def _occurrences(text: str, name: str) -> Iterator[int]:
    """Where `name` begins in `text`: whole words first, then everywhere."""
    # no pattern is compiled: each name is another one
    for whole_word in (True, False):
        start = text.find(name)
        while start >= 0:
            end = start + len(name)
            inside = whole_word and (_in_word(text[max(0, start - 1) : start]) or _in_word(text[end : end + 1]))
            if not inside:
                yield start
            start = text.find(name, start + 1 if inside else max(end, start + 1))


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _text(doc: Mapping[str, Any]) -> str:
    """The text in which a document's entities stand."""
    if _is_tagged(doc):
        return " ".join(doc["tokens"])
    text = doc.get("text")
    if not isinstance(text, str):
        raise HarnessError(f"`text` is {quoted(text)}; expected the text in which the entities stand")
    return text


def _is_tagged(doc: Mapping[str, Any]) -> bool:
    """True for a document that has words, whose entities the target names, in place of a text and a list."""
    tokens = doc.get("tokens")
    return "entities" not in doc and isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)


def _gold(doc: Mapping[str, Any], target: str) -> list[Entity]:
    if _is_tagged(doc):
        return target_entities(target)
    try:
        gold = [Entity(entity["text"], entity["type"]) for entity in doc["entities"]]
    except (KeyError, TypeError) as error:
        raise HarnessError(
            f"a document without `entities: [{{text, type}}, ...]` has no entity score; its keys are "
            f"{', '.join(map(str, doc))}"
        ) from error
    for entity in gold:
        if not entity.text or not isinstance(entity.text, str):
            raise HarnessError(
                f"an entity of a document has the text {quoted(entity.text)}; expected a name in its text"
            )
    return gold


def _claims(answer: Answer, expected: Sequence[Entity]) -> str:
    """What an answer says that there is; nothing, where it says in the words of the target that there is none."""
    return "" if not expected and answer.output.strip() == answer.target.strip() else answer.output


def _fails(answer: Answer, types: frozenset[str]) -> bool:
    expected = _gold(answer.doc, answer.target)
    entities = parse_entities(_claims(answer, expected), types)
    if not entities:
        return bool(expected)
    return any(entity.type == UNKNOWN for entity in entities)
