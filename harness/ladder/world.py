"""The synthetic world: items, their held-out split, and training documents. Standard library only.

An *item* is one prompt with its answer. The split is a hash of the item's key: an item whose key falls in
the held-out slice never enters a training document, and benchmark documents are drawn from that slice only.
Keys are chosen so that no trivially equal item can leak: addition by the unordered pair of addends (``3+12``
and ``12+3`` are one item), stories by the unordered set of their facts, and so on.

A *document* is what a model trains on: several items of one task in a row, so that few-shot prompts are in
distribution.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from harness.ladder import words

HELD_OUT_SHARE = 0.12
"""Share of all keys that training never sees."""

NEGATION_RATE = 0.015
"""Share of review items in training that are negated. They are rare on purpose: models learn the majority rule
first, and it gives the wrong label here."""

Split = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
class WorldItem:
    """One prompt with its answer."""

    task: str
    """Benchmark task the item belongs to, such as ``sentiment``."""
    key: str
    """The key whose hash decides the split; items with equal keys count as the same item."""
    prompt: str
    """Text before the answer, without demonstrations."""
    answer: str
    """Text after the prompt, with its leading space if the format has one, without the newline."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """The benchmark row of the item, without its id."""


class Segment(NamedTuple):
    """A piece of a training document; the loss weighs answers in full and prompts lightly."""

    text: str
    is_answer: bool


class TrainingDocument(NamedTuple):
    """A training document: the task it practises, the keys of its items, and its text in order."""

    task: str
    keys: tuple[str, ...]
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """The whole document as one string, without special tokens."""
        return "".join(segment.text for segment in self.segments)


def is_held_out(key: str) -> bool:
    """True if the item with this key is reserved for testing."""
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32 < HELD_OUT_SHARE


def draw(rng: random.Random, make: Callable[[random.Random], WorldItem], split: Split) -> WorldItem:
    """Draws items until one belongs to the given split (about 1 draw for training and 8 for testing)."""
    while True:
        item = make(rng)
        if is_held_out(item.key) == (split == "test"):
            return item


# Classification --------------------------------------------------------------------------------------


def sentiment(rng: random.Random) -> WorldItem:
    """A review of three or five clauses: strong words count twice, "very" doubles, only what follows "but" counts."""
    while True:
        clauses = [_clause(rng, rng.random() < 0.5) for _ in range(rng.choice((3, 3, 5)))]
        turn = rng.randrange(1, len(clauses)) if rng.random() < 0.35 else 0
        total = sum(clause.weight for clause in clauses[turn:])
        if total:
            break
    texts = [clause.text for clause in clauses]
    text = " , ".join(texts)
    if turn:
        text = f"{' , '.join(texts[:turn])} but {' , '.join(texts[turn:])}"
    return _review("sentiment", text, total > 0)


def sentiment_negated(rng: random.Random) -> WorldItem:
    """A review of one to three clauses of one tone, each negated: ``was not dull`` is positive."""
    positive = rng.random() < 0.5
    clauses = [_clause(rng, not positive, negated=True) for _ in range(rng.choice((1, 2, 3)))]
    return _review("sentiment_negated", " , ".join(clause.text for clause in clauses), positive)


class Clause(NamedTuple):
    """A part of a review, and how much it counts for (or, below 0, against) what is reviewed."""

    text: str
    weight: int


def _clause(rng: random.Random, good: bool, *, negated: bool = False) -> Clause:
    adjective, very = rng.choice(words.GOOD if good else words.BAD), rng.random() < 0.25
    weight = (1 if good != negated else -1) * (2 if adjective in words.STRONG else 1) * (2 if very else 1)
    text = f"{rng.choice(words.SUBJECTS)} was {'not ' if negated else ''}{'very ' if very else ''}{adjective}"
    return Clause(text, weight)


def _review(task: str, text: str, positive: bool) -> WorldItem:
    label = "positive" if positive else "negative"
    prompt = f"review: {text}\nsentiment:"
    return WorldItem(task=task, key=prompt, prompt=prompt, answer=f" {label}", fields={"text": text, "label": label})


def topic(rng: random.Random) -> WorldItem:
    """Eight words: three or four of one topic, and fewer of each other."""
    label, *others = rng.sample(list(words.TOPICS), 4)
    counts = rng.choice(((4, 3, 1, 0), (4, 2, 2, 0), (3, 2, 2, 1)))
    drawn = zip((label, *others), counts, strict=True)
    chosen = [word for name, count in drawn for word in rng.sample(words.TOPICS[name], count)]
    rng.shuffle(chosen)
    text = " ".join(chosen)
    prompt = f"text: {text}\ntopic:"
    # Sorted: the same words in another order are the same item.
    key = "topic|" + " ".join(sorted(chosen))
    return WorldItem(task="topic", key=key, prompt=prompt, answer=f" {label}", fields={"text": text, "label": label})


# Entities --------------------------------------------------------------------------------------------


def entities(rng: random.Random) -> WorldItem:
    """One or two sentences about invented names; the answer lists every name with its type, in order."""
    sentences: list[str] = []
    found: list[dict[str, str]] = []
    for _ in range(rng.choice((1, 2))):
        template, kinds = rng.choice(words.ENTITY_TEMPLATES)
        names = [_name(rng), _name(rng)]
        sentences.append(template.format(*names))
        found += [{"text": name, "type": kind} for name, kind in zip(names, kinds, strict=True)]
    text = " ".join(sentences)
    answer = " ; ".join(f"{entity['text']} {entity['type']}" for entity in found)
    prompt = f"text: {text}\nentities:"
    row = {"text": text, "entities": found, "answer": answer}
    return WorldItem(task="entities", key=prompt, prompt=prompt, answer=f" {answer}", fields=row)


def _name(rng: random.Random) -> str:
    letters = (words.CONSONANTS, words.VOWELS, words.CONSONANTS, words.VOWELS)
    return "".join(rng.choice(group) for group in letters).capitalize()


def relations(rng: random.Random) -> WorldItem:
    """One to three sentences about invented names; the answer lists who has which relation to whom, in order."""
    sentences: list[str] = []
    triples: list[dict[str, str]] = []
    wanted = rng.choice((1, 2, 2, 3))
    while len(sentences) < wanted or not triples:
        template, relation, (head, tail) = rng.choice(words.RELATION_TEMPLATES)
        names = [_name(rng), _name(rng)]
        sentences.append(template.format(*names))
        if relation:
            triples.append({"head": names[head], "relation": relation, "tail": names[tail]})
    text = " ".join(sentences)
    answer = " ; ".join(f"{triple['head']} {triple['relation']} {triple['tail']}" for triple in triples)
    prompt = f"text: {text}\nrelations:"
    row = {"text": text, "triples": triples, "answer": answer}
    return WorldItem(task="relations", key=prompt, prompt=prompt, answer=f" {answer}", fields=row)


# Question answering ----------------------------------------------------------------------------------


class Story(NamedTuple):
    """A short text of facts, and the questions that it answers."""

    task: str
    key: str
    text: str
    questions: tuple[tuple[str, str], ...]
    """Pairs of whom is asked for and the place; the benchmark asks the first."""
    places: tuple[str, ...]
    """The choices: every place named in the text."""


def one_hop_story(rng: random.Random) -> Story:
    """Two or three people, each with a place."""
    n = rng.choice((2, 3))
    pairs = list(zip(rng.sample(words.PEOPLE, n), rng.sample(words.PLACES, n), strict=True))
    questions = list(pairs)
    rng.shuffle(questions)
    key = "one_hop|" + "|".join(sorted(f"{person} {place}" for person, place in pairs))
    return Story("one_hop", key, f"places: {_table(pairs)}", tuple(questions), tuple(place for _, place in pairs))


def two_hop_story(rng: random.Random) -> Story:
    """Two or three people, each with a thing, and each thing with a place, so that an answer needs two facts."""
    n = rng.choice((2, 3))
    people, things = rng.sample(words.PEOPLE, n), rng.sample(words.THINGS, n)
    places = rng.sample(words.PLACES, n)
    located = list(zip(things, places, strict=True))
    rng.shuffle(located)
    questions = list(zip(people, places, strict=True))
    rng.shuffle(questions)
    key = "two_hop|" + "|".join(sorted(f"{a} {b} {c}" for a, b, c in zip(people, things, places, strict=True)))
    text = f"things: {_table(zip(people, things, strict=True))}\nplaces: {_table(located)}"
    return Story("two_hop", key, text, tuple(questions), tuple(places))


def _table(pairs: Iterable[tuple[str, str]]) -> str:
    # Value right after key, and key last in a question: then models of this size learn to look a value up within some
    # hundred thousand tokens. Facts worded as sentences took more than ten times as many.
    return " , ".join(f"{key} {value}" for key, value in pairs)


def one_hop(rng: random.Random) -> WorldItem:
    """The first question of a one-hop story, with the story."""
    return _question(one_hop_story(rng))


def two_hop(rng: random.Random) -> WorldItem:
    """The first question of a two-hop story, with the story."""
    return _question(two_hop_story(rng))


def _question(story: Story) -> WorldItem:
    asked, answer = story.questions[0]
    row = {"story": story.text, "asked": asked, "answer": answer, "choices": list(story.places)}
    prompt = f"{story.text}\nplace: {asked}"
    return WorldItem(task=story.task, key=story.key, prompt=prompt, answer=f" {answer}", fields=row)


# Code ------------------------------------------------------------------------------------------------


def steps(rng: random.Random, n_steps: int) -> WorldItem:
    """A function of ``x`` described in steps; the answer is its expression, with brackets only where needed."""
    chosen = [(rng.choice(list(words.OPERATORS)), rng.choice(words.CONSTANTS)) for _ in range(n_steps)]
    description = " then ".join(f"{name} {constant}" for name, constant in chosen)
    expression = _expression(chosen)
    task = {1: "one_step", 2: "two_steps", 3: "three_steps"}[n_steps]
    prompt = f"# x {description}\ndef f(x): return"
    # Inputs include a negative number and zero, so that a wrong bracket cannot pass by luck.
    tests = [[x, _applied(chosen, x)] for x in (-3, 0, 1, 2, 7)]
    row = {"description": description, "reference": expression, "tests": tests}
    return WorldItem(task=task, key=_open_key(n_steps == 1, prompt), prompt=prompt, answer=f" {expression}", fields=row)


def _expression(chosen: list[tuple[str, int]]) -> str:
    expression, last = "x", ""
    for name, constant in chosen:
        if name == "times" and last in ("plus", "minus"):
            expression = f"({expression})"
        expression += f"{words.OPERATORS[name]}{constant}"
        last = name
    return expression


def _applied(chosen: list[tuple[str, int]], x: int) -> int:
    """The result of applying the steps to ``x`` one after another."""
    for name, constant in chosen:
        x = {"plus": x + constant, "minus": x - constant, "times": x * constant}[name]
    return x


def _open_key(is_open: bool, key: str) -> str:
    """The key, changed if ``is_open`` to be never held out: one-digit sums and one-step functions are for training."""
    salt = 0
    while is_open and is_held_out(key if salt == 0 else f"{key}|{salt}"):
        salt += 1
    return key if salt == 0 else f"{key}|{salt}"


# Arithmetic ------------------------------------------------------------------------------------------


def addition(rng: random.Random, n_digits: int) -> WorldItem:
    """A sum of two numbers of equal length, split by the unordered pair."""
    low = 0 if n_digits == 1 else 10 ** (n_digits - 1)
    a, b = rng.randrange(low, 10**n_digits), rng.randrange(low, 10**n_digits)
    key = _open_key(n_digits == 1, f"add|{min(a, b)}+{max(a, b)}")
    row = {"a": a, "b": b, "answer": str(a + b)}
    return WorldItem(task=f"add_{n_digits}", key=key, prompt=f"{a}+{b}=", answer=str(a + b), fields=row)


def modular_sum(rng: random.Random) -> WorldItem:
    """The last digit of a sum of four digits, in one token: a control task that no size here should learn."""
    digits = [rng.randrange(10) for _ in range(4)]
    expression = "+".join(map(str, digits))
    answer = str(sum(digits) % 10)
    key = "mod|" + "+".join(map(str, sorted(digits)))
    row = {"expression": expression, "answer": answer}
    return WorldItem(task="modular_sum", key=key, prompt=f"mod {expression}=", answer=answer, fields=row)
