"""Is a candidate no worse than a baseline, and good enough? The answer for a pipeline: pass, fail or cannot tell.

A candidate passes a task when the 95 % interval of its difference to the baseline lies above minus the margin, the
largest loss that does not matter. Passing needs every task, so that no correction for their number is due
(intersection-union test, Berger 1982). It fails a task when the interval for all tasks together (Bonferroni) lies below
minus the margin. Everything between is "cannot tell": more documents are needed, or a larger margin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analysis.compare.types import Comparison
from harness.analysis.stats import ALPHA, CONFIDENCE, confidence_interval, estimate
from harness.analysis.stats.distributions import norm
from harness.errors import PlanError
from harness.plan import AXES, Setting
from harness.records import CellFailure, CellResult
from harness.specs import MetricSpec

GateAnswer = Literal["pass", "fail", "cannot tell"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GateCheck:
    """What is asked of a candidate on one task, and the answer."""

    task: str
    """Task name."""
    setting: str
    """What is equal on both sides besides the task; empty for a least score."""
    metric: str
    """Name of the headline metric."""
    asked: str
    """`no worse`, or `at least`."""
    limit: float
    """The margin of `no worse`, or the least score."""
    value: float | None
    """Difference to the baseline, positive when the candidate is better; or the candidate's score; None for a cell that
    failed."""
    low: float | None
    """Lower end of the 95 % interval, documents without a score counted as the worst; None when there is none."""
    high: float | None
    """Upper end, documents without a score counted as the best."""
    n: int
    """Number of documents that have a score on both sides."""
    ungraded: int
    """Number of documents without a score on one side or both."""
    answer: GateAnswer
    """The answer."""


def no_worse(
    comparisons: Iterable[Comparison], results: Mapping[str, CellResult], *, margin: float
) -> tuple[GateCheck, ...]:
    """Whether the second side of each headline comparison is no worse than the first by more than the margin.

    Args:
        comparisons: the candidate is their second side.
        results: key of a cell -> its result, for the number of documents that it should have answered.
        margin: largest loss that does not matter, as a share of the range of the metric.
    """
    chosen = [one for one in comparisons if one.headline]
    wider = _quantile(ALPHA / max(1, len(chosen))) / _quantile(ALPHA)
    return tuple(_no_worse(one, results, margin, wider) for one in chosen)


def _quantile(alpha: float) -> float:
    return float(norm.ppf(1 - alpha / 2))


def _no_worse(one: Comparison, results: Mapping[str, CellResult], margin: float, wider: float) -> GateCheck:
    scores, full = one.scores, _range(one.metric)
    asked = max((results[cell.key].n_expected for cell in (*one.a, *one.b) if cell.key in results), default=scores.n)
    ungraded = max(one.only_a + one.only_b, asked - scores.n)
    sign, limit = (1.0 if one.metric.higher_is_better else -1.0), margin * (full or 1.0)
    # scores without any spread have no interval, and differ by exactly what they differ by
    low, high = sorted(sign * (scores.difference if end is None else end) for end in (scores.low, scores.high))
    surely = (low + high) / 2 + (high - low) / 2 * wider
    bounded = [_with_ungraded(end, scores.n, ungraded, full) for end in (low, high, surely)]
    answer: GateAnswer = "cannot tell"
    if bounded[0] is not None and bounded[2] is not None:
        answer = "pass" if bounded[0][0] > -limit else "fail" if bounded[2][1] < -limit else "cannot tell"
    return GateCheck(
        task=one.task,
        setting=one.setting,
        metric=one.metric.name,
        asked="no worse",
        limit=limit,
        value=sign * scores.difference,
        low=bounded[0] and bounded[0][0],
        high=bounded[1] and bounded[1][1],
        n=scores.n,
        ungraded=ungraded,
        answer=answer,
    )


def _with_ungraded(difference: float, n: int, ungraded: int, full: float | None) -> tuple[float, float] | None:
    """The least and the most that a mean difference can be, whatever the documents without a score would give.

    None when there are such documents and the metric has no worst and best score.
    """
    if not ungraded:
        return difference, difference
    if full is None:
        return None
    share = n / (n + ungraded)
    return difference * share - full * (1 - share), difference * share + full * (1 - share)


def at_least(
    results: Sequence[CellResult], failures: Sequence[CellFailure], least: Mapping[str, float]
) -> list[GateCheck]:
    """Whether the candidate's headline scores reach what is asked of them.

    Args:
        results: cells of the candidate.
        failures: cells of the candidate that failed: their documents have no score.
        least: task -> least score.

    Raises:
        PlanError: the candidate was never asked a task.
    """
    checks = []
    for task, limit in least.items():
        cells = [one for one in results if one.cell.task == task]
        if not cells and not any(one.cell.task == task for one in failures):
            known = sorted({one.cell.task for one in results})
            raise PlanError(f"--min {task}: the candidate has no result of it; it has {', '.join(known)}")
        settings: dict[Setting, list[CellResult]] = {}
        for one in cells:
            settings.setdefault(one.cell.setting(free=("seed", "run")), []).append(one)
        labels = _labels([*settings])
        checks += [_at_least(task, label, settings[setting], limit) for setting, label in labels.items()]
        checks += [_without_score(task, one, limit) for one in failures if one.cell.task == task]
    return checks


def _labels(settings: Sequence[Setting]) -> dict[Setting, str]:
    """Each setting -> its shots and prompt, and whatever else it differs in from another."""
    varying = [
        name
        for name in (settings[0].names if settings else ())
        if name not in ("shots", "prompt") and len({one.value(name) for one in settings}) > 1
    ]
    return {
        one: ", ".join(
            [
                f"{one.value('shots')}-shot, {one.value('prompt')}",
                *(AXES[name].label_of(one.value(name)) for name in varying),
            ]
        )
        for one in settings
    }


def _at_least(task: str, setting: str, group: Sequence[CellResult], limit: float) -> GateCheck:
    metric = group[0].cell.metrics[0]
    found = estimate([one.scores[0] for one in group], metric)
    low, high = confidence_interval(found, CONFIDENCE)
    n, asked = min(one.scores[0].n for one in group), max(one.n_expected for one in group)
    share, full = n / max(n, asked), _range(metric)
    answer: GateAnswer = "cannot tell"
    if low is not None and high is not None and (full is not None or share == 1.0):
        low, high = low * share, high * share + (1 - share) * (full or 0.0)
        if not metric.higher_is_better:
            answer = "pass" if high <= limit else "fail" if low > limit else "cannot tell"
        else:
            answer = "pass" if low >= limit else "fail" if high < limit else "cannot tell"
    return GateCheck(
        task=task,
        setting=setting,
        metric=metric.name,
        asked="at least" if metric.higher_is_better else "at most",
        limit=limit,
        value=found.value,
        low=low,
        high=high,
        n=n,
        ungraded=max(0, asked - n),
        answer=answer,
    )


def _without_score(task: str, failure: CellFailure, limit: float) -> GateCheck:
    return GateCheck(
        task=task,
        setting=f"{failure.cell.shots}-shot, {failure.cell.prompt}",
        metric=failure.cell.metrics[0].name,
        asked="at least",
        limit=limit,
        value=None,
        low=None,
        high=None,
        n=0,
        ungraded=0,
        answer="cannot tell",
    )


def _range(metric: MetricSpec) -> float | None:
    """Distance between the worst and the best score; None when there is no such distance."""
    if metric.higher_is_better:
        return metric.best if metric.best is not None and metric.best > 0 and not metric.continuous else None
    return None


def verdict_of(checks: Iterable[GateCheck], *, missing: int = 0) -> GateAnswer:
    """The answer over all checks: fail when one fails, pass when all pass.

    Args:
        checks: the answers task by task.
        missing: number of tasks that could not be compared; with any of them nothing passes.
    """
    answers = {check.answer for check in checks}
    if "fail" in answers:
        return "fail"
    return "pass" if answers == {"pass"} and not missing else "cannot tell"
