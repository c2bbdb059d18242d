"""Smooth scores from log-likelihoods, used to tell a jump in ability from a jump that the metric causes.

Probabilities are a softmax over the options' log-likelihoods, as in BIG-bench and lm-eval's `brier_score`; they are
not normalised by the options' length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.errors import HarnessError
from harness.scoring.metrics import Answer
from harness.wording import quoted


def softmax(loglikelihoods: Sequence[float]) -> tuple[float, ...]:
    """Probabilities proportional to exp of the given log-likelihoods.

    >>> softmax([0.0, 0.0])
    (0.5, 0.5)
    """
    top = max(loglikelihoods)
    weights = [math.exp(value - top) for value in loglikelihoods]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def prob_correct(answer: Answer) -> float:
    """Probability of the right option among the options; of several right ones, the sum (TruthfulQA's MC2).

    Lin et al. 2022, TruthfulQA, section 3.2.
    """
    right = _right(answer)
    probabilities = softmax(answer.option_loglikelihoods)
    return math.fsum(probabilities[position] for position in right)


def brier(answer: Answer) -> float:
    """Brier score of the options, sum_j (p_j - [j = right])^2: 0 is perfect, 2 the worst (Brier 1950, eq. 2).

    Several right options count as one, whose probability is their sum.
    """
    right = _right(answer)
    probabilities = softmax(answer.option_loglikelihoods)
    missed = 1 - math.fsum(probabilities[position] for position in right)
    first, *others = right
    return sum(missed**2 if j == first else p**2 for j, p in enumerate(probabilities) if j not in others)


def loglikelihood_per_token(answer: Answer) -> float:
    """Natural-log likelihood of the reference answer divided by its tokens: comparable within one tokenizer."""
    return _reference(answer) / _length(answer.reference_tokens, "tokens")


def loglikelihood_per_byte(answer: Answer) -> float:
    """Natural-log likelihood of the reference answer divided by its UTF-8 bytes: comparable across tokenizers."""
    return _reference(answer) / _length(answer.reference_bytes, "bytes")


def correct_bits_per_byte(answer: Answer) -> float:
    """Bits that the model needs for each UTF-8 byte of the right option's text, or of the reference answer.

    -ln p / (ln 2 * bytes), with all bytes that the likelihood is of: white space at the end of a prompt is scored with
    the answer, and so is the delimiter. 0 is perfect, and a model that knows nothing needs about 8. The same text
    takes the same number of bytes with every tokenizer, so that families can be compared (Gu et al. 2024, OLMES).
    """
    return -_reference(answer) / (math.log(2) * _length(answer.scored_bytes, "bytes"))


def _right(answer: Answer) -> tuple[int, ...]:
    if answer.gold is None or not answer.options:
        raise HarnessError("prob_correct and brier need options with one right answer: a multiple_choice task")
    return answer.right or (answer.gold,)


def _reference(answer: Answer) -> float:
    if answer.reference_loglikelihood is None:
        raise HarnessError(
            f"the likelihood of the reference answer {quoted(answer.target)} was not measured: is it empty?"
        )
    return answer.reference_loglikelihood


def _length(count: int | None, unit: str) -> int:
    if not count:
        raise HarnessError(f"a likelihood per {unit[:-1]} needs a reference answer with {unit}; found an empty one")
    return count
