"""Ranges of ranks: which places of a leaderboard each model can hold, and how sure its mean is.

A table that numbers its rows 1, 2, 3 claims that the second is worse than the first. Here every pair of models is
compared on the documents that both answered, and a model shares a place with all that it cannot be told from. Its best
place is one more than the number of models that are clearly better, its last one that of models that are not clearly
worse:

    best  = 1 + #{better models}        last = M - #{worse models}

The p values of all M (M - 1) / 2 pairs are adjusted together by Holm's step-down procedure (Holm 1979, Scandinavian
Journal of Statistics 6:65), so that with a probability of 95 % every range holds the true rank: simultaneous confidence
sets for ranks from pairwise differences (Mogstad, Romano, Shaikh and Wilhelm 2024, Review of Economic Studies 91:476,
doi:10.1093/restud/rdad006). Holm's procedure needs nothing of the pairs, which have models
in common; a bootstrap of their largest statistic would be a little more powerful, and give other ranges at every call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple, Protocol

import numpy as np

from harness.analysis.compare.differences import common_rows
from harness.analysis.compare.run_noise import NoiseOf
from harness.analysis.stats import ALPHA, CONFIDENCE, Array, Mask, estimate, holm, normalised, widened
from harness.analysis.stats.distributions import t as student
from harness.plan import MODEL_AXES, Cell, Setting
from harness.records import CellResult
from harness.specs import MetricSpec
from harness.store import DocumentScores
from harness.wording import places

ReadDocuments = Callable[[Cell], DocumentScores | None]
"""Gives the scores of a cell's documents; None for a file that cannot be read."""


MOST_ANSWERS = 500_000
"""Up to so many answers are compared document by document where nobody asked for it: more take many seconds."""


class Rank(NamedTuple):
    """The places of a leaderboard that one model can hold."""

    best: int
    """Best place, 1 for the first: one more than the number of models that are clearly better."""
    last: int
    """Last place."""
    mean: float
    """Mean over tasks of chance-centred headline scores, each task the mean over its settings."""
    low: float | None
    """Lower end of the 95 % interval of `mean`; None when no error is known."""
    high: float | None
    """Upper end of the same."""
    paired: bool
    """True when it was compared document by document; False when errors of scores alone were known, which makes ranges
    wider."""

    @property
    def text(self) -> str:
        """The range in words: `1–3`, or `2` for a single place."""
        return places(self.best, self.last)


class RankModels(Protocol):
    """Finds the places that models can hold: `ranks`, or what knows them already."""

    def __call__(
        self,
        models: Sequence[Sequence[CellResult]],
        documents: ReadDocuments | None = None,
        *,
        noise: NoiseOf | None = None,
    ) -> tuple[Rank, ...]:
        """As `ranks`."""
        ...


def ranks(
    models: Sequence[Sequence[CellResult]],
    documents: ReadDocuments | None = None,
    *,
    noise: NoiseOf | None = None,
) -> tuple[Rank, ...]:
    """The places that each model can hold, and its mean with an interval; in the order given.

    A model's mean is over tasks, each of which is the mean over its settings of the chance-centred headline score,
    few-shot seeds averaged. With C_t the covariance of the models over the documents of task t and T tasks,

        Var(mean_i - mean_j) = sum over t of (C_t[i, i] + C_t[j, j] - 2 C_t[i, j] + 1 / (n_t + 1)²) / T²

    The last term is half a document that could have gone the other way, so that equal answers leave a doubt (the
    "Wald+2" of Agresti and Min 2005, Statistics in Medicine 24:729). Few-shot seeds add their own covariance, since
    they move all documents together; noise between training runs takes the place of documents where it is larger. The
    p values are those of Student's t with the degrees of freedom of Satterthwaite (1946).

    Args:
        models: the results of each model in the settings that all of them have, which are the ones its mean is over.
        documents: gives the scores of a cell's documents; None, and files that cannot be read, leave the standard
            errors of the scores, as if every model had answered documents of its own.
        noise: finds the noise between training runs; None counts none.
    """
    if not models:
        return ()
    sides = [_by_setting(results) for results in models]
    shared = set.intersection(*(set(side) for side in sides))
    by_task: dict[tuple[object, object], list[Setting]] = {}
    for setting in sorted(shared, key=lambda one: str(one.values)):
        if normalised(0.0, _metric(sides[0][setting])) is not None:
            by_task.setdefault((setting.value("task"), setting.value("task_digest")), []).append(setting)
    if not by_task:
        return ()
    tasks = [_task(sides, settings, documents, noise) for settings in by_task.values()]
    share = 1 / len(tasks)
    mean = share * np.sum([one.mean for one in tasks], axis=0)
    spread, freedom = _pooled([one.differs for one in tasks], [one.freedom for one in tasks], share)
    own, own_freedom = _pooled([one.own for one in tasks], [one.freedom for one in tasks], share)
    p = _two_sided(mean[:, None] - mean[None, :], spread, freedom)
    better = _clearly_better(mean, p)
    half = student.ppf((1 + CONFIDENCE) / 2, own_freedom) * np.sqrt(own)
    top = 1.0 if all(one.ends for one in tasks) else math.inf
    known = ~np.isnan(half)
    return tuple(
        Rank(
            best=1 + int(better[:, i].sum()),
            last=len(models) - int(better[i].sum()),
            mean=float(mean[i]),
            low=float(mean[i] - half[i]) if known[i] else None,
            high=float(min(top, mean[i] + half[i])) if known[i] else None,
            paired=all(one.paired for one in tasks),
        )
        for i in range(len(models))
    )


class _TaskScores(NamedTuple):
    """The scores of M models on one task, centred on chance."""

    mean: Array
    """Mean over the settings, (M,)."""
    own: Array
    """Variance of `mean`, (M,); NaN where it is not known."""
    differs: Array
    """Variance of the difference of two models, (M, M)."""
    freedom: float
    """Degrees of freedom of both."""
    ends: bool
    """True when no score can be better than 1."""
    paired: bool
    """True when documents were compared."""


_Side = Mapping[Setting, Mapping[int, CellResult]]
"""The results of one model by what was asked, and by few-shot seed."""


def _by_setting(results: Sequence[CellResult]) -> _Side:
    grouped: dict[Setting, dict[int, CellResult]] = {}
    for one in results:
        grouped.setdefault(one.cell.setting(free=MODEL_AXES | {"seed"}), {})[one.cell.seed] = one
    return grouped


def _metric(seeds: Mapping[int, CellResult]) -> MetricSpec:
    """The headline metric of a setting."""
    return next(iter(seeds.values())).cell.metrics[0]


def _task(
    sides: Sequence[_Side], settings: Sequence[Setting], documents: ReadDocuments | None, noise: NoiseOf | None
) -> _TaskScores:
    """The scores of all models on one task, with what they could differ by through documents, seeds and training."""
    found = [[_score(side[setting]) for setting in settings] for side in sides]
    mean = np.array([[one.value for one in row] for row in found]).mean(axis=1)
    of_scores = np.array([[one.stderr for one in row] for row in found]).mean(axis=1) ** 2
    metric = _metric(sides[0][settings[0]])
    n = min(one.n for row in found for one in row)
    joint = _over_documents(sides, settings, documents) if documents is not None else None
    if joint is None:
        differs = of_scores[:, None] + of_scores[None, :] + (_unit(metric) / (n + 1)) ** 2
        return _TaskScores(mean, of_scores, differs, max(n - 1, 1), metric.best is not None, False)
    covariance = joint.covariance
    if not np.allclose(joint.mean, mean, rtol=1e-6, atol=1e-9):
        # a score of all documents together, such as F1: documents tell how models go together, and the score its error
        spread = np.diag(covariance)
        scale = np.sqrt(np.divide(of_scores, spread, out=np.ones_like(spread), where=(spread > 0) & (of_scores > 0)))
        covariance = covariance * scale[:, None] * scale
    half = (_unit(metric) / (joint.n + 1)) ** 2
    own = np.diag(covariance) + half
    differs = np.diag(covariance)[:, None] + np.diag(covariance)[None, :] - 2 * covariance + half
    between = _between_runs(sides, settings, noise)
    return _TaskScores(mean, own, np.maximum(differs, between), joint.freedom, metric.best is not None, True)


class _Centred(NamedTuple):
    """A score of one model in one setting, centred on chance."""

    value: float
    stderr: float
    n: int


def _score(seeds: Mapping[int, CellResult]) -> _Centred:
    metric = _metric(seeds)
    scores = [score for result in seeds.values() for score in result.scores if score.metric == metric.name]
    found = estimate(scores, metric)
    value = normalised(found.value, metric)
    assert value is not None
    return _Centred(value, math.nan if found.stderr is None else found.stderr * _unit(metric), found.n)


def _unit(metric: MetricSpec) -> float:
    """What a score of 1 more is after centring, whichever way is better."""
    low, high = normalised(0.0, metric), normalised(1.0, metric)
    assert low is not None
    assert high is not None
    return abs(high - low)


class _Joint(NamedTuple):
    """The models on the documents that all of them answered."""

    mean: Array
    """Mean score, (M,)."""
    covariance: Array
    """Of the means, over documents and few-shot seeds, (M, M)."""
    n: int
    """Number of documents."""
    freedom: float
    """Degrees of freedom of the covariance."""


def _over_documents(sides: Sequence[_Side], settings: Sequence[Setting], documents: ReadDocuments) -> _Joint | None:
    """Means and covariances over documents; None where a file cannot be read, or fewer than two are in all of them."""
    cells = [[[result.cell for result in side[setting].values()] for setting in settings] for side in sides]
    read = {cell.key: documents(cell) for row in cells for seeds in row for cell in seeds}
    known = {key: one for key, one in read.items() if one is not None}
    name = cells[0][0][0].metrics[0].name
    if len(known) < len(read) or not all(name in one.scores for one in known.values()):
        return None
    rows = dict(zip(known, common_rows([*known.values()]), strict=True))
    n = len(next(iter(rows.values())))
    if n < 2:
        return None

    def centred(cell: Cell) -> Array:
        metric = cell.metrics[0]
        zero = normalised(0.0, metric) or 0.0
        return zero + known[cell.key].scores[name][rows[cell.key]] * ((normalised(1.0, metric) or 0.0) - zero)

    by_document = np.array(
        [np.mean([np.mean([*map(centred, seeds)], axis=0) for seeds in row], axis=0) for row in cells]
    )
    covariance, freedom = np.atleast_2d(np.cov(by_document)) / n, n - 1.0
    of_seeds = _over_seeds(sides, settings, centred)
    if of_seeds is not None:
        parts = [float(np.trace(covariance)), float(np.trace(of_seeds.covariance))]
        covariance = covariance + of_seeds.covariance
        shares = parts[0] ** 2 / freedom + parts[1] ** 2 / of_seeds.freedom
        freedom = sum(parts) ** 2 / shares if shares else freedom
    return _Joint(by_document.mean(axis=1), covariance, n, freedom)


class _OverSeeds(NamedTuple):
    """How the means of M models move together with the few-shot examples."""

    covariance: Array
    """Of the means, (M, M)."""
    freedom: float
    """Degrees of freedom: seeds less one."""


def _over_seeds(
    sides: Sequence[_Side], settings: Sequence[Setting], centred: Callable[[Cell], Array]
) -> _OverSeeds | None:
    """The covariance over the seeds of the settings in which all models have the same several; None without any."""
    alike: dict[tuple[int, ...], list[Setting]] = {}
    for setting in settings:
        each = {tuple(sorted(side[setting])) for side in sides}
        if len(each) == 1 and len(next(iter(each))) > 1:
            alike.setdefault(each.pop(), []).append(setting)
    if not alike:
        return None
    total = np.zeros((len(sides), len(sides)))
    for seeds, some in alike.items():
        means = [
            [np.mean([centred(side[setting][seed].cell).mean() for setting in some]) for seed in seeds]
            for side in sides
        ]
        total += np.atleast_2d(np.cov(np.array(means))) / len(seeds) * (len(some) / len(settings)) ** 2
    return _OverSeeds(total, min(map(len, alike)) - 1.0)


def _between_runs(sides: Sequence[_Side], settings: Sequence[Setting], noise: NoiseOf | None) -> Array:
    """Variance of the difference of two models through noise between training runs, (M, M); 0 where none is known."""
    if noise is None:
        return np.zeros((len(sides), len(sides)))
    spreads = []
    for side in sides:
        of_settings = []
        for setting in settings:
            cell = next(iter(side[setting].values())).cell
            known = noise(cell, cell.metrics[0])
            value = fmean(s.value for r in side[setting].values() for s in r.scores if s.metric == cell.metrics[0].name)
            variance = 0.0 if known is None else widened(known.freedom) * known.between * known.share(value)
            of_settings.append(math.sqrt(variance) * _unit(cell.metrics[0]))
        spreads.append(fmean(of_settings) ** 2)  # the settings of one model share its training
    each = np.array(spreads)
    return np.asarray(each[:, None] + each[None, :])


def _pooled(variances: Sequence[Array], freedoms: Sequence[float], share: float) -> tuple[Array, Array]:
    """Variance of the mean over tasks, and its degrees of freedom (Satterthwaite 1946)."""
    each = np.array(variances)
    total = each.sum(axis=0)
    squares = sum(one**2 / freedom for one, freedom in zip(each, freedoms, strict=True))
    return share**2 * total, np.divide(total**2, squares, out=np.full_like(total, np.inf), where=squares > 0)


def _two_sided(difference: Array, variance: Array, freedom: Array) -> Array:
    """The p values of "no difference", (M, M); 1 where the error is not known, or nothing differs."""
    error = np.sqrt(variance)
    z = np.divide(np.abs(difference), error, out=np.zeros_like(difference), where=error > 0)
    return np.asarray(np.minimum(2 * student.sf(z, freedom), 1.0))


def _clearly_better(mean: Array, p: Array) -> Mask:
    """Which model (row) is clearly better than which (column): all pairs tested together."""
    upper = np.triu_indices(len(mean), 1)
    better = np.zeros(p.shape, dtype=bool)
    better[upper] = np.array(holm(p[upper].tolist()), dtype=float) < ALPHA
    better |= better.T
    return np.asarray(better & (mean[:, None] > mean[None, :]))
