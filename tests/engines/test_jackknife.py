"""Standard errors of scores of all documents together."""

import random

import pytest
from lm_eval.api import metrics

from harness.engines import jackknife
from harness.engines.jackknife import jackknife_stderr, stderr_of

WORDS = "the a small river town bridge , stands near in and old tower .".split()


def translations(n, *, references=1):
    rng = random.Random(references)

    def text():
        return " ".join(rng.choices(WORDS, k=rng.randint(1, 9)))

    items = []
    for _ in range(n):
        given = [text() for _ in range(rng.randint(1, references))]
        output = " ".join(given[0].split()[: rng.randint(0, 9)] + text().split()[:2])
        items.append((given + [None] * (references - len(given)), output) if references > 1 else (given[0], output))
    return items


@pytest.mark.parametrize("references", [1, 3])
@pytest.mark.parametrize("aggregate", [metrics.bleu, metrics.chrf, metrics.chrfpp, metrics.ter])
def test_documents_that_are_counted_once_give_the_very_number_of_scores_computed_again(aggregate, references):
    items = translations(57, references=references)

    fast = stderr_of(aggregate, items, float(aggregate(items)))

    assert fast == jackknife_stderr(lambda some: float(aggregate(some)), items)
    assert fast > 0


def test_another_score_than_the_counts_give_is_computed_by_lm_evals_function_alone(monkeypatch):
    items = translations(20)
    lowered = {metrics.bleu: lambda: jackknife.sacrebleu.BLEU(max_ngram_order=2)}
    monkeypatch.setattr(jackknife, "_COUNTING", lowered)

    found = stderr_of(metrics.bleu, items, float(metrics.bleu(items)))

    assert found == jackknife_stderr(lambda some: float(metrics.bleu(some)), items)


def test_any_other_score_is_computed_for_each_group():
    items = [(gold, guess) for gold, guess in [(1, 1), (0, 1), (1, 0), (0, 0), (1, 1)] * 4]

    assert stderr_of(metrics.f1_score, items, float(metrics.f1_score(items))) == jackknife_stderr(
        lambda some: float(metrics.f1_score(some)), items
    )


def test_one_document_has_no_standard_error():
    items = translations(1)

    assert stderr_of(metrics.chrf, items, float(metrics.chrf(items))) is None
