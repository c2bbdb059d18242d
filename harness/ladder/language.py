"""Items that turn one text into another: translations and summaries. Standard library only."""

from __future__ import annotations

import random
from typing import NamedTuple

from harness.ladder import words
from harness.ladder.world import WorldItem


class Noun(NamedTuple):
    """A noun with its adjective, or with an empty text in place of one."""

    noun: str
    adjective: str


def translate(rng: random.Random) -> WorldItem:
    """One or two clauses in the second language: adjectives follow their noun, verbs end the clause."""
    clauses = [_clause(rng) for _ in range(rng.choice((1, 2)))]
    source = " and ".join(english for english, _ in clauses)
    target = " ye ".join(foreign for _, foreign in clauses)
    prompt = f"english: {source}\nlomi:"
    row = {"source": source, "target": target}
    return WorldItem(task="translate", key=prompt, prompt=prompt, answer=f" {target}", fields=row)


def _clause(rng: random.Random) -> tuple[str, str]:
    nouns, adjectives, verbs = (words.LEXICON[part] for part in ("nouns", "adjectives", "verbs"))
    named = [Noun(noun, rng.choice(("", *adjectives))) for noun in rng.sample(list(nouns), 2)]
    verb = rng.choice(list(verbs))
    english = [" ".join(filter(None, ("the", adjective, noun))) for noun, adjective in named]
    foreign = [" ".join(filter(None, (nouns[noun], adjectives.get(adjective)))) for noun, adjective in named]
    return f"{english[0]} {verb} {english[1]}", f"{foreign[0]} {foreign[1]} {verbs[verb]}"


def summarise(rng: random.Random) -> WorldItem:
    """What two or three people like, told by three words each, of which two or three belong to one topic."""
    people = rng.sample(words.PEOPLE, rng.choice((2, 3)))
    topics = [rng.choice(list(words.TOPICS)) for _ in people]
    told = [_liked(rng, person, topic) for person, topic in zip(people, topics, strict=True)]
    text = " ".join(told)
    summary = " , ".join(f"{person} {topic}" for person, topic in zip(people, topics, strict=True))
    prompt = f"text: {text}\nsummary:"
    row = {"text": text, "summary": summary}
    return WorldItem(task="summarise", key=prompt, prompt=prompt, answer=f" {summary}", fields=row)


def _liked(rng: random.Random, person: str, topic: str) -> str:
    other = rng.choice([name for name in words.TOPICS if name != topic])
    chosen = [*rng.sample(words.TOPICS[topic], 2), rng.choice(words.TOPICS[other])]
    rng.shuffle(chosen)
    return f"{person} likes {chosen[0]} , {chosen[1]} and {chosen[2]} ."
