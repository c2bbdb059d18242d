"""Label, colour and sentences of a verdict say the same, on thousands of simulated curves of every kind of truth."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.curves import Curve, Point
from harness.analysis.stats import Estimate, confidence_interval
from harness.analysis.verdict import (
    PLAIN_WORDS,
    Judged,
    findings,
    in_short,
    judge,
    label_text,
    table_row,
    tone_of,
)
from harness.specs import MetricSpec

CURVES, STUDIES = 5_000, 10
ACC = MetricSpec(name="acc", chance=0.25)
SMOOTH = MetricSpec(name="prob_correct", chance=0.25, continuous=True)
LOSS = MetricSpec(name="perplexity", higher_is_better=False, chance=None, best=1.0)

Shape = Callable[[np.ndarray], np.ndarray]
"""Score minus chance at places from 0, the smallest size, to 1, the largest."""
TRUTHS: dict[str, Shape] = {
    "flat": lambda x: 0 * x,
    "flat above": lambda x: 0.3 + 0 * x,
    "flat below": lambda x: -0.15 + 0 * x,
    "full": lambda x: 0.75 + 0 * x,
    "nothing": lambda x: -0.25 + 0 * x,
    "rises": lambda x: 0.5 * x,
    "rises little": lambda x: 0.03 * x,
    "rises below": lambda x: -0.2 + 0.18 * x,
    "rises through": lambda x: -0.2 + 0.5 * x,
    "saturates": lambda x: 0.6 / (1 + np.exp(-12 * (x - 0.4))),
    "falls": lambda x: 0.4 - 0.4 * x,
    "falls above": lambda x: 0.7 - 0.41 * x,
    "falls little": lambda x: 0.5 - 0.03 * x,
    "falls below": lambda x: -0.05 - 0.18 * x,
    "falls through": lambda x: 0.25 - 0.45 * x,
    "drops at last": lambda x: 0.6 - 0.3 * (x > 0.95),
    "valley": lambda x: 0.5 - 0.4 * np.sin(np.pi * x),
    "valley below": lambda x: -0.02 - 0.2 * np.sin(np.pi * x),
    "hill": lambda x: 0.05 + 0.5 * np.sin(np.pi * x),
    "jumps": lambda x: 0.5 * (x > 0.6),
    "jumps at last": lambda x: 0.5 * (x > 0.95),
    "jumps below": lambda x: -0.2 + 0.15 * (x > 0.6),
    "jumps and falls back": lambda x: 0.5 * (x > 0.5) - 0.3 * (x > 0.95),
}
GROWN = ("flat", "jumps", "jumps at last", "rises")
"""Truths that also come with a continuous metric of the same answers, which grows all along or as the headline does."""


def simulated(rng: np.random.Generator, number: int) -> Iterator[Curve]:
    """One headline curve of a random truth, size of family, number of documents and noise, perhaps with a partner."""
    name = str(rng.choice(list(TRUTHS)))
    sizes, documents = int(rng.integers(3, 13)), int(10 ** rng.uniform(1.6, 3.7))
    noise = float(rng.choice([0.0, 0.006, 0.03]))
    x = np.linspace(0.0, 1.0, sizes)
    chance = float(rng.choice([0.25, 0.25, 0.5, 0.1])) if name != "nothing" else 0.25
    truth = np.clip(chance + TRUTHS[name](x) + noise * rng.standard_normal(sizes), 0.0, 1.0)
    metric = replace(ACC, chance=None if rng.random() < 0.05 else chance)
    if rng.random() < 0.05:  # a loss, which falls where the truth rises
        error = 1.5 / math.sqrt(documents)
        losses = rng.normal(3.0 - 2.0 * truth, error)
        yield drawn(f"{name} {number}", LOSS, 0, [Estimate(float(y), error, documents, 1, False) for y in losses])
        return
    yield drawn(f"{name} {number}", metric, 0, [share(int(k), documents) for k in rng.binomial(documents, truth)])
    if name in GROWN and rng.random() < 0.7:
        grows = 0.3 + 0.4 * x if rng.random() < 0.6 else np.clip(0.3 + 0.5 * TRUTHS[name](x), 0, 1)
        error = 0.2 / math.sqrt(documents)
        scores = [Estimate(float(y), error, documents, 1, False) for y in rng.normal(grows, error)]
        yield drawn(f"{name} {number}", SMOOTH, 1, scores)


def share(right: int, documents: int) -> Estimate:
    p = right / documents
    return Estimate(p, math.sqrt(p * (1 - p) / (documents - 1)), documents, 1, True)


def drawn(task: str, metric: MetricSpec, rank: int, estimates: list[Estimate]) -> Curve:
    points = []
    for x, one in zip(np.geomspace(1e7, 1e10, len(estimates)), estimates, strict=True):
        low, high = confidence_interval(one)
        points.append(Point(model=f"m{x:.0f}", x=float(x), estimate=one, low=low, high=high, n_expected=one.n))
    return Curve(
        family="toy",
        task=task,
        suite="",
        kind="qa",
        shots=0,
        prompt="default",
        metric=metric,
        rank=rank,
        scale="params",
        points=tuple(points),
        conditions="",
    )


def contradictions(row: Judged) -> Iterator[str]:
    """What a reader of the row would find to contradict itself."""
    yield from _of_the_label(row)
    yield from _about_chance(row)
    yield from _about_the_change(row)


def _of_the_label(row: Judged) -> Iterator[str]:
    verdict, tone = row.verdict, tone_of(row.verdict)
    text, label = " ".join(verdict.reasons), verdict.label
    if not re.match(STARTS[label], verdict.reasons[0]):
        yield f"begins with {verdict.reasons[0]!r}"
    if ("Cannot tell" in text) != (label == "inconclusive"):
        yield "cannot tell, or can"
    if ("made by the metric" in text) != (label == "metric-artefact"):
        yield "made by the metric, or not"
    good = label in {"emergent", "smooth"} and "not above chance" not in label_text(verdict)
    bad = label in {"inverse", "u-shaped", "inverted-u", "metric-artefact"}
    if tone != ("good" if good else "bad" if bad else "plain"):
        yield f"is {tone}"
    yield from _in_short(row)


def _in_short(row: Judged) -> Iterator[str]:
    """Whether the one sentence of the overview goes the way of the label, and its two scores do."""
    said, better = in_short(row), row.curve.metric.higher_is_better
    falls = re.match(r"(Falls|Gets worse) (from|on the whole)", said) is not None
    if (row.verdict.label == "inverse") != falls:
        yield f"in short: {said}"
    ends = re.match(r"(Rises|Improves|Falls|Gets worse) from (-?\d+\.\d+) to (-?\d+\.\d+)", said)
    if ends and (float(ends[3]) >= float(ends[2])) != ((ends[1] in {"Rises", "Improves"}) == better):
        yield f"in short: {said}"


def _about_chance(row: Judged) -> Iterator[str]:
    verdict, words = row.verdict, label_text(row.verdict)
    text = " ".join(verdict.reasons)
    above = "Reliably above chance" in text
    below = re.search(r"(not|no size is) reliably above chance", text) is not None
    if above and (below or "not above chance" in words):
        yield "above chance, and not"
    if below and re.search(r"(?<!not) above chance", words):
        yield "not above chance, and so in its label"
    if below and tone_of(verdict) == "good":
        yield "green below chance"
    known = above or below or "is not above it" in text or row.curve.metric.chance is None
    if verdict.label == "smooth" and not known:
        yield "never says whether it is above chance"
    if ("still above chance" in words) != ("still above chance" in verdict.reasons[0]):
        yield "still above chance in the label or in the sentence alone"
    passes = re.search(r"Passes \d", text) is not None
    if passes and ("not above chance" in words or verdict.label not in {"emergent", "smooth", "metric-artefact"}):
        yield "passes chance, and does not rise above it"
    if (verdict.threshold is not None) != passes:
        yield "a threshold without a sentence, or a sentence without one"


def _about_the_change(row: Judged) -> Iterator[str]:
    curve, label, evidence = row.curve, row.verdict.label, row.verdict.evidence
    first, written = row.verdict.reasons[0], table_row(row).change
    change = 0.0 if written == "–" else float(written)
    if (label == "smooth" and change < 0) or (label == "inverse" and change > 0):
        yield f"changes by {change}"
    wide = max(curve.y) - min(curve.y) + 2 * (evidence.range_stderr or 0.0) + 0.001
    if abs(change) > wide or (curve.metric.name == "acc" and abs(change) > 1):
        yield f"changes by {change}, and the scores by {max(curve.y) - min(curve.y)}"
    scatter = math.sqrt(evidence.dispersion or 1.0)
    clear = (evidence.q_trend or 1.0) < 0.001 and abs(evidence.z_trend or 0.0) > 1.96 * scatter
    if clear and label == "inconclusive" and (abs(evidence.range or 0.0) >= 0.05 or "no clear trend" in first):
        yield "a clear change that cannot be told"
    if clear and label == "flat" and not {"rising", "falling"} & {*(row.verdict.qualifier or "").split()}:
        yield "no change, and a clear one"


STARTS = {
    "emergent": "Absent in the ",
    "smooth": "(Rises|Improves) with scale ",
    "flat": "No change with scale|(Rises|Falls) significantly, but by less than matters",
    "flat-above-chance": "Above chance at all sizes together, ",
    "inverse": "Larger models do worse",
    "u-shaped": "Falls with scale and then rises",
    "inverted-u": "Rises with scale and then falls",
    "metric-artefact": "The (jump|flatness) is made by the metric",
    "inconclusive": "Cannot tell: ",
}
"""How the deciding sentence begins, by label."""


def study(seed: int, curves: int) -> tuple[Judged, ...]:
    rng = np.random.default_rng(seed)
    return judge((one for number in range(curves) for one in simulated(rng, number)), draws=0)


def broken(rows: tuple[Judged, ...]) -> list[str]:
    return [f"{row.curve.task}: {label_text(row.verdict)} {what}" for row in rows for what in contradictions(row)]


def test_label_sentence_and_colour_agree_on_a_few_curves_of_every_truth() -> None:
    rows = study(99, 60)
    assert broken(rows) == []
    assert sum(len(one.matters) + one.abilities for one in findings(rows)) > 60


@pytest.mark.calibration
def test_label_sentence_and_colour_agree_on_five_thousand_curves() -> None:
    seen: Counter[str] = Counter()
    for seed in range(STUDIES):
        rows = study(seed, CURVES // STUDIES)
        assert broken(rows) == []
        seen.update(row.verdict.label for row in rows)
        seen.update(name for row in rows for name in (row.verdict.qualifier or "").split())
    assert seen.keys() >= PLAIN_WORDS.keys()
    assert seen.keys() >= {"above-chance", "not-above-chance", "rising", "falling", "rough", "unconfirmed"}
