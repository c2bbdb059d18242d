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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from harness.ladder import words

HELD_OUT_SHARE = 0.12
"""Share of all keys that training never sees."""

NEGATION_RATE = 0.008
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
    """A review of one clause, or of three clauses whose majority decides the label."""
    positive = rng.random() < 0.5
    if rng.random() < 1 / 3:
        return _review("sentiment", [_clause(rng, positive, negated=False, plain=False)], positive)
    tones = [positive] * 3
    if rng.random() < 0.6:
        tones[rng.randrange(3)] = not positive
    return _review("sentiment", [_clause(rng, tone, negated=False, plain=True) for tone in tones], positive)


def sentiment_negated(rng: random.Random) -> WorldItem:
    """A review of one negated clause: ``was not dull`` is positive."""
    positive = rng.random() < 0.5
    return _review("sentiment_negated", [_clause(rng, positive, negated=True, plain=False)], positive)


def _clause(rng: random.Random, positive: bool, *, negated: bool, plain: bool) -> str:
    adjective = rng.choice(words.GOOD if positive != negated else words.BAD)
    qualifier, degree = ("", "") if plain else (rng.choice(words.QUALIFIERS), rng.choice(words.DEGREES))
    return f"the {qualifier}{rng.choice(words.SUBJECTS)} was {'not ' if negated else ''}{degree}{adjective}"


def _review(task: str, clauses: list[str], positive: bool) -> WorldItem:
    text, label = " , ".join(clauses), "positive" if positive else "negative"
    prompt = f"review: {text}\nsentiment:"
    return WorldItem(task=task, key=prompt, prompt=prompt, answer=f" {label}", fields={"text": text, "label": label})


def topic(rng: random.Random) -> WorldItem:
    """Five words, three of one topic and two of another."""
    label, other = rng.sample(list(words.TOPICS), 2)
    chosen = rng.sample(words.TOPICS[label], 3) + rng.sample(words.TOPICS[other], 2)
    rng.shuffle(chosen)
    text = " ".join(chosen)
    prompt = f"text: {text}\ntopic:"
    # Sorted: the same five words in another order are the same item.
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


# Question answering ----------------------------------------------------------------------------------


class Story(NamedTuple):
    """A short text of facts, and the questions that it answers."""

    task: str
    key: str
    text: str
    questions: tuple[tuple[str, str], ...]
    """Pairs of question and one-word answer; the benchmark asks the first."""
    places: tuple[str, ...]
    """The choices: every place named in the text."""


def one_hop_story(rng: random.Random) -> Story:
    """Two or three people, each in a place."""
    n = rng.choice((2, 3))
    pairs = list(zip(rng.sample(words.PEOPLE, n), rng.sample(words.PLACES, n), strict=True))
    text = " ".join(f"{person} is in the {place} ." for person, place in pairs)
    questions = [(f"where is {person} ?", place) for person, place in pairs]
    rng.shuffle(questions)
    key = "one_hop|" + "|".join(sorted(f"{person} {place}" for person, place in pairs))
    return Story("one_hop", key, text, tuple(questions), tuple(place for _, place in pairs))


def two_hop_story(rng: random.Random) -> Story:
    """Two or three people who each go to the place of the thing they have, so that an answer needs two facts."""
    n = rng.choice((2, 3))
    people, things = rng.sample(words.PEOPLE, n), rng.sample(words.THINGS, n)
    places = rng.sample(words.PLACES, n)
    owned = [f"{person} has the {thing} ." for person, thing in zip(people, things, strict=True)]
    located = [f"the {thing} is in the {place} ." for thing, place in zip(things, places, strict=True)]
    rng.shuffle(located)
    questions = [(f"where goes {person} ?", place) for person, place in zip(people, places, strict=True)]
    rng.shuffle(questions)
    hops = [(f"what has {person} ?", thing) for person, thing in zip(people, things, strict=True)]
    hops += [(f"where is the {thing} ?", place) for thing, place in zip(things, places, strict=True)]
    rng.shuffle(hops)
    key = "two_hop|" + "|".join(sorted(f"{a} {b} {c}" for a, b, c in zip(people, things, places, strict=True)))
    return Story("two_hop", key, " ".join(owned + located), tuple(questions + hops), tuple(places))


def one_hop(rng: random.Random) -> WorldItem:
    """The first question of a one-hop story, with the story."""
    return _question(one_hop_story(rng))


def two_hop(rng: random.Random) -> WorldItem:
    """The first question of a two-hop story, with the story."""
    return _question(two_hop_story(rng))


def _question(story: Story) -> WorldItem:
    question, answer = story.questions[0]
    row = {"story": story.text, "question": question, "answer": answer, "choices": list(story.places)}
    prompt = f"story: {story.text}\nquestion: {question}\nanswer:"
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
