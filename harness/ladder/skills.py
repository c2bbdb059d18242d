"""Skills that a model can recognise only from few-shot examples. Standard library only.

Several skills share one prompt form (``key ->``). A prompt without examples does not show which skill is
meant, so zero-shot accuracy is at chance level by construction. The facts behind the skills occur in training;
the held-out part is the document, that is, the skill, the query and the sequence of examples.

The skills have three levels of difficulty. For the class of the answers, a model must look at one earlier answer.
For a shift of the alphabet, it must compare an earlier query with its answer. For separate shifts of the two
halves of the alphabet, it must do so with an example from the same half as the query.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from harness.ladder import words
from harness.ladder.world import WorldItem

N_EXAMPLES = 8
"""Number of few-shot examples in every benchmark document."""


class Example(NamedTuple):
    """One line of a skill document."""

    query: str
    answer: str


class SkillDocument(NamedTuple):
    """Consecutive lines of one skill; the last line is the question of the benchmark."""

    task: str
    skill: str
    arrow: str
    lines: tuple[Example, ...]
    choices: tuple[str, ...]
    """The answers to the last query under each of the skills; all distinct, in random order."""

    @property
    def key(self) -> str:
        """The skill and all queries in order: equal keys are equal documents."""
        return f"{self.task}|{self.skill}|" + " ".join(line.query for line in self.lines)


def skill_class(rng: random.Random, n_lines: int) -> SkillDocument:
    """Each noun answers with its fact of one class: color, place, animal or number."""
    skill = rng.choice(list(words.ANSWER_CLASSES))
    nouns = rng.sample(list(words.FACTS), n_lines)
    lines = tuple(Example(noun, words.FACTS[noun][skill]) for noun in nouns)
    choices = [words.FACTS[nouns[-1]][name] for name in words.ANSWER_CLASSES]
    return _document(rng, "skill_class", skill, "->", lines, choices)


def skill_shift(rng: random.Random, n_lines: int) -> SkillDocument:
    """Each letter answers with the capital that lies a fixed number of places further on, cyclically."""
    shift = rng.choice(words.SHIFTS)
    letters = rng.sample(words.LETTERS, n_lines)
    lines = tuple(Example(letter, _shifted(letter, shift)) for letter in letters)
    choices = [_shifted(letters[-1], other) for other in words.SHIFTS]
    return _document(rng, "skill_shift", f"{shift:+d}", "->", lines, choices)


def skill_halves(rng: random.Random, n_lines: int) -> SkillDocument:
    """As ``skill_shift``, with one shift for the letters a to m and another for n to z (the two may agree)."""
    shifts = (rng.choice(words.SHIFTS), rng.choice(words.SHIFTS))
    # Alternate draws of both halves, then shuffle: eight examples hold four of each, or nearly.
    halves = (words.LETTERS[:13], words.LETTERS[13:])
    first = rng.randrange(2)
    letters = [
        letter for half in (first, 1 - first) for letter in rng.sample(halves[half], (n_lines + (half == first)) // 2)
    ]
    rng.shuffle(letters)
    lines = tuple(Example(letter, _shifted(letter, shifts[letter in halves[1]])) for letter in letters)
    choices = [_shifted(letters[-1], other) for other in words.SHIFTS]
    return _document(rng, "skill_halves", f"{shifts[0]:+d}{shifts[1]:+d}", "=>", lines, choices)


SKILLS = {"skill_class": skill_class, "skill_shift": skill_shift, "skill_halves": skill_halves}


def item_of(document: SkillDocument) -> WorldItem:
    """The benchmark item of a document of nine lines."""
    *examples, asked = document.lines
    row = {
        "skill": document.skill,
        "query": asked.query,
        "answer": asked.answer,
        "choices": list(document.choices),
        "examples": [example._asdict() for example in examples],
    }
    prompt = f"{asked.query} {document.arrow}"
    return WorldItem(task=document.task, key=document.key, prompt=prompt, answer=f" {asked.answer}", fields=row)


def _shifted(letter: str, shift: int) -> str:
    return words.LETTERS[(words.LETTERS.index(letter) + shift) % 26].upper()


def _document(
    rng: random.Random, task: str, skill: str, arrow: str, lines: tuple[Example, ...], choices: list[str]
) -> SkillDocument:
    rng.shuffle(choices)
    return SkillDocument(task, skill, arrow, lines, tuple(choices))
