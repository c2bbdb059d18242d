"""The inputs and results of metrics, and the two dicts that name our own metrics.

Metrics that lm-eval computes (`acc`, `acc_norm`, `exact_match`, ...) are not listed: lm-eval computes them.
"""

from __future__ import annotations

import functools
import importlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, NamedTuple


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a model answered to one document, with all that a metric may look at."""

    doc: Mapping[str, Any]
    """The document as read from the data file."""
    target: str
    """Reference answer; for multiple choice the gold option."""
    output: str
    """Generated text after the task's own filters, or the option the model preferred; the first of several."""
    outputs: tuple[str, ...] = ()
    """All generated texts that the task's filters keep, `output` the first; empty for a single one."""
    question: str = ""
    """The document's own prompt without demonstrations; a program is this followed by the output."""
    options: tuple[str, ...] = ()
    """Answer options; empty for generation."""
    option_loglikelihoods: tuple[float, ...] = ()
    """Natural-log likelihood of each option given the prompt; empty for generation."""
    gold: int | None = None
    """Position of the right option; None for generation."""
    right: tuple[int, ...] = ()
    """Positions of all right options where there are several; empty for a single one."""
    reference_loglikelihood: float | None = None
    """Natural-log likelihood of the reference answer given the prompt; None when it was not asked for."""
    reference_tokens: int | None = None
    """Tokens of the reference answer; None when its likelihood was not asked for."""
    reference_bytes: int | None = None
    """UTF-8 bytes of the reference answer; None when its likelihood was not asked for."""
    scored_bytes: int | None = None
    """UTF-8 bytes of all that `reference_loglikelihood` is the likelihood of: the reference answer with the delimiter
    and the white space before it. None when it was not asked for."""
    also: tuple[Answer, ...] = ()
    """The same answer beside each further reference answer of the document; empty for a single one."""


class CorpusValue(NamedTuple):
    """A number that is not the mean of per-document numbers, with what each document adds to it."""

    value: float
    """The corpus value."""
    stderr: float | None
    """Standard error; None when there are too few documents for one."""
    per_sample: tuple[float, ...]
    """One number per document: what is shown beside a document, in the order given."""


SampleMetric = Callable[[Answer], float]
"""One document's score; the cell's value is the mean, its error sd/sqrt(n)."""

CorpusMetric = Callable[[Sequence[Answer]], CorpusValue]
"""A score of all documents together, such as micro-averaged F1, or programs worth running once and side by side."""

SAMPLE_METRICS: dict[str, str] = {
    "prob_correct": "harness.scoring.likelihood:prob_correct",
    "brier": "harness.scoring.likelihood:brier",
    "loglikelihood_per_token": "harness.scoring.likelihood:loglikelihood_per_token",
    "loglikelihood_per_byte": "harness.scoring.likelihood:loglikelihood_per_byte",
    "correct_bits_per_byte": "harness.scoring.likelihood:correct_bits_per_byte",
    "edit_similarity": "harness.scoring.text:edit_similarity",
    "token_f1": "harness.scoring.text:token_f1",
    "token_f1_unicode": "harness.scoring.text:token_f1_unicode",
    "rouge_1": "harness.scoring.summaries:rouge_1",
    "rouge_2": "harness.scoring.summaries:rouge_2",
    "rouge_l": "harness.scoring.summaries:rouge_l",
}
"""Metric name -> `module:function` of a `SampleMetric`; imported when first asked for."""


def needs_likelihood(metric: str) -> bool:
    """Whether our metric of this name is computed from likelihoods that the model gives, not from texts it writes."""
    return SAMPLE_METRICS.get(metric, "").startswith("harness.scoring.likelihood:")


READINGS: Mapping[str, Mapping[str, Any]] = {
    "correct_bits_per_byte": {"higher_is_better": False, "chance": None, "best": 0.0, "continuous": True},
}
"""Metric name -> how its values are read, for metrics of ours whose direction and ends are the same in every task."""

LOSSES = frozenset(name for name, reading in READINGS.items() if not reading["higher_is_better"])
"""Our metrics of which the smallest value beside several reference answers is the best."""

OF_OPTIONS = ("prob_correct", "brier")
"""Our metrics that can be computed only for documents with answer options."""

OF_RIGHT_OPTION = ("prob_correct", "correct_bits_per_byte")
"""What every answer to multiple choice is stored with, and the continuous partners of tasks that name none."""

CORPUS_METRICS: dict[str, str] = {
    "entity_f1_strict": "harness.scoring.spans:entity_f1_strict",
    "entity_f1_partial": "harness.scoring.spans:entity_f1_partial",
    "parse_failure_rate": "harness.scoring.spans:parse_failure_rate",
    "triple_f1": "harness.scoring.triples:triple_f1",
}
"""Metric name -> `module:function` of a `CorpusMetric`; imported when first asked for. `pass_at_K` is one more."""

OWN_METRICS = (*SAMPLE_METRICS, *CORPUS_METRICS, "pass_at_K (K = 1, 2, ...)")
"""Names of our own metrics, as messages show them."""

_PASS_AT = re.compile(r"pass_at_([1-9][0-9]*)")


def is_own(name: str) -> bool:
    """True for a metric that is ours and not lm-eval's."""
    return name in SAMPLE_METRICS or is_corpus_metric(name)


def is_corpus_metric(name: str) -> bool:
    """True for our metrics of all documents together."""
    return name in CORPUS_METRICS or programs_needed(name) is not None


def programs_needed(name: str) -> int | None:
    """Programs per document that a metric executes at least, the K of `pass_at_K`; None when it executes none.

    >>> programs_needed("pass_at_10"), programs_needed("exact_match")
    (10, None)
    """
    found = _PASS_AT.fullmatch(name)
    return int(found[1]) if found else None


def runs_programs(name: str) -> bool:
    """True for a metric that executes what a model wrote."""
    return programs_needed(name) is not None


def sample_metric(name: str) -> SampleMetric:
    """The function behind a name of `SAMPLE_METRICS`; beside several reference answers the best score counts.

    Metrics of options see all right options at once.
    """
    metric: SampleMetric = _load(SAMPLE_METRICS[name])
    if name in OF_OPTIONS:
        return metric
    best = min if name in LOSSES else max
    return lambda answer: best(map(metric, (answer, *answer.also)))


def corpus_metric(name: str) -> CorpusMetric:
    """The function behind a name of `CORPUS_METRICS`, or behind `pass_at_K`."""
    if (k := programs_needed(name)) is not None:
        return functools.partial(_load("harness.scoring.programs:pass_at"), k=k)
    metric: CorpusMetric = _load(CORPUS_METRICS[name])
    return metric


def check_reference(name: str, answer: Answer) -> None:
    """Check that a document has what one of `CORPUS_METRICS`, or `pass_at_K`, compares answers with.

    Raises:
        HarnessError: it has not.
    """
    if runs_programs(name):
        _load("harness.scoring.programs:programs_of")(answer)
    elif name == "triple_f1":
        _load("harness.scoring.triples:check_triples")(answer.doc)
    else:
        _load("harness.scoring.spans:check_entities")(answer.doc, answer.target)


def mean_stderr(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and its standard error sd/sqrt(n) with n-1 in the variance.

    The error is None for a single value, and where the mean is not finite.

    >>> mean_stderr([1.0, 0.0, 1.0, 1.0])
    (0.75, 0.25)
    >>> mean_stderr([0.5])
    (0.5, None)
    """
    mean = fmean(values)
    known = len(values) > 1 and math.isfinite(mean)
    return mean, stdev(values) / math.sqrt(len(values)) if known else None


def _load(where: str) -> Any:
    module, attribute = where.split(":")
    return getattr(importlib.import_module(module), attribute)
