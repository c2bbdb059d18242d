"""Prompts and answers for the families that read a whole prompt: one item each, sometimes behind examples.

Items come from the training split alone, as those of `documents` do. Standard library only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from harness.ladder import dialogue, language, reasoning, skills, world
from harness.ladder.benchmark import prompt
from harness.ladder.world import WorldItem

SHOTS = (0, 0, 0, 0, 1, 2, 4)
"""Numbers of examples before a question, each equally likely; those of a skill show up to 8."""


class PromptAnswer(NamedTuple):
    """What a model reads, and what it is to say."""

    prompt: str
    answer: str
    """Text after the prompt, with its leading space if the format has one."""


def _review(rng: random.Random) -> WorldItem:
    return world.sentiment_negated(rng) if rng.random() < world.NEGATION_RATE else world.sentiment(rng)


def _steps(rng: random.Random) -> WorldItem:
    return world.steps(rng, rng.choice((1, 2, 2, 3)))


def _addition(rng: random.Random) -> WorldItem:
    return world.addition(rng, rng.choice((1, 2, 2, 3)))


def _skill(name: str) -> Callable[[random.Random], WorldItem]:
    return lambda rng: skills.item_of(skills.SKILLS[name](rng, skills.N_EXAMPLES + 1))


MAKERS: Mapping[str, Callable[[random.Random], WorldItem]] = {
    "sentiment": _review,
    "topic": world.topic,
    "entities": world.entities,
    "relations": world.relations,
    "one_hop": world.one_hop,
    "two_hop": world.two_hop,
    "noted_fact": reasoning.noted_fact,
    "ending": reasoning.ending,
    "translate": language.translate,
    "summarise": language.summarise,
    "dialogue_state": dialogue.dialogue_state,
    "dialogue_reply": dialogue.dialogue_reply,
    "steps": _steps,
    "addition": _addition,
    "modular_sum": world.modular_sum,
    "sort_digits": reasoning.sort_digits,
    "parity": reasoning.parity,
    "skill_class": _skill("skill_class"),
    "skill_shift": _skill("skill_shift"),
    "skill_halves": _skill("skill_halves"),
}
"""Name of a family of items -> what makes one."""


def pair(rng: random.Random, mixture: Mapping[str, float]) -> PromptAnswer:
    """A pair of a family that is drawn from the mixture, with examples of the same family before it now and then."""
    name = rng.choices(list(mixture), list(mixture.values()))[0]
    asked = world.draw(rng, MAKERS[name], "train")
    if name in skills.SKILLS:
        return PromptAnswer(prompt(asked, rng.choice((4, 8, 8))), asked.answer)
    shown = [world.draw(rng, MAKERS[name], "train") for _ in range(rng.choice(SHOTS))]
    return PromptAnswer("".join(f"{item.prompt}{item.answer}\n" for item in shown) + asked.prompt, asked.answer)
