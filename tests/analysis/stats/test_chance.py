from collections.abc import Sequence
from statistics import fmean

import pytest

from harness.analysis.stats import assumed_chance, empirical_chance, label_prior_chance, normalised
from harness.scoring.metrics import Answer
from harness.scoring.spans import entity_f1_strict
from harness.specs import MetricSpec


@pytest.mark.parametrize(
    ("value", "metric", "expected"),
    [
        (0.25, MetricSpec(name="acc", chance=0.25), 0.0),
        (1.0, MetricSpec(name="acc", chance=0.25), 1.0),
        (0.10, MetricSpec(name="acc", chance=0.25), -0.2),
        (0.375, MetricSpec(name="brier", higher_is_better=False, chance=0.75, best=0.0), 0.5),
        (30.0, MetricSpec(name="bleu", chance=0.0, best=100.0), 0.3),
    ],
)
def test_zero_is_chance_and_one_is_perfect_without_clipping(value: float, metric: MetricSpec, expected: float) -> None:
    assert normalised(value, metric) == pytest.approx(expected)


@pytest.mark.parametrize(("chance", "best"), [(None, 1.0), (0.0, None), (1.0, 1.0)])
def test_a_metric_without_both_ends_has_no_centred_score(chance: float | None, best: float | None) -> None:
    assert normalised(0.5, MetricSpec(name="m", chance=chance, best=best)) is None


def test_no_test_believes_that_luck_never_matches() -> None:
    assert assumed_chance(0.0) == 0.005
    assert assumed_chance(0.25) == 0.25


def test_a_guesser_may_know_which_label_is_frequent() -> None:
    assert label_prior_chance(["O"] * 8 + ["PER", "LOC"]) == 0.8
    assert label_prior_chance(["yes", "no"]) == 0.5


def macro_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    def f1(label: str) -> float:
        hits = sum(g == p == label for g, p in zip(gold, predicted, strict=True))
        return 2 * hits / (gold.count(label) + predicted.count(label))

    return fmean(f1(label) for label in sorted(set(gold)))


def test_chance_of_f1_is_far_from_zero_when_labels_are_few() -> None:
    # Of 100 documents 80 are a, and 80 are called a: any tie has 64 expected hits on a and 4 on b.
    gold, predicted = ["a"] * 80 + ["b"] * 20, ["b"] * 20 + ["a"] * 80
    expected = (2 * 64 / 160 + 2 * 4 / 40) / 2
    assert empirical_chance(gold, predicted, macro_f1, permutations=2000) == pytest.approx(expected, abs=0.005)


def test_a_perfect_model_has_the_chance_level_of_its_habits() -> None:
    labels = ["a"] * 50 + ["b"] * 50
    assert macro_f1(labels, labels) == 1.0
    assert empirical_chance(labels, labels, macro_f1) == pytest.approx(0.5, abs=0.02)


def test_the_chance_level_does_not_change_from_call_to_call() -> None:
    gold, predicted = ["a", "b", "c"] * 10, ["a", "c", "b"] * 10
    once, again = (empirical_chance(gold, predicted, macro_f1, permutations=20) for _ in range(2))
    assert once == again
    assert once != empirical_chance(gold, predicted, macro_f1, permutations=20, seed=1)


def test_predictions_for_other_documents_are_refused() -> None:
    with pytest.raises(ValueError, match="2 gold answers for 3 predictions"):
        empirical_chance(["a", "b"], ["a", "b", "a"], macro_f1)


def test_entities_that_recur_in_many_documents_raise_the_chance_of_entity_f1() -> None:
    def named(*places: str) -> list[str]:
        return [f"Tom PER ; {place} LOC" for place in places]

    def score(gold: Sequence[str], outputs: Sequence[str]) -> float:
        return entity_f1_strict([scored(right, said) for right, said in zip(gold, outputs, strict=True)]).value

    def scored(right: str, said: str) -> Answer:
        place = right.split()[3]
        entities = [{"text": "Tom", "type": "PER"}, {"text": place, "type": "LOC"}]
        return Answer(doc={"text": f"Tom lives in {place} .", "entities": entities}, target=right, output=said)

    gold = named("Tibi", "Sola", "Rano", "Kemu")
    # Tom is right in every document, the place in one of four.
    assert empirical_chance(gold, gold, score) == pytest.approx((1 + 0.25) / 2, abs=0.03)
    assert score(gold, gold) == 1.0
