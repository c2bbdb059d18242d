"""Result files of lm-evaluation-harness: `results_*.json` of version 0.4, and the JSON of version 0.3.

Both hold a mapping `results`, task -> metrics. In 0.4 a metric is called `acc,none` after its filter, its error
`acc_stderr,none`, and the file says for each task its config, version, shots and number of documents; in 0.3 it is
`acc` and `acc_stderr`, and the file says the version, and shots and limit for all tasks at once. A standard error may
be the text `N/A`. Rows of `groups` are means over other rows and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from harness.bounded.files import is_regular
from harness.errors import HarnessError
from harness.exchange.exported import DETAILS, cell_in
from harness.exchange.fields import Fields, dtype_of, is_number, model_name, moment_of
from harness.exchange.lm_eval_samples import lm_eval_documents
from harness.exchange.types import Answers, Contents, ForeignFile, Published, PublishedScore, Remark
from harness.specs import Kind, MetricSpec
from harness.wording import quoted

TOOL = "lm-eval"
DEFAULT_SEED = 1234
"""Few-shot seed that lm-eval takes when none is named."""
_STDERR = "_stderr"
_NO_METRICS = frozenset({"alias", "name", "sample_len", "sample_count", "samples"})
"""Keys of a row that are no metrics."""
_DECIDES = (
    *("doc_to_text", "doc_to_target", "doc_to_choice", "description", "target_delimiter", "fewshot_delimiter"),
    *("output_type", "generation_kwargs", "filter_list", "dataset_path", "dataset_name", "test_split"),
)
"""Keys of a task's config that stand for its version where it has none."""

_DATED = re.compile(r"results_(?P<date>.+)\.json")
"""Name of a result file of 0.4; its sample files have the same date."""
_MEANS = Remark("row", "of groups left out, which are means over other rows")


def read_lm_eval(file: ForeignFile) -> Contents | None:
    """The results in a file, with the sample files that lie beside it and have its date.

    Raises:
        HarnessError: a value is not what lm-eval writes there.
    """
    raw = file.json()
    if not is_results(raw):
        return None
    answers = _answers(file.path, raw)
    results = (replace(one, answers=answers.get(one.task)) for one in published(raw, str(file.path)))
    return Contents(results=tuple(results), remarks={_MEANS: groups(raw)})


def _answers(path: Path, raw: Mapping[str, Any]) -> dict[str, Answers]:
    named = _DATED.fullmatch(path.name)
    if named is None:
        return {}
    beside = {str(task): path.parent / f"samples_{task}_{named['date']}.jsonl" for task in raw["results"]}
    return {
        task: Answers(path=file, samples=partial(lm_eval_documents, file))
        for task, file in beside.items()
        if "/" not in task and is_regular(file)
    }


def is_results(raw: Any) -> bool:
    """Whether a JSON value is a result file of lm-eval."""
    results = raw.get("results") if isinstance(raw, dict) else None
    return isinstance(results, dict) and ("config" in raw or "configs" in raw) and "versions" in raw


def published(raw: Mapping[str, Any], place: str) -> Iterator[Published]:
    """The results in a file, one for each task that is no group.

    Args:
        raw: content of the file.
        place: its name, for messages.

    Raises:
        HarnessError: a value is not what lm-eval writes there.
    """
    file = Fields(raw, place)
    config = file.mapping("config")
    who = _model(file, config)
    how = {
        "chat": "template" if raw.get("chat_template") else None,
        "system": file.text("system_instruction"),
        "seed": _seed(config),
        "tool": TOOL,
        "tool_version": file.text("lm_eval_version") or (None if "configs" in raw else "0.3"),
        "date": moment_of(raw.get("date")),
        # the time of all tasks together is that of none of them
        "seconds": _seconds(raw.get("total_evaluation_time_seconds"))
        if len(file.mapping("results").items()) == 1
        else 0,
    }
    for task, row in file.mapping("results").items():
        if not _is_group(raw, task):
            yield _one(file, config, str(task), Fields(row, f"{place}: results.{task}"), {**who, **how})


def groups(raw: Mapping[str, Any]) -> int:
    """Number of rows that are means over other rows."""
    return sum(_is_group(raw, task) for task in raw["results"])


def _is_group(raw: Mapping[str, Any], task: str) -> bool:
    parts = raw.get("group_subtasks")
    return isinstance(parts, dict) and bool(parts.get(task))


def _one(file: Fields, config: Fields, task: str, row: Fields, common: Mapping[str, Any]) -> Published:
    of_task = file.of("configs", task)
    version = file.mapping("versions").get(task)
    n = file.of("n-samples", task)
    asked, all_documents = n.whole("effective"), n.whole("original")
    better = file.of("higher_is_better", task)
    scores = tuple(_scores(row, better))
    if not scores:
        raise HarnessError(f"{row.place}: has no score; expected a metric with a number")
    listed = [entry.get("metric") for entry in of_task.list("metric_list") if isinstance(entry, dict)]
    choices = of_task.get("doc_to_choice")
    decides = {key: of_task[key] for key in _DECIDES if of_task.get(key) is not None}
    options = of_task.get("generation_kwargs") if config.get("gen_kwargs") else None
    found = Published(
        task=task,
        version=None if version in (None, "N/A", "Yaml") else str(version),
        asked={**(decides if version in (None, "N/A", "Yaml") else {}), **({"gen_kwargs": options} if options else {})},
        shots=_shots(file, config, of_task, task),
        scores=tuple(sorted(scores, key=lambda s: _rank(s.metric, listed))),
        n=asked or all_documents,
        **{"limit": _limit(config, asked, all_documents), **_own(of_task)},
        has_options=of_task.get("output_type") == "multiple_choice" if of_task.get("output_type") else None,
        options=len(choices) if isinstance(choices, list) and choices else None,
        **common,
    )
    own = of_task.mapping(DETAILS)
    return found if own.get("details") is None else _exported(found, own)


def _exported(result: Published, own: Fields) -> Published:
    """A result that was exported from here, whose cell the file has as it was."""
    cell, n = cell_in(own.text("details") or "", f"{own.place}.details", model=result.model, task=result.task)
    scores = tuple(replace(score, n=own.mapping("n").whole(score.metric)) for score in result.scores)
    tool, version = own.text("tool") or TOOL, own.text("tool_version")
    return replace(result, cell=cell, scores=scores, n=n or result.n, limit=cell.limit, tool=tool, tool_version=version)


def _own(of_task: Fields) -> dict[str, Any]:
    """What a file says of a task that was exported from here, and lm-eval's layout has no place for."""
    own = of_task.mapping(DETAILS)
    kind, limit = own.get("kind"), own.whole("limit")
    known: dict[str, Any] = {} if limit is None else {"limit": limit}
    if kind in get_args(Kind):
        known["kind"] = kind
    if metrics := own.list("metrics"):
        known["metrics"] = tuple(_reading(Fields(one, f"{own.place}: metrics")) for one in metrics)
    return known


def _reading(of_metric: Fields) -> MetricSpec:
    name = of_metric.text("name")
    numbers = {key: of_metric.get(key) for key in ("chance", "best")}
    flags = {key: of_metric.get(key) for key in ("higher_is_better", "continuous")}
    if (
        name is None
        or not all(value is None or is_number(value) for value in numbers.values())
        or not all(isinstance(value, bool) for value in flags.values())
    ):
        raise HarnessError(f"{of_metric.place}: one is {quoted(of_metric.raw)}; expected what was exported")
    return MetricSpec(name=name, **numbers, **flags)


def _model(file: Fields, config: Fields) -> dict[str, Any]:
    """Name, revision, number format and adapter of the model."""
    given = config.get("model_args")
    args = given if isinstance(given, dict) else dict(_pairs(str(given or "")))
    name = args.get("pretrained") or args.get("model") or args.get("engine") or file.text("model_name")
    name = name or config.text("model")
    if not isinstance(name, str) or not name.strip():
        raise HarnessError(f"{file.place}: config.model_args is {quoted(given)}; expected pretrained=NAME")
    commit = config.text("model_sha") or args.get("revision") or config.text("model_revision")
    adapter = args.get("peft") or args.get("delta") or args.get("treatment")
    return {
        "model": model_name(name),
        "params": config.whole("model_num_parameters") or None,
        "revision": str(args.get("revision") or commit or "main"),
        "dtype": dtype_of(config.text("model_dtype") or args.get("dtype")),
        "variant": str(adapter) if adapter else None,
    }


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """`key=value` pairs between commas; a value may hold an equals sign."""
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals:
            yield key.strip(), value.strip()


def _scores(row: Fields, better: Fields) -> Iterator[PublishedScore]:
    """The metrics that are finite numbers; lm-eval writes NaN where a metric could not be computed."""
    for key, value in row.items():
        metric, _, chosen = key.partition(",")
        if metric.endswith(_STDERR) or metric in _NO_METRICS or not is_number(value):
            continue
        stderr = row.get(f"{metric}{_STDERR}{key[len(metric) :]}")
        if isinstance(stderr, str) and stderr != "N/A":
            raise HarnessError(f"{row.place}.{metric}{_STDERR} is {quoted(stderr)}; expected a number or N/A")
        says = better.get(metric)
        yield PublishedScore(
            metric=metric if chosen in ("", "none") else f"{metric},{chosen}",
            value=float(value),
            stderr=float(stderr) if is_number(stderr) else None,
            higher_is_better=says if isinstance(says, bool) else None,
        )


def _rank(metric: str, listed: list[Any]) -> tuple[int, str]:
    """Metrics in the order in which the task lists them, else as the file has them."""
    name = metric.partition(",")[0]
    return (listed.index(name) if name in listed else len(listed), "")


def _shots(file: Fields, config: Fields, of_task: Fields, task: str) -> int:
    for found in (
        file.mapping("n-shot").get(task),
        config.get("num_fewshot"),
        of_task.get("num_fewshot"),
    ):
        if found is not None:
            if not is_number(found) or found != int(found) or found < 0:
                raise HarnessError(f"{file.place}: shots of {task} are {quoted(found)}; expected a whole number")
            return int(found)
    return 0


def _limit(config: Fields, asked: int | None, there: int | None) -> int | None:
    if asked is not None and there is not None:
        return asked if asked < there else None
    limit = config.get("limit")
    return int(limit) if is_number(limit) and limit >= 1 else None


def _seed(config: Fields) -> int:
    seed = config.get("fewshot_seed")
    return int(seed) if is_number(seed) and seed >= 0 and seed != DEFAULT_SEED else 0


def _seconds(value: Any) -> float:
    found = re.fullmatch(r"\d+(\.\d+)?", str(value or ""))
    return float(value) if found else 0.0
