"""Bounds of sizes, scores and metrics, stated once for stored results and for tables of other programs.

The functions take single numbers or whole columns. NaN stands for a number that is not known, and is accepted.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Any, NamedTuple

from harness.wording import cut, quoted

LARGEST_COUNT = 10**18
"""Largest number of parameters, tokens, documents or seeds; whole numbers of a table have 64 bits."""
MOST_NAME = 200
"""Characters of a name: with what the results folder adds to it, it is to fit the 255 bytes of a file's name."""
MOST_TEXT = 2000
"""Characters of any other text of a cell, such as a version; a system instruction may be longer."""
ROUNDING = 1e-9
"""Amount by which rounding may make a value better than the best score."""


class Bound(NamedTuple):
    """The least and the most that a number can be."""

    least: float
    """Smallest value that is allowed."""
    most: float
    """Largest value that is allowed."""

    above: bool = False
    """Whether the least itself is too little."""

    def broken(self, value: Any) -> Any:
        """Whether a number, or each number of a column, lies outside the bounds."""
        return (value <= self.least if self.above else value < self.least) | (value > self.most)

    def check(self, name: str, value: float | None) -> None:
        """Check that a number called `name` lies within the bounds, if it is known.

        Raises:
            ValueError: the number lies outside the bounds.
        """
        # NaN alone is not itself; `math.isnan` takes no whole number larger than a float
        if value is not None and (value != value or self.broken(value)):  # noqa: PLR0124
            raise ValueError(f"{name} is {quoted(value)}; expected {self.expected}")

    @property
    def expected(self) -> str:
        """The bounds in words."""
        if self.most < 1e6:
            return f"{self.least:g} to {self.most:g}"
        least = f"more than {self.least:g}" if self.above else f"{self.least:g} or more"
        return least + (f", up to {self.most:g}" if self.most < 1e100 else "")


SIZE_BOUNDS = {
    **dict.fromkeys(("params", "params_non_embedding", "params_active"), Bound(0, LARGEST_COUNT, above=True)),
    "tokens": Bound(0, LARGEST_COUNT),
    "flops": Bound(0, 1e40),
    "loss": Bound(0, 1e9),
}
"""Measure of a model's size -> the bounds of that measure."""
COUNT = Bound(1, LARGEST_COUNT)
"""Bounds of the number of documents of a score."""
INDEX = Bound(0, LARGEST_COUNT)
"""Shots, seeds, documents that were cut."""
AMOUNT = Bound(0, 1e300)
"""Standard errors, seconds, energy, shares of a GPU: anything that is finite and not below 0."""

UNBOUNDED = frozenset(
    "loss nll entropy perplexity ppl bits bpb log logprob logprobs loglikelihood likelihood logits".split()
)
"""Metrics with such a word in their name have no best value of their own."""
SMOOTH = frozenset(
    "prob probability brier loss nll entropy perplexity ppl bits bpb log logprob logprobs loglikelihood likelihood "
    "logits soft edit bleu chrf rouge rougel rougelsum ter bertscore".split()
)
"""A metric of another program is continuous when a word of its name is one of these, unless its file says otherwise."""
SMALLER_IS_BETTER = frozenset("brier loss nll entropy perplexity ppl bits bpb distance ter".split())
"""A word of these in its name makes a metric of another program a loss, unless its file says otherwise."""
SHARES = frozenset(
    "acc acc_norm acc_bytes acc_mutual_info acc_all exact_match f1 token_f1 span_f1 prob_correct brier "
    "brier_score edit_similarity".split()
)
"""Metrics that always lie between 0 and 1, or 0 and 100, whatever range a file states for them."""


def words_of(name: str) -> frozenset[str]:
    """The words of a metric's name: `prob_correct` has prob and correct."""
    return frozenset(re.split(r"[^a-z]+", name.lower()))


def is_share(name: str) -> bool:
    """Whether a metric can never be below 0; a filter may stand behind its name, as in `exact_match,strict`."""
    return name.partition(",")[0] in SHARES or name.startswith("pass_at_")


def beyond_best(value: Any, best: Any, direction: Any) -> Any:
    """Whether a value or a chance level is better than the best score; `direction` is -1 where less is better."""
    return (value - best) * direction > ROUNDING


def too_wide(stderr: Any, value: Any, full: Any) -> Any:
    """Whether a standard error is larger than scores from 0 to `full` have.

    The standard deviation of such scores is at most half of `full`, and a standard error needs at least two scores.
    """
    return (full > 0) & (value >= 0) & (value <= full) & (stderr > full / 2 + ROUNDING)


def check_reading(chance: float | None, best: float | None, *, higher: bool, continuous: bool) -> None:
    """Check that the chance level and the best score of a metric do not contradict each other.

    Args:
        chance: expected score without the ability.
        best: score of a perfect answer.
        higher: whether a higher score is better.
        continuous: whether the metric is the smooth partner of another.

    Raises:
        ValueError: they contradict each other.
    """
    level, top = _known(chance), _known(best)
    if math.isinf(level) or math.isinf(top):
        raise ValueError(f"chance is {chance} and best {best}; expected numbers that are finite")
    if beyond_best(level, top, 1 if higher else -1):
        raise ValueError(f"chance is {level:g}; expected no better than the best score, {top:g}")
    if higher and not continuous:
        Bound(0, 1.0 if math.isnan(top) else max(1.0, top)).check("chance", chance)


def check_score(name: str, value: float, stderr: float | None, *, best: float | None, higher: bool) -> None:
    """Check that a metric can have such a score.

    Args:
        name: of the metric.
        value: the score.
        stderr: its standard error.
        best: score of a perfect answer.
        higher: whether a higher score is better.

    Raises:
        ValueError: the score is impossible.
    """
    came, top, spread = f"metric {cut(name)} came out as {value} +- {stderr}", _known(best), _known(stderr)
    if not math.isfinite(value) or not math.isfinite(stderr or 0.0):
        raise ValueError(f"{came}; expected numbers that are finite")
    if beyond_best(value, top, 1 if higher else -1):
        raise ValueError(f"{came}; expected no better than the best score, {top:g}")
    if value < 0 and is_share(name):
        raise ValueError(f"{came}; expected 0 or more")
    if spread < 0 or (higher and too_wide(spread, value, top)):
        most = f"to {top / 2:g}, as any score from 0 to {top:g} has" if spread > 0 else "or more"
        raise ValueError(f"{came}; expected a standard error of 0 {most}")


def check_time(name: str, time: datetime) -> None:
    """Check that a time has a zone, and a year in which there were language models.

    Raises:
        ValueError: the time has no zone, or an impossible year.
    """
    if time.tzinfo is None or not 1970 <= time.year < 2200:
        raise ValueError(f"{name} is {time}; expected a time of our days with its zone, such as 2025-03-01T09:30:00Z")


def _known(number: float | None) -> float:
    return math.nan if number is None else float(number)
