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
STRONG = (*GOOD[:6], *BAD[:6])
"""Words that count twice in a review."""
TOPICS = {
    "sport": tuple("ball team goal coach race match player score league".split()),
    "food": tuple("bread soup cheese rice sugar oven kitchen salad butter".split()),
    "music": tuple("guitar piano drum singer concert melody violin chorus album".split()),
    "space": tuple("planet star orbit rocket moon comet galaxy telescope mars".split()),
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
CONSONANTS = tuple("bdklmnrstv")
VOWELS = tuple("aeiou")

# Relations: the sentence, and the relation that the first of two names has to the second, or the second to the first.
RELATION_TEMPLATES = (
    ("{0} works for {1} .", "employer", (0, 1)),
    ("{0} hired {1} .", "employer", (1, 0)),
    ("{0} lives in {1} .", "home", (0, 1)),
    ("{0} is home to {1} .", "home", (1, 0)),
    ("{0} belongs to {1} .", "owner", (0, 1)),
    ("{0} bought {1} .", "owner", (1, 0)),
    ("{0} met {1} .", None, (0, 1)),
)

# Question answering: eight of each, because models learn to match a key to its value sooner when there are
# few keys. The number of possible stories is still large.
PEOPLE = tuple("Tom Ann Bob Mia Sam Eva Max Zoe".split())
PLACES = tuple("park barn school shop garden tower bank market".split())
THINGS = tuple("key cup map hat coin lamp box ring".split())

# Translation: a second language, each of whose words stands for one of ours -------------------------------
_NOUNS = "dog balu cat kiro horse meta cow sopa pig tiku sheep vane goat zolu duck rimi".split()
_ADJECTIVES = "old dano red felu big gori white luma wild pado".split()
_VERBS = "sees akta likes bevi finds ciro hears dula".split()
LEXICON = {
    part: dict(zip(pairs[::2], pairs[1::2], strict=True))
    for part, pairs in (("nouns", _NOUNS), ("adjectives", _ADJECTIVES), ("verbs", _VERBS))
}
"""``LEXICON[part][word]`` is the word of the second language."""

# Dialogue: what a guest may order ------------------------------------------------------------------------
FOODS = TOPICS["food"][:4]
AREAS = tuple("north south east west".split())
COUNTS = tuple("two three four five six".split())
REPLIES = {"food": "what food ?", "area": "which area ?", "people": "how many ?", "": "it is booked"}
"""What the agent says, by the first thing that it does not know yet."""

# Commonsense: what becomes of a thing, by what it is made of ----------------------------------------------
MATERIALS = {
    "glass": tuple("cup lamp bottle".split()),
    "paper": tuple("map letter book".split()),
    "iron": tuple("key coin ring".split()),
    "wool": tuple("hat coat rug".split()),
    "ice": tuple("cube cone block".split()),
}
OUTCOMES = {
    "fell on the stone": {"glass": "broke", "paper": "landed", "iron": "rang", "wool": "landed", "ice": "cracked"},
    "was in the fire": {"glass": "cracked", "paper": "burned", "iron": "glowed", "wool": "burned", "ice": "melted"},
    "was in the rain": {"glass": "shone", "paper": "tore", "iron": "rusted", "wool": "soaked", "ice": "melted"},
    "was under the hammer": {"glass": "broke", "paper": "tore", "iron": "bent", "wool": "landed", "ice": "cracked"},
}
"""``OUTCOMES[event][material]`` is what happens."""

# Code ------------------------------------------------------------------------------------------------
OPERATORS = {"plus": "+", "minus": "-", "times": "*"}
CONSTANTS = tuple(range(2, 20))

# Skills ----------------------------------------------------------------------------------------------
COLORS = tuple("red blue green black white brown pink gray gold purple".split())
ANIMALS = tuple("dog cat horse cow pig sheep goat duck bear wolf".split())
NUMBER_WORDS = tuple("one two three four five six seven eight nine ten".split())
ANSWER_CLASSES = {"color": COLORS, "place": PLACES, "animal": ANIMALS, "number": NUMBER_WORDS}
LETTERS = string.ascii_lowercase
SHIFTS = (1, 2, -1, -2)


def _facts() -> dict[str, dict[str, str]]:
    """One fixed answer of each class for each of twelve nouns: facts that a model can memorise."""
    rng = random.Random(11)
    return {noun: {name: rng.choice(words) for name, words in ANSWER_CLASSES.items()} for noun in SUBJECTS}


FACTS = _facts()
"""``FACTS[noun][class]`` is the noun's answer of that class; the same in every document."""


def _belongings() -> dict[str, str]:
    rng = random.Random(12)
    return {f"the {thing} of {person}": rng.choice(COLORS) for thing in THINGS[:6] for person in PEOPLE[:6]}


BELONGINGS = _belongings()
"""The color of each thing of each person; the same in every training document."""
