"""Result files of OLMES (`allenai/olmes`) and of its successor olmo-eval (`allenai/olmo-eval`).

OLMES writes `task-000-arc_challenge-metrics.json` for each task, with `task_config`, `model_config` and flat `metrics`;
collections such as DataDecide leave out the number of the task. olmo-eval writes one `metrics.json` for a run, whose
`tasks` have `metrics` by metric and scorer, called `accuracy,exact_match` here. Where a limit was set, both ask
documents that are drawn at random, so that it is no `limit`, which means the first ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.bounded.files import is_regular
from harness.errors import HarnessError
from harness.exchange.fields import Fields, dtype_of, is_number, moment_of
from harness.exchange.olmes_samples import PREDICTIONS, olmes_documents
from harness.exchange.types import SHOTS_NOT_SAID, Answers, Contents, ForeignFile, Published, PublishedScore, Remark
from harness.wording import quoted

OLMES, OLMO_EVAL = "olmes", "olmo-eval"
DEFAULT_SEEDS = (1234, 42)
"""Few-shot seeds where none is named, of OLMES and of olmo-eval."""
PRIMARY = "primary_score"
"""Metric of OLMES that repeats another, the one that the task names first."""
_METRICS = "-metrics.json"
_MEAN = Remark("file", "left out, which has means over several tasks")
_UNANSWERED = "no_answer"
"""Share of documents without an answer."""
_DECIDES = (
    *("dataset_path", "dataset_name", "split", "fewshot_source", "context_kwargs", "generation_kwargs"),
    *(
        "metric_kwargs",
        "use_chat_format",
        "chat_overrides",
        "limit",
        "random_subsample_seed",
        "seed",
        "sampling_params",
    ),
    *("data_source", "formatter", "output_score_aggregation", "answer_extractor", "max_length"),
)
"""Keys of a task's config that decide its scores besides its name and version."""
_RIGHT_OR_WRONG = frozenset("acc_raw acc_per_token acc_per_char acc_per_byte acc_uncond exact_match no_answer".split())
"""Metrics of OLMES that are 0 or 1 for each document, so that their standard error follows from their number."""


def read_olmes(file: ForeignFile) -> Contents | None:
    """The results in a file: one of OLMES's, or each task of olmo-eval's.

    Raises:
        HarnessError: a value in it is not what the program writes there.
    """
    raw = file.json()
    if _is_task(raw) and _is_mean(Fields(raw, str(file.path)).mapping("task_config")):
        return Contents(results=(), remarks={_MEAN: 1})
    if _is_task(raw):
        found = [_of_task(Fields(raw, str(file.path)), file.path)]
    elif _is_run(raw):
        found = list(_of_run(Fields(raw, str(file.path)), file.path))
    else:
        return None
    unsaid = sum(not shots_said for _, shots_said in found)
    return Contents(results=tuple(result for result, _ in found), remarks={SHOTS_NOT_SAID: unsaid})


def _is_task(raw: Any) -> bool:
    needed = {"task_name", "metrics", "model_config", "task_config"}
    return isinstance(raw, dict) and needed <= raw.keys()


def _is_mean(config: Fields) -> bool:
    """Whether a file is of several tasks together, such as the 57 of MMLU, which have files of their own."""
    about = config.get("metadata")
    return isinstance(about, dict) and ("num_tasks" in about or about.get("description") == "Aggregate metric")


def _is_run(raw: Any) -> bool:
    return isinstance(raw, dict) and isinstance(raw.get("tasks"), list) and {"config", "summary"} <= raw.keys()


def _of_task(file: Fields, path: Path) -> tuple[Published, bool]:
    """The result, and whether it says its number of shots."""
    config, metrics = file.mapping("task_config"), file.mapping("metrics")
    n, first = file.whole("num_instances"), config.text("primary_metric")
    values = {name: float(value) for name, value in metrics.items() if is_number(value)}
    if first in values:
        values.pop(PRIMARY, None)
    beside = path.with_name(path.name.removesuffix(_METRICS) + PREDICTIONS)
    result = Published(
        **_model(file.mapping("model_config")),
        **_asked(config),
        task=_name(file, "task_name"),
        scores=tuple(_scores(metrics.place, values, first, n)),
        n=n,
        tool=OLMES,
        date=moment_of(str(file.get("current_date") or "").replace(" UTC", "+00:00")),
        seconds=_seconds(file.get("processing_time")),
        answers=_answers(beside) if path.name.endswith(_METRICS) else None,
    )
    return result, _shots(config) is not None


def _of_run(file: Fields, path: Path) -> Iterator[tuple[Published, bool]]:
    config = file.mapping("config")
    models = config.mapping("models").raw or {None: config.raw}
    for entry in file.list("tasks"):
        task = Fields(entry, f"{file.place}: tasks")
        named = task.get("model")
        if not isinstance(named, str | None) or named not in models:
            raise HarnessError(f"{task.place}: model is {quoted(named)}; expected one of {quoted([*models])}")
        model = Fields(models[named], config.place)
        provider = model.get("provider")  # of a run with a harness; else the provider's name
        yield _entry(
            file, task, Fields(provider, f"{model.place}.provider") if isinstance(provider, dict) else model, path
        )


def _entry(file: Fields, task: Fields, model: Fields, path: Path) -> tuple[Published, bool]:
    config, n, spec = task.mapping("config"), task.whole("num_instances"), _name(task, "task")
    values = {
        f"{metric},{scorer}": float(value)
        for metric, by_scorer in task.mapping("metrics").items()
        for scorer, value in Fields(by_scorer, f"{task.place}: metrics.{metric}").items()
        if is_number(value)
    }
    first = (task.text("primary_metric") or "").replace(":", ",", 1)
    digest = task.text("task_hash")
    name = _in_names(spec) + (f"_{digest[-6:]}" if digest else "") + PREDICTIONS
    folder = _in_names(model.text("alias") or task.text("model") or _name(model, "model"))
    result = Published(
        **_model(model),
        **_asked(config),
        task=config.text("name") or spec,
        scores=tuple(_scores(f"{task.place}: metrics", values, first, n)),
        n=n,
        tool=OLMO_EVAL,
        date=moment_of(file.get("timestamp")),
        seconds=_seconds(task.get("duration_seconds")),
        answers=_answers(path.parent / "predictions" / folder / name),
    )
    return result, _shots(config) is not None


def _answers(path: Path) -> Answers | None:
    return Answers(path=path, samples=partial(olmes_documents, path)) if is_regular(path) else None


def _model(model: Fields) -> dict[str, Any]:
    """Name, revision and number format of the model; of a folder on somebody's disk only the last part is its name."""
    name = _name(model, "model").rstrip("/")
    if name.startswith(("/", "./", "../", "~", "s3://", "gs://")):
        name = name.rpartition("/")[2]
    dtype = dtype_of(model.get("dtype") or model.get("torch_dtype"))
    return {"model": name, "revision": model.text("revision") or "main", "dtype": dtype}


def _asked(config: Fields) -> dict[str, Any]:
    """Version, shots and seed, and what else decides the scores."""
    seed, version = config.whole("fewshot_seed"), config.get("version")
    return {
        "version": None if version is None else str(version),
        "shots": _shots(config) or 0,
        "seed": 0 if seed in (None, *DEFAULT_SEEDS) else seed,
        "asked": {key: config.get(key) for key in _DECIDES if config.get(key) not in (None, {}, [])},
        "chat": "template" if config.get("use_chat_format") is True else None,
    }


def _shots(config: Fields) -> int | None:
    return config.whole("num_fewshot" if config.get("num_shots") is None else "num_shots")


def _name(fields: Fields, name: str) -> str:
    text = (fields.text(name) or "").strip()
    if not text.strip("/"):
        raise HarnessError(f"{fields.place}: {name} is {quoted(fields.get(name))}; expected a name")
    return text


def _in_names(text: str) -> str:
    """A text as olmo-eval writes it in names of files."""
    return "".join("_" if sign in ":/\\ " else sign for sign in text)


def _scores(place: str, values: Mapping[str, float], first: str | None, n: int | None) -> Iterator[PublishedScore]:
    if not values:
        raise HarnessError(f"{place}: has no score; expected a metric with a number")
    for name in sorted(values, key=lambda name: name != first):
        yield PublishedScore(
            metric=name,
            value=values[name],
            stderr=_stderr(name, values[name], n),
            higher_is_better=False if name == _UNANSWERED else None,
        )


def _stderr(name: str, value: float, n: int | None) -> float | None:
    """Standard error of a mean of zeros and ones, which OLMES does not write: sqrt(p (1 - p) / (n - 1))."""
    if name in _RIGHT_OR_WRONG and n is not None and n > 1 and 0 <= value <= 1:
        return math.sqrt(value * (1 - value) / (n - 1))
    return None


def _seconds(value: Any) -> float:
    return float(value) if is_number(value) and value >= 0 else 0.0
