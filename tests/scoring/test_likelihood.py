from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.scoring.likelihood import (
    brier,
    correct_bits_per_byte,
    loglikelihood_per_byte,
    loglikelihood_per_token,
    prob_correct,
    softmax,
)
from harness.scoring.metrics import Answer, sample_metric


def choice(*loglikelihoods: float, gold: int = 0) -> Answer:
    options = tuple("abcdefgh"[: len(loglikelihoods)])
    return Answer(
        doc={},
        target=options[gold],
        output=options[0],
        options=options,
        option_loglikelihoods=loglikelihoods,
        gold=gold,
    )


def reference(loglikelihood: float | None, *, tokens: int | None = 2, n_bytes: int | None = 8) -> Answer:
    return Answer(
        doc={},
        target="blue",
        output="",
        reference_loglikelihood=loglikelihood,
        reference_tokens=tokens,
        reference_bytes=n_bytes,
    )


def test_equal_options_share_the_probability() -> None:
    answer = choice(-7.0, -7.0, -7.0, -7.0, gold=2)
    assert prob_correct(answer) == pytest.approx(0.25)
    assert brier(answer) == pytest.approx(0.75)


def test_the_probability_is_the_softmax_at_the_right_option() -> None:
    assert prob_correct(choice(math.log(0.02), math.log(0.06), gold=1)) == pytest.approx(0.75)


def test_brier_runs_from_zero_when_sure_and_right_to_two_when_sure_and_wrong() -> None:
    assert brier(choice(0.0, -800.0)) == pytest.approx(0.0)
    assert brier(choice(0.0, -800.0, gold=1)) == pytest.approx(2.0)


@given(st.lists(st.floats(-2000, 0), min_size=1, max_size=8))
def test_probabilities_add_up_to_one_however_unlikely_the_options(loglikelihoods: list[float]) -> None:
    probabilities = softmax(loglikelihoods)
    assert sum(probabilities) == pytest.approx(1.0)
    assert all(0.0 <= p <= 1.0 for p in probabilities)


def test_a_reference_likelihood_is_divided_by_its_length() -> None:
    assert loglikelihood_per_token(reference(-6.0)) == -3.0
    assert loglikelihood_per_byte(reference(-6.0)) == -0.75


def test_bits_per_byte_count_every_byte_that_was_scored() -> None:
    answer = replace(reference(-6.0 * math.log(2), n_bytes=5), scored_bytes=6)
    assert correct_bits_per_byte(answer) == pytest.approx(1.0)


def test_of_several_right_answers_the_one_that_takes_the_fewest_bits_per_byte_counts() -> None:
    long, short = replace(reference(-8.0), scored_bytes=16), replace(reference(-6.0), scored_bytes=6)
    score = sample_metric("correct_bits_per_byte")
    assert (
        score(replace(short, also=(long,))) == score(replace(long, also=(short,))) == pytest.approx(0.5 / math.log(2))
    )


def test_a_generation_task_has_no_probability_of_the_right_option() -> None:
    with pytest.raises(HarnessError, match="need options with one right answer"):
        prob_correct(reference(-6.0))


@pytest.mark.parametrize("answer", [reference(None), reference(-1.0, tokens=0)])
def test_an_empty_reference_has_no_likelihood_per_token(answer: Answer) -> None:
    with pytest.raises(HarnessError, match="reference answer"):
        loglikelihood_per_token(answer)
