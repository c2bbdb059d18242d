import math

import pytest

from harness.errors import HarnessError
from harness.scoring.metrics import Answer, check_reference, corpus_metric
from harness.scoring.triples import parse_triples, triple_f1

GOLD = [("Tibi", "employer", "Nora"), ("Suka", "home", "Melo")]


def answer(output: str, gold: list[tuple[str, str, str]] = GOLD) -> Answer:
    triples = [{"head": head, "relation": relation, "tail": tail} for head, relation, tail in gold]
    target = " ; ".join(" ".join(triple) for triple in gold) or "none"
    return Answer(doc={"triples": triples}, target=target, output=output)


@pytest.mark.parametrize(
    ("output", "f1"),
    [
        (" Tibi employer Nora ; Suka home Melo", 1.0),
        ("Suka | home | Melo;Tibi|employer|Nora", 1.0),  # bars, and another order
        ("Tibi employer Nora", 2 / 3),
        ("Nora employer Tibi ; Suka home Melo", 0.5),  # the direction counts
        ("Tibi home Nora ; Suka home Melo", 0.5),  # and so does the relation
        ("Tibi employer Nora ; Tibi employer Nora", 0.5),  # each can be met once
        ("Tibi employer Nora ; Suka home Melo ; and so on", 4 / 5),
        ("Tibi  employer  Nora ; Suka home", 0.5),
        ("employer Nora", 0.0),
        ("", 0.0),
    ],
)
def test_f1_of_one_document_is_what_hand_counting_gives(output: str, f1: float) -> None:
    assert triple_f1([answer(output)]).value == pytest.approx(f1)


def test_f1_of_a_corpus_is_micro_averaged_with_the_error_of_a_ratio() -> None:
    one, other = answer("Tibi employer Nora"), answer("Kado owner Vimu", [("Kado", "owner", "Vimu")])
    found = triple_f1([one, other])
    assert found.value == pytest.approx(4 / 5)  # not the mean of 2/3 and 1
    assert found.per_sample == pytest.approx((2 / 3, 1.0))
    assert found.stderr == pytest.approx(math.sqrt(2 * 2 * 0.4**2) / 5)


def test_nothing_to_find_is_right_when_the_answer_says_so() -> None:
    silent, wrong = answer("none", []), answer("Tibi home Nora", [])
    assert triple_f1([silent]).per_sample == (1.0,)
    assert triple_f1([wrong, answer("Tibi employer Nora ; Suka home Melo")]).value == pytest.approx(4 / 5)


def test_the_longest_relation_at_the_earliest_place_splits_an_answer() -> None:
    (triple,) = parse_triples("Ann part of part team", {"part", "part of"})
    assert triple == ("Ann", "part of", "part team")


@pytest.mark.parametrize(
    ("doc", "message"),
    [
        ({"text": "x"}, r"without `triples: .*` has no score of relations; its keys are text"),
        ({"triples": [{"head": "Tom", "relation": "home"}]}, "without `triples"),
        ({"triples": [{"head": "Tom", "relation": "", "tail": "Rome"}]}, "part of a triple of a document is ''"),
        ({"triples": [{"head": "Tom", "relation": 3, "tail": "Rome"}]}, "part of a triple of a document is 3"),
    ],
)
def test_a_document_without_triples_is_named(doc: dict[str, object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        check_reference("triple_f1", Answer(doc=doc, target="", output=""))


def test_the_metric_is_found_by_its_name() -> None:
    assert corpus_metric("triple_f1")([answer("Tibi employer Nora ; Suka home Melo")]).value == 1.0
