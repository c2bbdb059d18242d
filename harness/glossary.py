"""What the words of tables, figures and verdicts mean: one place for tooltips, the report and `docs/glossary.md`.

Everything is text, and the standard library is enough to read it. `glossary_page` writes the whole as Markdown.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

NOUNS: Mapping[str, str] = {
    "cell": "One evaluation: a model, a task, a number of shots, a prompt and a seed. Everything is counted in cells.",
    "task": "Questions of one kind with their right answers; `emergence tasks NAME` shows one.",
    "family": "Models of increasing size that were trained with the same data and the same recipe.",
    "size": "A place on the x axis: a model, or all training runs of models with the same parameters and tokens.",
    "checkpoint": "A model at one moment of its training.",
    "ability": "A task in one setting. Each has one curve and one verdict.",
    "setting": "How a task was asked: number of shots, prompt, and whatever else keeps results from being joined.",
    "shots": "Solved examples before the question; 0 asks without any.",
    "seed": "Which examples are shown before the question. The seed of a training is called run.",
    "run": "One training of a model. Models of one size that differ in it alone share a point.",
    "curve": "The scores of one metric of one task in one setting over the sizes of one family.",
    "headline metric": "The metric on which a task is judged and ranked: the first that its file lists.",
    "sharp": "A metric that is right or wrong on each document, such as accuracy or exact match.",
    "smooth": "A continuous metric of the same answers, such as the likelihood of the right one. It shows whether a "
    "jump is in the ability or made by the sharp metric.",
    "chance": "The score that guessing is expected to give, as each task states it; likelihoods have none.",
    "normalized": "(score − chance) / (best − chance): 0 is guessing, 1 is perfect, below 0 is worse than guessing.",
    "mean_normalized": "The mean of normalized headline scores, in which each task counts once.",
    "rank": "The places of a leaderboard that a model can hold. 1–3 says that it can be told neither from the first "
    "nor from the third: every pair is compared on the documents that both answered, and all pairs are corrected "
    "together (Holm).",
    "interval": "95 % interval: it would hold the true value in 95 of 100 repetitions with other documents.",
    "p": "How often a difference at least as large would come about by luck alone.",
    "q": "p corrected for all curves or comparisons that are judged together (Benjamini-Hochberg).",
    "share of documents": "How many of the documents were answered rightly, 0 to 1.",
    "nats per token": "Natural logarithm of the likelihood, per token of the answer; 0 is certainty. Tokens differ "
    "between tokenizers: compare families in bytes.",
    "FLOPs": "Training compute, 6 × parameters × training tokens.",
}
"""What results are made of."""

VERDICTS: Mapping[str, str] = {
    "emergent": "Absent in the smaller sizes, there in the largest, and not foreseen by extrapolating the former.",
    "smooth": "Rises significantly, and no jump could be shown.",
    "flat": "A change twice as large as what matters (0.1) is excluded.",
    "flat-above-chance": "Above chance throughout, without a clear trend.",
    "inverse": "Falls significantly.",
    "u-shaped": "Falls and then rises, both significantly.",
    "inverted-u": "Rises and then falls, both significantly.",
    "metric-artefact": "The jump, or the flatness, is made by the metric: a continuous metric of the same answers "
    "already improves where the headline shows nothing.",
    "inconclusive": "The sizes, documents or runs do not decide; the first reason says what is missing.",
}
"""What each verdict says, by its label in JSON."""

QUALIFIER_TEXTS: Mapping[str, str] = {
    "apparent": "A steep but smooth curve through all sizes fits a jump as well.",
    "sharp": "No smooth curve through all sizes fits the jump.",
    "metric-robust": "The continuous metric of the same answers does not improve before the jump.",
    "unconfirmed": "The jump or turn rests on one training run.",
    "rising": "Rises significantly, but by less than matters.",
    "falling": "Falls significantly, but by less than matters.",
    "rough": "The sizes scatter widely about the rise.",
    "above-chance": "Falls, and the largest size is still above chance.",
    "not-above-chance": "Rises, and no size is reliably above chance.",
    "format-artefact": "The same documents asked in the other format show the ability earlier.",
    "format-robust": "The same documents asked in the other format jump as well.",
}
"""What each qualifier adds, by its name in JSON."""

COLUMNS: Mapping[str, str] = {
    "Verdict": "What the curve shows; what stands in brackets qualifies it. Emergent: absent in the smaller sizes, and "
    "not foreseen by extrapolating them.",
    "Threshold": "Where the curve passes chance by 0.05. < and + mark what lies outside the sizes measured.",
    "95 % interval": "Interval of the value to the left, over documents, seeds and training runs.",
    "Above chance from": "The smallest size from which this and all larger ones are above chance, tested one by one.",
    "Change": "Change of a straight line fitted over all sizes; where the line overshoots, what the scores span.",
    "Deciding sizes": "How many sizes there are without which the verdict would be another.",
    "Why": "The reasons, the deciding one first.",
    "difference": "Mean of the second side less the first, on the documents that both answered.",
    "detectable": "Smallest true difference that would be found four times out of five.",
    "ci_low": "Lower end of the 95 % interval.",
    "ci_high": "Upper end of the 95 % interval.",
    "better": "The side that is better at a false-discovery rate of 5 %; empty when that cannot be told.",
    "Largest": "The largest size measured.",
    "Forecast": "Expected score of one more model at the scale asked for.",
    "95 % from": "Lower end of the interval that holds the score of one more model with 95 %.",
    "95 % to": "Upper end of the same.",
    "Back-test error": "Mean error of forecasts of the largest sizes from the smaller ones.",
    "Back-tests inside": "How many of these scores lay inside their intervals.",
    "Doubts": "Why this forecast may be wrong.",
    "smallest gain": "Smallest gain over chance that these documents would show four times out of five.",
    "signal": "Largest less smallest score of the finished models.",
    "noise": "Standard deviation of late checkpoints, of training runs, or at least of documents.",
    "n": "Number of documents.",
}
"""What stands under a heading, where the noun itself does not say it."""


class Metric(NamedTuple):
    """How the values of a metric are to be read."""

    unit: str
    """Unit on an axis."""
    text: str
    """What it measures."""


_RIGHT = "share of documents"
METRICS: Mapping[str, Metric] = {
    "acc": Metric(_RIGHT, "The right option has the highest likelihood."),
    "acc_norm": Metric(_RIGHT, "The right option has the highest likelihood per character."),
    "acc_bytes": Metric(_RIGHT, "The right option has the highest likelihood per byte."),
    "acc_mutual_info": Metric(_RIGHT, "The question raises the likelihood of the right option most."),
    "exact_match": Metric(_RIGHT, "The answer is the reference, letter by letter after the task's filters."),
    "prob_correct": Metric("mean", "Probability of the right option among all options, averaged over documents."),
    "brier": Metric(
        "squared error", "Squared distance of the options' probabilities from the right answer; 0 is best."
    ),
    "token_f1": Metric("F1", "Overlap of the words of answer and reference."),
    "token_f1_unicode": Metric("F1", "The same for every script, and for numbers."),
    "entity_f1_strict": Metric("F1", "Entities found with their exact text and type, over the whole corpus."),
    "entity_f1_partial": Metric("F1", "Entities found with overlapping text and their type, over the whole corpus."),
    "triple_f1": Metric("F1", "Relations found with both their names and their kind, over the whole corpus."),
    "f1": Metric("F1", "Harmonic mean of precision and recall."),
    "mcc": Metric("correlation", "Correlation of answers and labels (Matthews), −1 to 1."),
    "edit_similarity": Metric("similarity", "1 less the edits that turn the answer into the reference, per character."),
    "loglikelihood_per_token": Metric("nats per token", "Log-likelihood of the reference answer; 0 is certainty."),
    "loglikelihood_per_byte": Metric("nats per byte", "Log-likelihood of the reference answer; 0 is certainty."),
    "correct_bits_per_byte": Metric("bits per byte", "Code length of the reference answer; 0 is best."),
    "bits_per_byte": Metric("bits per byte", "Code length of the text; 0 is best."),
    "perplexity": Metric("perplexity", "How many words the model wavers between; 1 is best."),
    "word_perplexity": Metric("perplexity per word", "How many words the model wavers between; 1 is best."),
    "byte_perplexity": Metric("perplexity per byte", "How many bytes the model wavers between; 1 is best."),
    "bleu": Metric("points of 100", "Overlap of word sequences with the reference translation."),
    "chrf": Metric("points of 100", "Overlap of character sequences with the reference translation."),
    "ter": Metric("edits per 100 words", "Edits that turn the answer into the reference; 0 is best."),
    "parse_failure_rate": Metric(_RIGHT, "Answers that could not be read; 0 is best."),
}
"""Known metrics by name."""
_CENTRED = "chance-centred "
_ROUGE = Metric("F1", "Overlap of word sequences with the reference summary.")
_SOLVED = Metric(_RIGHT, "Documents of which one of so many programs passes all tests.")
_SAME_PLACE = Metric("0 is chance, 1 perfect", "Where a score lies between guessing and perfect answers.")


def metric_of(name: str) -> Metric | None:
    """What is known of a metric; None for one that somebody else defines.

    >>> metric_of("exact_match,strict").unit, metric_of("pass_at_10").unit, metric_of("my_own")
    ('share of documents', 'share of documents', None)
    """
    if name.startswith(_CENTRED):
        return _SAME_PLACE
    bare = name.partition(",")[0].lower()
    if bare.startswith("pass_at_"):
        return _SOLVED
    return _ROUGE if bare.startswith("rouge") else METRICS.get(bare)


def explained(word: str) -> str | None:
    """What a heading, a verdict or a metric means, for a tooltip; None where nothing is said about it.

    >>> explained("Chance")[:51]
    'The score that guessing is expected to give, as eac'
    """
    for texts in (COLUMNS, NOUNS, VERDICTS, QUALIFIER_TEXTS):
        found = texts.get(word) or texts.get(word.lower()) or texts.get(word[:1].lower() + word[1:])
        if found:
            return found
    metric = metric_of(word)
    return None if metric is None else f"{metric.text} ({metric.unit})"


def glossary_page() -> str:
    """The glossary as Markdown, which is `docs/glossary.md`."""
    parts = [
        "# Glossary",
        "What the words of tables, figures and verdicts mean. The dashboard shows the same texts over its headings, "
        "and the report at its end. A test holds this page to `harness/glossary.py`.",
    ]
    for title, head, texts in (
        ("Results", ("Word", "Means"), NOUNS),
        ("Verdicts", ("Label in JSON", "Says"), VERDICTS),
        ("Qualifiers", ("In JSON", "Adds"), QUALIFIER_TEXTS),
        ("Columns", ("Heading", "Shows"), COLUMNS),
    ):
        parts += [f"## {title}", _table(head, [[name, text] for name, text in texts.items()])]
    metrics = [[f"`{name}`", one.unit, one.text] for name, one in METRICS.items()]
    parts += ["## Metrics", _table(("Metric", "Unit", "Measures"), metrics)]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(glossary_page())
