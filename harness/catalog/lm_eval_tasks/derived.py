"""What the harness needs to know of a task and lm-eval's dialect does not say: kind, headline, chance level, partner.

The headline of a multiple-choice task is `acc`, of any other the first metric that it lists. A chance level is the
share of right answers among guesses, which the worker takes from the documents it asks; a text has none that could be
known, so that it is 0. The continuous partner is computed from the same answers: the probability of the right option,
the likelihood of the reference answer for each byte, or what the task lists itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from harness.catalog.functions import TaskFunction, functions_in
from harness.scoring.metrics import SAMPLE_METRICS, runs_programs
from harness.specs import Kind, MetricSpec, TaskSpec

DEFAULT_METRICS: Mapping[str, tuple[str, ...]] = {
    "multiple_choice": ("acc", "acc_norm"),
    "loglikelihood": ("acc", "perplexity"),
    "loglikelihood_rolling": ("bits_per_byte", "byte_perplexity", "word_perplexity"),
    "generate_until": ("exact_match",),
}
"""Metrics of a task that lists none, by its output type: lm-eval's, those of accuracy and of bits first."""
_GUESSED = frozenset({"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "prob_correct"})
"""Metrics of options that a guess gets right at the rate of right options."""
_LOSSES = frozenset({"perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "brier_score", "ter"})
_CONTINUOUS: Mapping[str, float] = {
    "perplexity": 1.0,
    "word_perplexity": 1.0,
    "byte_perplexity": 1.0,
    "bits_per_byte": 0.0,
    "brier_score": 0.0,
    "brier": 0.0,
    "correct_bits_per_byte": 0.0,
    "loglikelihood_per_byte": 0.0,
    "loglikelihood_per_token": 0.0,
}
"""Metrics of likelihoods without a chance level -> value of a perfect answer."""
_SHARES = frozenset(
    (
        *("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "em", "accuracy", "mcc", "acc_all"),
        *("prob_correct", "pct_stereotype", "math_verify", "score_acc"),
    )
)
"""Metrics whose perfect value is 1, whoever computes them."""
_HUNDREDS = frozenset({"bleu", "chrf", "chrf++"})
"""Metrics of sacrebleu, whose perfect value is 100."""
_PARTNERS: Mapping[str, tuple[str, ...]] = {
    "multiple_choice": ("prob_correct", "correct_bits_per_byte"),
    "loglikelihood": ("loglikelihood_per_byte",),
    "loglikelihood_rolling": (),
    "generate_until": ("loglikelihood_per_byte",),
}
"""Continuous partners that are added by the output type; those that are not known yet are left out."""


class Derived(NamedTuple):
    """What follows from a task's config."""

    kind: Kind
    """Kind of ability."""
    metrics: tuple[MetricSpec, ...]
    """Metrics, the headline first."""
    from_documents: tuple[str, ...]
    """Metrics whose chance level is worked out where the documents are read."""


def derived(config: Mapping[str, Any]) -> Derived:
    """Kind and metrics of a task, from its config in lm-eval's dialect."""
    output_type = str(config.get("output_type") or "generate_until")
    listed = _in_order(list(_listed(config, output_type)), output_type)
    names = dict.fromkeys(name for name, _ in listed)
    partners = [name for name in _PARTNERS.get(output_type, ()) if name in SAMPLE_METRICS and name not in names]
    if not _knows_answer(config, output_type):
        partners = []
    better = {name: entry.get("higher_is_better") for name, entry in listed}
    options = output_type == "multiple_choice" and _knows_answer(config, output_type)
    metrics = tuple(_spec(name, better.get(name), options, config) for name in (*names, *partners))
    guessed = tuple(metric.name for metric in metrics if options and _bare(metric.name) in _GUESSED)
    return Derived(_kind(config, output_type, list(names)), metrics, guessed)


def taken_for_granted(tasks: Iterable[TaskSpec]) -> Iterator[str]:
    """What was assumed about tasks as lm-eval has them, or is not known of them; a sentence each."""
    plain = [task for task in tasks if task.dialect == "lm-eval"]
    # a guess has a correlation of 0, which is known
    guessed = [t for t in plain if t.headline.chance == 0 and t.headline.name not in ("mcc", *t.chance_of_documents)]
    endless = [t for t in plain if t.headline.best is None]
    alone = [t for t in plain if not any(metric.continuous for metric in t.metrics)]
    if guessed:
        yield f"chance level 0 is taken for {_names(guessed)}: nothing tells another"
    if endless:
        yield (
            f"the best score is not known for {_names(endless)}, so that there is no verdict: a file with "
            "`lm_eval: NAME` and `metrics` can say it"
        )
    if alone:
        yield f"no continuous partner is known for {_names(alone)}: a jump may be an artefact of the metric"


def _names(tasks: Sequence[TaskSpec]) -> str:
    named = ", ".join(task.name for task in tasks[:3])
    return f"{named} and {len(tasks) - 3} more" if len(tasks) > 3 else named


def _listed(config: Mapping[str, Any], output_type: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each metric by name, with its entry; of the second filter on with the filter's name, as lm-eval writes it."""
    entries = [entry for entry in config.get("metric_list") or () if isinstance(entry, Mapping) and "metric" in entry]
    if not entries:
        entries = [{"metric": name} for name in DEFAULT_METRICS.get(output_type, ())]
    filters = [entry.get("name") for entry in config.get("filter_list") or () if isinstance(entry, Mapping)]
    for number, chosen in enumerate(filters or [None]):
        for entry in entries:
            metric = entry["metric"]
            name = metric.name if isinstance(metric, TaskFunction) else str(metric)
            if name != "bypass":
                yield (f"{name},{chosen}" if number else name), entry


def _in_order(listed: list[tuple[str, Mapping[str, Any]]], output_type: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The headline first: `acc` of options, bits of whole texts; any other order stays."""
    first = {"multiple_choice": "acc", "loglikelihood": "acc", "loglikelihood_rolling": "bits_per_byte"}
    return sorted(listed, key=lambda one: one[0] != first.get(output_type))


def _spec(name: str, better: Any, options: bool, config: Mapping[str, Any]) -> MetricSpec:
    bare = _bare(name)
    own = any(isinstance(value, TaskFunction) for value in (config.get("process_results"), *_functions(config, bare)))
    if bare in _CONTINUOUS:  # whoever computes it
        higher = bare.startswith("loglikelihood") if better is None else bool(better)
        return MetricSpec(name=name, higher_is_better=higher, chance=None, best=_CONTINUOUS[bare], continuous=True)
    higher = bare not in _LOSSES if better is None else bool(better)
    if not higher:
        return MetricSpec(name=name, higher_is_better=False, chance=None, best=None)
    share = bare in _SHARES or runs_programs(bare) or (bare == "f1" and (options or not own))
    best = 1.0 if share else 100.0 if bare in _HUNDREDS and not own else None
    chance = 0.0
    if options and bare in _GUESSED:
        fixed = config.get("doc_to_choice")
        chance = 1 / len(fixed) if isinstance(fixed, list | Mapping) and fixed else None  # type: ignore[assignment]
    return MetricSpec(name=name, chance=chance, best=best, continuous=bare == "prob_correct")


def _functions(config: Mapping[str, Any], name: str) -> Iterator[TaskFunction]:
    """Functions that compute a metric."""
    for entry in config.get("metric_list") or ():
        if isinstance(entry, Mapping) and name in (entry.get("metric"), getattr(entry.get("metric"), "name", None)):
            yield from functions_in(entry)


def _bare(name: str) -> str:
    return name.partition(",")[0]


def _knows_answer(config: Mapping[str, Any], output_type: str) -> bool:
    """Whether `doc_to_target` is the right answer: where a function scores, a number there may stand for nothing."""
    of_documents = isinstance(config.get("doc_to_target"), str | list | TaskFunction)
    if output_type == "multiple_choice":
        return of_documents or "process_results" not in config
    return of_documents


def _kind(config: Mapping[str, Any], output_type: str, metrics: list[str]) -> Kind:
    bare = {_bare(name).lower() for name in metrics}
    if any(map(runs_programs, bare)):
        return "codegen"
    if output_type == "loglikelihood_rolling":
        return "language-modelling"
    if bare & {"bleu", "chrf", "chrf++", "ter"} and not any("rouge" in name for name in bare):
        return "translation"
    if any("rouge" in name for name in bare):
        return "summarisation"
    if output_type == "loglikelihood":
        return "language-modelling"
    fixed = config.get("doc_to_choice")
    if output_type == "multiple_choice" and isinstance(fixed, list) and any(len(str(one)) > 1 for one in fixed):
        return "classification"
    return "qa"
