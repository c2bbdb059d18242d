"""Documents of data sets whose tasks ask for a text, or how likely a text is."""

from __future__ import annotations

from typing import Any

from tests.builders.hub.words import (
    ADJECTIVES,
    CITIES,
    COUNTRIES,
    FILMS,
    NAMES,
    PLACES,
    THINGS,
    Rng,
    answers,
    capital,
    pick,
    question,
    sentence,
    story,
    word,
)

Doc = dict[str, Any]
LIKELY = ("food", "positive", "negative", "sport", "park", "2")
"""What models of the embedded family like to write: some answers are right, so that scores are not all 0."""


# --- questions with short answers -------------------------------------------------------------------------------------


def trivia(rng: Rng, number: int) -> Doc:
    found = [*answers(rng, rng.randint(1, 3)), rng.choice(LIKELY)]
    answer = {"value": found[0], "aliases": [capital(text) for text in found], "normalized_aliases": found}
    return {"question": question(rng, ""), "question_id": f"{number}", "answer": answer}


def nq_open(rng: Rng, number: int) -> Doc:
    return {"question": question(rng, "").lower(), "answer": [*answers(rng, rng.randint(1, 2)), *LIKELY[:4]]}


def drop(rng: Rng, number: int) -> Doc:
    def one() -> Doc:
        kind = rng.randrange(3)
        date = {"day": "4", "month": "May", "year": "1702"} if kind == 0 else {"day": "", "month": "", "year": ""}
        return {"number": str(rng.randint(2, 9)) if kind == 1 else "", "date": date, "spans": _spans(rng, kind)}

    others = [one() for _ in range(rng.randint(0, 2))]
    checked = {name: [answer[name] for answer in others] for name in ("number", "date", "spans")}
    told = {"passage": story(rng), "question": question(rng)}
    return {"section_id": "s", "query_id": f"{number}", **told, "answer": one(), "validated_answers": checked}


def _spans(rng: Rng, kind: int) -> list[str]:
    return pick(rng, NAMES, rng.randint(1, 2)) if kind == 2 else []


def coqa(rng: Rng, number: int) -> Doc:
    turns = rng.randint(1, 3)
    numbered = list(range(1, turns + 1))

    def said(texts: list[str]) -> Doc:
        return {"input_text": texts, "turn_id": numbered}

    told = {"id": f"{number}", "source": "x", "story": story(rng)}
    asked = said([question(rng) for _ in numbered])
    others = {key: said(answers(rng, turns)) for key in "012"}
    return {**told, "questions": asked, "answers": said(answers(rng, turns)), "additional_answers": others}


def truthful_texts(rng: Rng, number: int) -> Doc:
    found = [capital(text) for text in answers(rng, 5)]
    kinds = {"type": "Adversarial", "category": "Places", "source": ""}
    right = {"best_answer": found[0], "correct_answers": found[:2], "incorrect_answers": found[2:]}
    return {**kinds, "question": question(rng), **right}


def bigbench_text(rng: Rng, number: int) -> Doc:
    """A document without options, now and then with two right answers."""
    right = [word(rng) for _ in range(1 + (number % 4 == 0))]
    asked = f"\nQ: What is the {rng.choice(ADJECTIVES)} word number {number}?\nA:"
    none: list[str] = []
    return {"idx": number, "inputs": asked, "targets": right, "multiple_choice_targets": none}


def squad(rng: Rng, number: int) -> Doc:
    told = story(rng)
    first = told.split(" ")[0]
    answer = {"text": [first, first], "answer_start": [0, 0]}
    return {"id": f"{number}", "title": "x", "context": told, "question": question(rng), "answers": answer}


# --- numbers ----------------------------------------------------------------------------------------------------------


def gsm8k(rng: Rng, number: int) -> Doc:
    one, two = (rng.randint(1, 5), rng.randint(1, 5)) if number % 2 else (rng.randint(2, 90), rng.randint(2, 1200))
    asked = f"{rng.choice(NAMES)} has {one} coins and finds {two} near the {rng.choice(PLACES)}. How many are there?"
    worked = f"There are {one} + {two} = <<{one}+{two}={one + two}>>{one + two} coins.\n#### {one + two:,}"
    return {"question": asked, "answer": worked}


def mgsm(rng: Rng, number: int) -> Doc:
    found = gsm8k(rng, number)
    value = int(found["answer"].rpartition(" ")[2].replace(",", ""))
    return {"question": found["question"], "answer": None, "answer_number": value, "equation_solution": None}


def competition(rng: Rng, number: int) -> Doc:
    """MATH: the answer stands in a box."""
    one, two = rng.randint(2, 30), rng.randint(2, 30)
    value = f"\\frac{{{one}}}{{{two}}}" if number % 3 == 0 else str(one * two)
    problem = f"What is ${one} \\times {two}$?" if number % 3 else f"Write {one} over {two}."
    solution = f"We compute it step by step and find $\\boxed{{{value}}}$."
    return {"problem": problem, "level": "Level 2", "type": "Algebra", "solution": solution}


def asdiv(rng: Rng, number: int) -> Doc:
    one, two = rng.randint(2, 30), rng.randint(2, 30)
    body = f"{rng.choice(NAMES)} has {one} {rng.choice(ADJECTIVES)} coins and {two} others."
    return {"body": body, "question": "How many coins are there?", "answer": f"{one + two} (coins)", "formula": ""}


def arithmetic(rng: Rng, number: int) -> Doc:
    one, two = rng.randint(2, 99), rng.randint(2, 99)
    return {"context": f"Question: What is {one} plus {two}?\n\nAnswer:", "completion": f" {one + two}"}


def mmlu_pro(rng: Rng, number: int) -> Doc:
    n = rng.choice((4, 6, 10))
    right = rng.randrange(n)
    thought = f"A: Let's think step by step. It must be so. The answer is ({'ABCDEFGHIJ'[right]})."
    return {
        "question_id": number,
        "question": question(rng),
        "options": [f"{text} {i}" for i, text in enumerate(answers(rng, n))],
        "answer": "ABCDEFGHIJ"[right],
        "answer_index": right,
        "cot_content": thought,
        "category": "math" if number % 3 else "law",
    }


def navigate(rng: Rng, number: int) -> Doc:
    steps = " ".join(
        f"Take {rng.randint(1, 9)} steps. Turn {rng.choice(('left', 'right', 'around'))}." for _ in range(3)
    )
    asked = f"If you follow these instructions, do you return to the starting point? {steps}\nOptions:\n- Yes\n- No"
    return {"input": asked, "target": rng.choice(("Yes", "No"))}


def word_sorting(rng: Rng, number: int) -> Doc:
    chosen = pick(rng, ADJECTIVES, 4)
    listed = f"Sort the following words alphabetically: List: {' '.join(chosen)}"
    return {"input": listed, "target": " ".join(sorted(chosen))}


def unscramble(rng: Rng, number: int) -> Doc:
    right = word(rng)
    middle = list(right[1:-1])
    rng.shuffle(middle)
    mixed = right[0] + "".join(middle) + right[-1]
    return {
        "context": f"Please unscramble the letters into a word, and write that word:\n{mixed} =",
        "completion": right,
    }


def babi(rng: Rng, number: int) -> Doc:
    who, where = rng.choice(NAMES), rng.choice(PLACES)
    told = f"{who} moved to the {where}.\n{rng.choice(NAMES)} went to the {rng.choice(PLACES)}.\n"
    return {"passage": told, "question": f"Where is {who}?", "answer": where, "task": 1}


def ifeval(rng: Rng, number: int) -> Doc:
    asked = rng.choice(("Write about a lamp. Do not use any commas.", "Write about a drum, in lower case letters."))
    ids = ["punctuation:no_comma"] if "commas" in asked else ["change_case:english_lowercase"]
    return {"key": number, "prompt": asked, "instruction_id_list": ids, "kwargs": [{"num_words": None}]}


# --- programs ---------------------------------------------------------------------------------------------------------


def humaneval(rng: Rng, number: int) -> Doc:
    n = rng.randint(2, 99)
    asked = f'def add_{number}(x):\n    """Add {n} to x.\n    >>> add_{number}(1)\n    {n + 1}\n    """\n'
    tests = f"def check(candidate):\n    assert candidate(1) == {n + 1}\n    assert candidate(-{n}) == 0\n"
    named = {"task_id": f"HumanEval/{number}", "entry_point": f"add_{number}"}
    return {**named, "prompt": asked, "canonical_solution": f"    return x + {n}\n", "test": tests}


def mbpp(rng: Rng, number: int) -> Doc:
    n = rng.randint(2, 99)
    tests = [f"assert times_{number}({i}) == {i * n}" for i in range(3)]
    code = f"def times_{number}(x):\r\n  return x * {n}"
    told = {"task_id": number, "text": f"Write a function that gives {n} times its number.", "code": code}
    none: list[str] = ["assert True"]
    return {**told, "test_list": tests, "test_setup_code": "", "challenge_test_list": none}


# --- translations -----------------------------------------------------------------------------------------------------


def translation(rng: Rng, number: int) -> Doc:
    """The same small sentence in four languages."""
    i = rng.randrange(len(CITIES))
    n = rng.randint(2, 99)
    told = {
        "en": f"In {CITIES[i]} there are {n} bridges.",
        "fr": f"À {CITIES[i]} il y a {n} ponts, où l'on passe.",
        "de": f"In {CITIES[i]} gibt es {n} Brücken.",
        "ro": f"În {CITIES[i]} sunt {n} poduri.",
    }
    return {"translation": told}


# --- how likely a text is ---------------------------------------------------------------------------------------------


def lambada(rng: Rng, number: int) -> Doc:
    return {"text": f"{story(rng)[:-1]}, said {rng.choice(NAMES)}", "domain": ""}


def page(rng: Rng, number: int) -> Doc:
    """A page as WikiText stores it, with spaces around its marks; some hold far more bytes than letters."""
    head = f" = {rng.choice(FILMS)} = \n\n"
    year = f" {rng.randint(1, 9)} @,@ {rng.randint(100, 999)} people ( in {rng.choice(COUNTRIES)} ) saw it . \n"
    return {"page": head + story(rng, 3, 6).replace(".", " .").replace(",", " ,") + year + "  " * (number % 2)}


def plain(rng: Rng, number: int) -> Doc:
    end = rng.choice(("", " Zoë côte — 北京", "\n\n\tEnd.\n"))
    return {"text": story(rng, 2, 5) + end, "meta": {"pile_set_name": rng.choice(THINGS)}}


def summary(rng: Rng, number: int) -> Doc:
    told = story(rng, 3, 6)
    return {"document": told, "summary": told.split(". ")[0] + ".", "id": f"{number}"}


# --- words and turns --------------------------------------------------------------------------------------------------


def tagged(rng: Rng, number: int) -> Doc:
    """Words with the tags of CoNLL 2003; a sentence in three names nothing."""
    if number % 3 == 2:
        words, tags = f"It was {rng.choice(ADJECTIVES)} .".split(), [0, 0, 0, 0]
    else:
        words = [*pick(rng, NAMES, 2), "of", rng.choice(CITIES), "Bank", "met", rng.choice(NAMES), "."]
        tags = [1, 2, 0, 3, 4, 0, 1, 0]
    return {"id": f"{number}", "tokens": words, "pos_tags": tags, "chunk_tags": tags, "ner_tags": tags}


def relation(rng: Rng, number: int) -> Doc:
    told = f"The <e1>{rng.choice(THINGS)}</e1> near the {rng.choice(PLACES)} was made of <e2>{word(rng)}</e2>."
    return {"sentence": told, "relation": rng.randrange(19)}


def article(rng: Rng, number: int) -> Doc:
    return {"text": story(rng), "label": rng.randrange(4)}


def conversation(rng: Rng, number: int) -> Doc:
    def turns(n: int) -> list[str]:
        return [sentence(rng) + " " * (number % 2) for _ in range(n)]

    said = {"previous_utterance": turns(2), "free_messages": turns(5), "guided_messages": turns(5)}
    return {"personas": turns(2), "additional_context": "", "context": "wizard_of_wikipedia", **said}
