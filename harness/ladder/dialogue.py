"""Orders taken in a dialogue: what is known of them so far, and what the agent says next. Standard library only."""

from __future__ import annotations

import random
from collections.abc import Mapping

from harness.ladder import words
from harness.ladder.world import WorldItem

SLOTS: Mapping[str, tuple[str, ...]] = {"food": words.FOODS, "area": words.AREAS, "people": words.COUNTS}
"""What an order consists of, with the values of each."""

_PHRASES = {"food": "{}", "area": "in the {}", "people": "for {}"}


def dialogue_state(rng: random.Random) -> WorldItem:
    """Every value of the order after two or three turns; a later value replaces an earlier one."""
    turns, order = _conversation(rng)
    state = " ".join(order.get(slot, "none") for slot in SLOTS)
    prompt = f"{turns}\nstate:"
    row = {"turns": turns, "state": state}
    return WorldItem(task="dialogue_state", key=prompt, prompt=prompt, answer=f" {state}", fields=row)


def dialogue_reply(rng: random.Random) -> WorldItem:
    """What the agent says next: it asks for the first thing that is missing, or books."""
    turns, order = _conversation(rng)
    reply = words.REPLIES[_missing(order)]
    prompt = f"{turns}\nagent:"
    row = {"turns": turns, "reply": reply, "choices": list(words.REPLIES.values())}
    return WorldItem(task="dialogue_reply", key=prompt, prompt=prompt, answer=f" {reply}", fields=row)


def _conversation(rng: random.Random) -> tuple[str, dict[str, str]]:
    """Turns of guest and agent, and the order after them; each thing that can be missing first is so equally often."""
    wanted = rng.choice(list(words.REPLIES))
    while True:
        turns, order = _turns(rng)
        if _missing(order) == wanted:
            return turns, order


def _turns(rng: random.Random) -> tuple[str, dict[str, str]]:
    order: dict[str, str] = {}
    lines: list[str] = []
    for turn in range(rng.choice((1, 2, 3))):
        if turn:
            lines.append(f"agent: {words.REPLIES[_missing(order)]}")
        lines.append(f"user: {_said(rng, order)}")
    return "\n".join(lines), order


def _said(rng: random.Random, order: dict[str, str]) -> str:
    """What the user says: one or two things that are new, or another value for one that is known."""
    known, unknown = list(order), [slot for slot in SLOTS if slot not in order]
    corrects = known and (not unknown or rng.random() < 0.4)
    chosen = [rng.choice(known)] if corrects else rng.sample(unknown, min(len(unknown), rng.choice((1, 1, 2))))
    for slot in chosen:
        order[slot] = rng.choice([value for value in SLOTS[slot] if value != order.get(slot)])
    said = " ".join(_PHRASES[slot].format(order[slot]) for slot in chosen)
    return f"no , {said}" if corrects else said


def _missing(order: Mapping[str, str]) -> str:
    return next((slot for slot in SLOTS if slot not in order), "")
