"""Documents of data sets whose tasks offer options."""

from __future__ import annotations

from typing import Any

from tests.builders.hub.words import (
    ADJECTIVES,
    CITIES,
    NAMES,
    PLACES,
    REASONS,
    THINGS,
    TOOLS,
    Rng,
    answers,
    capital,
    pick,
    question,
    sentence,
    story,
)

Doc = dict[str, Any]


def arc(rng: Rng, number: int) -> Doc:
    n = rng.choice((3, 4, 4, 4, 5))
    labels = list("ABCDE"[:n]) if number % 4 else list("12345"[:n])
    options = {"text": answers(rng, n), "label": labels}
    return {"id": f"q{number}", "question": question(rng), "choices": options, "answerKey": rng.choice(labels)}


def hellaswag(rng: Rng, number: int) -> Doc:
    return {
        "ind": number,
        "activity_label": rng.choice(("Baking bread", "Painting a fence", "Home and Garden")),
        "ctx_a": story(rng, 1, 2),
        "ctx_b": rng.choice(("he", "she", "[step] they", "")),
        "endings": [f"[substeps] {end} [title] {capital(rng.choice(THINGS))}  again." for end in answers(rng, 4)],
        "label": str(rng.randrange(4)),
    }


def winogrande(rng: Rng, number: int) -> Doc:
    one, two = pick(rng, NAMES, 2)
    end = rng.choice(
        (f"_ was {rng.choice(ADJECTIVES)}.", f"_ knew the {rng.choice(PLACES)} , and {rng.choice(REASONS)}.")
    )
    text = f"{one} gave the {rng.choice(THINGS)} to {two} because {end}"
    return {"sentence": text, "option1": one, "option2": two, "answer": rng.choice("12")}


def piqa(rng: Rng, number: int) -> Doc:
    one, two = pick(rng, TOOLS, 2)
    goal = f"How do I mend a {rng.choice(ADJECTIVES)} {rng.choice(THINGS)}?"
    more = f" and leave it in the {rng.choice(PLACES)}"
    sides = [f"Use a {one}{more}.", f"Use a {two}."]
    return {"goal": goal, "sol1": sides[number % 2], "sol2": sides[1 - number % 2], "label": rng.randrange(2)}


def openbookqa(rng: Rng, number: int) -> Doc:
    options = {"text": answers(rng, 4), "label": list("ABCD")}
    return {
        "id": f"{number}",
        "question_stem": question(rng, " is"),
        "choices": options,
        "answerKey": rng.choice("ABCD"),
    }


def boolq(rng: Rng, number: int) -> Doc:
    return {"question": question(rng, ""), "passage": story(rng), "idx": number, "label": rng.randrange(2)}


def sciq(rng: Rng, number: int) -> Doc:
    one, two, three, right = answers(rng, 4)
    wrong = {"distractor1": one, "distractor2": two, "distractor3": three}
    support = story(rng) if number % 5 else ""
    return {"question": question(rng), **wrong, "correct_answer": right, "support": f" {support}"}


def mmlu(rng: Rng, number: int) -> Doc:
    return {"question": f"{question(rng)} ", "subject": "x", "choices": answers(rng, 4), "answer": rng.randrange(4)}


def agieval(rng: Rng, number: int) -> Doc:
    options = [f"({letter}){text}" for letter, text in zip("ABCDE", answers(rng, 5), strict=True)]
    query = (
        f"{story(rng, 1, 2)}Q: {question(rng)} Answer Choices: {' '.join(options)}\nA: Among A through E, the answer is"
    )
    gold = [rng.randrange(5)] if number % 4 else sorted(rng.sample(range(5), 2))
    return {"query": query, "choices": options, "gold": gold}


def truthful_choices(rng: Rng, number: int) -> Doc:
    texts = [f"{capital(text)}." for text in answers(rng, 6)]
    right = rng.randint(1, 3)
    return {
        "question": question(rng),
        "mc1_targets": {"choices": texts[:4], "labels": [1, 0, 0, 0]},
        "mc2_targets": {"choices": texts, "labels": [1] * right + [0] * (6 - right)},
    }


def race(rng: Rng, number: int) -> Doc:
    problems = [
        {
            "question": question(rng) if i % 2 else f"{rng.choice(NAMES)} went to the  _  .",
            "answer": rng.choice("ABCD"),
            "options": answers(rng, 4),
        }
        for i in range(rng.randint(2, 3))
    ]
    return {"article": story(rng), "problems": str(problems)}


def logiqa(rng: Rng, number: int) -> Doc:
    return {"label": rng.choice("abcd"), "context": story(rng), "question": question(rng), "options": answers(rng, 4)}


def copa(rng: Rng, number: int) -> Doc:
    return {
        "premise": sentence(rng),
        "choice1": sentence(rng),
        "choice2": f"The {rng.choice(ADJECTIVES)} {rng.choice(THINGS)} fell.",
        "question": rng.choice(("cause", "effect")),
        "idx": number,
        "label": rng.randrange(2),
    }


def wic(rng: Rng, number: int) -> Doc:
    word = rng.choice(TOOLS)
    first = f"She took the {word} from {rng.choice(NAMES)}."
    second = f"The {rng.choice(ADJECTIVES)} {word} was in the {rng.choice(PLACES)}."
    places = {"start1": first.index(word), "end1": first.index(word) + len(word)}
    places |= {"start2": second.index(word), "end2": second.index(word) + len(word)}
    return {"word": word, "sentence1": first, "sentence2": second, **places, "idx": number, "label": rng.randrange(2)}


def inference(rng: Rng, number: int) -> Doc:
    """Premise and hypothesis: CB, MNLI, ANLI, XNLI."""
    hypothesis = sentence(rng)
    return {
        "premise": story(rng, 1, 2),
        "hypothesis": hypothesis if number % 3 else f"{hypothesis[:-1]} ",
        "idx": number,
        "label": rng.randrange(3),
    }


def multirc(rng: Rng, number: int) -> Doc:
    where = {"paragraph": number // 4, "question": number // 2, "answer": number}
    (text,) = answers(rng, 1)
    told = {"paragraph": story(rng), "question": question(rng), "answer": text}
    return {**told, "idx": where, "label": rng.randrange(2)}


def record(rng: Rng, number: int) -> Doc:
    entities = pick(rng, NAMES, 4)
    passage = story(rng) + "\n@highlight\n" + sentence(rng) + "\n@highlight\n" + sentence(rng)
    query = f"@placeholder sold the {rng.choice(THINGS)}, the {rng.choice(PLACES)} says"
    right = rng.sample(entities, rng.randint(1, 2))
    where = {"passage": number, "query": number}
    return {"passage": passage, "query": query, "entities": [*entities, entities[0]], "answers": right, "idx": where}


def wsc(rng: Rng, number: int) -> Doc:
    one, two = pick(rng, NAMES, 2)
    text = f"{one} thanked {two} , because he had given the {rng.choice(THINGS)} away ."
    spans = {"span1_index": 0, "span2_index": 5, "span1_text": one, "span2_text": "he"}
    return {"text": text, **spans, "idx": number, "label": rng.randrange(2)}


def one_sentence(rng: Rng, number: int) -> Doc:
    """SST-2 and CoLA."""
    return {"sentence": f"{sentence(rng)} " if number % 3 else sentence(rng), "idx": number, "label": rng.randrange(2)}


def two_sentences(rng: Rng, number: int) -> Doc:
    """RTE, MRPC and WNLI; QQP and QNLI name the same two otherwise."""
    one = sentence(rng)
    two = sentence(rng) if number % 2 else one.replace("the", "a")
    asked = {"question1": question(rng), "question2": question(rng), "question": question(rng)}
    return {"sentence1": one, "sentence2": two, **asked, "sentence": two, "idx": number, "label": rng.randrange(2)}


def blimp(rng: Rng, number: int) -> Doc:
    good = sentence(rng)
    words = good.split(" ")
    words[0], words[2] = words[2], words[0]
    return {"sentence_good": good, "sentence_bad": " ".join(words), "UID": "x", "pair_id": number}


def anli(rng: Rng, number: int) -> Doc:
    return {"uid": str(number), **inference(rng, number), "reason": ""}


def xcopa(rng: Rng, number: int) -> Doc:
    one, two = pick(rng, ("Il ponte è caduto.", "La città era più fredda.", "Piovve.", "Ann trovò la chiave."), 2)
    asked = rng.choice(("cause", "effect"))
    premise = f"{rng.choice(NAMES)} andò al {rng.choice(('mercato', 'caffè', 'porto'))} alle {rng.randint(1, 12)}."
    return {
        "premise": premise,
        "choice1": one,
        "choice2": two,
        "question": asked,
        "label": rng.randrange(2),
        "idx": number,
    }


def headqa(rng: Rng, number: int) -> Doc:
    options = [{"aid": i + 1, "atext": text} for i, text in enumerate(answers(rng, 4))]
    return {"qid": number, "qtext": question(rng), "ra": rng.randint(1, 4), "answers": options}


def mathqa(rng: Rng, number: int) -> Doc:
    values = rng.sample(range(2, 99), 5)
    options = " , ".join(f"{letter} ) {value}" for letter, value in zip("abcde", values, strict=True))
    problem = f"a {rng.choice(THINGS)} costs {rng.randint(2, 9)} coins . what do {rng.randint(2, 9)} cost ?"
    return {"Problem": problem, "options": options, "correct": rng.choice("abcde"), "Rationale": ""}


def pubmedqa(rng: Rng, number: int) -> Doc:
    texts = [sentence(rng) for _ in range(rng.randint(1, 3))]
    return {"QUESTION": question(rng), "CONTEXTS": texts, "final_decision": rng.choice(("yes", "no", "maybe"))}


def social_iqa(rng: Rng, number: int) -> Doc:
    one, two, three = answers(rng, 3)
    options = {"answerA": one, "answerB": two, "answerC": three}
    return {"context": sentence(rng), "question": question(rng), **options, "label": rng.choice("123")}


def commonsense_qa(rng: Rng, number: int) -> Doc:
    options = {"label": list("ABCDE"), "text": answers(rng, 5)}
    return {"id": f"{number}", "question": f" {question(rng)}", "choices": options, "answerKey": rng.choice("ABCDE")}


def toxigen(rng: Rng, number: int) -> Doc:
    return {"text": sentence(rng), "toxicity_ai": rng.randint(1, 5) * 1.0, "toxicity_human": rng.randint(2, 10) / 2}


def story_cloze(rng: Rng, number: int) -> Doc:
    told = {f"input_sentence_{i}": sentence(rng) for i in (1, 2, 3, 4)}
    one, two = sentence(rng), sentence(rng)
    ends = {"sentence_quiz1": one, "sentence_quiz2": two, "answer_right_ending": rng.randint(1, 2)}
    return {"story_id": f"{number}", **told, **ends}


def swag(rng: Rng, number: int) -> Doc:
    ends = {f"ending{i}": f"{text}." for i, text in enumerate(answers(rng, 4))}
    return {"startphrase": f"{sentence(rng)} {rng.choice(NAMES)}", **ends, "label": rng.randrange(4)}


def prost(rng: Rng, number: int) -> Doc:
    options = dict(zip("ABCD", pick(rng, THINGS, 4), strict=True))
    told = f"A person drops {', '.join(options.values())}."
    return {**options, "context": told, "ex_question": "What breaks most easily?", "label": rng.randrange(4)}


def mc_taco(rng: Rng, number: int) -> Doc:
    lasting = f"{rng.randint(2, 40)} {rng.choice(('minutes', 'years', 'days'))}"
    return {"sentence": sentence(rng), "question": question(rng), "answer": lasting, "label": rng.randrange(2)}


def web_questions(rng: Rng, number: int) -> Doc:
    found = answers(rng, rng.randint(1, 3))
    return {"url": "", "question": question(rng).lower(), "answers": [*found, f"{found[0]} again"]}


def ethics(rng: Rng, number: int) -> Doc:
    """The fields of all five parts."""
    told = {"input": sentence(rng), "scenario": sentence(rng), "excuse": f"No, because {rng.choice(REASONS)}. "}
    told |= {"trait": rng.choice(ADJECTIVES), "activity": sentence(rng), "baseline": sentence(rng)}
    return {"label": rng.randrange(2), **told}


def wsc273(rng: Rng, number: int) -> Doc:
    one, two = pick(rng, NAMES, 2)
    possessive = number % 3 == 0
    before = f"{one} gave  {two} the {rng.choice(THINGS)}, since "
    rest = f"{'his' if possessive else 'he'} {'coat' if possessive else ''} was {rng.choice(ADJECTIVES)}."
    text = before + rest
    return {
        "text": text,
        "pronoun": "his" if possessive else "he",
        "pronoun_loc": len(before.replace("  ", " ")),
        "quote": rest,
        "options": [one, f"The {rng.choice(THINGS)}"],
        "label": rng.randrange(2),
    }


def belebele(rng: Rng, number: int) -> Doc:
    options = {f"mc_answer{i + 1}": text for i, text in enumerate(answers(rng, 4))}
    told = {"flores_passage": story(rng, 1, 2), "question": f"{question(rng)} "}
    return {**told, **options, "correct_answer_num": rng.choice("1234")}


def medmcqa(rng: Rng, number: int) -> Doc:
    options = dict(zip(("opa", "opb", "opc", "opd"), answers(rng, 4), strict=True))
    return {"id": f"{number}", "question": question(rng), **options, "cop": rng.randrange(4)}


def medqa(rng: Rng, number: int) -> Doc:
    options = {f"ending{i}": text for i, text in enumerate(answers(rng, 4))}
    return {"id": f"{number}", "sent1": story(rng, 1, 2), "sent2": "", **options, "label": rng.randrange(4)}


def qa4mre(rng: Rng, number: int) -> Doc:
    options = {"answer_id": list("12345"), "answer_str": answers(rng, 5)}
    asked = {"document_str": f"\n{story(rng, 1, 2)} ", "question_str": question(rng)}
    return {**asked, "answer_options": options, "correct_answer_id": rng.choice("12345")}


def mutual(rng: Rng, number: int) -> Doc:
    told = f"m : {question(rng, ' ?')} f : {sentence(rng)[:-1]} ."
    options = [f"m : {sentence(rng)[:-1]} ." for _ in range(4)]
    return {"answers": rng.choice("ABCD"), "options": options, "article": told, "id": f"{number}"}


def moral_stories(rng: Rng, number: int) -> Doc:
    fields = ("norm", "situation", "intention", "moral_action", "immoral_action")
    return {"guid": f"{number}", **{name: sentence(rng).lower() for name in fields}}


def gpqa(rng: Rng, number: int) -> Doc:
    names = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
    return {"Question": question(rng), **dict(zip(names, answers(rng, 4), strict=True))}


def bigbench(rng: Rng, number: int) -> Doc:
    """Some documents have options, some have none."""
    options = answers(rng, 4) if number % 5 else []
    right = rng.randrange(4)
    text = options[right] if options else rng.choice(CITIES)
    scores = [int(i == right) for i in range(len(options))]
    asked = f"Q: {question(rng)}\n" + "".join(f"  choice: {option}\n" for option in options) + "A:"
    return {
        "idx": number,
        "inputs": asked,
        "targets": [text],
        "multiple_choice_targets": options,
        "multiple_choice_scores": scores,
    }


def bigbench_options(rng: Rng, number: int) -> Doc:
    """Every document has options."""
    return bigbench(rng, 1 + 5 * number)


def kobest(rng: Rng, number: int) -> Doc:
    """The fields of `boolq` and `hellaswag`."""
    people = ("민수", "영희", "지훈")
    ends = {
        f"ending_{i}": f"{rng.choice(people)}가 {n}번 웃었다."
        for i, n in zip((1, 2, 3, 4), (2, 30, 4, 55), strict=True)
    }
    told = {"paragraph": f"{rng.choice(people)}는 {rng.randint(2, 99)}층에 산다.", "question": "그는 높은 곳에 사는가?"}
    return {**told, "context": told["paragraph"], **ends, "label": rng.randrange(2)}
