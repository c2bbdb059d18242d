"""Paired differences of two models or settings on the documents that both answered, corrected for many tasks.

Documents differ in difficulty. A difference taken document by document is free of that, and its error is smaller than
the errors of the two scores suggest (Miller 2024, "Adding Error Bars to Evals", on paired differences).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count, repeat
from typing import NamedTuple

import numpy as np

from harness.analysis.compare.run_noise import NoiseOf, between_runs
from harness.analysis.compare.types import CellPair, Comparison, Comparisons, PairedScores, Summary, Unpaired
from harness.analysis.stats import CONFIDENCE, POWER, Array, Index, benjamini_hochberg, paired_difference
from harness.analysis.stats.distributions import t
from harness.plan import Cell
from harness.records import CellResult
from harness.store import DocumentScores


def compare_pairs(
    pairs: Iterable[CellPair],
    documents: Callable[[Cell], DocumentScores | None],
    *,
    every_metric: bool = False,
    noise: NoiseOf | None = None,
    run_sd: float | None = None,
) -> Comparisons:
    """Paired difference of every pair, with p adjusted for their number (Benjamini and Hochberg 1995).

    Documents with equal hashes are the same document. If several documents of a cell have one hash, they are matched in
    their order.

    Args:
        pairs: cells of both sides, from `pair_up`.
        documents: returns the scores of a cell's documents, such as `Store.scores`; None when they cannot be read.
        every_metric: True compares all metrics of each task, False only the headline.
        noise: finds the noise between training runs, such as `noise_from(results)`; None counts none but `run_sd`.
        run_sd: standard deviation of a score of one half between two training runs of one configuration, counted for
            two models whose family has no size with several runs; None counts documents and seeds alone.
    """
    comparisons: list[Comparison] = []
    unpaired: list[Unpaired] = []
    for pair in pairs:
        found, missing = _compare(pair, documents, every_metric=every_metric, noise=noise, run_sd=run_sd)
        comparisons += found
        unpaired += missing
    adjusted: dict[int, float | None] = {}
    for headline in (True, False):
        rows = [i for i, one in enumerate(comparisons) if one.headline is headline]
        adjusted |= zip(rows, benjamini_hochberg([comparisons[i].scores.p for i in rows]), strict=True)
    return Comparisons(tuple(replace(one, q=adjusted[i]) for i, one in enumerate(comparisons)), tuple(unpaired))


def summary(comparisons: Iterable[Comparison]) -> Summary:
    """How often the second side is better, worse, or neither clearly, by the headline metrics."""
    found = Counter(one.better for one in comparisons if one.headline)
    return Summary(better=found["B"], worse=found["A"], unclear=found[None])


def paired_scores(a: Array, b: Array) -> PairedScores:
    """Second side minus first, document by document.

    The difference of a document is its mean over the S seeds. To the variance of `paired_difference` the variance
    between seeds is added, as in `estimate`:

        SE² = s²(differences of documents) / n + s²(differences of seeds) / S

    Few-shot examples that suit one side move all documents together, and more documents do not make that smaller.
    Random differences on single documents are in both parts, which makes the error slightly too large. p and interval
    are from Student's t with the degrees of freedom of Satterthwaite (1946); for one seed these are n - 1.

    Zeros and ones of one seed are counted instead: p is McNemar's exact test, and the interval is the "Wald+2" of
    Agresti and Min (2005, Statistics in Medicine 24:729). It adds half a document to each of the four cells of the
    table, and so has a width even where all documents agree.

    Args:
        a: scores of the first side, shape (seeds, documents).
        b: scores of the second side, the same seeds and documents in the same order.

    >>> found = paired_scores(np.array([[0.0, 0, 0, 0, 0, 0, 1, 1]]), np.array([[1.0, 1, 1, 1, 1, 1, 1, 0]]))
    >>> found.difference, round(found.stderr, 4), found.p
    (0.625, 0.2631, 0.125)
    """
    seeds, n = a.shape
    # Equal scores may differ by a rounding error, which is no difference.
    b = np.where(np.isclose(a, b, rtol=1e-9, atol=1e-12), a, b)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    found = paired_difference(mean_b, mean_a)
    more, less = int((mean_b > mean_a).sum()), int((mean_b < mean_a).sum())
    error, error_a, error_b = _error(b - a), _error(a).stderr, _error(b).stderr
    centre, spread, freedom, p = found.value, None, error.freedom, found.p
    counted = seeds == 1 and found.p_exact is not None
    if counted:
        centre, freedom, p = (more - less) / (n + 2), math.inf, found.p_exact
        spread = math.sqrt(more + less + 1 - (more - less) * centre) / (n + 2)
    elif error.stderr and found.z is not None:
        spread = error.stderr
        p = float(2 * t.sf(abs(found.value) / spread, freedom))
    low = high = detectable = None
    if spread is not None:
        sure, likely = t.ppf((0.5 + CONFIDENCE / 2, POWER), freedom).tolist()
        widest = 1.0 if counted else math.inf
        low, high = max(-widest, centre - sure * spread), min(widest, centre + sure * spread)
        # As in `minimum_detectable_effect`, but two-sided and with the degrees of freedom of few seeds.
        detectable = (sure + likely) * spread
    return PairedScores(
        n=n,
        mean_a=float(mean_a.mean()),
        mean_b=float(mean_b.mean()),
        difference=found.value,
        stderr=error.stderr,
        stderr_unpaired=None if error_a is None or error_b is None else math.hypot(error_a, error_b),
        low=low,
        high=high,
        p=p,
        correlation=found.correlation,
        higher_b=more,
        equal=n - more - less,
        higher_a=less,
        detectable=detectable,
    )


class _Error(NamedTuple):
    """The error of a mean over seeds and documents."""

    stderr: float | None
    """Standard error; None for one document."""
    freedom: float
    """Degrees of freedom of that estimate."""


def _error(scores: Array) -> _Error:
    """Standard error of the mean of (seeds, documents), by the equation of `paired_scores`."""
    seeds, n = scores.shape
    if n < 2:
        return _Error(None, math.nan)
    by_document, by_seed = scores.mean(axis=0), scores.mean(axis=1)
    of_documents = float(by_document.var(ddof=1)) / n
    if seeds == 1:
        return _Error(math.sqrt(of_documents), n - 1)
    of_seeds = float(by_seed.var(ddof=1)) / seeds
    variance = of_documents + of_seeds
    if variance == 0.0:
        return _Error(0.0, n - 1)
    return _Error(math.sqrt(variance), variance**2 / (of_documents**2 / (n - 1) + of_seeds**2 / (seeds - 1)))


def _compare(
    pair: CellPair,
    documents: Callable[[Cell], DocumentScores | None],
    *,
    every_metric: bool,
    noise: NoiseOf | None,
    run_sd: float | None,
) -> tuple[list[Comparison], list[Unpaired]]:
    """The comparison of each metric of one pair, still without q, and the metrics that cannot be compared."""

    def none(reason: str) -> Unpaired:
        return Unpaired(pair.task, pair.setting, reason)

    in_a, in_b = ([documents(result.cell) for result in side] for side in (pair.a, pair.b))
    read_a, read_b = ([scores for scores in side if scores is not None] for side in (in_a, in_b))
    if len(read_a) < len(pair.a) or len(read_b) < len(pair.b):
        return [], [none("the samples cannot be read")]
    at_a, at_b, only_a, only_b = _shared(read_a, read_b)
    if not len(at_a[0]):
        return [], [none("no document is in both")]
    found, missing = [], []
    for rank, metric in enumerate(pair.a[0].cell.metrics[: None if every_metric else 1]):
        if not all(metric.name in scores.scores for scores in (*read_a, *read_b)):
            missing.append(none(f"{metric.name} has no scores of single documents"))
            continue
        a, b = (
            _over_runs([scores.scores[metric.name][places] for scores, places in zip(read, at, strict=True)], runs)
            for read, at, runs in ((read_a, at_a, pair.runs_a), (read_b, at_b, pair.runs_b))
        )
        scores = paired_scores(a, b)
        between = between_runs(pair, metric, scores, noise, run_sd)
        found.append(
            Comparison(
                task=pair.task,
                setting=pair.setting,
                metric=metric,
                headline=rank == 0,
                a=tuple(result.cell for result in pair.a),
                b=tuple(result.cell for result in pair.b),
                scores=between.counted(scores) if between else scores,
                only_a=only_a,
                only_b=only_b,
                by_document=not all(map(_is_mean, (*pair.a, *pair.b), (*read_a, *read_b), repeat(metric.name))),
                q=None,
                runs_a=pair.runs_a,
                runs_b=pair.runs_b,
                run_sd=between and between.sd,
                run_freedom=between and between.freedom,
            )
        )
    return found, missing


def _over_runs(cells: Sequence[Array], runs: int) -> Array:
    """The mean over training runs of the scores of (runs x seeds) cells, (seeds, documents)."""
    return np.asarray(np.array(cells).reshape(runs, len(cells) // runs, -1).mean(axis=0))


class _Shared(NamedTuple):
    """Where to find the documents that all cells of both sides answered."""

    at_a: list[Index]
    """The rows of these documents in each cell of the first side; their order is the same for all cells."""
    at_b: list[Index]
    """The same for the second side."""
    only_a: int
    """Documents of the first side that not all cells answered."""
    only_b: int
    """The same for the second side."""


def common_rows(cells: Sequence[DocumentScores]) -> list[Index]:
    """The rows of each cell with the documents that all of them answered, in the same order for all."""
    return _shared(cells, ()).at_a


def _shared(a: Sequence[DocumentScores], b: Sequence[DocumentScores]) -> _Shared:
    each = dict.fromkeys(scores.doc_hash for scores in (*a, *b))
    if len(each) == 1:  # the usual case; looking up every document would take most of the time of a comparison
        every = np.arange(len(a[0].doc_hash))
        return _Shared([every] * len(a), [every] * len(b), 0, 0)
    rows = {doc_hash: _rows(doc_hash) for doc_hash in each}
    first, *others = rows.values()
    documents = [one for one in first if all(one in other for other in others)]
    places = {doc_hash: np.array([rows[doc_hash][one] for one in documents], dtype=np.intp) for doc_hash in each}
    at_a, at_b = ([places[scores.doc_hash] for scores in side] for side in (a, b))
    only_a, only_b = (len(set().union(*(rows[scores.doc_hash] for scores in side))) - len(documents) for side in (a, b))
    return _Shared(at_a, at_b, only_a, only_b)


_Rows = dict[tuple[str, int], int]
"""Row of each document, by its hash and by its number among documents with the same hash."""


def _rows(doc_hash: Sequence[str]) -> _Rows:
    if len(set(doc_hash)) == len(doc_hash):
        return dict(zip(zip(doc_hash, repeat(0)), count(), strict=False))
    seen: Counter[str] = Counter()
    rows = {}
    for row, one in enumerate(doc_hash):
        rows[one, seen[one]] = row
        seen[one] += 1
    return rows


def _is_mean(result: CellResult, read: DocumentScores, metric: str) -> bool:
    """True when a cell's score is the mean over its documents."""
    mean = float(read.scores[metric].mean())
    return all(
        math.isclose(score.value, mean, rel_tol=1e-6, abs_tol=1e-9) for score in result.scores if score.metric == metric
    )
