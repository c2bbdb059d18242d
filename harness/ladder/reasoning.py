"""Items about what is known of the world, and about digits: endings, facts, sorting, parity. Standard library only."""

from __future__ import annotations

import random

from harness.ladder import words
from harness.ladder.world import WorldItem


def ending(rng: random.Random) -> WorldItem:
    """What becomes of a thing, by what it is made of and what happened to it."""
    event = rng.choice(list(words.OUTCOMES))
    material = rng.choice(list(words.MATERIALS))
    thing = rng.choice(words.MATERIALS[material])
    place, person = rng.choice(words.PLACES), rng.choice(words.PEOPLE)
    answer = words.OUTCOMES[event][material]
    others = sorted({outcome for table in words.OUTCOMES.values() for outcome in table.values()} - {answer})
    choices = [answer, *rng.sample(others, 3)]
    rng.shuffle(choices)
    story = f"{person} was in the {place} . the {thing} of {person} {event} . it"
    row = {"story": story, "answer": answer, "choices": choices}
    return WorldItem(task="ending", key=story, prompt=story, answer=f" {answer}", fields=row)


def noted_fact(rng: random.Random) -> WorldItem:
    """The colour of one of two or three things, as a note says it and as it always is."""
    return _note(rng, "noted_fact", contradicts=False)


def override(rng: random.Random) -> WorldItem:
    """The same where the note says another colour than the thing always has."""
    return _note(rng, "override", contradicts=True)


def _note(rng: random.Random, task: str, *, contradicts: bool) -> WorldItem:
    things = rng.sample(list(words.BELONGINGS), rng.choice((2, 3)))
    usual = {thing: words.BELONGINGS[thing] for thing in things}
    asked = rng.choice(things)
    others = [color for color in words.COLORS if color not in usual.values()]
    noted = usual | ({asked: rng.choice(others)} if contradicts else {})
    note = " ".join(f"{thing} is {noted[thing]} ." for thing in things)
    prompt = f"note: {note}\ncolor of {asked}:"
    choices = [noted[asked], usual[asked]]
    rng.shuffle(choices)
    row = {"note": note, "thing": asked, "answer": noted[asked], "choices": choices}
    return WorldItem(task=task, key=f"{task}|{prompt}", prompt=prompt, answer=f" {noted[asked]}", fields=row)


def sort_digits(rng: random.Random) -> WorldItem:
    """Six digits in ascending order, split by the set of digits."""
    digits = [str(rng.randrange(10)) for _ in range(6)]
    answer = "".join(sorted(digits))
    text = "".join(digits)
    row = {"digits": text, "answer": answer}
    return WorldItem(task="sort_digits", key=f"sort|{answer}", prompt=f"sort {text}=", answer=answer, fields=row)


def parity(rng: random.Random) -> WorldItem:
    """Whether the number of ones is even or odd, in one word: a control task that no size here should learn."""
    bits = "".join(rng.choice("01") for _ in range(16))
    answer = ("even", "odd")[bits.count("1") % 2]
    prompt = f"parity {bits}:"
    row = {"bits": bits, "answer": answer}
    return WorldItem(task="parity", key=prompt, prompt=prompt, answer=f" {answer}", fields=row)
