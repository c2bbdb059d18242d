"""Sentences, stories and answers for small data sets: deterministic, of many lengths, and never twice the same."""

from __future__ import annotations

import random
from collections.abc import Sequence

NAMES = "Ann Tom Tibi Nora Ivan Zoë Bao Ruth Omar Lea Piet Sana".split()
PLACES = "park shop market old mill harbour library station|north gate|museum|garden".replace(" ", "|").split("|")
THINGS = "apple|blue lamp|map|silver coin|rope|clock|green umbrella|letter|drum|loaf of bread|violin|key".split("|")
TOOLS = "hammer saw brush spade needle ladder wrench knife".split()
ADJECTIVES = "cold bright narrow ancient quiet heavy sweet broken wooden distant".split()
VERBS = "carried found sold painted lost hid repaired borrowed".split()
REASONS = ("it rained", "the bell rang", "nobody was there", "the price was low", "a friend had asked for it")
CITIES = "Lima Oslo Cairo Hanoi Quito Porto Turin Accra Sofia Riga".split()
COUNTRIES = "Peru Norway Egypt Vietnam Ecuador Portugal Italy Ghana Bulgaria Latvia".split()
FILMS = ("The Long Ladder", "Seven Lamps", "A Quiet Harbour", "Bread and Rope", "The Last Drum", "Snow over Porto")

Rng = random.Random


def sentence(rng: Rng) -> str:
    """`Ann carried the blue lamp to the old mill because it rained.`"""
    who, what, where = rng.choice(NAMES), rng.choice(THINGS), rng.choice(PLACES)
    end = f" because {rng.choice(REASONS)}" if rng.random() < 0.5 else ""
    return f"{who} {rng.choice(VERBS)} the {rng.choice(ADJECTIVES)} {what} near the {where}{end}."


def story(rng: Rng, least: int = 2, most: int = 4) -> str:
    """Several sentences."""
    return " ".join(sentence(rng) for _ in range(rng.randint(least, most)))


def question(rng: Rng, ending: str = "?") -> str:
    """`Where did Tom put the silver coin?`"""
    start = rng.choice(("Where did", "Why did", "When did", "How did"))
    doing = rng.choice(("put", "find", "sell", "hide", "paint"))
    return f"{start} {rng.choice(NAMES)} {doing} the {rng.choice(ADJECTIVES)} {rng.choice(THINGS)}{ending}"


def answers(rng: Rng, n: int) -> list[str]:
    """Different short answers, of one to five words."""
    found: dict[str, None] = {}
    while len(found) < n:
        place = rng.choice(PLACES)
        forms = (f"the {place}", f"near the {rng.choice(ADJECTIVES)} {place}", rng.choice(THINGS), f"in {place}")
        found[rng.choice(forms)] = None
    return list(found)


def word(rng: Rng) -> str:
    """A word of five letters or more."""
    return rng.choice([w for w in (*ADJECTIVES, *TOOLS, *VERBS) if len(w) > 4])


def pick(rng: Rng, options: Sequence[str], n: int) -> list[str]:
    """Some of `options`, each once."""
    return rng.sample(list(options), n)


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]
