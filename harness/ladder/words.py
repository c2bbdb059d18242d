"""Tables of the words of the synthetic world; all tasks share them, so that a vocabulary of 512 tokens suffices."""

from __future__ import annotations

import random
import string

# Classification ------------------------------------------------------------------------------------
GOOD = tuple("great good superb fun lovely bright fine brilliant sweet clever fresh warm".split())
BAD = tuple("bad dull awful poor boring weak ugly slow cold cruel broken dirty".split())
SUBJECTS = tuple("film book meal hotel song game show phone car room play city".split())
QUALIFIERS = ("", "new ", "old ", "first ", "last ", "other ", "next ")
DEGREES = ("", "very ", "really ", "so ")
TOPICS = {
    "sport": tuple("ball team goal coach race match player score league stadium".split()),
    "food": tuple("bread soup cheese rice sugar oven kitchen salad butter cake".split()),
    "music": tuple("guitar piano drum singer concert melody violin chorus album band".split()),
    "space": tuple("planet star orbit rocket moon comet galaxy telescope mars probe".split()),
}

# Entities --------------------------------------------------------------------------------------------
ENTITY_TEMPLATES = (
    ("{0} lives in {1} .", ("PER", "LOC")),
    ("{0} works for {1} .", ("PER", "ORG")),
    ("{0} met {1} .", ("PER", "PER")),
    ("{0} opened an office in {1} .", ("ORG", "LOC")),
    ("{0} bought {1} .", ("ORG", "ORG")),
    ("{0} hired {1} .", ("ORG", "PER")),
    ("in {0} it rained on {1} .", ("LOC", "PER")),
)
CONSONANTS = tuple("bdfgklmnprstvz")
VOWELS = tuple("aeiou")

# Question answering: eight of each, because models learn to match a key to its value sooner when there are
# few keys. The number of possible stories is still large.
PEOPLE = tuple("Tom Ann Bob Mia Sam Eva Max Zoe".split())
PLACES = tuple("park barn school shop garden tower bank market".split())
THINGS = tuple("key cup map hat coin lamp box ring".split())

# Code ------------------------------------------------------------------------------------------------
OPERATORS = {"plus": "+", "minus": "-", "times": "*"}
CONSTANTS = tuple(range(2, 20))

# Skills ----------------------------------------------------------------------------------------------
COLORS = tuple("red blue green black white brown pink gray gold purple".split())
ANIMALS = tuple("dog cat horse cow pig sheep goat duck bear wolf".split())
TOOLS = tuple("hammer saw drill knife axe rope nail shovel brush wrench".split())
NUMBER_WORDS = tuple("one two three four five six seven eight nine ten".split())
ANSWER_CLASSES = {"color": COLORS, "place": PLACES, "animal": ANIMALS, "tool": TOOLS, "number": NUMBER_WORDS}
LETTERS = string.ascii_lowercase
SHIFTS = (1, 2, 3, -1, -2)
HALF_SHIFTS = (1, 2, 3, -1)


def _facts() -> dict[str, dict[str, str]]:
    """One fixed answer of each class for each of twenty nouns: a hundred facts a model can memorise."""
    rng = random.Random(11)
    nouns = THINGS + SUBJECTS
    return {noun: {name: rng.choice(words) for name, words in ANSWER_CLASSES.items()} for noun in nouns}


FACTS = _facts()
"""``FACTS[noun][class]`` is the noun's answer of that class; the same in every document."""
