import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.scoring.metrics import Answer, corpus_metric
from harness.scoring.spans import (
    Entity,
    entity_f1_partial,
    entity_f1_strict,
    parse_entities,
    parse_failure_rate,
    ratio_stderr,
)

TYPES = ("PER", "LOC", "ORG")
TEXT = "Tom lives in Tibi . Ann works for Sola Bank ."
GOLD = [("Tom", "PER"), ("Tibi", "LOC"), ("Ann", "PER"), ("Sola Bank", "ORG")]


def answer(output: str, gold: list[tuple[str, str]] = GOLD, text: str = TEXT) -> Answer:
    entities = [{"text": name, "type": kind} for name, kind in gold]
    target = " ; ".join(f"{name} {kind}" for name, kind in gold)
    return Answer(doc={"text": text, "entities": entities}, target=target, output=output)


def strict(output: str, gold: list[tuple[str, str]] = GOLD, text: str = TEXT) -> float:
    return entity_f1_strict([answer(output, gold, text)]).value


def partial(output: str, gold: list[tuple[str, str]] = GOLD, text: str = TEXT) -> float:
    return entity_f1_partial([answer(output, gold, text)]).value


@pytest.mark.parametrize(
    ("output", "expected_strict", "expected_partial"),
    [
        (" Tom PER ; Tibi LOC ; Ann PER ; Sola Bank ORG", 1.0, 1.0),
        ("Sola Bank ORG;Ann PER;Tibi LOC;Tom PER;", 1.0, 1.0),
        ("Tom PER ; Tibi LOC", 2 * 2 / 6, 2 * 2 / 6),  # P 1, R 1/2
        ("Tom LOC ; Tibi LOC ; Ann PER ; Sola Bank ORG", 0.75, 1.0),  # partial ignores the type
        ("Tom PER ; Tibi LOC ; Ann PER ; Sola ORG", 0.75, 3.5 / 4),  # half a point for the overlap
        ("Tom PER ; Tibi LOC ; Ann PER ; Sola Bank ORG ; Zoe PER", 8 / 9, 8 / 9),  # Zoe is not in the text
        ("Tom PER ; Tom PER", 2 / 6, 2 / 6),  # one Tom in the text, so the second is spurious
        ("Tom LOC ; Tom PER", 2 / 6, 2 / 6),  # the right claim gets the place, whatever the order
        ("Tom ; nonsense", 0.0, 1 / 3),  # two untyped pieces; "Tom" still stands where a name is expected
        ("", 0.0, 0.0),
        (" ; ; ", 0.0, 0.0),
        ("PER", 0.0, 0.0),
    ],
)
def test_f1_of_one_document_is_what_hand_counting_gives(output, expected_strict, expected_partial):
    assert strict(output) == pytest.approx(expected_strict)
    assert partial(output) == pytest.approx(expected_partial)


def test_a_name_that_occurs_twice_counts_twice():
    text, gold = "Tom met Tom . Tomas slept .", [("Tom", "PER"), ("Tom", "PER"), ("Tomas", "PER")]

    assert strict("Tom PER ; Tom PER ; Tomas PER", gold, text) == 1.0
    assert strict("Tom PER ; Tomas PER", gold, text) == pytest.approx(4 / 5)


def test_whole_words_are_found_before_parts_of_words():
    text, gold = "Tomas met Tom .", [("Tomas", "LOC"), ("Tom", "PER")]

    assert partial("Tom LOC", gold, text) == pytest.approx(2 / 3)  # the word Tom, not the beginning of Tomas
    assert partial("Toma LOC", gold, text) == pytest.approx(1 / 3)  # half a point for a part of Tomas


def test_documents_without_entities_agree_when_nothing_is_claimed():
    nothing = [answer("", gold=[]), answer("", gold=[])]

    assert entity_f1_strict(nothing) == (1.0, None, (1.0, 1.0))
    assert strict("Tom PER", gold=[]) == 0.0
    assert parse_failure_rate(nothing).value == 0.0


def test_corpus_f1_is_micro_averaged_and_keeps_every_documents_own():
    corpus = entity_f1_strict([answer("Tom PER ; Tibi LOC ; Ann PER ; Sola Bank ORG"), answer("Tom PER"), answer("")])

    assert corpus.value == pytest.approx(2 * 5 / (8 + 5 + 4))
    assert corpus.per_sample == pytest.approx((1.0, 2 / 5, 0.0))


def test_the_error_of_f1_is_that_of_a_bootstrap_over_documents():
    rng = np.random.default_rng(0)
    outputs = [" ; ".join(f"{n} {t}" for n, t in GOLD if rng.random() < rng.choice([0.2, 0.9])) for _ in range(200)]
    corpus = entity_f1_strict([answer(output) for output in outputs])
    claims = np.array([len(output.split(";")) if output else 0 for output in outputs])  # all of them right

    picks = rng.integers(0, len(outputs), size=(4000, len(outputs)))
    resampled = 2 * claims[picks].sum(axis=1) / (claims[picks] + len(GOLD)).sum(axis=1)

    assert corpus.stderr == pytest.approx(resampled.std(), rel=0.1)


def test_equal_denominators_give_the_error_of_a_mean():
    values = [0.0, 1.0, 1.0, 0.5, 0.25]

    assert ratio_stderr(values, [1.0] * 5) == pytest.approx(np.std(values, ddof=1) / math.sqrt(5))
    assert ratio_stderr([1.0], [1.0]) is None
    assert ratio_stderr([0.0, 0.0], [0.0, 0.0]) is None


def test_an_answer_that_is_no_list_of_known_types_is_a_parse_failure():
    outputs = ["Tom PER ; Tibi LOC ;", "Tom PER ; Tibi", "Tom XYZ", "", "PER"]
    rate = parse_failure_rate([answer(output) for output in outputs])

    assert rate.per_sample == (0.0, 1.0, 1.0, 1.0, 1.0)
    assert rate.value == 0.8
    assert rate.stderr == pytest.approx(0.2)


def test_names_may_have_several_words_and_unknown_types_get_a_mark():
    assert parse_entities("Sola Bank ORG;Tom XYZ", frozenset(TYPES)) == [
        Entity("Sola Bank", "ORG"),
        Entity("Tom XYZ", "?"),
    ]


def test_a_document_that_does_not_fit_is_named():
    with pytest.raises(HarnessError, match=r"entity 'Zoe' of a document is not in its text 'Tom lives"):
        strict("Tom PER", gold=[("Zoe", "PER")])
    with pytest.raises(HarnessError, match=r"without `entities: .*its keys are text, label"):
        entity_f1_strict([Answer(doc={"text": "x", "label": "y"}, target="", output="")])


@pytest.mark.parametrize("name", ["entity_f1_strict", "entity_f1_partial", "parse_failure_rate"])
def test_metrics_are_found_by_name(name):
    assert corpus_metric(name)([answer("Tom PER")]).per_sample


# Names that are no part of one another, so that strict F1 is a matter of counting.
names = st.sampled_from(["Tom", "Ann", "Tibi", "Sola Bank", "Zoe"])
claims = st.lists(st.tuples(names, st.sampled_from(TYPES)), max_size=6)


def written(entities: list[tuple[str, str]]) -> str:
    return " ; ".join(f"{name} {kind}" for name, kind in entities)


@given(gold=claims)
def test_the_reference_scores_one_and_silence_nothing(gold):
    text = " met ".join(name for name, _ in gold)

    assert strict(written(gold), gold, text) == partial(written(gold), gold, text) == 1.0
    if gold:
        assert strict("", gold, text) == partial("", gold, text) == 0.0


@settings(deadline=None)
@given(gold=claims, claimed=claims, order=st.randoms(use_true_random=False))
def test_strict_f1_is_the_common_part_of_two_multisets_in_any_order(gold, claimed, order):
    text = "Zoe and " + " met ".join(name for name, _ in gold)
    known = {kind for _, kind in gold}
    common = sum((Counter(gold) & Counter(claimed)).values())
    expected = 2 * common / (len(gold) + len(claimed)) if gold or claimed else 1.0
    shuffled = list(claimed)
    order.shuffle(shuffled)

    assert strict(written(claimed), gold, text) == pytest.approx(expected)
    assert strict(written(shuffled), gold, text) == pytest.approx(expected)
    assert partial(written(shuffled), gold, text) == pytest.approx(partial(written(claimed), gold, text))
    assert partial(written(claimed), gold, text) >= expected - 1e-12
    assert parse_failure_rate([answer(written(claimed), gold, text)]).value == float(
        any(kind not in known for _, kind in claimed) or (bool(gold) and not claimed)
    )


class TestADocumentWithTokens:
    """A data set for taggers, whose target names the entities."""

    TARGET = "Tom PER ; Sola Bank ORG"

    def answer(self, output: str, target: str = TARGET) -> Answer:
        doc = {"tokens": "Tom works for Sola Bank .".split(), "ner_tags": [1, 0, 0, 3, 4, 0]}
        return Answer(doc=doc, target=target, output=output)

    def test_is_read_through_the_target(self):
        assert entity_f1_strict([self.answer("Sola Bank ORG ; Tom PER")]).value == 1.0
        assert entity_f1_strict([self.answer("Tom PER")]).value == pytest.approx(2 / 3)
        assert entity_f1_partial([self.answer("Tom PER ; Bank ORG")]).value == pytest.approx(0.75)

    def test_agrees_with_an_answer_that_says_in_the_targets_words_that_there_is_none(self):
        none, claims = self.answer(" none", "none"), self.answer("Tom PER", "none")
        assert entity_f1_strict([none]).per_sample == (1.0,)
        assert entity_f1_strict([claims, self.answer("Tom PER")]).per_sample == (0.0, pytest.approx(2 / 3))
        assert parse_failure_rate([none, self.answer("none")]).per_sample == (0.0, 1.0)

    def test_is_refused_where_the_target_names_what_is_not_in_the_text(self):
        with pytest.raises(HarnessError, match="entity 'Zoe' of a document is not in its text 'Tom works"):
            entity_f1_strict([self.answer("Tom PER", "Zoe PER")])
