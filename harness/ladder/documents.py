"""Training documents: several items of one task in a row, drawn from the training split only.

A document has the form of a few-shot prompt, so that every number of shots that the benchmark uses also
occurs in training. The first item of every document is a zero-shot prompt.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from harness.ladder import dialogue, language, reasoning, skills, world
from harness.ladder.world import Segment, TrainingDocument, WorldItem

MIXTURE: dict[str, float] = {
    "sentiment": 0.78,
    "topic": 0.43,
    "entities": 0.82,
    "relations": 0.82,
    "one_hop": 1.5,
    "two_hop": 0.7,
    "noted_fact": 0.35,
    "ending": 0.14,
    "translate": 0.5,
    "summarise": 0.53,
    "dialogue": 0.72,
    "steps": 0.83,
    "addition": 1.9,
    "modular_sum": 0.14,
    "sort_digits": 0.4,
    "parity": 0.11,
    "skill_class": 0.44,
    "skill_shift": 3.3,
    "skill_halves": 3.75,
}
"""Relative frequency of documents by family. Documents differ in length; the model card lists token shares."""

STAGES: tuple[tuple[float, Mapping[str, float]], ...] = (
    (0.1, MIXTURE | {"one_hop": 250.0}),
    (0.22, MIXTURE | {"skill_shift": 100.0, "skill_halves": 70.0, "one_hop": 30.0, "addition": 30.0}),
    (0.06, MIXTURE | {"entities": 80.0, "relations": 40.0, "addition": 40.0}),
    (0.62, MIXTURE),
)
"""The text from beginning to end: shares of its tokens, and the mixture of each. What has to be found out in one piece
comes first and nearly alone, because models of this size then find it out within some hundred thousand tokens, and
among everything else hardly at all. Nothing is ever left out: words that a model does not meet for long drift together,
since every step makes all of them a little less likely."""


def training_document(
    rng: random.Random, family: str | None = None, *, mixture: Mapping[str, float] = MIXTURE
) -> TrainingDocument:
    """A document of the given family, or of one drawn from the mixture."""
    chosen = family or rng.choices(list(mixture), list(mixture.values()))[0]
    if chosen in skills.SKILLS:
        return _skill_document(rng, chosen)
    if chosen in ("one_hop", "two_hop"):
        return _stories(rng, chosen)
    return _items(rng, chosen)


def training_documents(seed: int, mixture: Mapping[str, float] = MIXTURE) -> Iterator[TrainingDocument]:
    """Endless documents of a mixture, the same for the same seed."""
    rng = random.Random(seed)
    while True:
        yield training_document(rng, mixture=mixture)


def _items(rng: random.Random, family: str) -> TrainingDocument:
    make, most = _MAKERS[family]
    # Half of the documents are long: late shots would otherwise be rare in training.
    n_items = rng.randint(1, most) if rng.random() < 0.5 else rng.randint((most + 1) // 2, most)
    items = [world.draw(rng, make, "train") for _ in range(n_items)]
    segments = [segment for item in items for segment in _answered(item.prompt, item.answer)]
    return TrainingDocument(family, tuple(item.key for item in items), tuple(segments))


def _review(rng: random.Random) -> WorldItem:
    return world.sentiment_negated(rng) if rng.random() < world.NEGATION_RATE else world.sentiment(rng)


def _steps(rng: random.Random) -> WorldItem:
    return world.steps(rng, rng.choice((1, 2, 2, 3)))


def _order(rng: random.Random) -> WorldItem:
    return rng.choice((dialogue.dialogue_state, dialogue.dialogue_reply))(rng)


def _addition(rng: random.Random) -> WorldItem:
    return world.addition(rng, rng.choice((1, 2, 2, 2, 3, 3, 3)))


_MAKERS: dict[str, tuple[Callable[[random.Random], WorldItem], int]] = {
    "sentiment": (_review, 7),
    "topic": (world.topic, 9),
    "entities": (world.entities, 5),
    "relations": (world.relations, 5),
    "translate": (language.translate, 7),
    "summarise": (language.summarise, 5),
    "dialogue": (_order, 5),
    "ending": (reasoning.ending, 9),
    "noted_fact": (reasoning.noted_fact, 7),
    "sort_digits": (reasoning.sort_digits, 9),
    "parity": (reasoning.parity, 7),
    "steps": (_steps, 6),
    "addition": (_addition, 9),
    "modular_sum": (world.modular_sum, 9),
}
"""For each family, the function that makes an item and the most items that fit into 256 tokens."""


def _stories(rng: random.Random, task: str) -> TrainingDocument:
    """Stories with one question each, as in the benchmark, or a single story with many questions."""
    make = world.one_hop_story if task == "one_hop" else world.two_hop_story
    many = rng.random() < 0.5
    wanted = 1 if many else rng.randint(1, 5)
    stories: list[world.Story] = []
    while len(stories) < wanted:
        story = make(rng)
        if not world.is_held_out(story.key):
            stories.append(story)
    segments: list[Segment] = []
    for story in stories:
        # Questions may repeat; if each occurred only once, the last could be answered by elimination.
        asked = rng.choices(story.questions, k=4) if many else story.questions[:1]
        told = f"{story.text}\n"
        for question, answer in asked:
            segments += _answered(f"{told}place: {question}", f" {answer}")
            told = ""
    return TrainingDocument(task, tuple(story.key for story in stories), tuple(segments))


def _skill_document(rng: random.Random, task: str) -> TrainingDocument:
    n_lines = rng.choice((1, 2, 3, 5, 7, 9, 9, 9))
    document = skills.SKILLS[task](rng, n_lines)
    while n_lines > 1 and world.is_held_out(document.key):
        document = skills.SKILLS[task](rng, n_lines)
    segments = [
        segment for line in document.lines for segment in _answered(f"{line.query} {document.arrow}", f" {line.answer}")
    ]
    return TrainingDocument(task, (document.key,), tuple(segments))


def _answered(prompt: str, answer: str) -> list[Segment]:
    return [Segment(prompt, is_answer=False), Segment(f"{answer}\n", is_answer=True)]
