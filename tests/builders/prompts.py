"""Requests of every kind that tasks ask, small enough for the models of the zoo."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.instance import Instance

COLOURS = ("red", "green", "dark blue", "yellow")
THINGS = ("apple", "leaf", "sea", "sun", "rose", "grass")
OPTIONS = tuple(f" {colour}" for colour in COLOURS)

Pair = tuple[str, str]
"""A context and its continuation."""


def loglikelihoods(pairs: Sequence[Pair]) -> list[Instance]:
    """Requests for the likelihood of each continuation."""
    return [Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=i) for i, pair in enumerate(pairs)]


def rolling(texts: Sequence[str]) -> list[Instance]:
    """Requests for the likelihood of whole texts."""
    return [
        Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=i) for i, text in enumerate(texts)
    ]


def texts(prompts: Sequence[str], **kwargs: Any) -> list[Instance]:
    """Requests for the text after each prompt, with the same generation arguments."""
    return [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, dict(kwargs)), idx=i)
        for i, prompt in enumerate(prompts)
    ]


# --- contexts with their continuations ------------------------------------------------------------------------------


def shots(n: int, seed: int = 0) -> str:
    """Examples as they stand before a question."""
    rng = random.Random(seed)
    return "".join(f"Colour of {rng.choice(THINGS)}: {rng.choice(COLOURS)}\n\n" for _ in range(n))


def question(number: int) -> str:
    """The question of one document."""
    return f"Colour of {THINGS[number % len(THINGS)]} {number}:"


def _each(contexts: Sequence[str], options: Sequence[str] = OPTIONS) -> list[Pair]:
    return [(context, option) for context in contexts for option in options]


def fixed_shots() -> list[Pair]:
    """The same examples before every document."""
    return _each([shots(4) + question(i) for i in range(5)])


def own_shots() -> list[Pair]:
    """Other examples before every document."""
    return _each([shots(3, seed=i) + question(i) for i in range(4)])


def zero_shot() -> list[Pair]:
    """Nothing in common but the first words."""
    return _each([question(i) for i in range(5)])


def letters() -> list[Pair]:
    """Options of one token, named in the question."""
    listed = "".join(f"{letter}. {colour}\n" for letter, colour in zip("ABCD", COLOURS, strict=True))
    return _each([f"{shots(2)}{question(i)}\n{listed}Answer:" for i in range(4)], [" A", " B", " C", " D"])


def nested_options() -> list[Pair]:
    """Options that begin like other options, in no order of length."""
    nested = [" dark blue", " dark", " dark blue is the sea", " d", " dark blue is", " red"]
    return _each([shots(2) + question(i) for i in range(3)], nested)


def identical_options() -> list[Pair]:
    """An option given three times."""
    return _each([shots(2) + question(i) for i in range(3)], [" red", " green", " red", " red"])


def identical_documents() -> list[Pair]:
    """A document given three times, with others between."""
    return _each([shots(2) + question(i) for i in (1, 2, 1, 3, 1)])


def a_document_that_begins_like_another() -> list[Pair]:
    """The context of one document is the context and an option of another."""
    first = shots(2) + question(1)
    return _each([first, f"{first} dark", f"{first} dark blue", f"{first} red\n\n{question(2)}"])


def without_context() -> list[Pair]:
    """Empty contexts."""
    return _each([""], ["The apple is red", "The apple", "A", " ", "The sea is dark blue.\n"])


def contexts_ending_in_spaces() -> list[Pair]:
    """lm-eval moves the spaces at the end of a context to the continuation."""
    contexts = ["The apple 3 is ", "The apple 3 is   ", "The apple 3 is\n", "The apple 3 is \n\n ", "The apple 3 is"]
    return _each(contexts, ["red", " red", "dark blue"])


def words_cut_in_two() -> list[Pair]:
    """The tokens of context and continuation together are not those of each."""
    return [
        ("The app", "le is red"),
        ("The apple is dar", "k blue"),
        ("Quest", "ion: what"),
        ("The apple 1", "23 is red"),
    ]


def mutual_information() -> list[Pair]:
    """Every option after its question, and once more alone."""
    return [*_each([shots(2) + question(i) for i in range(3)]), *(("", option) for option in OPTIONS)]


def a_common_continuation() -> list[Pair]:
    """Contexts that differ by option before a continuation that does not, as in Winogrande."""
    beginnings = [f"{shots(1)}The {thing} met the rose because the" for thing in THINGS[:3]]
    return [(f"{beginning} {thing}", " is dark blue.") for beginning in beginnings for thing in ("rose", "sea")]


def one_text_cut_in_many_places() -> list[Pair]:
    """The same words, scored from another word on."""
    text = "The apple 3 is red. The sea 4 is dark blue."
    return [(text[:i], text[i:]) for i in range(3, len(text) - 1) if text[i] == " "]


def longer_than_the_window() -> list[Pair]:
    """Contexts that lm-eval cuts on the left, at another place for every length of option."""
    return _each([shots(40) + question(i) for i in range(2)], [*OPTIONS, " dark blue is the sea"])


def long_continuations() -> list[Pair]:
    """Continuations that take most of the window."""
    return _each([question(1), shots(1) + question(2), shots(12)], [" The sea is dark blue." * 7, " red" * 20, " red"])


def a_single_request() -> list[Pair]:
    """One request and no other."""
    return [(shots(2) + question(1), " dark blue")]


def strange_characters() -> list[Pair]:
    """Characters that no vocabulary holds, control characters, and special tokens spelt out."""
    options = [" é", " 漢字", "🙂", " \t<s>", "\x00", " <eos> red", " e\u0301"]
    return _each(["Colour of 漢字 é:", "🙂🙂 is", "<bos>The <eos> is"], options)


PAIRS: dict[str, Callable[[], list[Pair]]] = {
    make.__name__.replace("_", "-"): make
    for make in (
        fixed_shots,
        own_shots,
        zero_shot,
        letters,
        nested_options,
        identical_options,
        identical_documents,
        a_document_that_begins_like_another,
        without_context,
        contexts_ending_in_spaces,
        words_cut_in_two,
        mutual_information,
        a_common_continuation,
        one_text_cut_in_many_places,
        longer_than_the_window,
        long_continuations,
        a_single_request,
        strange_characters,
    )
}
"""Every kind of request for likelihoods, by name."""


# --- texts to score and to continue ---------------------------------------------------------------------------------


def rolling_texts() -> list[str]:
    """Nothing, one token, a few, and several windows; one text twice."""
    sentence = "The apple is red. The sea is dark blue. "
    lengths = [1, 2, 9, 40, 300, 600, 1000, 1500]
    return [(sentence * 40)[:n] for n in lengths] + ["A", "", "\n", "é漢", sentence, sentence]


def prompts() -> list[str]:
    """Prompts of very different lengths, some with a common prefix, some twice."""
    few = [shots(3) + question(i) for i in range(3)]
    return [*few, "A", shots(6, seed=9) + "Question:", "The", few[1], "The sea is dark blue."]
