"""What the engines are asked: requests of six kinds, such as lm-eval builds them, in the words of Python's manual."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pydoc_data.topics import topics
from typing import Any, Literal

from lm_eval.api.instance import Instance

SHOTS = 5
POOL = 64
"""Examples to choose from when every document brings its own."""
LETTERS = "ABCD"
NEW_TOKENS = 48

Method = Literal["loglikelihood", "generate_until", "loglikelihood_rolling"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One way of asking a model."""

    name: str
    """Shown in the tables."""
    method: Method
    """lm-eval's name of the method that answers."""
    build: Callable[[int], list[Instance]]
    """The requests of the first n documents; the first n of more documents are the same."""
    goal: float | None = None
    """How many times lm-eval's speed is wanted; None when nothing was promised."""
    stops: bool = False
    """True when the model must end its texts by itself, which a random one only does when made to."""


def fixed_shots(n: int) -> list[Instance]:
    """Two sentences, a question, four options of two to five words; the same five examples before every document."""
    shots = "".join(_shown(example) for example in _questions("pool", SHOTS))
    return _choices([(shots + _passage(doc), doc["options"]) for doc in _questions("test", n)])


def own_shots(n: int) -> list[Instance]:
    """The same, with five examples drawn anew for every document, as lm-eval's default sampler does."""
    pool = [_shown(example) for example in _questions("pool", POOL)]
    rng = random.Random(1)
    asked = [("".join(rng.sample(pool, SHOTS)) + _passage(doc), doc["options"]) for doc in _questions("test", n)]
    return _choices(asked)


def letters(n: int) -> list[Instance]:
    """The options stand in the question and the answer is one letter, which lm-eval scores in one pass per document."""
    shots = "".join(f"{_listed(example)} {LETTERS[example['label']]}\n\n" for example in _questions("pool", SHOTS))
    return _choices([(shots + _listed(doc), list(LETTERS)) for doc in _questions("test", n)])


def answers(n: int) -> list[Instance]:
    """A question with a short answer, which ends with the line; the same five examples before every document."""
    return _texts(n, until=["\n"])


def long_texts(n: int) -> list[Instance]:
    """The same, without a stop string that ever comes: every text runs to its limit."""
    return _texts(n, until=["<|no such text|>"])


def rolling(n: int) -> list[Instance]:
    """Whole texts of 6 to 60 sentences, scored from their first token on."""
    rng = random.Random(2)
    texts = [" ".join(rng.choices(sentences(), k=rng.randint(6, 60))) for _ in range(n)]
    return [_request("loglikelihood_rolling", (text,), i) for i, text in enumerate(texts)]


@functools.cache
def sentences() -> tuple[str, ...]:
    """Plain sentences of Python's help texts, sorted."""
    text = " ".join(topics.values())
    split = (" ".join(part.split()) for part in re.split(r"(?<=[.!?])\s", text))
    plain = re.compile(r"[A-Za-z0-9 ,.'()\-:;]{60,220}")
    return tuple(sorted({sentence for sentence in split if plain.fullmatch(sentence)}))


@functools.cache
def words() -> tuple[str, ...]:
    """Words of these sentences, sorted."""
    return tuple(sorted({word for sentence in sentences() for word in re.findall(r"\b[a-z]{4,10}\b", sentence)}))


def _questions(split: str, n: int) -> list[dict[str, Any]]:
    rng = random.Random(split)
    made = []
    for _ in range(n):
        options = [" ".join(rng.sample(words(), rng.randint(2, 5))) for _ in LETTERS]
        text, (one, other) = " ".join(rng.sample(sentences(), 2)), rng.sample(words(), 2)
        question = f"Which phrase goes with {one} and {other}?"
        made.append({"text": text, "question": question, "options": options, "label": rng.randrange(len(LETTERS))})
    return made


def _passage(doc: dict[str, Any]) -> str:
    return f"{doc['text']}\nQuestion: {doc['question']}\nAnswer:"


def _listed(doc: dict[str, Any]) -> str:
    options = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, doc["options"], strict=True))
    return f"{doc['text']}\nQuestion: {doc['question']}\n{options}\nAnswer:"


def _shown(doc: dict[str, Any]) -> str:
    """The document as an example."""
    return f"{_passage(doc)} {doc['options'][doc['label']]}\n\n"


def _choices(asked: Sequence[tuple[str, Sequence[str]]]) -> list[Instance]:
    return [
        _request("loglikelihood", (context, f" {option}"), i, idx)
        for i, (context, options) in enumerate(asked)
        for idx, option in enumerate(options)
    ]


def _texts(n: int, until: list[str]) -> list[Instance]:
    shots = "".join(f"{_passage(example)} {example['options'][0]}\n\n" for example in _questions("pool", SHOTS))
    # lm-eval takes keys out of what it is given
    kwargs = {"until": until, "do_sample": False, "max_gen_toks": NEW_TOKENS}
    asked = _questions("test", n)
    return [_request("generate_until", (shots + _passage(doc), dict(kwargs)), i) for i, doc in enumerate(asked)]


def _request(method: Method, arguments: tuple[Any, ...], doc_id: int, idx: int = 0) -> Instance:
    return Instance(request_type=method, doc={}, arguments=arguments, idx=idx, metadata=("benchmark", doc_id, 1))


# at the end, because they name the functions above
FIXED = Kind(name="choice, fixed shots", method="loglikelihood", build=fixed_shots, goal=25.0)
OWN = Kind(name="choice, own shots", method="loglikelihood", build=own_shots, goal=5.0)
LETTER = Kind(name="choice, letters", method="loglikelihood", build=letters, goal=5.0)
EARLY = Kind(name="text, stops early", method="generate_until", build=answers, goal=3.0, stops=True)
LONG = Kind(name=f"text, {NEW_TOKENS} tokens", method="generate_until", build=long_texts, goal=3.0)
ROLLING = Kind(name="rolling", method="loglikelihood_rolling", build=rolling)
KINDS = {kind.name: kind for kind in (FIXED, OWN, LETTER, EARLY, LONG, ROLLING)}
"""Name -> kind, in the order of the tables."""
