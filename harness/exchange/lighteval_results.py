"""Result files of lighteval: `results_DATE.json`, with the details of its documents in Parquet files.

A key of `results` names task and demonstrations: `gsm8k|0`, or `lighteval|gsm8k|0|0` before version 0.11, where a suite
stands in front and a number for shortened prompts may stand behind. The rows `all` and `TASK:_average|0` are means over
others. The file says the documents of each task; its time of start is that of a clock without a date, so that the date
is the one in its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.files import is_regular
from harness.errors import HarnessError
from harness.exchange.fields import Fields, dtype_of, is_number, model_name, moment_of
from harness.exchange.lighteval_details import lighteval_documents
from harness.exchange.types import SHOTS_NOT_SAID, Answers, Contents, ForeignFile, Published, PublishedScore, Remark
from harness.wording import quoted

TOOL = "lighteval"
_STDERR = "_stderr"
_DATED = re.compile(r"results_(?P<day>\d{4}-\d\d-\d\d)T(?P<time>[\d.-]+)\.json")
_DECIDES = (
    *("prompt_function", "hf_repo", "hf_subset", "hf_revision", "hf_filter", "evaluation_splits", "few_shots_split"),
    *("few_shots_select", "generation_size", "stop_sequence", "num_samples"),
)
"""Keys of a task's config that stand for its version where it has none."""
_MEANS = Remark("row", "left out, which are means over other rows")


class _Key(NamedTuple):
    """A key of `results`."""

    text: str
    """The key as it stands there."""
    suite: str | None
    """Suite; None for none."""
    task: str
    """Task."""
    shots: int | None
    """Demonstrations; None where the key does not say it."""


def read_lighteval(file: ForeignFile) -> Contents | None:
    """The results in a file, one for each task, with the details where they lie as lighteval puts them.

    Raises:
        HarnessError: a value is not what lighteval writes there.
    """
    raw = file.json()
    if not isinstance(raw, dict) or "config_general" not in raw or not isinstance(raw.get("results"), dict):
        return None
    record = Fields(raw, str(file.path))
    rows = [(_key(str(text)), Fields(row, f"{record.place}: results.{text}")) for text, row in raw["results"].items()]
    single = [(key, row) for key, row in rows if not _is_mean(key)]
    common = _common(record, file, alone=len(single) == 1)
    details = _details(file.path)
    results = tuple(_one(record, key, row, {**common, "answers": _answers(details, key)}) for key, row in single)
    unsaid = sum(_shots(key, _config(record, key)) is None for key, _ in single)
    return Contents(results=results, remarks={_MEANS: len(rows) - len(single), SHOTS_NOT_SAID: unsaid})


def _key(text: str) -> _Key:
    """The parts of a key.

    >>> _key("gsm8k|5")[1:], _key("leaderboard|arc:challenge|25|0")[1:], _key("mix")[1:]
    ((None, 'gsm8k', 5), ('leaderboard', 'arc:challenge', 25), (None, 'mix', None))
    """
    parts = text.split("|")
    suite = parts.pop(0) if len(parts) > 2 else None
    shots = int(parts[1]) if len(parts) > 1 and re.fullmatch(r"\d{1,6}", parts[1]) else None
    return _Key(text, suite, parts[0], shots)


def _is_mean(key: _Key) -> bool:
    return key.text == "all" or key.task.endswith(":_average")


def _common(record: Fields, file: ForeignFile, *, alone: bool) -> dict[str, Any]:
    """What a file says of all its tasks."""
    general = record.mapping("config_general")
    config = general.mapping("model_config")
    name = general.text("model_name") or config.text("model_name")
    if name is None:
        raise HarnessError(f"{general.place}: model_name is missing; expected the name of a model")
    sha, version = general.text("model_sha"), general.text("lighteval_sha")
    seconds = str(general.get("total_evaluation_time_secondes") or "")
    chat = config.get("override_chat_template") or config.get("use_chat_template")
    adapter = config.get("adapter_weights") or config.get("delta_weights")
    return {
        "model": model_name(name),
        "revision": config.text("revision") or sha or "main",
        "dtype": dtype_of(general.get("model_dtype") or config.get("dtype")),
        "variant": adapter if isinstance(adapter, str) else None,
        "chat": "template" if chat is True else None,
        "system": config.text("system_prompt"),
        "tool": TOOL,
        "tool_version": None if version in (None, "?") else version,
        "date": _date(file.path),
        # the time of all tasks together is that of none of them
        "seconds": float(seconds) if alone and re.fullmatch(r"\d{1,12}(\.\d+)?", seconds) else 0.0,
    }


def _date(path: Path) -> Any:
    named = _DATED.fullmatch(path.name)
    return None if named is None else moment_of(f"{named['day']}T{named['time'].replace('-', ':')}")


def _config(record: Fields, key: _Key) -> Fields:
    """The config of a task, whose key has had several forms."""
    configs = record.mapping("config_tasks")
    names = (key.text, f"{key.suite}|{key.task}", f"{key.task}|{key.shots}", key.task)
    return next((configs.mapping(name) for name in names if configs.get(name) is not None), configs.mapping(key.text))


def _shots(key: _Key, config: Fields) -> int | None:
    return config.whole("num_fewshots") if key.shots is None else key.shots


def _one(record: Fields, key: _Key, row: Fields, common: Mapping[str, Any]) -> Published:
    config = _config(record, key)
    version = record.mapping("versions").get(key.text)
    listed = list(_listed(config))
    scores = tuple(sorted(_scores(row, dict(listed)), key=lambda s: _rank(s.metric, [name for name, _ in listed])))
    if not scores:
        raise HarnessError(f"{row.place}: has no score; expected a metric with a number")
    documents, asked = _number(config, "original_num_docs"), _number(config, "effective_num_docs")
    most = record.mapping("config_general").whole("max_samples")
    said = version not in (None, "?")
    generation = record.of("config_general", "model_config").mapping("generation_parameters")
    return Published(
        task=key.task,
        version=str(version) if said else None,
        asked={
            "suite": key.suite,
            "generation": {name: value for name, value in generation.items() if value is not None},
            **({} if said else {name: config[name] for name in _DECIDES if config.get(name) is not None}),
        },
        shots=_shots(key, config) or 0,
        limit=_limit(documents, asked, most),
        scores=scores,
        n=asked or None,
        **common,
    )


def _limit(documents: int | None, asked: int | None, most: int | None) -> int | None:
    """Number of documents asked where they are not all; where nobody counted, what was asked for."""
    if documents and asked:
        return asked if asked < documents else None
    return most or None


def _number(config: Fields, name: str) -> int | None:
    """A number of documents, -1 where nobody counted."""
    return None if config.get(name) == -1 else config.whole(name)


def _listed(config: Fields) -> Iterator[tuple[str, bool | None]]:
    """Metrics in the order of a task's config, and whether more of them is better."""
    for one in config.list("metrics") or config.list("metric"):
        if not isinstance(one, dict):
            continue
        names, better = one.get("metric_name"), one.get("higher_is_better")
        for name in map(str, names if isinstance(names, list) else [names]):
            says = better.get(name) if isinstance(better, dict) else better
            yield name, says if isinstance(says, bool) else None


def _scores(row: Fields, better: Mapping[str, bool | None]) -> Iterator[PublishedScore]:
    """The metrics that are finite numbers; lighteval writes NaN where a metric could not be computed."""
    for metric, value in row.items():
        if metric.endswith(_STDERR) or not is_number(value):
            continue
        stderr = row.get(f"{metric}{_STDERR}")
        if isinstance(stderr, str):
            raise HarnessError(f"{row.place}.{metric}{_STDERR} is {quoted(stderr)}; expected a number")
        yield PublishedScore(
            metric=metric,
            value=float(value),
            stderr=float(stderr) if is_number(stderr) else None,
            higher_is_better=better.get(metric),
        )


def _rank(metric: str, listed: list[str]) -> int:
    return listed.index(metric) if metric in listed else len(listed)


# --- the files with the documents -----------------------------------------------------------------------------------


def _details(path: Path) -> list[tuple[Path, str]]:
    """Folders where the details of a result file may lie, and the date in their names.

    On a disk these are `results/MODEL/results_DATE.json` and `details/MODEL/DATE/`; on the hub the folder lies beside
    the file.
    """
    if _DATED.fullmatch(path.name) is None:
        return []
    date = path.name.removeprefix("results_").removesuffix(".json")
    folders = [path.parent, path.parent / date]
    parts = path.parent.parts
    if "results" in parts:
        at = len(parts) - 1 - parts[::-1].index("results")
        folders.append(Path(*parts[:at], "details", *parts[at + 1 :], date))
    return [(folder, date) for folder in folders]


def _answers(details: list[tuple[Path, str]], key: _Key) -> Answers | None:
    if "/" in key.text:
        return None
    for folder, date in details:
        path = folder / f"details_{key.text}_{date}.parquet"
        if is_regular(path):
            return Answers(path=path, samples=partial(lighteval_documents, path))
    return None
