"""Training documents: several items of one task in a row, drawn from the training split only.

A document has the form of a few-shot prompt, so that every number of shots that the benchmark uses also
occurs in training. The first item of every document is a zero-shot prompt.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from harness.ladder import skills, world
from harness.ladder.world import Segment, TrainingDocument, WorldItem

MIXTURE: dict[str, float] = {
    "sentiment": 0.55,
    "topic": 0.4,
    "entities": 1.2,
    "one_hop": 0.4,
    "two_hop": 0.15,
    "steps": 1.2,
    "addition": 3.6,
    "modular_sum": 0.3,
    "skill_class": 0.8,
    "skill_shift": 6.2,
    "skill_halves": 7.7,
}
"""Relative frequency of documents by family. Documents differ in length; the model card lists token shares."""


def training_document(rng: random.Random, family: str | None = None) -> TrainingDocument:
    """A document of the given family, or of one drawn from the mixture."""
    chosen = family or rng.choices(list(MIXTURE), list(MIXTURE.values()))[0]
    if chosen in skills.SKILLS:
        return _skill_document(rng, chosen)
    if chosen in ("one_hop", "two_hop"):
        return _stories(rng, chosen)
    return _items(rng, chosen)


def training_documents(seed: int) -> Iterator[TrainingDocument]:
    """Endless documents of the mixture, the same for the same seed."""
    rng = random.Random(seed)
    while True:
        yield training_document(rng)


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


def _addition(rng: random.Random) -> WorldItem:
    return world.addition(rng, rng.choice((1, 2, 2, 2, 3, 3, 3)))


_MAKERS: dict[str, tuple[Callable[[random.Random], WorldItem], int]] = {
    "sentiment": (_review, 9),
    "topic": (world.topic, 9),
    "entities": (world.entities, 5),
    "steps": (_steps, 6),
    "addition": (_addition, 9),
    "modular_sum": (world.modular_sum, 9),
}
"""For each family, the function that makes an item and the most items that fit into 256 tokens."""


def _stories(rng: random.Random, task: str) -> TrainingDocument:
    """Stories with one question each, as in the benchmark, or a single story with many questions."""
    make = world.one_hop_story if task == "one_hop" else world.two_hop_story
    many = rng.random() < 0.7
    wanted = 1 if many else rng.randint(1, 5)
    stories: list[world.Story] = []
    while len(stories) < wanted:
        story = make(rng)
        if not world.is_held_out(story.key):
            stories.append(story)
    segments: list[Segment] = []
    for story in stories:
        # Questions may repeat; if each occurred only once, the last could be answered by elimination.
        asked = rng.choices(story.questions, k=8) if many else story.questions[:1]
        told = f"story: {story.text}\n"
        for question, answer in asked:
            segments += _answered(f"{told}question: {question}\nanswer:", f" {answer}")
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
