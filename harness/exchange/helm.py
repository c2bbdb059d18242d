"""Runs of HELM: `stats.json`, and `run_spec.json` beside it (https://github.com/stanford-crfm/helm).

`stats.json` is a list of statistics, each named by metric, split and perturbation. What was asked stands in
`run_spec.json`: model, scenario, demonstrations, prompt. A statistic is a mean over trials of means over instances, and
`count` is the number of trials; the number of instances is a statistic of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.bounded.files import is_regular
from harness.errors import HarnessError
from harness.exchange.fields import Fields, is_number
from harness.exchange.files import foreign_file
from harness.exchange.types import Contents, ForeignFile, Published, PublishedScore, Remark
from harness.wording import quoted

TOOL = "helm"
_SPEC = "run_spec.json"
_SPLITS = ("test", "valid")
"""Splits of which the first that a run has is read."""
_BOOKKEEPING = re.compile(r"(num|training|inference|finish_reason|estimated)_.*|batch_size|prompt_truncated|max_prob")
_OF_TEXT = re.compile(r"logprob.*|perplexity|bits_per_byte")
"""Likelihoods of the text that the model wrote itself, but for scenarios of language modelling."""
_WHO = ("model", "model_deployment", "max_train_instances")
"""Keys of the adapter that say who was asked, or stand in a cell."""
_OTHERS = Remark("statistic", "left out: bookkeeping, perturbed prompts, other splits")
_FEWER = Remark("result", "whose prompts had fewer demonstrations than asked for, on average")


def read_helm(file: ForeignFile) -> Contents | None:
    """The result in a `stats.json` with its `run_spec.json`.

    Raises:
        HarnessError: a value is not what HELM writes there, or the run has no spec.
    """
    raw = file.json()
    if not isinstance(raw, list) or not raw or not all(isinstance(one, dict) and "name" in one for one in raw):
        return None
    path = file.path.with_name(_SPEC)
    if not is_regular(path):
        raise HarnessError(f"{file.path}: has no {_SPEC} beside it, which names the model; expected both files")
    beside = foreign_file(path)
    spec = Fields(beside.json(), str(path))
    stats = [Fields(one, f"{file.path}: [{i}]") for i, one in enumerate(raw)]
    values = _values(stats)
    scores = _scores(spec, values)
    if not scores:
        raise HarnessError(f"{file.path}: has no score; expected a metric with a mean")
    shots = spec.mapping("adapter_spec").whole("max_train_instances")
    fewer = shots is not None and values.get("num_train_instances", shots) < shots
    return Contents(
        results=(_result(spec, values, scores, shots or 0),),
        remarks={_OTHERS: len(stats) - len(scores), _FEWER: int(fewer)},
        name=f"{file.path.parent.name}/{file.path.name}",
        beside=(beside,),
    )


def _values(stats: list[Fields]) -> dict[str, float]:
    """Metric -> mean, of the split that counts, without perturbation."""
    by_split: dict[str, dict[str, float]] = {}
    for stat in stats:
        name = stat.mapping("name")
        metric, mean = name.text("name"), stat.get("mean")
        if metric is None:
            raise HarnessError(f"{name.place}: name is missing; expected a metric")
        if mean is not None and not is_number(mean):
            raise HarnessError(f"{stat.place}: mean is {quoted(mean)}; expected a number")
        if mean is not None and name.get("perturbation") is None:
            by_split.setdefault(name.text("split") or "", {})[metric] = float(mean)
    chosen = next((split for split in _SPLITS if split in by_split), min(by_split, default=""))
    # a metric of all splits together, such as a ranking, has none
    return {**by_split.get("", {}), **by_split.get(chosen, {})}


def _scores(spec: Fields, values: Mapping[str, float]) -> tuple[PublishedScore, ...]:
    """Those that the run asks for by name, in its order, else all that are no bookkeeping."""
    asked: list[str] = []
    for number, one in enumerate(spec.list("metric_specs")):
        named = Fields(one, f"{spec.place}: metric_specs[{number}]").mapping("args").list("names")
        asked += [str(name) for name in named]
    bases = [metric for name in dict.fromkeys(asked) for metric in values if metric.partition("@")[0] == name]
    models_text = spec.mapping("adapter_spec").get("method") == "language_modeling"
    others = [
        metric
        for metric in values
        if not _BOOKKEEPING.fullmatch(metric) and (models_text or not _OF_TEXT.fullmatch(metric))
    ]
    kept = bases or others
    return tuple(PublishedScore(metric=metric, value=values[metric], stderr=None) for metric in kept)


def _result(spec: Fields, values: Mapping[str, float], scores: tuple[PublishedScore, ...], shots: int) -> Published:
    adapter = spec.mapping("adapter_spec")
    model = adapter.text("model") or adapter.text("model_deployment")
    if model is None:
        raise HarnessError(f"{adapter.place}: model is missing; expected its name")
    n, options = values.get("num_instances"), values.get("num_references")
    has_options = str(adapter.get("method") or "").startswith("multiple_choice")
    return Published(
        model=model,
        task=_task(spec),
        version=None,
        asked={
            "scenario": spec.get("scenario_spec"),
            "adapter": {key: value for key, value in adapter.items() if key not in _WHO},
            "augmenter": spec.get("data_augmenter_spec"),
        },
        shots=shots,
        scores=scores,
        n=_whole(n),
        has_options=has_options or None,
        options=_whole(options) if has_options else None,
        tool=TOOL,
    )


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and value >= 1 and value == int(value) else None


def _task(spec: Fields) -> str:
    """The name of the run without the model, and with colons, since commas stand between names on a command line.

    >>> _task(Fields({"name": "commonsense:dataset=hellaswag,method=joint,model=lab_small"}, ""))
    'commonsense:dataset=hellaswag:method=joint'
    """
    name = spec.text("name")
    if name is None:
        raise HarnessError(f"{spec.place}: name is missing; expected that of the run")
    scenario, _, arguments = name.partition(":")
    kept = [one for one in arguments.split(",") if one and not one.startswith(("model=", "model_deployment="))]
    return ":".join([scenario, *kept])
